package gallery

import (
	"usher/billing/account"
	"usher/views/layout"
	organizationviews "usher/views/organization"
)

func apiKeySpecimens() []Specimen {
	p := organizationviews.APIKeysPageProps{
		Layout: signedIn(layout.SectionOrganization), Organization: header(layout.TabGeneral),
		Scopes: []organizationviews.ScopeChoice{
			{Scope: account.ScopeEntitlementsRead, Does: "Read plan, access, seats and credits"}, {Scope: account.ScopeCreditsWrite, Does: "Use up credits"},
			{Scope: account.ScopeBillingRead, Does: "Read the billing summary, seats and invoices"}, {Scope: account.ScopeBillingWrite, Does: "Open Checkout and the customer portal, and sync the seats"},
		},
		Expiries: []organizationviews.Expiry{{Value: "90", Label: "90 days"}, {Value: "365", Label: "One year"}, {Value: "never", Label: "Never"}},
	}
	listed, created, wrong := p, p, p
	listed.Keys = []organizationviews.APIKeyRow{
		{ID: "key_1", Name: "production", Hint: "uk_live_4fQz", Scopes: []string{account.ScopeEntitlementsRead, account.ScopeCreditsWrite}, CreatedBy: "Ana Lima", CreatedAt: days(-40), LastUsedAt: days(0), ExpiresAt: days(50), Valid: true},
		{ID: "key_2", Name: unbroken, Hint: "uk_live_9ZbK", Scopes: account.Scopes(), CreatedBy: "Command line", CreatedAt: days(-90), Valid: true},
		{ID: "key_3", Name: "trial of the nightly export", Hint: "uk_test_a81L", Scopes: []string{account.ScopeBillingRead}, CreatedBy: "Ben Okafor", CreatedAt: days(-95), LastUsedAt: days(-20), ExpiresAt: days(-5)},
		{ID: "key_4", Name: "old server", Hint: "uk_live_Qk2x", Scopes: []string{account.ScopeEntitlementsRead}, CreatedBy: "Ana Lima", CreatedAt: days(-300), LastUsedAt: days(-200), Revoked: true},
	}
	created.Keys, created.Secret = listed.Keys[:1], "uk_live_4fQz7Vt1Jc0mXw8LrB2nYsK5dPhE3gUoA96ZqT"
	wrong.Name, wrong.Errors = "production", organizationviews.APIKeyErrors{Scopes: "Choose what the key can do."}
	return []Specimen{
		{Name: "api-keys-none", Title: "API keys, none yet", Page: organizationviews.APIKeysPage(p)},
		{Name: "api-keys", Title: "API keys", Page: organizationviews.APIKeysPage(listed)},
		{Name: "api-keys-created", Title: "An API key created", Page: organizationviews.APIKeysPage(created)},
		{Name: "api-keys-refused", Title: "An API key refused", Page: organizationviews.APIKeysPage(wrong)},
	}
}
