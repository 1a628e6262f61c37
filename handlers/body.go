package handlers

import (
	"bytes"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Maximum body sizes, in bytes.
const (
	maxFormBody    = 64 << 10
	maxWebhookBody = 1 << 20
	maxMembersBody = 4 << 20 // 5,000 members with long names

	// usualBody is what is allocated for a body before it has arrived, at most.
	usualBody = 16 << 10
)

// bodyTimeout bounds how long a request body may take to arrive.
const bodyTimeout = 10 * time.Second

// setReadDeadline sets the deadline for reading the body. It is the socket's deadline, hence uses
// the machine's clock. It also bounds a body that a refused request leaves unread. net/http removes
// it after the body was read, so it does not bound the handler.
func (s *server) setReadDeadline(w http.ResponseWriter, r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	// A test's recorder has no connection and returns an error.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.bodyTimeout))
}

// bodyLimit reads the whole body of a POST, PUT or PATCH, up to the limit of its response type, and
// refuses text that cannot be stored.
func bodyLimit(rt route, next handlerFunc) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		if !validText(r.URL.Query()) {
			return errText
		}
		if rt.method != post && rt.method != put && rt.method != patch {
			return next(w, r)
		}
		if err := readBody(r, rt); err != nil {
			return err
		}
		return next(w, r)
	}
}

// body is a body that was read.
type body struct {
	*bytes.Reader
	content []byte
}

// Close implements io.Closer. It does nothing.
func (body) Close() error { return nil }

// bodyOf returns the body that bodyLimit has read, nil for other methods.
func bodyOf(r *http.Request) []byte {
	b, _ := r.Body.(body)
	return b.content
}

func readBody(r *http.Request, rt route) error {
	limit := int64(maxFormBody)
	if rt.policy == webhook {
		limit = maxWebhookBody
	}
	if rt.maxBody > 0 {
		limit = rt.maxBody
	}
	content, err := readAtMost(r, limit)
	if err != nil {
		return err
	}
	r.Body = body{bytes.NewReader(content), content}
	if rt.response != page {
		return nil
	}
	return parseForm(r, len(content))
}

// readAtMost reads the body, chunked or not. A declared length above the limit is refused without
// reading.
func readAtMost(r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, errTooLarge
	}
	var content bytes.Buffer
	content.Grow(int(min(max(r.ContentLength, 0), usualBody)) + bytes.MinRead)
	_, err := content.ReadFrom(http.MaxBytesReader(nil, r.Body, limit))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, errTooLarge
	case err != nil:
		return nil, errBody.withCause(err)
	}
	return content.Bytes(), nil
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

// validText reports whether PostgreSQL can store the texts: valid UTF-8 without NUL.
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
