package stripelocal

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"

	"usher/stripelocal/wire"
)

const (
	maxKeyLength = 255
	keyLifetime  = 24 * 60 * 60 // seconds; Stripe prunes keys after at least 24 hours
)

// storedResponse is the first response under an idempotency key, including 500s.
type storedResponse struct {
	Path        string
	Fingerprint string
	Status      int
	Body        archived
	Version     string `json:",omitzero"` // of the body; empty is APIVersion
	RequestID   string
	StoredAt    int64
}

// idempotentRequest is a request in progress under an idempotency key.
type idempotentRequest struct{ path, fingerprint string }

// executeOnce runs the call unless its idempotency key was used. Then it returns the first
// response, or an error if the request differs.
func (c apiCall) executeOnce(raw string, run func() apiResponse) apiResponse {
	key := c.info.IdempotencyKey
	if len(key) > maxKeyLength {
		return c.fail(wire.IdempotencyError(fmt.Sprintf("The maximum length for an idempotency key is %d characters.", maxKeyLength)))
	}
	current := &idempotentRequest{path: c.req.URL.Path, fingerprint: fingerprint(raw)}
	first, refusal := c.claimKey(key, current)
	switch {
	case refusal != nil:
		return c.fail(refusal)
	case first != nil:
		return apiResponse{status: first.Status, body: c.bodyOf(first), version: cmp.Or(first.Version, APIVersion), date: c.Now().Unix(), replayed: true, originalRequest: first.RequestID}
	}
	defer c.releaseKey(key, current)
	out := run()
	out.originalRequest = c.info.RequestID
	if !out.notStored {
		c.storeResponse(key, current, out)
	}
	return out
}

// bodyOf reads a stored body, which a later call may compress.
func (c apiCall) bodyOf(first *storedResponse) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return first.Body.text()
}

// fingerprint is the first half of the SHA-256 of the parameters as sent. Stripe's SDKs encode the
// same call the same way.
func fingerprint(raw string) string {
	sum := sha256.Sum256([]byte(raw))
	return hex.EncodeToString(sum[:len(sum)/2])
}

func (c apiCall) claimKey(key string, current *idempotentRequest) (*storedResponse, *wire.Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if first := c.store.IdempotentResponses[key]; first != nil && c.clock()-first.StoredAt < keyLifetime {
		return first, checkSameRequest(key, current, &idempotentRequest{path: first.Path, fingerprint: first.Fingerprint})
	}
	if c.keysInFlight[key] != nil {
		return nil, keyInUseError(key)
	}
	c.keysInFlight[key] = current
	return nil, nil
}

func checkSameRequest(key string, current, first *idempotentRequest) *wire.Error {
	switch {
	case current.path != first.path:
		return wire.IdempotencyError(fmt.Sprintf("Keys for idempotent requests can only be used for the same endpoint they were first used for ('%s' vs '%s'). Try using a key other than '%s' if you meant to execute a different request.", current.path, first.path, key))
	// Older state files have the whole hash.
	case !strings.HasPrefix(first.fingerprint, current.fingerprint):
		return wire.IdempotencyError(fmt.Sprintf("Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '%s' if you meant to execute a different request.", key))
	}
	return nil
}

func keyInUseError(key string) *wire.Error {
	return &wire.Error{
		Status: http.StatusConflict, Type: "invalid_request_error", Code: "idempotency_key_in_use",
		Message: fmt.Sprintf("There is currently another in-progress request using this Idempotent Key (that probably means you submitted twice, and the other request is still going through): %s. Please try again later.", key),
	}
}

// releaseKey ends a request under a key, unless a reset has ended it.
func (c apiCall) releaseKey(key string, current *idempotentRequest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keysInFlight[key] == current {
		delete(c.keysInFlight, key)
	}
}

func (c apiCall) storeResponse(key string, current *idempotentRequest, out apiResponse) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keysInFlight[key] != current {
		return // a reset has emptied the account meanwhile
	}
	at := c.clock()
	c.store.IdempotentResponses[key] = &storedResponse{
		Path: current.path, Fingerprint: current.fingerprint, Status: out.status,
		Body: c.archive.add(out.body), Version: out.version, RequestID: out.originalRequest, StoredAt: at,
	}
	c.schedule(accountClock, at+keyLifetime, func(r *request) { r.expireKey(key) })
	c.stateWriter.markDirty()
}

// scheduleKeyExpiry schedules the expiry of all loaded idempotency keys.
func (r *request) scheduleKeyExpiry() {
	for key, first := range r.store.IdempotentResponses {
		r.schedule(accountClock, first.StoredAt+keyLifetime, func(r *request) { r.expireKey(key) })
	}
}

func (r *request) expireKey(key string) {
	if first := r.store.IdempotentResponses[key]; first != nil && r.now-first.StoredAt >= keyLifetime {
		delete(r.store.IdempotentResponses, key)
		r.changed = true
	}
}
