package account

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usher/billing/apperr"
)

// Behind a flood of log-ins a password waits two seconds for its turn, not until its request ends,
// and the answer says when to try again.
func TestPasswordDoesNotWaitLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ps := &Passwords{slots: make(chan struct{}, 1)}
		ps.slots <- struct{}{}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		_, err := ps.matches(ctx, "a password", dummyHash)
		if apperr.CodeOf(err) != apperr.CodeUnavailable || apperr.RetryAfterOf(err) != hashRetryAfter || time.Since(began) != hashWait {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		<-ps.slots
		if _, err := ps.matches(ctx, "a password", dummyHash); err != nil {
			t.Errorf("with a free slot: %v", err)
		}
	})
}

func TestPasswordLengths(t *testing.T) {
	for password, want := range map[string]string{
		"1234567":                "at least 8",
		strings.Repeat("a", 257): "256 letters are the most",
		strings.Repeat("a", 256): "",
		"пароль12":               "",
	} {
		err := checkNewPassword(password)
		if want == "" && err != nil || want != "" && !strings.Contains(apperr.MessageOf(err), want) {
			t.Errorf("%d letters: %v, want %q", len(password), err, want)
		}
	}
}
