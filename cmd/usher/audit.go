package main

import (
	"context"
	"errors"
	"fmt"

	"usher/billing"
	"usher/billing/apperr"
)

func runAudit(ctx context.Context, inv *invocation) error {
	var email string
	inv.flags.StringVar(&email, "email", "",
		"a former address of the user, in entries from before they had an account")
	inv.jsonFlag()
	args, err := inv.parse()
	if err != nil {
		return err
	}
	if len(args) != 2 || args[0] != "erase" {
		return usageError("takes erase USER, the id of a user (usr_…)")
	}
	return withService(ctx, inv, func(service *billing.Service) error {
		erased, err := service.Audit.ErasePerson(ctx, args[1], email)
		if errors.Is(err, apperr.ErrNotFound) {
			return fmt.Errorf("no user %s", args[1])
		}
		if err != nil {
			return err
		}
		view := struct {
			UserID  string `json:"userId"`
			Entries int    `json:"entries"`
		}{args[1], erased}
		return inv.print(view, fmt.Sprintf("%s erased from %d entries of the audit log\n", args[1], erased))
	})
}
