package handlers

import (
	"context"
	"net/http"
	"time"

	"usher/billing"
	"usher/billing/catalog"
	billingviews "usher/views/billing"
	"usher/views/layout"
	"usher/views/locale"
	"usher/views/ui"
)

// showCredits shows how long the credits last, the packs on sale and the credit ledger.
func (p *billingPages) showCredits(w http.ResponseWriter, r *http.Request) error {
	reads := p.reads()
	overview, err := reads.Overviews.Get(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	entries, err := reads.Credits.Entries(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	history, err := reads.Credits.History(r.Context(), accessOf(r), overview)
	if err != nil {
		return err
	}
	props := billingviews.CreditsPageProps{
		Layout: p.layout(r, layout.SectionOrganization), Organization: organizationHeader(r, layout.TabBilling), OrganizationID: overview.Organization.ID,
		Packs: p.packOffers(r), Chart: p.creditChart(r.Context(), overview, history),
	}
	if card := creditsCard(overview); card != nil {
		props.Credits = *card
		props.Credits.Href, props.Credits.LastUntil, props.Credits.Outlast = "", history.LastUntil, history.Outlast
	}
	for _, entry := range entries {
		props.Entries = append(props.Entries, creditRow(r.Context(), p.prices.Catalog(), entry))
	}
	return render(w, r, http.StatusOK, billingviews.CreditsPage(props))
}

// packOffers are the packs that the viewer can buy.
func (p *billingPages) packOffers(r *http.Request) []billingviews.PackOffer {
	if !accessOf(r).CanManageBilling() {
		return nil
	}
	var offers []billingviews.PackOffer
	for _, pack := range p.prices.Catalog().Packs {
		offers = append(offers, billingviews.PackOffer{ID: pack.ID, Credits: pack.Credits, Price: pack.Price.Amount})
	}
	return offers
}

// creditChart draws the ledger with the grants marked, and where it leads at the present rate; nil
// on the first day, when there is nothing to see yet.
func (p *billingPages) creditChart(ctx context.Context, o billing.Overview, h billing.CreditHistory) *ui.LevelChartProps {
	if len(h.Entries) == 0 || h.Now.Sub(h.Entries[0].At) < 24*time.Hour {
		return nil
	}
	chart := &ui.LevelChartProps{
		ID: "credit-levels", Title: locale.T(ctx, "Credits left since %s", locale.Date(ctx, h.Since.UTC())), From: h.Since, Until: h.Until, Now: h.Now, Unit: locale.T(ctx, "Credits"), MarkWords: locale.T(ctx, "credits granted or bought"),
	}
	for _, entry := range h.Entries {
		chart.Levels = addLevel(chart.Levels, creditLevel(ctx, p.prices.Catalog(), entry))
	}
	if chart.Projects = h.PerDay > 0 && o.Credits.Balance > 0; chart.Projects {
		chart.EmptyAt, chart.Projected = h.LastUntil, h.LeftAt(o.Credits.Balance, h.Now, h.Until)
	}
	return chart
}

func creditLevel(ctx context.Context, plans catalog.Catalog, e billing.CreditEntry) ui.Level {
	level := ui.Level{At: e.At, Value: int64(e.Balance), Words: creditText(ctx, plans, e)}
	level.Mark = e.Kind == billing.CreditGrant || e.Kind == billing.CreditPack || e.Kind == billing.CreditUpgrade
	if e.Kind == billing.CreditConsume {
		level.Words = locale.T(ctx, "Used")
	}
	return level
}

// addLevel adds a level, or puts it into the last one if both are of one act: a renewal grants the
// new month and expires the one before, and nobody ever had both.
func addLevel(levels []ui.Level, level ui.Level) []ui.Level {
	last := len(levels) - 1
	if last < 0 || level.At.Sub(levels[last].At) >= time.Second {
		return append(levels, level)
	}
	levels[last].Value, levels[last].Mark = level.Value, levels[last].Mark || level.Mark
	levels[last].Words += "; " + level.Words
	return levels
}

// creditsCard returns the summary of the credits; nil if neither the plan nor the ledger has any.
func creditsCard(o billing.Overview) *billingviews.CreditsProps {
	if o.Credits.Balance == 0 && o.Credits.Granted == 0 {
		return nil
	}
	card := &billingviews.CreditsProps{Balance: int64(o.Credits.Balance), Granted: int64(o.Credits.Granted), Href: "/billing/credits"}
	card.LapsesAt, card.PlanLeft = timeOrZero(o.Credits.LapsesAt), int64(o.Credits.PlanLeft)
	card.ResetsAt, card.Next = timeOrZero(o.Credits.ResetsAt), int64(o.Credits.NextGrant)
	return card
}

// creditsWithRate is creditsCard with how long the credits last.
func (p *billingPages) creditsWithRate(r *http.Request, o billing.Overview) (*billingviews.CreditsProps, error) {
	card := creditsCard(o)
	if card == nil {
		return nil, nil
	}
	rate, err := p.credits.Rate(r.Context(), o)
	card.LastUntil, card.Outlast = rate.LastUntil, rate.Outlast
	return card, err
}

func creditRow(ctx context.Context, plans catalog.Catalog, e billing.CreditEntry) billingviews.CreditRow {
	row := billingviews.CreditRow{At: e.At, Amount: int64(e.Amount), Balance: int64(e.Balance), What: creditText(ctx, plans, e)}
	if row.What == "" {
		row.What = locale.T(ctx, "Used")
	}
	return row
}

// creditText describes a ledger entry; empty if there is nothing to say.
func creditText(ctx context.Context, plans catalog.Catalog, e billing.CreditEntry) string {
	offer := offerName(plans, e)
	switch e.Kind {
	case billing.CreditGrant:
		return locale.T(ctx, "Monthly credits of %s", offer)
	case billing.CreditUpgrade:
		return locale.T(ctx, "Changed to %s", offer)
	case billing.CreditExpire:
		return locale.T(ctx, "Unused credits expired")
	case billing.CreditPack:
		return locale.T(ctx, "%s was bought", offer)
	case billing.CreditReturn:
		return locale.T(ctx, "Taken back with its refund")
	case billing.CreditRestore:
		return locale.T(ctx, "Given back, its refund failed")
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
