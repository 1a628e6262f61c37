package db

import (
	"errors"
	"testing"

	"usher/billing"
	"usher/billing/apperr"
)

// A missing row must return the zero value, without pointers to zero values.
func TestMissingRowIsZero(t *testing.T) {
	store := newTestStore(t)
	state, err := store.Seats().State(t.Context(), "org_nobody")
	if !errors.Is(err, apperr.ErrNotFound) || state != (billing.SeatState{}) {
		t.Errorf("got %+v, %v", state, err)
	}
}
