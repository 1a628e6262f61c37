package billing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
)

// Trials keeps which trials were used, and ends trials that a card starts a second time.
type Trials struct {
	*core
	subscriptions *Subscriptions
}

// Trial is a trial of one of our subscriptions, whoever gave it. An organization has one, ever, by
// Checkout.
type Trial struct {
	SubscriptionID string    `db:"subscription_id"`
	OrganizationID string    `db:"organization_id"`
	Account        string    `db:"account"`
	Livemode       bool      `db:"livemode"`
	StartedAt      time.Time `db:"started_at"`
	EndsAt         time.Time `db:"ends_at"`
	// CardFingerprint identifies the card number within the Stripe account; empty: not known
	// (https://docs.stripe.com/api/payment_methods/object#payment_method_object-card-fingerprint).
	CardFingerprint string `db:"card_fingerprint"`
	// Guarded means that the plan allows one trial per card, and that Usher sold the subscription.
	Guarded bool `db:"guarded"`

	// The rest is about a guarded trial whose card has had one elsewhere.
	CanceledAt    *time.Time `db:"canceled_at"`
	NextAttemptAt *time.Time `db:"next_attempt_at"`
	Attempts      int        `db:"attempts"`
	Error         string     `db:"error"`
}

// covers reports whether a time is in the trial.
func (t Trial) covers(at time.Time) bool { return !at.Before(t.StartedAt) && at.Before(t.EndsAt) }

// trialOf returns the trial that a subscription has or had.
func trialOf(s Subscription) (Trial, bool) {
	if s.TrialEnd == nil || s.Status == StatusIncomplete || s.Status == StatusIncompleteExpired {
		return Trial{}, false
	}
	trial := Trial{
		SubscriptionID: s.ID, OrganizationID: s.OrganizationID, Account: s.Account, Livemode: s.Livemode,
		StartedAt: s.CreatedAt, EndsAt: *s.TrialEnd, CardFingerprint: s.CardFingerprint,
	}
	if s.TrialStart != nil {
		trial.StartedAt = *s.TrialStart
	}
	return trial, true
}

// recordTrial stores the trial of a subscription of one of our plans. The organization is locked.
func (c *core) recordTrial(ctx context.Context, tx Tx, s Subscription) error {
	trial, found := trialOf(s)
	plan := c.planOf(s)
	if !found || plan.ID == "" {
		return nil
	}
	// A trial that support has given is never ended.
	trial.Guarded = plan.TrialGuard == catalog.TrialGuardCard && s.MetadataOrgID == s.OrganizationID
	if err := tx.Trials().Put(ctx, trial); err != nil {
		return fmt.Errorf("write trial: %w", err)
	}
	return nil
}

// laterTrials returns the trials of an organization after its first one. Rows of one subscription
// that overlap are one trial.
func laterTrials(trials []Trial) []Trial {
	var later []Trial
	for _, t := range trials {
		for _, earlier := range trials {
			before := cmp.Or(earlier.StartedAt.Compare(t.StartedAt), cmp.Compare(earlier.SubscriptionID, t.SubscriptionID)) < 0
			overlaps := earlier.SubscriptionID == t.SubscriptionID && t.StartedAt.Before(earlier.EndsAt)
			if before && !overlaps {
				later = append(later, t)
				break
			}
		}
	}
	return later
}

// withoutLaterTrials removes the periods of trials after the first one: a trial grants credits once
// per organization, even if support gives another.
func withoutLaterTrials(facts []CreditFact, trials []Trial) []CreditFact {
	later := laterTrials(trials)
	if len(later) == 0 {
		return facts
	}
	var kept []CreditFact
	for _, fact := range facts {
		if fact.Kind != FactPeriod || !inTrial(fact, later) {
			kept = append(kept, fact)
		}
	}
	return kept
}

func inTrial(period CreditFact, trials []Trial) bool {
	for _, t := range trials {
		if t.SubscriptionID == period.SubscriptionID && t.covers(period.PeriodStart) {
			return true
		}
	}
	return false
}

const (
	trialBatch = 20
	trialLease = time.Minute
)

// cancelRepeated cancels guarded trials whose card has had a trial in another organization. They
// are canceled and not ended with trial_end=now, which would charge the card at once: the person
// has confirmed a first payment at the end of the trial, and no other. Nothing was paid, and the
// organization may subscribe without a trial.
func (ts *Trials) cancelRepeated(ctx context.Context) error {
	now := ts.Now()
	due, err := ts.store.Trials().ClaimRepeated(ctx, ts.knownAccount(), now, now.Add(trialLease), trialBatch)
	if err != nil {
		return fmt.Errorf("list repeated trials: %w", err)
	}
	for _, trial := range due {
		if err := ts.cancel(ctx, trial); err != nil {
			trial.Error = err.Error()
			next := ts.Now().Add(ts.Backoff(trial.Attempts))
			trial.NextAttemptAt = &next
			ts.Log.WarnContext(ctx, "trial cancellation failed", "subscription_id", trial.SubscriptionID, "organization_id", trial.OrganizationID,
				"attempt", trial.Attempts, "err", err)
		} else {
			at := ts.Now()
			trial.CanceledAt, trial.NextAttemptAt, trial.Error = &at, nil, ""
			ts.Log.InfoContext(ctx, "trial canceled: its card has had one", "subscription_id", trial.SubscriptionID, "organization_id", trial.OrganizationID)
		}
		if err := ts.store.Trials().Finish(context.WithoutCancel(ctx), trial); err != nil {
			return fmt.Errorf("write trial: %w", err)
		}
	}
	return nil
}

// cancel cancels the subscription if it still is in its trial at Stripe.
func (ts *Trials) cancel(ctx context.Context, trial Trial) error {
	ctx, cancel := context.WithTimeout(ctx, jobTimeout)
	defer cancel()
	current, err := ts.subscriptions.refetch(ctx, trial.SubscriptionID)
	if errors.Is(err, apperr.ErrNotFound) || err == nil && current.Status != StatusTrialing {
		return nil
	}
	if err != nil {
		return err
	}
	if err := ts.gateway.CancelSubscription(ctx, trial.SubscriptionID); err != nil && !apperr.IsMissing(err) {
		return fmt.Errorf("cancel subscription: %w", err)
	}
	_, err = ts.subscriptions.refetch(ctx, trial.SubscriptionID)
	return err
}

// Canceled lists the organization's trials that were canceled because their card has had one.
func (ts *Trials) Canceled(ctx context.Context, a account.Access) ([]Trial, error) {
	all, err := ts.store.Trials().List(ctx, a.Organization.ID, ts.knownAccount())
	var canceled []Trial
	for _, t := range all {
		if t.CanceledAt != nil {
			canceled = append(canceled, t)
		}
	}
	return canceled, err
}
