package stripelocal

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"

	"usher/stripelocal/wire"
)

const (
	maxKeyLength = 255
	keyLifetime  = 24 * 60 * 60 // seconds; Stripe prunes no sooner
)

// storedAnswer is the first result under an idempotency key, 500s included.
type storedAnswer struct {
	Path        string
	Fingerprint string
	Status      int
	Body        string
	RequestID   string
	At          int64
}

// idempotentCall is a call under a key that has not been answered yet.
type idempotentCall struct{ path, fingerprint string }

// once runs the call unless its key has been used: then the first answer comes
// again, or the use is refused.
func (c call) once(raw string, run func() answer) answer {
	key := c.info.IdempotencyKey
	if len(key) > maxKeyLength {
		return c.refuse(wire.IdempotencyError(fmt.Sprintf("The maximum length for an idempotency key is %d characters.", maxKeyLength)))
	}
	mine := &idempotentCall{path: c.req.URL.Path, fingerprint: fingerprint(raw)}
	first, refusal := c.claim(key, mine)
	switch {
	case refusal != nil:
		return c.refuse(refusal)
	case first != nil:
		return answer{status: first.Status, body: []byte(first.Body), date: c.Now().Unix(), replay: true, first: first.RequestID}
	}
	defer c.release(key)
	out := run()
	out.first = c.info.RequestID
	if !out.unstored {
		c.keep(key, mine, out)
	}
	return out
}

// fingerprint is of the parameters as sent: Stripe's SDKs send the same call
// the same way.
func fingerprint(raw string) string {
	sum := sha256.Sum256([]byte(raw))
	return hex.EncodeToString(sum[:])
}

func (s *Server) claim(key string, mine *idempotentCall) (*storedAnswer, *wire.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if first := s.state.Answers[key]; first != nil && s.clock()-first.At < keyLifetime {
		return first, sameCall(key, mine, &idempotentCall{path: first.Path, fingerprint: first.Fingerprint})
	}
	if s.keys[key] != nil {
		return nil, keyInUse(key)
	}
	s.keys[key] = mine
	return nil, nil
}

func sameCall(key string, mine, first *idempotentCall) *wire.Error {
	switch {
	case mine.path != first.path:
		return wire.IdempotencyError(fmt.Sprintf("Keys for idempotent requests can only be used for the same endpoint they were first used for ('%s' vs '%s'). Try using a key other than '%s' if you meant to execute a different request.", mine.path, first.path, key))
	case mine.fingerprint != first.fingerprint:
		return wire.IdempotencyError(fmt.Sprintf("Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '%s' if you meant to execute a different request.", key))
	}
	return nil
}

func keyInUse(key string) *wire.Error {
	return &wire.Error{
		Status: http.StatusConflict, Type: "invalid_request_error", Code: "idempotency_key_in_use",
		Message: fmt.Sprintf("There is currently another in-progress request using this Idempotent Key (that probably means you submitted twice, and the other request is still going through): %s. Please try again later.", key),
	}
}

func (s *Server) release(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.keys, key)
}

func (s *Server) keep(key string, mine *idempotentCall, out answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.clock()
	s.state.Answers[key] = &storedAnswer{
		Path: mine.path, Fingerprint: mine.fingerprint, Status: out.status,
		Body: string(out.body), RequestID: out.first, At: at,
	}
	s.schedule(accountClock, at+keyLifetime, func(r *request) { r.expireKey(key) })
	s.saver.touch()
}

// scheduleKeyExpiry has the keys of a loaded state forgotten in time.
func (r *request) scheduleKeyExpiry() {
	for key, first := range r.state.Answers {
		r.schedule(accountClock, first.At+keyLifetime, func(r *request) { r.expireKey(key) })
	}
}

func (r *request) expireKey(key string) {
	if first := r.state.Answers[key]; first != nil && r.now-first.At >= keyLifetime {
		delete(r.state.Answers, key)
		r.changed = true
	}
}
