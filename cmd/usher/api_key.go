package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
)

// runAPIKey creates, lists and revokes API keys. A new key is printed once and not stored.
func runAPIKey(ctx context.Context, inv *invocation) error {
	organization := inv.flags.String("org", "", "the organization (org_…) that the key is for")
	all := inv.flags.Bool("all", false, "a key of the installation, for every organization")
	name := inv.flags.String("name", "", "what uses the key")
	scopes := inv.flags.String("scopes", "", "what it may do, separated by commas: "+strings.Join(account.Scopes(), ","))
	expires := inv.flags.String("expires", "", "the day (2027-01-31, UTC) from which it isn't valid; default: never")
	inv.jsonFlag()
	args, err := inv.parse()
	if err != nil {
		return err
	}
	switch {
	case len(args) == 2 && args[0] == "revoke":
		return revokeAPIKey(ctx, inv, args[1])
	case len(args) == 1 && args[0] == "list" && (*organization == "") == *all:
		return listAPIKeys(ctx, inv, *organization)
	case len(args) != 1 || args[0] != "create" || (*organization == "") != *all:
		return usageError("takes create or list with either --org or --all, or revoke with the id of a key (key_…)")
	}
	draft := account.APIKeyDraft{Name: *name, Scopes: splitScopes(*scopes)}
	if *expires != "" {
		day, err := time.Parse(time.DateOnly, *expires)
		if err != nil {
			return usageError("--expires is not a day such as 2027-01-31")
		}
		draft.ExpiresAt = &day
	}
	return withService(ctx, inv, func(service *billing.Service) error {
		key, secret, err := service.APIKeys.CreateByOperator(ctx, *organization, draft)
		if err != nil {
			return publicMessage(err)
		}
		view := apiKeyViewOf(key)
		view.Key = secret
		return inv.print(view, fmt.Sprintf("%s\n\nThis is %s, %q. It isn't stored: keep it where passwords are kept.\n", secret, key.ID, key.Name))
	})
}

// listAPIKeys lists the keys of an organization or, without one, of the installation.
func listAPIKeys(ctx context.Context, inv *invocation, organizationID string) error {
	return withService(ctx, inv, func(service *billing.Service) error {
		keys, err := service.APIKeys.ListByOperator(ctx, organizationID)
		if err != nil {
			return publicMessage(err)
		}
		views, text := make([]apiKeyView, len(keys)), new(strings.Builder)
		lines := tabwriter.NewWriter(text, 0, 0, 2, ' ', 0)
		fmt.Fprintln(lines, "ID\tNAME\tBEGINS WITH\tSCOPES\tCREATED\tLAST USED\tSTATE")
		for i, key := range keys {
			views[i] = apiKeyViewOf(key)
			fmt.Fprintf(lines, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", key.ID, key.Name, key.Hint, strings.Join(key.Scopes, ","),
				key.CreatedAt.Format(time.DateOnly), dayOrNever(key.LastUsedAt), keyState(key, time.Now()))
		}
		if err := lines.Flush(); err != nil {
			return err
		}
		return inv.print(views, text.String())
	})
}

func dayOrNever(at *time.Time) string {
	if at == nil {
		return "never"
	}
	return at.Format(time.DateOnly)
}

func keyState(key account.APIKey, now time.Time) string {
	switch {
	case key.RevokedAt != nil:
		return "revoked on " + key.RevokedAt.Format(time.DateOnly)
	case !key.Valid(now):
		return "expired on " + key.ExpiresAt.Format(time.DateOnly)
	case key.ExpiresAt != nil:
		return "valid until " + key.ExpiresAt.Format(time.DateOnly)
	}
	return "valid"
}

func revokeAPIKey(ctx context.Context, inv *invocation, keyID string) error {
	return withService(ctx, inv, func(service *billing.Service) error {
		key, err := service.APIKeys.RevokeByOperator(ctx, keyID)
		if errors.Is(err, apperr.ErrNotFound) {
			return fmt.Errorf("no API key %s", keyID)
		}
		if err != nil {
			return publicMessage(err)
		}
		return inv.print(apiKeyViewOf(key), fmt.Sprintf("%s, %q, is revoked\n", key.ID, key.Name))
	})
}

// apiKeyView is what --json prints.
type apiKeyView struct {
	ID             string     `json:"id"`
	OrganizationID string     `json:"organizationId,omitempty"` // empty: of the installation
	Name           string     `json:"name"`
	BeginsWith     string     `json:"beginsWith"`
	Scopes         []string   `json:"scopes"`
	CreatedAt      time.Time  `json:"createdAt"`
	ExpiresAt      *time.Time `json:"expiresAt,omitempty"`
	LastUsedAt     *time.Time `json:"lastUsedAt,omitempty"`
	RevokedAt      *time.Time `json:"revokedAt,omitempty"`
	Key            string     `json:"key,omitempty"` // only of a new one
}

func apiKeyViewOf(key account.APIKey) apiKeyView {
	return apiKeyView{
		ID: key.ID, OrganizationID: key.OrganizationID, Name: key.Name, BeginsWith: key.Hint, Scopes: key.Scopes, CreatedAt: key.CreatedAt,
		ExpiresAt: key.ExpiresAt, LastUsedAt: key.LastUsedAt, RevokedAt: key.RevokedAt,
	}
}

func splitScopes(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}
