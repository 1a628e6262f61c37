package handlers

import (
	"net/http"

	"usher/billing"
	"usher/billing/catalog"
	billingviews "usher/views/billing"
	"usher/views/layout"
)

// showCredits shows the credit ledger.
func (p *billingPages) showCredits(w http.ResponseWriter, r *http.Request) error {
	overview, err := p.overviews.Get(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	entries, err := p.credits.Entries(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	props := billingviews.CreditsPageProps{CanBuy: accessOf(r).CanManageBilling() && len(p.prices.Catalog().Packs) > 0, Layout: p.layout(r, layout.SectionOrganization), Organization: organizationHeader(r, layout.TabBilling)}
	if card := creditsCard(overview); card != nil {
		props.Credits = *card
		props.Credits.Href = ""
	}
	for _, entry := range entries {
		props.Entries = append(props.Entries, creditRow(p.prices.Catalog(), entry))
	}
	return render(w, r, http.StatusOK, billingviews.CreditsPage(props))
}

// creditsCard returns the summary of the credits; nil if neither the plan nor the ledger has any.
func creditsCard(o billing.Overview) *billingviews.CreditsProps {
	if o.Credits.Balance == 0 && o.Credits.Granted == 0 {
		return nil
	}
	card := &billingviews.CreditsProps{Balance: int64(o.Credits.Balance), Granted: int64(o.Credits.Granted), Href: "/billing/credits"}
	card.ResetsAt, card.Next = timeOrZero(o.Credits.ResetsAt), int64(o.Credits.NextGrant)
	return card
}

func creditRow(plans catalog.Catalog, e billing.CreditEntry) billingviews.CreditRow {
	row := billingviews.CreditRow{At: e.At, Amount: int64(e.Amount), Balance: int64(e.Balance), What: creditText(plans, e)}
	if row.What == "" {
		row.What = "Used"
	}
	return row
}

// creditText describes a ledger entry; empty if there is nothing to say.
func creditText(plans catalog.Catalog, e billing.CreditEntry) string {
	offer := offerName(plans, e)
	switch e.Kind {
	case billing.CreditGrant:
		return offer + " was paid"
	case billing.CreditUpgrade:
		return "Changed to " + offer
	case billing.CreditExpire:
		return "The rest of the month before"
	case billing.CreditPack:
		return offer + " was bought"
	case billing.CreditReturn:
		return "Its payment went back"
	case billing.CreditRestore:
		return "Its payment came again"
	case billing.CreditConsume:
		return e.Reason
	}
	return ""
}

// offerName returns the name of the entry's plan or pack, or its id if it is no longer offered.
func offerName(plans catalog.Catalog, e billing.CreditEntry) string {
	if pack, known := plans.Pack(e.PlanID); known && e.Kind == billing.CreditPack {
		return pack.Name
	}
	if plan, known := plans.Plan(e.PlanID); known {
		return plan.Name
	}
	return e.PlanID
}
