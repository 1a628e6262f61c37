package main

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"usher/billing"
	"usher/db"
)

// judge compares every organization with Stripe, with its members, and with a calm replica that hears the same in order.
func (w *world) judge() error {
	calm, err := w.openCalm()
	if err != nil {
		return err
	}
	defer calm.store.Close()
	for _, h := range w.histories {
		if err := w.judgeState(h); err != nil {
			return err
		}
		if err := w.judgeCredits(h, calm); err != nil {
			return err
		}
	}
	for id, times := range w.mails {
		if times > 1+w.killed+w.databaseCrashes {
			w.diverged(nil, "the mail %s was sent %d times", id, times)
		}
	}
	return nil
}

// judgeUncompared looks at a batch of which nothing was lost before the reconciler gets a chance to mend what was decided wrongly.
func (w *world) judgeUncompared() error {
	if w.comparesOften() {
		return nil
	}
	for _, h := range w.histories {
		w.judgedEarly++
		before := len(w.divergences)
		if err := errors.Join(w.judgeState(h), w.judgeLedger(h)); err != nil {
			return err
		}
		for i := before; i < len(w.divergences); i++ {
			w.divergences[i] = "before the last comparison, " + w.divergences[i]
		}
	}
	return nil
}

func (w *world) diverged(h *history, format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	if h != nil {
		what = fmt.Sprintf("%s: %s (after %s; go run ./cmd/simulation -only %d)", h.id, what, strings.Join(h.did, ", "), h.seed)
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.divergences = append(w.divergences, what)
}

// judgeState: the snapshot is what Stripe has, the quantity is the members', one subscription is current at the most, all events are settled.
func (w *world) judgeState(h *history) error {
	links, err := w.store.CustomerLinks(w.ctx, w.account, h.id)
	if err != nil {
		return err
	}
	current, living := 0, 0
	for _, link := range links {
		listed, err := w.gateway.Subscriptions(w.ctx, link.StripeCustomerID)
		if err != nil {
			return err
		}
		for _, stripes := range listed {
			ours, err := w.store.Subscription(w.ctx, stripes.ID)
			if err != nil {
				w.diverged(h, "%s is %s at Stripe and here: %v", stripes.ID, stripes.Status, err)
				continue
			}
			w.judgeSubscription(h, ours, stripes)
			if ours.IsCurrent {
				current++
			}
			if stripes.MetadataOrgID == h.id && (stripes.Status == billing.StatusActive || stripes.Status == billing.StatusTrialing) {
				living++
			}
		}
	}
	if current > 1 {
		w.diverged(h, "%d subscriptions are current", current)
	}
	if living > 1 {
		w.diverged(h, "%d plans sold here are paid at once", living)
	}
	var failed int
	err = w.store.DB().GetContext(w.ctx, &failed, `select count(*) from stripe_events where organization_id = $1 and outcome = 'failed'`, h.id)
	if failed > 0 {
		w.diverged(h, "%d events are given up", failed)
	}
	return err
}

func inWords(s billing.Subscription) string {
	ends := ""
	if s.CancelAtPeriodEnd {
		ends = " and no longer"
	}
	return fmt.Sprintf("%s ×%d %s until %v%s", s.Status, s.Quantity, s.PriceID, s.CurrentPeriodEnd, ends)
}

func (w *world) judgeSubscription(h *history, ours, stripes billing.Subscription) {
	if ours.Status != stripes.Status || ours.Quantity != stripes.Quantity || ours.PriceID != stripes.PriceID ||
		ours.CancelAtPeriodEnd != stripes.CancelAtPeriodEnd || !ours.CurrentPeriodEnd.Equal(stripes.CurrentPeriodEnd) {
		w.diverged(h, "here %s, at Stripe %s", inWords(ours), inWords(stripes))
	}
	if !ours.IsCurrent || !stripes.Status.SeatsSynced() {
		return
	}
	billed, err := w.store.CountBillable(w.ctx, h.id)
	if want := max(1, billed); err != nil || stripes.Quantity != want {
		w.diverged(h, "%d people are billed and Stripe has %d seats (%v)", billed, stripes.Quantity, err)
	}
}

// calmReplica hears everything once, in order, and nothing goes wrong.
type calmReplica struct {
	store   *db.Store
	service *billing.Service
}

func (w *world) openCalm() (*calmReplica, error) {
	if _, err := w.store.DB().ExecContext(w.ctx, `create database `+w.calmName()+` template `+templateName); err != nil {
		return nil, err
	}
	store, err := db.Open(w.ctx, w.lane.dsnOf(w.calmName()))
	if err != nil {
		return nil, err
	}
	options := serviceOptions(store, w.gateway, w.stripe.Now)
	options.Log = slog.New(slog.DiscardHandler)
	calm := &calmReplica{store: store, service: billing.New(options)}
	return calm, calm.service.Start(w.ctx)
}

// judgeCredits: the balance is that of the same history told in order, and the ledger adds up to it.
func (w *world) judgeCredits(h *history, calm *calmReplica) error {
	want, err := w.tellInOrder(h, calm)
	if err != nil {
		return err
	}
	var got, sum int
	if err := w.store.DB().GetContext(w.ctx, &got, `select coalesce(max(balance), 0) from credit_accounts where organization_id = $1`, h.id); err != nil {
		return err
	}
	if err := w.store.DB().GetContext(w.ctx, &sum, `select coalesce(sum(amount), 0) from credit_entries where organization_id = $1`, h.id); err != nil {
		return err
	}
	if got != want || got != sum {
		w.diverged(h, "%d credits, the ledger adds up to %d, told in order %d", got, sum, want)
	}
	return nil
}

func (w *world) tellInOrder(h *history, calm *calmReplica) (balance int, err error) {
	mine := map[string]bool{}
	err = calm.store.InTx(w.ctx, func(q billing.Queries) error {
		if err := q.InsertOrganization(w.ctx, billing.Organization{ID: h.id, Name: "Storm", CreatedAt: time.Now()}); err != nil {
			return err
		}
		var links []billing.CustomerLink
		var ids []string
		if err := w.store.DB().SelectContext(w.ctx, &ids, `select stripe_customer_id from billing_customers
			where organization_id = $1 and stripe_customer_id is not null order by generation`, h.id); err != nil {
			return err
		}
		for n, id := range ids {
			mine[id] = true
			links = append(links, billing.CustomerLink{OrganizationID: h.id, Generation: n + 1, StripeCustomerID: id, Account: w.account.ID,
				Livemode: w.account.Livemode, Email: "p@example.com", Name: "Storm", CreatedAt: time.Now(), UpdatedAt: time.Now()})
		}
		for _, link := range links {
			if err := q.PutCustomerLink(w.ctx, link); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for _, t := range w.courier.told {
		if !mine[t.customer] && (t.customer != "" || !strings.HasPrefix(readEvent(t.payload).Type, "charge.")) {
			continue
		}
		if err := calm.hear(w, t.payload); err != nil {
			return 0, err
		}
	}
	err = calm.store.DB().GetContext(w.ctx, &balance, `select coalesce(max(balance), 0) from credit_accounts where organization_id = $1`, h.id)
	return balance, err
}

// hear receives an event and settles it before the next.
func (c *calmReplica) hear(w *world, payload []byte) error {
	if err := c.service.ReceiveEvent(w.ctx, payload, w.signed(payload)); err != nil {
		return err
	}
	for range 20 {
		if _, err := c.service.Ring(w.ctx, billing.Alarm{Kind: billing.AlarmEvent}); err != nil {
			return err
		}
		var pending int
		if err := c.store.DB().GetContext(w.ctx, &pending, `select count(*) from stripe_events where outcome = 'pending'`); err != nil || pending == 0 {
			return err
		}
	}
	return nil
}
