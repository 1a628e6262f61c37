package stripelocal

import "usher/stripelocal/wire"

// Account is the account that a server stands for.
type Account struct {
	ID      string
	Created int64
	Name    string
}

// newAccount is the default account, or that of a key with a name.
func newAccount(ids *idSource, name string, at int64) Account {
	if name != "" {
		return Account{ID: "acct_" + name, Created: at, Name: name}
	}
	return Account{ID: "acct_1" + ids.token(15), Created: at, Name: "Local Stripe"}
}

// accounts serves /v1/account.
type accounts struct{ *request }

func accountResource() resource {
	return resource{objectType: "account", scheduleTimers: func(r *request) { r.scheduleKeyExpiry() }, routes: []route{
		on("GET /v1/account", "", accounts.get),
		on("GET /v1/accounts/{id}", "", accounts.getByID),
	}}
}

func (h accounts) get(_ *input) (any, error) { return h.render(), nil }

// getByID knows one account: the server's own.
func (h accounts) getByID(in *input) (any, error) {
	if in.pathValue("id") != h.store.Account.ID {
		return nil, wire.NotFound("account", in.pathValue("id"), "account")
	}
	return h.render(), nil
}

func (h accounts) render() wire.Object {
	acc := h.store.Account
	return wire.Object{
		"id": acc.ID, "object": "account", "created": acc.Created, "type": "standard",
		"business_type": nil, "country": "US", "default_currency": "usd", "email": "local@example.com",
		"charges_enabled": true, "payouts_enabled": true, "details_submitted": true,
		"capabilities": wire.Object{"card_payments": "active", "transfers": "active"},
		"controller":   wire.Object{"type": "account"}, "metadata": wire.Object{},
		"business_profile":    accountProfile(acc.Name),
		"external_accounts":   wire.List("/v1/accounts/"+acc.ID+"/external_accounts", []any{}, false),
		"requirements":        accountRequirements(),
		"future_requirements": accountRequirements(),
		"settings":            accountSettings(acc.Name),
		"tos_acceptance":      wire.Object{"date": nil, "ip": nil, "user_agent": nil},
	}
}

func accountProfile(name string) wire.Object {
	return wire.Object{
		"annual_revenue": nil, "estimated_worker_count": nil, "mcc": nil, "name": name,
		"product_description": nil, "support_address": nil, "support_email": nil,
		"support_phone": nil, "support_url": nil, "url": nil,
	}
}

func accountRequirements() wire.Object {
	return wire.Object{
		"alternatives": []any{}, "current_deadline": nil, "currently_due": []any{}, "disabled_reason": nil,
		"errors": []any{}, "eventually_due": []any{}, "past_due": []any{}, "pending_verification": []any{},
	}
}

func accountSettings(name string) wire.Object {
	return wire.Object{
		"bacs_debit_payments": wire.Object{"display_name": nil, "service_user_number": nil},
		"branding":            wire.Object{"icon": nil, "logo": nil, "primary_color": nil, "secondary_color": nil},
		"card_issuing":        wire.Object{"tos_acceptance": wire.Object{"date": nil, "ip": nil}},
		"card_payments": wire.Object{
			"decline_on":                        wire.Object{"avs_failure": false, "cvc_failure": false},
			"statement_descriptor_prefix":       nil,
			"statement_descriptor_prefix_kana":  nil,
			"statement_descriptor_prefix_kanji": nil,
		},
		"dashboard": wire.Object{"display_name": name, "timezone": "Etc/UTC"},
		"invoices":  wire.Object{"default_account_tax_ids": nil},
		"payments": wire.Object{
			"statement_descriptor": nil, "statement_descriptor_kana": nil, "statement_descriptor_kanji": nil,
			"statement_descriptor_prefix_kana": nil, "statement_descriptor_prefix_kanji": nil,
		},
		"payouts": wire.Object{
			"debit_negative_balances": true, "statement_descriptor": nil,
			"schedule": wire.Object{"delay_days": balanceDelay, "interval": "daily"},
		},
		"sepa_debit_payments": wire.Object{},
	}
}
