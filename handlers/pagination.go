package handlers

import (
	"net/http"
	"strconv"

	"usher/billing/apperr"
	"usher/views/ui"
)

// paginate returns the bounds of the current page of a list and links to its neighbours. The links
// keep the other query parameters.
func paginate(r *http.Request, total, perPage int) (from, to int, pager ui.PagerProps) {
	pages := max(1, (total+perPage-1)/perPage)
	number := min(pageNumber(r), pages)
	from, to = (number-1)*perPage, min(number*perPage, total)
	pager = ui.PagerProps{From: from + 1, To: to, Total: total}
	if number > 1 {
		pager.PreviousHref = pagePath(r, number-1)
	}
	if number < pages {
		pager.NextHref = pagePath(r, number+1)
	}
	return from, to, pager
}

// pageNumber returns the page number of the query, from 1.
func pageNumber(r *http.Request) int {
	number, err := strconv.Atoi(r.URL.Query().Get("page"))
	if err != nil {
		return 1
	}
	return min(max(1, number), maxPage)
}

// maxPage is above the last page of any list and bounds the offset.
const maxPage = 1_000_000

func pagePath(r *http.Request, number int) string {
	query := r.URL.Query()
	query.Set("page", strconv.Itoa(number))
	return r.URL.Path + "?" + query.Encode()
}

// queryNumber returns a whole number of the query, or the default if it is not given. Error:
// CodeInvalid.
func queryNumber(r *http.Request, name string, byDefault, least, most int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return byDefault, nil
	}
	number, err := strconv.Atoi(text)
	if err != nil || number < least || number > most {
		return 0, apperr.Errorf(apperr.CodeInvalid, "%s must be a whole number from %d to %d.", name, least, most)
	}
	return number, nil
}
