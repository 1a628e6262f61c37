package stripelocal

import "usher/stripelocal/wire"

const pauseParams = "pause_collection{behavior:keep_as_draft|mark_uncollectible|void! resumes_at:time}? "

// PauseCollection says what becomes of a subscription's new invoices (docs: pause payment
// collection). An empty Behavior is no pause.
type PauseCollection struct {
	Behavior  string // keep_as_draft, mark_uncollectible or void
	ResumesAt int64  // 0 is until it is ended
}

// setPause reads pause_collection. An empty value ends the pause.
func (h subscriptions) setPause(sub *Subscription, p wire.Params) error {
	if !p.Has("pause_collection") {
		return nil
	}
	pause := p.At("pause_collection")
	if pause.Has("resumes_at") && pause.Int("resumes_at") <= h.timeOnClock(sub.TestClock) {
		return wire.Invalid("", pause.Name("resumes_at"), "The `resumes_at` timestamp must be in the future.")
	}
	sub.PauseCollection = PauseCollection{Behavior: pause.String("behavior"), ResumesAt: pause.Int("resumes_at")}
	return nil
}

// resumeCollection ends a pause on its date. Invoices of the pause stay as they are.
func (h renewals) resumeCollection(sub *Subscription) {
	h.subscriptions.change(sub, func() { sub.PauseCollection = PauseCollection{} })
}

func (x *Subscription) renderPause() any {
	if x.PauseCollection.Behavior == "" {
		return nil
	}
	return wire.Object{"behavior": x.PauseCollection.Behavior, "resumes_at": wire.IntOrNull(x.PauseCollection.ResumesAt)}
}

// applyPause handles a new draft as pause_collection says. It reports whether there is a pause, in
// which nothing is collected. That a draft is voided or marked at once is inferred.
func (h invoicing) applyPause(inv *Invoice) bool {
	sub, ok := h.store.Subscriptions.get(inv.Subscription)
	if !ok || inv.Status != "draft" {
		return false
	}
	switch sub.PauseCollection.Behavior {
	case "":
		return false
	case "void":
		h.finalize(inv)
		h.void(inv)
	case "mark_uncollectible":
		h.finalize(inv)
		h.markUncollectible(inv)
	default:
		before := h.invoices.render(inv)
		inv.AutoAdvance, inv.AutomaticallyFinalizesAt = false, 0
		h.emitUpdate("invoice.updated", before, h.invoices.render(inv))
	}
	return true
}
