package handlers

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
	"usher/views/layout"
	"usher/views/locale"
	organizationviews "usher/views/organization"
)

// apiKeyPages list, create and revoke the organization's API keys.
type apiKeyPages struct {
	*site
	keys *account.APIKeys
}

const apiKeysPath = "/organization/api-keys"

func (p *apiKeyPages) list(w http.ResponseWriter, r *http.Request) error {
	return p.renderPage(w, r, http.StatusOK, organizationviews.APIKeysPageProps{})
}

// renderPage adds the keys to what the page shows of a form.
func (p *apiKeyPages) renderPage(w http.ResponseWriter, r *http.Request, status int, props organizationviews.APIKeysPageProps) error {
	keys, err := p.keys.List(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	props.Layout, props.Organization = p.layout(r, layout.SectionOrganization), organizationHeader(r, layout.TabGeneral)
	for _, expiry := range keyExpiries {
		props.Expiries = append(props.Expiries, organizationviews.Expiry{Value: expiry.Value, Label: locale.Lookup(r.Context(), expiry.Label)})
	}
	for _, scope := range account.Scopes() {
		props.Scopes = append(props.Scopes, organizationviews.ScopeChoice{Scope: scope, Does: locale.Lookup(r.Context(), scopeWords[scope]), Chosen: slices.Contains(r.PostForm["scopes"], scope) && props.Secret == ""})
	}
	for _, key := range keys {
		props.Keys = append(props.Keys, organizationviews.APIKeyRow{
			ID: key.ID, Name: key.Name, Hint: key.Hint, Scopes: key.Scopes, CreatedBy: key.CreatedBy, CreatedAt: key.CreatedAt,
			LastUsedAt: timeOrZero(key.LastUsedAt), ExpiresAt: timeOrZero(key.ExpiresAt), Revoked: key.RevokedAt != nil, Valid: key.Valid(p.now()),
		})
	}
	return render(w, r, status, organizationviews.APIKeysPage(props))
}

// scopeWords says what each scope allows.
var scopeWords = map[string]string{
	account.ScopeEntitlementsRead: locale.Mark("Read plan, access, seats and credits"),
	account.ScopeCreditsWrite:     locale.Mark("Use up credits"),
	account.ScopeMembersRead:      locale.Mark("Read the people and their seats"),
	account.ScopeMembersWrite:     locale.Mark("Add, change and remove people, with any role"),
	account.ScopeBillingRead:      locale.Mark("Read the billing summary, seats and invoices"),
	account.ScopeBillingWrite:     locale.Mark("Open Checkout and the customer portal, and sync the seats"),
	account.ScopeWebhooksWrite:    locale.Mark("Manage webhooks"),
}

// keyExpiries are the lifetimes that the form offers.
var keyExpiries = []organizationviews.Expiry{
	{Value: "90", Label: locale.Mark("90 days")}, {Value: "365", Label: locale.Mark("One year")}, {Value: "never", Label: locale.Mark("Never")},
}

// create creates a key and shows its secret, once.
func (p *apiKeyPages) create(w http.ResponseWriter, r *http.Request) error {
	form := organizationviews.APIKeysPageProps{Name: r.PostFormValue("name"), Expires: r.PostFormValue("expires")}
	draft := account.APIKeyDraft{Name: form.Name, Scopes: strings.Fields(strings.Join(r.PostForm["scopes"], " "))}
	expiresAt, err := parseExpiry(form.Expires, p.now())
	if err == nil {
		draft.ExpiresAt = expiresAt
		_, form.Secret, err = p.keys.Create(r.Context(), accessOf(r), draft)
	}
	if invalid := fieldMessages(r.Context(), err); len(invalid) > 0 {
		form.Errors = organizationviews.APIKeyErrors{Name: invalid["name"], Scopes: invalid["scopes"], Expires: invalid["expires"]}
		return p.renderPage(w, r, http.StatusUnprocessableEntity, form)
	}
	if err != nil {
		return err
	}
	return p.renderPage(w, r, http.StatusCreated, organizationviews.APIKeysPageProps{Secret: form.Secret})
}

// parseExpiry reads a number of days, a day such as 2027-01-31 (UTC, the key is valid that day), or
// never, which no value means too.
func parseExpiry(value string, now time.Time) (*time.Time, error) {
	switch value {
	case "", "never":
		return nil, nil
	case "90":
		at := now.AddDate(0, 0, 90)
		return &at, nil
	case "365":
		at := now.AddDate(1, 0, 0)
		return &at, nil
	}
	day, err := time.Parse(time.DateOnly, value)
	if err != nil {
		return nil, apperr.FieldError("expires", "Please give 90, 365, never, or a day such as 2027-01-31.")
	}
	day = day.AddDate(0, 0, 1)
	return &day, nil
}

func (p *apiKeyPages) revoke(w http.ResponseWriter, r *http.Request) error {
	if err := p.keys.Revoke(r.Context(), accessOf(r), r.PathValue("id")); err != nil {
		return err
	}
	redirect(w, r, apiKeysPath+"?notice="+noticeKeyRevoked)
	return nil
}

// bearerToken returns the token of the Authorization header (RFC 6750).
func bearerToken(r *http.Request) (string, bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(token), strings.EqualFold(scheme, "Bearer")
}
