package stripegw

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
)

// storedFailures bounds how many stored failures one call passes.
const storedFailures = 10

// callKeyed makes a call with an idempotency key. Stripe stores a response of 500 under the key and
// replays it for at least a day (https://docs.stripe.com/api/idempotent_requests), which would
// block the operation for that long. A replayed failure is that of an earlier call, and the caller
// has read since that nothing came of it, so the call is repeated with the next key. The sequence
// of keys is the same in every process: concurrent callers still send one key.
func callKeyed[T any](ctx context.Context, operation, key string, f func(ctx context.Context, key string) (T, error)) (T, callInfo, error) {
	sent := key
	for failures := 1; ; failures++ {
		value, info, err := call(ctx, operation, func(ctx context.Context) (T, error) { return f(ctx, sent) })
		earlier := info.attempts == 1 && info.replayed && info.status >= http.StatusInternalServerError
		if err == nil || !earlier || failures > storedFailures {
			return value, info, err
		}
		sent = fmt.Sprintf("%s:%d", key, failures)
	}
}

// hashedKey returns an idempotency key of a prefix and a hash of the parameters, within Stripe's
// limit of 255 characters. Other parameters have another key, since Stripe rejects a key with
// changed parameters.
func hashedKey(word string, parameters ...string) string {
	return word + ":" + hash(strings.Join(parameters, "\x00"))
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:16])
}
