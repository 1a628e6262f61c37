package stripegw

import (
	"context"

	"github.com/stripe/stripe-go/v79"

	"usher/billing"
)

// setPage asks for one page of a list, the one after an object or (empty) the first
// (https://docs.stripe.com/api/pagination).
func setPage(params *stripe.ListParams, ctx context.Context, after string) {
	params.Context, params.Limit, params.Single = ctx, stripe.Int64(pageSize), true
	if after != "" {
		params.StartingAfter = stripe.String(after)
	}
}

// pageOf maps the objects of a page. The cursor of the next page is the last object's id.
func pageOf[From, To any](found []From, meta *stripe.ListMeta, id func(From) string, mapped func(From) (To, error)) (billing.Page[To], error) {
	page := billing.Page[To]{Items: make([]To, 0, len(found))}
	for _, object := range found {
		item, err := mapped(object)
		if err != nil {
			return page, err
		}
		page.Items = append(page.Items, item)
	}
	if meta != nil && meta.HasMore && len(found) > 0 {
		page.Next = id(found[len(found)-1])
	}
	return page, nil
}
