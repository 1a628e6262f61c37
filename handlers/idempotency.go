package handlers

import (
	"crypto/sha256"
	"io"
	"net/http"

	"usher/billing/account"
)

// idempotent answers a repeated POST of the API with the answer to the first one. A request is
// repeated if it has the same Idempotency-Key and comes from the same credential.
func (s *server) idempotent(rt route, next handlerFunc) handlerFunc {
	if rt.method != post || rt.scope == "" {
		return next
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		if _, given := r.Header["Idempotency-Key"]; !given {
			return next(w, r)
		}
		fingerprint := fingerprintOf(r)
		keyed, err := s.idempotencyKeys.Begin(r.Context(), identityOf(r).credential(), r.Header.Get("Idempotency-Key"), fingerprint, rt.secret)
		if err != nil {
			return err
		}
		if keyed.Status != 0 {
			return replay(w, rt, keyed)
		}
		return s.answerOnce(w, r, keyed, rt.secret, next)
	}
}

// credential is the id of the API key or the user.
func (v identity) credential() string {
	if v.key != nil {
		return v.key.ID
	}
	return v.userID
}

// fingerprintOf identifies what a request asks for: organization, method, address and body.
func fingerprintOf(r *http.Request) []byte {
	sum := sha256.New()
	for _, part := range []string{accessOf(r).Organization.ID, r.Method, r.URL.RequestURI()} {
		sum.Write([]byte(part + "\n"))
	}
	sum.Write(bodyOf(r))
	return sum.Sum(nil)
}

func replay(w http.ResponseWriter, rt route, keyed account.KeyedRequest) error {
	w.Header().Set("Idempotent-Replayed", "true")
	switch {
	case rt.response == scim:
		setSCIMHeader(w, keyed)
	case keyed.Body != "":
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
	}
	w.WriteHeader(keyed.Status)
	_, err := io.WriteString(w, keyed.Body)
	return err
}

// answerOnce handles a request and stores its answer. Answers that say nothing about the request,
// such as that Stripe is away, are not stored: a repeated request is handled again.
func (s *server) answerOnce(w http.ResponseWriter, r *http.Request, keyed account.KeyedRequest, secret bool, next handlerFunc) error {
	finished := false
	defer func() {
		if !finished { // the handler panicked
			s.idempotencyKeys.Abandon(r.Context(), keyed)
		}
	}()
	out := newBufferedResponse()
	err := next(out, r)
	if err != nil {
		out.discard()
		s.fail(out, r, err)
	}
	finished = true
	out.WriteHeader(http.StatusOK) // unless there is another status
	if final := out.status < http.StatusInternalServerError && out.status != http.StatusTooManyRequests; final {
		s.idempotencyKeys.Finish(r.Context(), keyed, out.status, out.body.String(), secret)
	} else {
		s.idempotencyKeys.Abandon(r.Context(), keyed)
	}
	out.copyTo(w)
	out.release()
	return nil
}
