package billing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"usher/billing/apperr"
	"usher/billing/mail"
)

// ImportReason says why a customer is left alone.
type ImportReason string

// The reasons.
const (
	LeftLinked            ImportReason = "already_imported"   // it belongs to an organization here
	LeftDeleted           ImportReason = "deleted_customer"   // it is deleted at Stripe
	LeftForeign           ImportReason = "no_plan"            // no subscription has a price of a plan
	LeftEnded             ImportReason = "ended"              // its subscriptions to plans have ended
	LeftIncomplete        ImportReason = "incomplete"         // the first payment was not made
	LeftSeveral           ImportReason = "several_plans"      // it pays for two plans
	LeftOtherOrganization ImportReason = "other_organization" // its metadata names one
	LeftNoEmail           ImportReason = "no_email"           // nobody can be invited
	LeftInvalidEmail      ImportReason = "invalid_email"      // as no_email
	LeftCurrency          ImportReason = "other_currency"     // no plan is sold in its currency
)

// LeftAlone is a customer that is not imported.
type LeftAlone struct {
	CustomerID     string       `json:"customerId"`
	Email          string       `json:"email,omitempty"`
	Reason         ImportReason `json:"reason"`
	Detail         string       `json:"detail,omitempty"` // what was found, for operators
	OrganizationID string       `json:"organizationId,omitempty"`
}

// importCandidate is a customer with all of its subscriptions.
type importCandidate struct {
	customer       StripeCustomer
	subscriptions  []Subscription // classified
	organizationID string         // that it is linked to; empty: none
}

// importDecision is the subscription that makes a candidate an organization, or the reason why it
// is left alone.
type importDecision struct {
	subscription   Subscription
	reason         ImportReason
	detail         string
	organizationID string
}

func (c importCandidate) left(d importDecision) LeftAlone {
	return LeftAlone{CustomerID: c.customer.ID, Email: c.customer.Email, Reason: d.reason, Detail: d.detail, OrganizationID: d.organizationID}
}

// decide decides about a candidate.
func (im *Importer) decide(ctx context.Context, c importCandidate) (importDecision, error) {
	d := c.choose()
	if d.reason != "" {
		return d, nil
	}
	detail, organizationID, err := im.namedOrganization(ctx, cmp.Or(c.customer.OrgID, d.subscription.MetadataOrgID))
	switch {
	case err != nil:
		return d, err
	case detail != "":
		return importDecision{reason: LeftOtherOrganization, detail: detail, organizationID: organizationID}, nil
	case c.customer.Email == "":
		return importDecision{reason: LeftNoEmail, detail: "add the owner's address to the customer at Stripe, and run this again"}, nil
	case !mail.ValidAddress(c.customer.Email):
		return importDecision{reason: LeftInvalidEmail, detail: fmt.Sprintf("%.100q", c.customer.Email)}, nil
	}
	if err := im.reconciler.checkCurrency(c.customer); err != nil {
		return importDecision{reason: LeftCurrency, detail: apperr.MessageOf(err)}, nil
	}
	return d, nil
}

// choose decides by what Stripe says about the customer and its subscriptions alone.
func (c importCandidate) choose() importDecision {
	var ours, live []Subscription
	for _, s := range c.subscriptions {
		if s.Foreign {
			continue
		}
		ours = append(ours, s)
		if !s.Status.Ended() {
			live = append(live, s)
		}
	}
	switch {
	case c.organizationID != "":
		return importDecision{reason: LeftLinked, organizationID: c.organizationID}
	case c.customer.Deleted:
		return importDecision{reason: LeftDeleted}
	case len(ours) == 0:
		return importDecision{reason: LeftForeign, detail: "prices: " + strings.Join(pricesOf(c.subscriptions), ", ")}
	case len(live) == 0:
		return importDecision{reason: LeftEnded, detail: lastEnd(ours)}
	case len(live) > 1:
		return importDecision{reason: LeftSeveral, detail: strings.Join(mapSlice(live, func(s Subscription) string { return s.ID }), ", ") +
			": end one of them at Stripe, and run this again"}
	case live[0].Status == StatusIncomplete:
		return importDecision{reason: LeftIncomplete, detail: live[0].ID + ": run this again when it is paid"}
	}
	return importDecision{subscription: live[0]}
}

// pricesOf lists the prices of subscriptions, a few of them.
func pricesOf(subscriptions []Subscription) []string {
	var ids []string
	for _, s := range subscriptions {
		ids = append(ids, s.priceIDs()...)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	return ids[:min(len(ids), 3)]
}

func lastEnd(ended []Subscription) string {
	var last time.Time
	for _, s := range ended {
		if s.EndedAt != nil && s.EndedAt.After(last) {
			last = *s.EndedAt
		}
	}
	if last.IsZero() {
		return ""
	}
	return "on " + last.UTC().Format(time.DateOnly)
}

// ownID is the form of the ids that Usher gives to organizations. An orgId of another form was
// written by another program, and stays as it is.
var ownID = regexp.MustCompile(`^org_[a-z2-7]{20}$`)

// namedOrganization says why the organization that Stripe's metadata names keeps a customer from
// being imported; empty: it does not.
func (im *Importer) namedOrganization(ctx context.Context, id string) (detail, organizationID string, err error) {
	if id == "" {
		return "", "", nil
	}
	organization, err := im.store.Organizations().Get(ctx, id)
	switch {
	case errors.Is(err, apperr.ErrNotFound) && ownID.MatchString(id):
		return "it names " + id + ", which is not known here: an older database was restored, or another installation uses this account", "", nil
	case errors.Is(err, apperr.ErrNotFound):
		return "", "", nil
	case err != nil:
		return "", "", fmt.Errorf("read organization: %w", err)
	}
	return "it names an organization that exists here: see `usher reconcile` and `usher adopt`", organization.ID, nil
}
