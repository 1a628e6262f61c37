package main

import (
	"context"
	"errors"
	"fmt"

	"usher/billing"
	"usher/billing/apperr"
)

// runDomain removes a verified domain from its organization, so that another one can verify it.
func runDomain(ctx context.Context, inv *invocation) error {
	inv.jsonFlag()
	args, err := inv.parse()
	if err != nil {
		return err
	}
	if len(args) != 2 || args[0] != "remove" {
		return usageError("takes remove with a domain such as example.com")
	}
	return withService(ctx, inv, func(service *billing.Service) error {
		domain, err := service.Domains.RemoveByOperator(ctx, args[1])
		if errors.Is(err, apperr.ErrNotFound) {
			return fmt.Errorf("no organization has verified %s", args[1])
		}
		if err != nil {
			return publicMessage(err)
		}
		view := domainView{Domain: domain.Name, OrganizationID: domain.OrganizationID}
		return inv.print(view, fmt.Sprintf("%s is removed from %s; its members stay\n", view.Domain, view.OrganizationID))
	})
}

// domainView is what --json prints.
type domainView struct {
	Domain         string `json:"domain"`
	OrganizationID string `json:"organizationId"`
}
