package db

import (
	"errors"
	"testing"

	"usher/billing"
)

// A row that is not there must not look like one that is: sqlx leaves pointers to zero values behind.
func TestMissingRowIsZero(t *testing.T) {
	store := newTestStore(t)
	state, err := store.Seats().State(t.Context(), "org_nobody")
	if !errors.Is(err, billing.ErrNotFound) || state != (billing.SeatState{}) {
		t.Errorf("got %+v, %v", state, err)
	}
}
