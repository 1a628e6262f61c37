package handlers

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"usher/billing"
	"usher/billing/catalog"
	billingviews "usher/views/billing"
	"usher/views/layout"
	"usher/views/locale"
)

// pricingPages show what can be bought.
type pricingPages struct {
	*site
	prices        *billing.Prices
	overviews     *billing.Overviews
	promotions    *billing.PromotionCodes
	lookupTimeout time.Duration // for Stripe to respond about a promotion code
}

// Default and maximum of the number of people that prices are shown for.
const (
	visitorSeats = 5
	maxSeats     = billingviews.MaxPeople
)

// redirectHome redirects to the dashboard or, if not signed in, to the pricing page.
func (p *pricingPages) redirectHome(w http.ResponseWriter, r *http.Request) error {
	if identityOf(r).signedIn() {
		redirect(w, r, "/dashboard")
		return nil
	}
	redirect(w, r, "/pricing")
	return nil
}

// show shows the plans at an interval for a number of people, by default the organization's own.
// The buttons for one more and one less lead to the address of the new number.
func (p *pricingPages) show(w http.ResponseWriter, r *http.Request) error {
	if stepped, ok := steppedPath(r); ok {
		redirect(w, r, stepped)
		return nil
	}
	var overview *billing.Overview
	if identityOf(r).isMember() {
		own, err := p.overviews.Get(r.Context(), accessOf(r))
		if err != nil {
			return err
		}
		overview = &own
	}
	props := p.props(r, overview)
	p.addPromotion(r, &props)
	return render(w, r, http.StatusOK, billingviews.PricingPage(props))
}

// addPromotion says what a promotion code from a link does. A code that is not valid is not sent
// along; one that could not be looked up is, and Checkout decides.
func (p *pricingPages) addPromotion(r *http.Request, props *billingviews.PricingPageProps) {
	if refused := r.URL.Query().Get("refused"); refused != "" {
		props.Promotion = &billingviews.PromotionProps{Code: shortened(refused), State: billingviews.CodeRefused}
		return
	}
	code := r.URL.Query().Get("code")
	if code == "" {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), p.lookupTimeout)
	defer cancel()
	found, valid, err := p.promotions.Find(ctx, accessOf(r), code)
	props.Promotion = &billingviews.PromotionProps{Code: shortened(code), State: billingviews.CodeUnknown}
	switch {
	case err != nil:
		stateOf(r).err = err
		props.Promotion.State = billingviews.CodeUnchecked
	case valid:
		*props.Promotion = promotionProps(ctx, found)
	}
	if props.Promotion.State != billingviews.CodeUnknown {
		props.SendCode(props.Promotion.Code)
	}
}

// shortened returns a code from an address, cut to a length that a page can show.
func shortened(code string) string {
	if runes := []rune(code); len(runes) > 40 {
		return string(runes[:40]) + "…"
	}
	return code
}

func promotionProps(ctx context.Context, code billing.PromotionCode) billingviews.PromotionProps {
	props := billingviews.PromotionProps{Code: code.Code, State: billingviews.CodeValid, Months: code.Months, FirstTime: code.FirstTime, Minimum: code.Minimum}
	props.Off = code.PercentOff + "%"
	if !code.AmountOff.IsZero() {
		props.Off = locale.ShortMoney(ctx, code.AmountOff)
	}
	props.Once = code.Duration == "once"
	return props
}

func (p *pricingPages) props(r *http.Request, own *billing.Overview) billingviews.PricingPageProps {
	plans := p.prices.Catalog()
	intervals := offeredIntervals(plans)
	interval := selectedInterval(r, intervals, own)
	seats, invalid := selectedSeats(r, own)
	props := billingviews.PricingPageProps{
		Layout: p.layout(r, layout.SectionPricing), Interval: interval, Intervals: intervals, FreeMonths: yearlySaving(plans),
		Seats: seats, SeatsError: invalid, Comparison: comparison(r.Context(), plans.Plans), OrganizationID: accessOf(r).Organization.ID,
	}
	for _, plan := range plans.Plans {
		card := planCard(r.Context(), plan, interval, seats, identityOf(r), own)
		if card.Choice == billingviews.ChangeInBilling && canChangeTo(planOptions(*own, plans), plan, interval) {
			card.Choice = billingviews.PreviewChange
		}
		props.Plans = append(props.Plans, card)
	}
	props.Packs = packCards(plans, identityOf(r))
	return props
}

// selectedInterval reads the interval from the query. The default is the organization's own, so
// that its plan is visible.
func selectedInterval(r *http.Request, sold []catalog.Interval, own *billing.Overview) catalog.Interval {
	value := catalog.Interval(r.URL.Query().Get("interval"))
	switch {
	case slices.Contains(sold, value):
		return value
	case own != nil && isSubscribed(own) && slices.Contains(sold, own.Price.Interval):
		return own.Price.Interval
	case len(sold) > 0:
		return sold[0]
	}
	return catalog.Monthly
}

// selectedSeats reads the number of people from the query, and returns a message if it is invalid.
func selectedSeats(r *http.Request, own *billing.Overview) (seats int, invalid string) {
	usual := visitorSeats
	if own != nil {
		usual = max(1, own.Seats.Billable)
	}
	value := r.URL.Query().Get("seats")
	if value == "" {
		return usual, ""
	}
	seats, err := strconv.Atoi(strings.TrimSpace(value))
	if err != nil || seats < 1 || seats > maxSeats {
		return usual, locale.T(r.Context(), "Enter a number from 1 to 10,000.")
	}
	return seats, ""
}

// steppedPath is the page for as many people as the query's step adds to the number in it; false
// without a step or a number.
func steppedPath(r *http.Request) (string, bool) {
	query := r.URL.Query()
	seats, err := strconv.Atoi(strings.TrimSpace(query.Get("seats")))
	step, noStep := strconv.Atoi(query.Get("step"))
	if err != nil || noStep != nil || seats < 1 || seats > maxSeats {
		return "", false
	}
	query.Set("seats", strconv.Itoa(min(max(1, seats+min(max(-1, step), 1)), maxSeats)))
	query.Del("step")
	return "/pricing?" + query.Encode(), true
}

// packCards lists the packs. Visitors can buy one and sign up on the way.
func packCards(plans catalog.Catalog, v identity) []billingviews.PackProps {
	packs := make([]billingviews.PackProps, 0, len(plans.Packs))
	for _, pack := range plans.Packs {
		packs = append(packs, billingviews.PackProps{
			ID: pack.ID, Name: pack.Name, Credits: pack.Credits, Price: pack.Price.Amount,
			CanBuy: !v.isMember() || v.access.CanManageBilling(),
		})
	}
	return packs
}

func planCard(ctx context.Context, plan catalog.Plan, interval catalog.Interval, seats int, v identity, own *billing.Overview) billingviews.PlanCardProps {
	price, sold := plan.Price(interval)
	quantity := plan.Quantity(seats)
	card := billingviews.PlanCardProps{
		ID: plan.ID, Name: plan.Name, Description: plan.Description, Interval: interval, Price: price.Amount, PerSeat: plan.PerSeat,
		Seats: quantity, People: seats, Total: price.Amount.Times(quantity), Credits: plan.Credits, Features: plan.Features, TrialDays: plan.TrialDays,
		SeatMinimum: plan.SeatMinimum, SeatMaximum: plan.SeatMaximum, OrganizationID: v.access.Organization.ID,
		Choice: planChoice(plan, interval, sold, v, own),
	}
	if own != nil {
		if err := plan.RequireSeats(own.Seats.Billable); err != nil {
			card.Full = messageIn(ctx, err)
		}
		if own.TrialUsed {
			card.TrialDays = 0
		}
	}
	if plan.Highlighted {
		card.Highlight = "Most popular"
	}
	return card
}

func planChoice(plan catalog.Plan, interval catalog.Interval, sold bool, v identity, own *billing.Overview) billingviews.PlanChoice {
	switch {
	case !sold:
		return billingviews.NotOffered
	case !v.isMember():
		return billingviews.ChoosePlan
	case hasPlan(own, plan, interval):
		return billingviews.CurrentPlan
	case !v.access.CanManageBilling():
		return billingviews.AskBillingAdmin
	case isSubscribed(own):
		return billingviews.ChangeInBilling
	}
	return billingviews.ChoosePlan
}

func canChangeTo(options []billingviews.PlanOption, plan catalog.Plan, interval catalog.Interval) bool {
	return slices.ContainsFunc(options, func(o billingviews.PlanOption) bool { return o.PlanID == plan.ID && o.Interval == interval })
}

// isSubscribed reports whether the subscription prevents another one. An incomplete one does not:
// its Checkout session is reused.
func isSubscribed(o *billing.Overview) bool {
	return o.Subscription != nil && !o.Subscription.Status.AllowsCheckout() && o.Subscription.Status != billing.StatusIncomplete
}

func hasPlan(o *billing.Overview, plan catalog.Plan, interval catalog.Interval) bool {
	return isSubscribed(o) && o.Plan != nil && o.Plan.ID == plan.ID && o.Price.Interval == interval
}

// offeredIntervals lists the intervals that any plan has a price for.
func offeredIntervals(c catalog.Catalog) []catalog.Interval {
	var sold []catalog.Interval
	for _, interval := range []catalog.Interval{catalog.Monthly, catalog.Yearly} {
		if slices.ContainsFunc(c.Plans, func(p catalog.Plan) bool { _, ok := p.Price(interval); return ok }) {
			sold = append(sold, interval)
		}
	}
	return sold
}

// yearlySaving returns how many months yearly billing saves; 0 unless it is the same whole number
// for every plan.
func yearlySaving(c catalog.Catalog) int {
	free := 0
	for i, plan := range c.Plans {
		saved := freeMonths(plan)
		if saved < 1 || (i > 0 && saved != free) {
			return 0
		}
		free = saved
	}
	return free
}

// freeMonths returns how many months yearly billing saves; 0 if that is not a whole number.
func freeMonths(plan catalog.Plan) int {
	month, monthly := plan.Price(catalog.Monthly)
	year, yearly := plan.Price(catalog.Yearly)
	if !monthly || !yearly || month.Amount.Minor <= 0 || year.Amount.Minor%month.Amount.Minor != 0 {
		return 0
	}
	return 12 - int(year.Amount.Minor/month.Amount.Minor)
}

// comparison returns the comparison table: each feature once, with the plans that include it.
func comparison(ctx context.Context, plans []catalog.Plan) []billingviews.ComparisonRow {
	credits := billingviews.ComparisonRow{Label: locale.T(ctx, "Credits each month")}
	var rows []billingviews.ComparisonRow
	for _, plan := range plans {
		credits.Cells = append(credits.Cells, billingviews.ComparisonCell{Text: locale.Count(ctx, plan.Credits)})
		for _, feature := range plan.Features {
			known := slices.ContainsFunc(rows, func(row billingviews.ComparisonRow) bool { return row.Label == feature })
			if _, inherits := inheritedPlan(plans, feature); !known && !inherits {
				rows = append(rows, featureRow(plans, feature))
			}
		}
	}
	if !slices.ContainsFunc(plans, func(p catalog.Plan) bool { return p.Credits > 0 }) {
		return rows
	}
	return append([]billingviews.ComparisonRow{credits}, rows...)
}

func featureRow(plans []catalog.Plan, feature string) billingviews.ComparisonRow {
	row := billingviews.ComparisonRow{Label: feature}
	for _, plan := range plans {
		row.Cells = append(row.Cells, billingviews.ComparisonCell{Included: hasFeature(plans, plan, feature, len(plans))})
	}
	return row
}

// hasFeature looks up a feature in a plan and the plans it builds on; depth stops cycles.
func hasFeature(plans []catalog.Plan, plan catalog.Plan, feature string, depth int) bool {
	return slices.ContainsFunc(plan.Features, func(own string) bool {
		base, inherits := inheritedPlan(plans, own)
		return own == feature || (inherits && depth > 0 && hasFeature(plans, base, feature, depth-1))
	})
}

// inheritedPlan returns the plan that a feature such as "Everything in Starter" refers to.
func inheritedPlan(plans []catalog.Plan, feature string) (catalog.Plan, bool) {
	name, ok := strings.CutPrefix(feature, "Everything in ")
	i := slices.IndexFunc(plans, func(p catalog.Plan) bool { return p.Name == name })
	if !ok || i < 0 {
		return catalog.Plan{}, false
	}
	return plans[i], true
}
