package handlers

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// The largest bodies taken, in octets.
const (
	maxFormBody    = 64 << 10
	maxWebhookBody = 1 << 20
)

// bodyTimeout is how long a body may take to arrive, so that a dripping one ends.
const bodyTimeout = 10 * time.Second

// setReadDeadline gives the body until the time-out from now. It is the socket's deadline, hence the machine's clock. A body that a refusal
// leaves unread ends by it too. net/http lifts it itself once the body was read, so that it does not cut the handler's work short.
func (s *server) setReadDeadline(w http.ResponseWriter, r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	// A test's recorder has no connection, and then there is nothing to bound.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.bodyTimeout))
}

// bodyLimit reads the body of a POST whole, up to what its form may have, and refuses text that can't be stored.
func bodyLimit(rt route, next handlerFunc) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		if !validText(r.URL.Query()) {
			return errText
		}
		if rt.method != post {
			return next(w, r)
		}
		if err := readBody(r, rt); err != nil {
			return err
		}
		return next(w, r)
	}
}

func readBody(r *http.Request, rt route) error {
	limit := int64(maxFormBody)
	if rt.policy == webhook {
		limit = maxWebhookBody
	}
	content, err := readAtMost(r, limit)
	if err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(content))
	if rt.response != page {
		return nil
	}
	return parseForm(r, len(content))
}

// readAtMost reads the body, chunked or not. One that says itself that it is too long is not read at all.
func readAtMost(r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, errTooLarge
	}
	content, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, limit))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, errTooLarge
	case err != nil:
		return nil, errBody.withCause(err)
	}
	return content, nil
}

func parseForm(r *http.Request, length int) error {
	if length > 0 && mediaType(r) != "application/x-www-form-urlencoded" {
		return errFormType
	}
	if err := r.ParseForm(); err != nil {
		return errBody.withCause(err)
	}
	if !validText(r.PostForm) {
		return errText
	}
	return nil
}

func mediaType(r *http.Request) string {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return kind
}

// validText tells whether PostgreSQL takes the texts: valid UTF-8 without NUL.
func validText(values url.Values) bool {
	for name, texts := range values {
		if !isValidText(name) || slices.ContainsFunc(texts, func(text string) bool { return !isValidText(text) }) {
			return false
		}
	}
	return true
}

func isValidText(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsRune(text, 0)
}
