package stripelocal

import "usher/stripelocal/wire"

// CustomerBalanceTransaction is one change of a customer's balance (docs: customer credit balance).
// Amounts are minor units; negative is a credit.
type CustomerBalanceTransaction struct {
	Base
	Amount        int64
	CreditNote    string
	Currency      string
	Customer      string
	Description   string
	EndingBalance int64
	Invoice       string
	Metadata      map[string]string
	Type          string // such as adjustment or applied_to_invoice
}

// customerBalances serves /v1/customers/{customer}/balance_transactions, and changes balances.
type customerBalances struct{ *request }

func customerBalanceResource() resource {
	return resource{
		objectType: "customer_balance_transaction",
		render: renderFrom(func(s *store) *table[*CustomerBalanceTransaction] { return s.CustomerBalanceTransactions },
			func(_ *request, x *CustomerBalanceTransaction) wire.Object { return x.render() }),
		routes: []route{
			on("POST /v1/customers/{customer}/balance_transactions", "amount:int! currency:currency! description:350 metadata:map?", customerBalances.create),
			on("GET /v1/customers/{customer}/balance_transactions", pageParams, customerBalances.list),
			on("GET /v1/customers/{customer}/balance_transactions/{id}", "", customerBalances.get),
			on("POST /v1/customers/{customer}/balance_transactions/{id}", "description:350 metadata:map?", customerBalances.update),
		},
	}
}

// change changes a balance and records why. x has the amount, the type and what caused it.
func (h customerBalances) change(c *Customer, x CustomerBalanceTransaction) *CustomerBalanceTransaction {
	h.customers.change(c, func() { c.Balance += x.Amount })
	return h.record(c, x)
}

// record records a change that has been made.
func (h customerBalances) record(c *Customer, x CustomerBalanceTransaction) *CustomerBalanceTransaction {
	x.Base = Base{ID: h.ids.longID("cbtxn_1"), Created: h.timeFor(c)}
	x.Customer, x.EndingBalance = c.ID, c.Balance
	if x.Currency == "" {
		x.Currency = c.Currency
	}
	if x.Currency == "" {
		x.Currency = "usd" // the account's
	}
	if x.Metadata == nil {
		x.Metadata = map[string]string{}
	}
	h.store.CustomerBalanceTransactions.insert(&x)
	return &x
}

// customer returns the customer of the path.
func (h customerBalances) customer(in *input) (*Customer, error) {
	c, ok := h.store.Customers.get(in.pathValue("customer"))
	if !ok || c.Deleted {
		return nil, wire.NotFound("customer", in.pathValue("customer"), "customer")
	}
	return c, nil
}

// create adjusts the balance. Its currency is the customer's, or becomes it (API reference: create
// a customer balance transaction; the wording is inferred).
func (h customerBalances) create(in *input) (any, error) {
	c, err := h.customer(in)
	if err != nil {
		return nil, err
	}
	currency := in.String("currency")
	if c.Currency != "" && c.Currency != currency {
		return nil, wire.Invalid("", "currency", "The currency of a customer's balance is `"+c.Currency+"`, not `"+currency+"`.")
	}
	c.Currency = currency
	x := h.change(c, CustomerBalanceTransaction{
		Amount: in.Int("amount"), Currency: currency, Description: in.String("description"), Metadata: in.Metadata(), Type: "adjustment",
	})
	return x.render(), nil
}

func (h customerBalances) find(in *input) (*CustomerBalanceTransaction, error) {
	c, err := h.customer(in)
	if err != nil {
		return nil, err
	}
	x, ok := h.store.CustomerBalanceTransactions.get(in.pathValue("id"))
	if !ok || x.Customer != c.ID {
		return nil, wire.NotFound("customer_balance_transaction", in.pathValue("id"), "id")
	}
	return x, nil
}

func (h customerBalances) get(in *input) (any, error) {
	x, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return x.render(), nil
}

func (h customerBalances) update(in *input) (any, error) {
	x, err := h.find(in)
	if err != nil {
		return nil, err
	}
	in.SetString("description", &x.Description)
	in.SetMetadata(&x.Metadata)
	return x.render(), nil
}

func (h customerBalances) list(in *input) (any, error) {
	c, err := h.customer(in)
	if err != nil {
		return nil, err
	}
	return listing[*CustomerBalanceTransaction]{
		resource: "customer_balance_transaction", table: h.store.CustomerBalanceTransactions,
		rows: h.store.CustomerBalanceTransactions.by("customer", c.ID), render: (*CustomerBalanceTransaction).render,
	}.page(in)
}

func (x *CustomerBalanceTransaction) render() wire.Object {
	return wire.Object{
		"id": x.ID, "object": "customer_balance_transaction", "amount": x.Amount, "created": x.Created, "credit_note": wire.Ref("credit_note", x.CreditNote),
		"currency": x.Currency, "customer": wire.Ref("customer", x.Customer), "description": wire.StringOrNull(x.Description),
		"ending_balance": x.EndingBalance, "invoice": wire.Ref("invoice", x.Invoice), "livemode": false, "metadata": x.Metadata, "type": x.Type,
	}
}
