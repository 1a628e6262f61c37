package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"usher/billing"
	"usher/billing/account"
)

// runAPIKey creates an API key. The key is printed once and not stored.
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
	if len(args) != 1 || args[0] != "create" || (*organization == "") != *all {
		return usageError("takes create with either --org or --all")
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
		view := apiKeyView{key.ID, key.OrganizationID, key.Name, key.Scopes, secret}
		return inv.print(view, fmt.Sprintf("%s\n\nThis is %s, %q. It isn't stored: keep it where passwords are kept.\n", secret, key.ID, key.Name))
	})
}

// apiKeyView is what --json prints.
type apiKeyView struct {
	ID             string   `json:"id"`
	OrganizationID string   `json:"organizationId,omitempty"`
	Name           string   `json:"name"`
	Scopes         []string `json:"scopes"`
	Key            string   `json:"key"`
}

func splitScopes(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}
