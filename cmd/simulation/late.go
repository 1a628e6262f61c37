package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"usher/billing"
)

// late is what happens to Stripe's answers about seats on their way: cut off after the act, or held up while the world moves on.
type late struct {
	mutex   sync.Mutex
	deaf    bool          // answers are cut off; the act is done all the same
	release chan struct{} // not nil: answers wait until it is closed
	cut     int
	held    int
}

// about tells of a request that sets seats: those carry a key that says so.
func (l *late) about(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Idempotency-Key"), "seats:")
}

func (l *late) mistreat(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mutex.Lock()
		deaf, release := l.deaf, l.release
		l.mutex.Unlock()
		switch {
		case !l.about(r) || !deaf && release == nil:
			next.ServeHTTP(w, r)
		case deaf:
			next.ServeHTTP(httptest.NewRecorder(), r)
			l.count(&l.cut)
			panic(http.ErrAbortHandler)
		default:
			answer := httptest.NewRecorder()
			next.ServeHTTP(answer, r)
			l.count(&l.held)
			select {
			case <-release:
			case <-r.Context().Done():
			}
			for name, values := range answer.Header() {
				w.Header()[name] = values
			}
			w.WriteHeader(answer.Code)
			_, _ = w.Write(answer.Body.Bytes())
		}
	})
}

func (l *late) count(what *int) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	*what++
}

func (l *late) set(deaf bool, release chan struct{}) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.deaf, l.release = deaf, release
}

// echo has the number of seats change in half of the histories, Stripe's yes to it lost, and the subscription changed by somebody else before it is asked
// again: what it then answers under the same key is the answer of before that change.
func (w *world) echo() error {
	w.courier.hold(true) // a webhook would say what the lost answer said
	defer w.courier.hold(false)
	w.late.set(true, nil)
	w.each(otherHalf, "turn")
	if err := w.advance(time.Minute); err != nil {
		return err
	}
	w.settled("every answer to be lost", `select count(*) from billing_seat_state where due_at is not null and not attempt_open`)
	w.each(otherHalf, "flip")
	w.late.set(false, nil)
	if err := w.advance(10 * time.Minute); err != nil {
		return err
	}
	return w.rest()
}

// overtake has everybody's number of seats change again while Stripe's yes to the last one is under way. Nobody changes a number at Stripe
// meanwhile, and the ledger must not say so.
func (w *world) overtake() error {
	if err := w.store.DB().GetContext(w.ctx, &w.ledgerBefore, `select coalesce(max(id), 0) from seat_changes`); err != nil {
		return err
	}
	release := make(chan struct{})
	w.late.set(false, release)
	w.each(all, "turn")
	if err := w.advance(time.Minute); err != nil {
		return err
	}
	w.settled("every answer to be on its way", `select count(*) from billing_seat_state where due_at is not null and not attempt_open`)
	w.each(all, "turn")
	w.late.set(false, nil)
	close(release)
	if err := w.advance(time.Minute); err != nil {
		return err
	}
	return w.rest()
}

// settled waits until a count is zero, for a while: what Stripe is not told now it is told later, and then it is not part of this.
func (w *world) settled(what, count string) {
	deadline := time.Now().Add(12 * time.Second)
	for time.Now().Before(deadline) && w.ctx.Err() == nil {
		var left int
		if err := w.store.DB().GetContext(w.ctx, &left, count); err == nil && left == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond) // between two looks at the condition
	}
	w.count("gave up waiting for "+what, 1)
}

// judgeLedger: where no number was changed at Stripe the ledger does not say that one was.
func (w *world) judgeLedger(h *history) error {
	var lines []string
	err := w.store.DB().SelectContext(w.ctx, &lines, `select format('%s %s: %s to %s', version, reason, from_seats, to_seats) from seat_changes
		where organization_id = $1 and id > $2 order by id`, h.id, w.ledgerBefore)
	if said := strings.Join(lines, "; "); strings.Contains(said, billing.ReasonToldAgain) {
		w.diverged(h, "the ledger says that Stripe had another number, and nobody had changed it: %s", said)
	}
	return err
}

// turn changes how many are billed, by one.
func (h *history) turn() {
	members, err := h.world.store.Members(h.world.ctx, h.id)
	if err != nil {
		return
	}
	for _, m := range members {
		if m.UserID != h.userID && m.Status == billing.MemberActive {
			h.here(act{What: "bill", MemberID: m.ID, Yes: !m.Billable})
			return
		}
	}
}

// flip has the subscription end at the period's end, or no longer.
func (h *history) flip() {
	_, subscription, _ := h.whoAtStripe()
	if subscription == "" {
		return
	}
	var now struct {
		CancelAtPeriodEnd bool `json:"cancel_at_period_end"`
	}
	path := "/v1/subscriptions/" + subscription
	h.call(http.MethodGet, path, nil, &now)
	h.call(http.MethodPost, path, map[string][]string{"cancel_at_period_end": {fmt.Sprint(!now.CancelAtPeriodEnd)}}, nil)
}
