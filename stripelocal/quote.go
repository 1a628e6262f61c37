package stripelocal

import "usher/stripelocal/wire"

// quoteLifetime is the default time until a quote is canceled, in seconds (docs: quotes, 30 days).
const quoteLifetime = 30 * 24 * 60 * 60

// Quote is an offer that becomes a subscription or an invoice when it is accepted (API reference:
// quotes).
type Quote struct {
	Base
	AcceptedAt       int64
	AutomaticTax     bool
	CanceledAt       int64
	CollectionMethod string
	Currency         string // of the line items; empty without any
	Customer         string
	DaysUntilDue     int64
	DefaultTaxRates  []string
	Description      string
	Discount         *Discount
	Inherited        *Discount `json:",omitzero"` // of the customer, once the quote has ended
	ExpiresAt        int64
	FinalizedAt      int64
	Footer           string
	FromQuote        string
	Header           string
	Invoice          string
	IsRevision       bool // of FromQuote
	LineItems        []CheckoutLineItem
	Metadata         map[string]string
	Number           string
	Revision         int64 // in the number, from 1
	Status           string
	Subscription     string
	SubDescription   string
	SubMetadata      map[string]string
	TestClock        string
	TrialPeriodDays  int64
	EffectiveDate    int64  `json:",omitzero"` // of the subscription; 0 is the acceptance
	Schedule         string `json:",omitzero"` // that starts the subscription on EffectiveDate
}

const (
	quotePriceData = "price_data{currency:currency! product! recurring{interval:day|week|month|year! interval_count:int} " +
		"tax_behavior:exclusive|inclusive|unspecified unit_amount:int unit_amount_decimal:decimal} "
	quoteLine   = "price " + quotePriceData + "quantity:int tax_rates[]?"
	quoteParams = "automatic_tax{enabled:bool!} collection_method:charge_automatically|send_invoice customer default_tax_rates[]? " +
		"discounts[]{coupon discount promotion_code}? expires_at:time invoice_settings{days_until_due:int} "
)

// quotes serves /v1/quotes.
type quotes struct{ *request }

func quoteResource() resource {
	return resource{
		objectType: "quote",
		render: renderFrom(func(s *store) *table[*Quote] { return s.Quotes },
			bind(quotes.render)),
		scheduleTimers: func(r *request) {
			for _, q := range r.store.Quotes.all {
				r.quotes.scheduleExpiry(q)
			}
		},
		routes: []route{
			on("POST /v1/quotes", quoteParams+"description:500? footer:500? header:50? metadata:map from_quote{quote! is_revision:bool} line_items[]{"+quoteLine+"} subscription_data{description:500 effective_date:time? metadata:map trial_period_days:int?} test_clock", quotes.create),
			on("GET /v1/quotes", pageParams+"customer status:accepted|canceled|draft|open test_clock", quotes.list),
			on("GET /v1/quotes/{id}", "", quotes.get),
			on("POST /v1/quotes/{id}", quoteParams+"description:500? footer:500? header:50? metadata:map line_items[]{id "+quoteLine+"} subscription_data{description:500? effective_date:time? metadata:map trial_period_days:int?}", quotes.update),
			on("POST /v1/quotes/{id}/finalize", "expires_at:time", quotes.finalize),
			on("POST /v1/quotes/{id}/accept", "", quotes.accept),
			on("POST /v1/quotes/{id}/cancel", "", quotes.cancel),
			on("GET /v1/quotes/{id}/line_items", pageParams, quotes.listLineItems),
			on("GET /v1/quotes/{id}/computed_upfront_line_items", pageParams, quotes.listUpfront),
			on("GET /v1/quotes/{id}/pdf", "", quotes.pdf),
		},
	}
}

func (h quotes) create(in *input) (any, error) {
	q := &Quote{CollectionMethod: "charge_automatically", Status: "draft", Metadata: map[string]string{}, SubMetadata: map[string]string{}, Revision: 1}
	if in.Has("from_quote") {
		if err := h.copyFrom(q, in.At("from_quote")); err != nil {
			return nil, err
		}
	}
	if id := in.String("test_clock"); id != "" {
		if _, ok := h.store.TestClocks.get(id); !ok {
			return nil, wire.NoSuch("test_clock", id, "test_clock")
		}
		q.TestClock = id
	}
	q.Base = Base{ID: h.ids.longID("qt_1"), Created: h.timeOnClock(q.TestClock)}
	q.ExpiresAt = q.Created + quoteLifetime
	if err := h.setFields(q, in.Params); err != nil {
		return nil, err
	}
	h.store.Quotes.insert(q)
	h.scheduleExpiry(q)
	h.emit("quote.created", h.render(q))
	return h.render(q), nil
}

// copyFrom makes a quote a copy of another one, or a revision of it.
func (h quotes) copyFrom(q *Quote, from wire.Params) error {
	source, ok := h.store.Quotes.get(from.String("quote"))
	switch {
	case !ok:
		return wire.NoSuch("quote", from.String("quote"), from.Name("quote"))
	case from.Bool("is_revision") && source.Status != "open":
		return wire.Invalid("", from.Name("is_revision"), "Only an open quote can be revised. The status of this quote is `"+source.Status+"`.")
	}
	*q = *source
	q.FromQuote, q.IsRevision, q.Status = source.ID, from.Bool("is_revision"), "draft"
	q.AcceptedAt, q.CanceledAt, q.FinalizedAt, q.Invoice, q.Subscription, q.Schedule, q.Number, q.Revision = 0, 0, 0, "", "", "", "", 1
	q.LineItems = nil
	for _, l := range source.LineItems {
		l.ID = h.ids.longID("li_1")
		q.LineItems = append(q.LineItems, l)
	}
	return nil
}

// setFields copies the parameters that create and update share.
func (h quotes) setFields(q *Quote, p wire.Params) error {
	if err := h.setCustomer(q, p); err != nil {
		return err
	}
	if p.Has("expires_at") && p.Int("expires_at") <= h.timeOnClock(q.TestClock) {
		return wire.Invalid("", "expires_at", "Invalid timestamp: must be an integer Unix timestamp in the future.")
	}
	if err := h.taxes.checkAutomaticTax(p); err != nil {
		return err
	}
	if _, err := h.taxRates.fromParams(p, "default_tax_rates"); err != nil {
		return err
	}
	if days := p.At("subscription_data"); days.Int("trial_period_days") < 0 {
		return wire.Invalid("parameter_invalid_integer", days.Name("trial_period_days"), "The minimum number of trial period days is 1.")
	}
	if p.Has("line_items") {
		if err := h.setLineItems(q, p); err != nil {
			return err
		}
	}
	p.SetInt("expires_at", &q.ExpiresAt)
	p.SetString("collection_method", &q.CollectionMethod)
	p.SetString("description", &q.Description)
	p.SetString("footer", &q.Footer)
	p.SetString("header", &q.Header)
	p.SetStrings("default_tax_rates", &q.DefaultTaxRates)
	p.At("automatic_tax").SetBool("enabled", &q.AutomaticTax)
	p.At("invoice_settings").SetInt("days_until_due", &q.DaysUntilDue)
	p.At("subscription_data").SetString("description", &q.SubDescription)
	p.At("subscription_data").SetInt("trial_period_days", &q.TrialPeriodDays)
	p.At("subscription_data").SetInt("effective_date", &q.EffectiveDate)
	p.At("subscription_data").SetMetadata(&q.SubMetadata)
	p.SetMetadata(&q.Metadata)
	return h.setDiscount(q, p)
}

func (h quotes) setCustomer(q *Quote, p wire.Params) error {
	if !p.Has("customer") {
		return nil
	}
	c, err := h.customers.fromParam(p, "customer")
	if err != nil {
		return err
	}
	if c.TestClock != q.TestClock && q.TestClock != "" {
		return wire.Invalid("", "customer", "The customer and the quote must be on the same test clock.")
	}
	if q.ID != "" && q.TestClock != c.TestClock {
		return wire.Invalid("", "customer", "The customer is on the test clock "+c.TestClock+", and the quote is not.")
	}
	q.Customer, q.TestClock = c.ID, c.TestClock
	return nil
}

func (h quotes) setLineItems(q *Quote, p wire.Params) error {
	var lines []CheckoutLineItem
	var recurring []newItem
	currency := ""
	for _, n := range p.List("line_items") {
		line, price, err := h.lineItem(q, n)
		if err != nil {
			return err
		}
		if currency == "" {
			currency = price.Currency
		}
		if price.Currency != currency {
			return wire.Invalid("", "line_items", "All line items must have the same currency.")
		}
		if price.Interval != "" {
			recurring = append(recurring, newItem{price: price, quantity: line.Quantity})
		}
		lines = append(lines, line)
	}
	if err := checkItems(recurring); err != nil {
		return err
	}
	q.LineItems, q.Currency = lines, currency
	return nil
}

// lineItem reads a line item. One with an id keeps what it does not change.
func (h quotes) lineItem(q *Quote, p wire.Params) (CheckoutLineItem, *Price, error) {
	line := CheckoutLineItem{ID: h.ids.longID("li_1")}
	if p.Has("id") {
		found := false
		for _, l := range q.LineItems {
			if l.ID == p.String("id") {
				line, found = l, true
			}
		}
		if !found {
			return line, nil, wire.NoSuch("line item", p.String("id"), p.Name("id"))
		}
	}
	price, known := h.store.Prices.get(line.Price)
	if !known || namesPrice(p) {
		var err error
		if price, err = h.prices.fromParams(p); err != nil {
			return line, nil, err
		}
		line.Price, line.Quantity = price.ID, price.quantityFrom(p)
	}
	p.SetInt("quantity", &line.Quantity)
	if line.Quantity < 0 {
		return line, nil, wire.Invalid("parameter_invalid_integer", p.Name("quantity"), "This value must be greater than or equal to 0.")
	}
	if _, err := h.taxRates.fromParams(p, "tax_rates", price); err != nil {
		return line, nil, err
	}
	p.SetStrings("tax_rates", &line.TaxRates)
	return line, price, nil
}

// setDiscount reads discounts. The local Stripe applies one.
func (h quotes) setDiscount(q *Quote, p wire.Params) error {
	if !p.Has("discounts") {
		return nil
	}
	list, _, err := h.discounts.listFromParams(&Subscription{Customer: q.Customer, Currency: q.Currency, TestClock: q.TestClock}, p)
	switch {
	case err != nil:
		return err
	case len(list) > 1:
		return wire.Invalid("", "discounts", "The local Stripe applies one discount to a quote.")
	case len(list) == 0:
		q.Discount = nil
	default:
		q.Discount = &list[0]
	}
	return nil
}

func (h quotes) find(in *input) (*Quote, error) {
	q, ok := h.store.Quotes.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("quote", in.pathValue("id"), "id")
	}
	return q, nil
}

func (h quotes) get(in *input) (any, error) {
	q, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return h.render(q), nil
}

// update changes a draft. A quote that is finalized cannot be changed (docs).
func (h quotes) update(in *input) (any, error) {
	q, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if q.Status != "draft" {
		return nil, wire.Invalid("", "", "This quote is `"+q.Status+"`. Only a draft can be updated.")
	}
	changed := *q
	if err := h.setFields(&changed, in.Params); err != nil {
		return nil, err
	}
	h.store.Quotes.change(q, func() { *q = changed })
	h.scheduleExpiry(q)
	return h.render(q), nil
}

func (h quotes) list(in *input) (any, error) {
	rows := h.store.Quotes.all
	if in.Has("customer") {
		rows = h.store.Quotes.by("customer", in.String("customer"))
	}
	return listing[*Quote]{
		resource: "quote", table: h.store.Quotes, rows: rows,
		filter: func(q *Quote) bool {
			return (!in.Has("status") || q.Status == in.String("status")) && (in.Has("customer") || q.TestClock == in.String("test_clock"))
		},
		render: h.render,
	}.page(in)
}
