package handlers

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"usher/billing"
	"usher/billing/apperr"
	"usher/billing/catalog"
	billingviews "usher/views/billing"
	"usher/views/layout"
	"usher/views/locale"
	"usher/views/ui"
)

// forecastPages show the coming invoices, as things are and with a change that is considered.
type forecastPages struct {
	*site
	forecasts *billing.Forecasts
	overviews *billing.Overviews
	prices    *billing.Prices
}

// show answers a question of the address. A question that cannot be answered is shown with what is
// wrong, above the forecast as things are. Without a running plan, the billing tab says what to do.
func (p *forecastPages) show(w http.ResponseWriter, r *http.Request) error {
	if of := r.FormValue("organization"); of != "" && of != accessOf(r).Organization.ID {
		return apperr.Errorf(apperr.CodeConflict, "This forecast is of another organization than the one you are working in. Switch to it and open the address again.")
	}
	overview, err := p.overviews.Get(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	form := p.form(r, overview)
	question, wrong := readForecast(r, &form, p.forecasts.Now())
	var forecast billing.Forecast
	if !wrong {
		forecast, err = p.forecasts.Get(r.Context(), accessOf(r), question)
		wrong = !question.IsZero() && refuseForecast(r.Context(), &form, err)
	}
	if wrong {
		question = billing.ForecastQuestion{}
		forecast, err = p.forecasts.Get(r.Context(), accessOf(r), question)
	}
	switch code := apperr.CodeOf(err); {
	case code == apperr.CodeConflict:
		redirect(w, r, billingPath)
		return nil
	case err != nil && code != apperr.CodeStripe:
		return err
	}
	props := p.props(r.Context(), forecast, question, form)
	props.Missing, props.Apply = err != nil, p.apply(r, question)
	status := http.StatusOK
	if wrong {
		status = http.StatusUnprocessableEntity
	}
	if isFragment(r) {
		if !wrong {
			w.Header().Set("HX-Push-Url", forecastPath(r, question))
		}
		return render(w, r, status, billingviews.ForecastSection(props))
	}
	return render(w, r, status, billingviews.ForecastPage(billingviews.ForecastPageProps{
		Layout: p.layout(r, layout.SectionOrganization), Organization: organizationHeader(r, layout.TabBilling), Forecast: props,
	}))
}

// forecastPath is the address of a question. It names the organization: a colleague who opens it
// may be working in another one.
func forecastPath(r *http.Request, q billing.ForecastQuestion) string {
	query := q.Values()
	query.Set("organization", accessOf(r).Organization.ID)
	return billingviews.ForecastPath + "?" + query.Encode()
}

// readForecast reads the question. wrong: the form says what is not a number or a date.
func readForecast(r *http.Request, form *billingviews.ForecastForm, now time.Time) (q billing.ForecastQuestion, wrong bool) {
	var err error
	if form.People != "" {
		if q.People, err = strconv.Atoi(form.People); err != nil {
			form.PeopleError, wrong = locale.T(r.Context(), "Please enter a whole number, such as 5 or -2."), true
		}
	}
	q.From = now.UTC().Truncate(24 * time.Hour)
	if form.From != "" {
		if q.From, err = time.Parse(time.DateOnly, form.From); err != nil {
			form.FromError, wrong = locale.T(r.Context(), "Please enter a date, such as %s.", now.UTC().Format(time.DateOnly)), true
		}
	}
	if at := strings.LastIndex(form.Plan, "-"); at >= 0 {
		q.PlanID, q.Interval = form.Plan[:at], catalog.Interval(form.Plan[at+1:])
	} else if form.Plan != "" {
		form.PlanError, wrong = locale.T(r.Context(), "Please choose one of the plans."), true
	}
	return q, wrong
}

// refuseForecast writes why a question has no answer into the form. It returns false for errors
// that are not about the question.
func refuseForecast(ctx context.Context, form *billingviews.ForecastForm, err error) bool {
	var refused *apperr.Error
	if !errors.As(err, &refused) {
		return false
	}
	switch {
	case refused.Field == "people":
		form.PeopleError = messageIn(ctx, refused)
	case refused.Field == "from":
		form.FromError = messageIn(ctx, refused)
	case refused.Code == apperr.CodeInvalid:
		form.PlanError = locale.T(ctx, "Please choose one of the plans.")
	case refused.Code == apperr.CodeConflict:
		form.Error = messageIn(ctx, refused)
	default:
		return false
	}
	return true
}

// form shows what was asked, the plans to change to, and questions to begin with.
func (p *forecastPages) form(r *http.Request, o billing.Overview) billingviews.ForecastForm {
	today := p.forecasts.Now().UTC().Truncate(24 * time.Hour)
	form := billingviews.ForecastForm{
		OrganizationID: accessOf(r).Organization.ID,
		People:         strings.TrimSpace(r.FormValue("people")), From: strings.TrimSpace(r.FormValue("from")), Plan: r.FormValue("plan"),
		Min: today.Format(time.DateOnly), Max: today.AddDate(1, 0, -1).Format(time.DateOnly),
	}
	if form.People == "0" {
		form.People = ""
	}
	example := func(label string, q billing.ForecastQuestion) {
		form.Examples = append(form.Examples, billingviews.ForecastExample{Label: label, Href: forecastPath(r, q)})
	}
	if o.Plan != nil && o.Plan.PerSeat {
		month := time.Date(today.Year(), today.Month()+1, 1, 0, 0, 0, 0, time.UTC)
		example(locale.T(r.Context(), "5 more people from %s", month.Format("2 January")), billing.ForecastQuestion{People: 5, From: month})
	}
	options := planOptions(o, p.prices.Catalog())
	for _, option := range options {
		form.Plans = append(form.Plans, ui.Option{Value: option.PlanID + "-" + string(option.Interval), Label: ui.PlanName(r.Context(), option.Name, option.Interval)})
		if o.Plan != nil && option.PlanID == o.Plan.ID {
			label := locale.T(r.Context(), "Switch to monthly")
			if option.Interval == catalog.Yearly {
				label = locale.T(r.Context(), "Switch to yearly")
			}
			example(label, billing.ForecastQuestion{PlanID: option.PlanID, Interval: option.Interval})
		}
	}
	if len(options) > 0 {
		name, price := planOf(r.Context(), o)
		form.Plans = slices.Insert(form.Plans, 0, ui.Option{Label: locale.T(r.Context(), "Keep %s", ui.PlanName(r.Context(), name, price.Interval))})
	}
	return form
}

// apply says where the considered change is made; nil: nothing is considered.
func (p *forecastPages) apply(r *http.Request, q billing.ForecastQuestion) *billingviews.ForecastApply {
	switch {
	case q.PlanID != "":
		plan, _ := p.prices.Catalog().Plan(q.PlanID)
		return &billingviews.ForecastApply{
			Label:          locale.T(r.Context(), "Review the change to %s", ui.PlanName(r.Context(), plan.Name, q.Interval)),
			OrganizationID: accessOf(r).Organization.ID, Plan: q.PlanID, Interval: q.Interval,
		}
	case q.People != 0 && accessOf(r).CanManageMembers():
		return &billingviews.ForecastApply{Label: locale.T(r.Context(), "Choose the people"), Href: membersTab}
	}
	return nil
}

// props describes a forecast.
func (p *forecastPages) props(ctx context.Context, f billing.Forecast, q billing.ForecastQuestion, form billingviews.ForecastForm) billingviews.ForecastProps {
	props := billingviews.ForecastProps{
		Form: form, Total: f.Sum(f.Invoices), ChangedTotal: f.Sum(f.Changed), Until: f.Until, EndsAt: timeOrZero(f.EndsAt),
		Change: p.changeInWords(ctx, q), Rows: p.rows(ctx, f), Months: forecastMonths(f),
	}
	if f.Stale {
		props.AsOf = f.FetchedAt
	}
	return props
}

func (p *forecastPages) changeInWords(ctx context.Context, q billing.ForecastQuestion) string {
	var parts []string
	switch from := locale.Date(ctx, q.From); {
	case q.People > 0:
		parts = append(parts, locale.N(ctx, "%s more person from %s", "%s more people from %s", q.People, from))
	case q.People < 0:
		parts = append(parts, locale.N(ctx, "%s person fewer from %s", "%s people fewer from %s", -q.People, from))
	}
	if plan, known := p.prices.Catalog().Plan(q.PlanID); known {
		parts = append(parts, ui.PlanName(ctx, plan.Name, q.Interval))
	}
	if len(parts) == 2 {
		return locale.T(ctx, "%s and %s", parts[0], parts[1])
	}
	return strings.Join(parts, "")
}

// rows lists the invoices of both courses by day; those within the twelve months first.
func (p *forecastPages) rows(ctx context.Context, f billing.Forecast) []billingviews.ForecastRow {
	var rows []billingviews.ForecastRow
	rowAt := func(at time.Time) *billingviews.ForecastRow {
		later := !at.Before(f.Until)
		i, found := slices.BinarySearchFunc(rows, at, func(row billingviews.ForecastRow, at time.Time) int {
			if row.Later != later {
				return map[bool]int{true: 1, false: -1}[row.Later]
			}
			return dayOf(row.At).Compare(dayOf(at))
		})
		if !found {
			rows = slices.Insert(rows, i, billingviews.ForecastRow{At: at, Later: later})
		}
		return &rows[i]
	}
	for _, invoice := range f.Invoices {
		row := rowAt(invoice.At)
		row.Amount, row.What = &invoice.Due, p.parts(ctx, invoice)
	}
	for _, invoice := range f.Changed {
		row := rowAt(invoice.At)
		row.Changed, row.What = &invoice.Due, p.parts(ctx, invoice)
	}
	return rows
}

// parts says what an invoice is for.
func (p *forecastPages) parts(ctx context.Context, invoice billing.ForecastInvoice) []string {
	var texts []string
	for _, part := range invoice.Parts {
		texts = append(texts, p.part(ctx, part))
	}
	if used := invoice.Total.Minor - invoice.Due.Minor; used > 0 && invoice.Total.Minor > 0 {
		texts = append(texts, locale.T(ctx, "%s paid from your credit", locale.Money(ctx, catalog.Money{Minor: used, Currency: invoice.Total.Currency})))
	}
	if invoice.Total.Minor < 0 {
		texts = append(texts, locale.T(ctx, "%s kept as credit for later invoices", locale.Money(ctx, catalog.Money{Minor: -invoice.Total.Minor, Currency: invoice.Total.Currency})))
	}
	return texts
}

func (p *forecastPages) part(ctx context.Context, part billing.ForecastPart) string {
	plan, _ := p.prices.Catalog().Plan(part.PlanID)
	name := ui.PlanName(ctx, plan.Name, part.Interval)
	if plan.PerSeat {
		name += ", " + ui.Seats(ctx, part.Seats)
	}
	switch part.Kind {
	case billing.ForecastPending:
		return locale.T(ctx, "%s for changes already made", locale.Money(ctx, part.Amount))
	case billing.ForecastPeople:
		return locale.T(ctx, "%s for the seats from %s on", locale.Money(ctx, part.Amount), locale.Date(ctx, part.From.UTC()))
	case billing.ForecastChange:
		return locale.T(ctx, "Change to %s", name)
	}
	return name
}

// forecastMonths adds the invoices up by month, for the chart.
func forecastMonths(f billing.Forecast) []billingviews.ForecastMonth {
	if len(f.Invoices)+len(f.Changed) == 0 {
		return nil
	}
	var months []billingviews.ForecastMonth
	for month := monthOf(f.FetchedAt); month.Before(f.Until); month = month.AddDate(0, 1, 0) {
		other := func(i billing.ForecastInvoice) bool { return !monthOf(i.At).Equal(month) }
		months = append(months, billingviews.ForecastMonth{
			Month:  month,
			Amount: f.Sum(slices.DeleteFunc(slices.Clone(f.Invoices), other)), Changed: f.Sum(slices.DeleteFunc(slices.Clone(f.Changed), other)),
		})
	}
	return months
}

func dayOf(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

func monthOf(t time.Time) time.Time {
	return time.Date(t.UTC().Year(), t.UTC().Month(), 1, 0, 0, 0, 0, time.UTC)
}
