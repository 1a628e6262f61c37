package stripelocal

// Account is the one account of a server.
type Account struct {
	ID      string
	Created int64
	Name    string
}

func newAccount(ids *idSource, at int64) Account {
	return Account{ID: "acct_1" + ids.token(15), Created: at, Name: "Local Stripe"}
}

// accounts serves /v1/account.
type accounts struct{ *request }

func accountResource() resource {
	return resource{kind: "account", arm: func(r *request) { r.scheduleKeyExpiry() }, routes: []route{
		on("GET /v1/account", "", accounts.get),
		on("GET /v1/accounts/{id}", "", accounts.getByID),
	}}
}

func (h accounts) get(_ *input) (any, error) { return h.render(), nil }

// getByID knows the one account only.
func (h accounts) getByID(in *input) (any, error) {
	if in.path("id") != h.state.Account.ID {
		return nil, notFound("account", in.path("id"), "account")
	}
	return h.render(), nil
}

func (h accounts) render() object {
	acc := h.state.Account
	return object{
		"id": acc.ID, "object": "account", "created": acc.Created, "type": "standard",
		"business_type": nil, "country": "US", "default_currency": "usd", "email": "local@example.com",
		"charges_enabled": true, "payouts_enabled": true, "details_submitted": true,
		"capabilities": object{"card_payments": "active", "transfers": "active"},
		"controller":   object{"type": "account"}, "metadata": object{},
		"business_profile":    accountProfile(acc.Name),
		"external_accounts":   listObject("/v1/accounts/"+acc.ID+"/external_accounts", []any{}, false),
		"requirements":        accountRequirements(),
		"future_requirements": accountRequirements(),
		"settings":            accountSettings(acc.Name),
		"tos_acceptance":      object{"date": nil, "ip": nil, "user_agent": nil},
	}
}

func accountProfile(name string) object {
	return object{
		"annual_revenue": nil, "estimated_worker_count": nil, "mcc": nil, "name": name,
		"product_description": nil, "support_address": nil, "support_email": nil,
		"support_phone": nil, "support_url": nil, "url": nil,
	}
}

func accountRequirements() object {
	return object{
		"alternatives": []any{}, "current_deadline": nil, "currently_due": []any{}, "disabled_reason": nil,
		"errors": []any{}, "eventually_due": []any{}, "past_due": []any{}, "pending_verification": []any{},
	}
}

func accountSettings(name string) object {
	return object{
		"bacs_debit_payments": object{"display_name": nil, "service_user_number": nil},
		"branding":            object{"icon": nil, "logo": nil, "primary_color": nil, "secondary_color": nil},
		"card_issuing":        object{"tos_acceptance": object{"date": nil, "ip": nil}},
		"card_payments": object{
			"decline_on":                        object{"avs_failure": false, "cvc_failure": false},
			"statement_descriptor_prefix":       nil,
			"statement_descriptor_prefix_kana":  nil,
			"statement_descriptor_prefix_kanji": nil,
		},
		"dashboard": object{"display_name": name, "timezone": "Etc/UTC"},
		"invoices":  object{"default_account_tax_ids": nil},
		"payments": object{
			"statement_descriptor": nil, "statement_descriptor_kana": nil, "statement_descriptor_kanji": nil,
			"statement_descriptor_prefix_kana": nil, "statement_descriptor_prefix_kanji": nil,
		},
		"payouts": object{
			"debit_negative_balances": true, "statement_descriptor": nil,
			"schedule": object{"delay_days": 2, "interval": "daily"},
		},
		"sepa_debit_payments": object{},
	}
}
