package account

import (
	"context"
	"fmt"

	"usher/billing/apperr"
)

// SecondFactorPolicy says of whom this installation requires two-step verification (REQUIRE_2FA).
// Each value includes those before it. An organization can require it of its members besides.
type SecondFactorPolicy string

// The policies. The zero value is [SecondFactorOptional].
const (
	SecondFactorOptional  SecondFactorPolicy = "off"
	SecondFactorOperators SecondFactorPolicy = "operators"
	SecondFactorBilling   SecondFactorPolicy = "billing" // operators, and whoever may manage billing
	SecondFactorAll       SecondFactorPolicy = "all"
)

// ForOperators reports whether operators need it on the pages for operators.
func (p SecondFactorPolicy) ForOperators() bool {
	return p == SecondFactorOperators || p == SecondFactorBilling || p == SecondFactorAll
}

// ForMember reports whether a person needs it to act in an organization.
func (p SecondFactorPolicy) ForMember(a Access) bool {
	return p == SecondFactorAll || p == SecondFactorBilling && a.CanManageBilling() || a.Organization.RequireSecondFactor
}

// RequireSecondFactor sets whether the organization requires two-step verification of its members.
// Errors: CodeForbidden if the actor may not manage members; CodeUnprocessable with the field
// requireSecondFactor if the actor has none, and would be the first to be kept out.
func (og *Organizations) RequireSecondFactor(ctx context.Context, a Access, required bool) error {
	err := og.members.AsMemberManager(ctx, a, func(tx Tx, actor Access) error {
		if required && actor.User.SecondFactorAt == nil {
			return apperr.FieldError("requireSecondFactor", "Set up two-step verification for yourself first.")
		}
		if err := tx.Organizations().SetRequireSecondFactor(ctx, actor.Organization.ID, required); err != nil {
			return err
		}
		act := ActSecondFactorOptional
		if required {
			act = ActSecondFactorRequired
		}
		return og.record(ctx, tx, actor.Did(act))
	})
	if err != nil {
		return fmt.Errorf("require second factor: %w", err)
	}
	og.Log.InfoContext(ctx, "second factor of members", "organization_id", a.Organization.ID, "user_id", a.User.ID, "required", required)
	return nil
}
