package account

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"time"

	"usher/billing/apperr"
	"usher/billing/secrets"
)

// IdempotencyKeys stores the answers to requests that carry an Idempotency-Key, so that a repeated
// request does nothing and gets the same answer
// (https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/).
type IdempotencyKeys struct {
	*base
	keyring *secrets.Keyring // seals answers that show a secret
}

// KeyedRequest is a request with an Idempotency-Key.
type KeyedRequest struct {
	Credential  string    `db:"credential"` // id of the API key or the user
	Key         string    `db:"key"`
	Fingerprint []byte    `db:"fingerprint"` // SHA-256 of what was requested
	CreatedAt   time.Time `db:"created_at"`
	LockedUntil time.Time `db:"locked_until"` // until then, a request without an answer is being handled
	Owner       string    `db:"owner"`        // of the lock: each request has its own
	Status      int       `db:"status"`       // of the answer; 0: none yet
	Body        string    `db:"body"`         // of a secret answer, sealed
}

const (
	keyedAnswerLifetime  = 24 * time.Hour
	keyedRequestLease    = 30 * time.Second // more than a request can take
	keyedRequestPause    = time.Second      // before a request that is being handled is repeated
	maxIdempotencyLength = 255
)

// Messages about idempotency keys.
const (
	messageKeyReused = "This Idempotency-Key was used for another request. Use a new one for each request."
	messageKeyBusy   = "A request with this Idempotency-Key is being handled. Send it again in a moment."
)

// Begin begins a request. If it was answered already, the result has that answer; otherwise the
// caller handles the request and calls [IdempotencyKeys.Finish] or [IdempotencyKeys.Abandon] with
// the result. Errors: CodeInvalid for a malformed key; CodeUnprocessable if the key was used for
// another request; CodeConflict while the first request is being handled. secret means that the
// answer shows a secret, which is stored sealed.
func (ik *IdempotencyKeys) Begin(ctx context.Context, credential, key string, fingerprint []byte, secret bool) (KeyedRequest, error) {
	if !validIdempotencyKey(key) {
		return KeyedRequest{}, apperr.Errorf(apperr.CodeInvalid, "Idempotency-Key has to have between 1 and %d printable ASCII characters.", maxIdempotencyLength)
	}
	now := ik.Wall()
	begun := KeyedRequest{
		Credential: credential, Key: key, Fingerprint: fingerprint, CreatedAt: now, LockedUntil: now.Add(keyedRequestLease), Owner: ik.NewID("idk"),
	}
	stored, err := ik.store.IdempotencyKeys().Begin(ctx, begun, now.Add(-keyedAnswerLifetime))
	switch {
	case err != nil:
		return KeyedRequest{}, fmt.Errorf("begin keyed request: %w", err)
	case !bytes.Equal(stored.Fingerprint, fingerprint):
		return KeyedRequest{}, apperr.Errorf(apperr.CodeUnprocessable, messageKeyReused)
	case stored.Status == 0 && stored.Owner != begun.Owner:
		return KeyedRequest{}, &apperr.Error{Code: apperr.CodeConflict, Message: messageKeyBusy, RetryAfter: keyedRequestPause}
	}
	if secret && stored.Status != 0 {
		if stored.Body, err = ik.open(stored); err != nil {
			return KeyedRequest{}, fmt.Errorf("open keyed answer: %w", err)
		}
	}
	return stored, nil
}

// answerPurpose, the credential and its key are authenticated with a sealed answer.
const answerPurpose = "keyed answer"

func (ik *IdempotencyKeys) seal(k KeyedRequest) (string, error) {
	sealed, err := ik.keyring.Seal([]byte(k.Body), answerPurpose, k.Credential+" "+k.Key)
	return base64.StdEncoding.EncodeToString(sealed), err
}

func (ik *IdempotencyKeys) open(k KeyedRequest) (string, error) {
	sealed, err := base64.StdEncoding.DecodeString(k.Body)
	if err != nil {
		return "", err
	}
	body, _, err := ik.keyring.Open(sealed, answerPurpose, k.Credential+" "+k.Key)
	return string(body), err
}

func validIdempotencyKey(key string) bool {
	for _, c := range []byte(key) {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return key != "" && len(key) <= maxIdempotencyLength
}

// Finish stores the answer to a request, even if the request was canceled. A failure is logged: the
// request is handled already.
func (ik *IdempotencyKeys) Finish(ctx context.Context, k KeyedRequest, status int, body string, secret bool) {
	k.Status, k.Body = status, body
	ik.end(ctx, "store", func(ctx context.Context) (err error) {
		if secret {
			if k.Body, err = ik.seal(k); err != nil {
				return err
			}
		}
		return ik.store.IdempotencyKeys().Finish(ctx, k)
	})
}

// Abandon forgets a request whose answer may be another one when it is repeated.
func (ik *IdempotencyKeys) Abandon(ctx context.Context, k KeyedRequest) {
	ik.end(ctx, "forget", func(ctx context.Context) error { return ik.store.IdempotencyKeys().Delete(ctx, k) })
}

func (ik *IdempotencyKeys) end(ctx context.Context, operation string, f func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeBackTimeout)
	defer cancel()
	if err := f(ctx); err != nil {
		ik.Log.WarnContext(ctx, "keyed request not ended", "operation", operation, "err", err)
	}
}

// Prune deletes answers older than a day.
func (ik *IdempotencyKeys) Prune(ctx context.Context) error {
	return ik.store.IdempotencyKeys().Prune(ctx, ik.Wall().Add(-keyedAnswerLifetime))
}
