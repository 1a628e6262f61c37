package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"usher/billing/account"
	"usher/billing/apperr"
)

// conflictOf returns the conflict for the name of a constraint or unique index.
func conflictOf(constraint string) *apperr.Error {
	switch constraint {
	case "users_email_key":
		return &apperr.Error{Code: apperr.CodeConflict, Field: "email", Message: "There is an account with this e-mail address already. Sign in instead."}
	case "organization_members_organization_user_key":
		return &apperr.Error{Code: apperr.CodeConflict, Message: "This person is a member of the organization already."}
	case "organizations_external_id_key":
		return &apperr.Error{Code: apperr.CodeConflict, Field: "externalId", Message: "Another organization has this externalId."}
	case "organization_members_external_id_key":
		return &apperr.Error{Code: apperr.CodeConflict, Field: "externalId", Message: "Another member has this externalId."}
	case "roles_organization_name_key":
		return &apperr.Error{Code: apperr.CodeConflict, Field: "name", Message: "There is a role with this name already."}
	case "billing_customers_customer_key":
		return &apperr.Error{Code: apperr.CodeConflict, Message: "This Stripe customer belongs to another organization."}
	case "checkout_sessions_one_open_key":
		return &apperr.Error{Code: apperr.CodeConflict, Message: "A checkout of this organization is open already. Finish or cancel it first."}
	case "organization_domains_organization_key":
		return &apperr.Error{Code: apperr.CodeConflict, Field: "domain", Message: account.MessageDomainListed}
	case "organization_domains_verified_key":
		return &apperr.Error{Code: apperr.CodeConflict, Message: account.MessageDomainTaken}
	case "passkeys_credential_id_key":
		return &apperr.Error{Code: apperr.CodeConflict, Message: "This passkey was added already."}
	case "subscriptions_one_current_key":
		return &apperr.Error{Code: apperr.CodeConflict, Message: "The organization's subscription changed at the same moment. Please try again."}
	}
	return &apperr.Error{Code: apperr.CodeConflict, Message: "This exists already. Please reload the page."}
}

// wrap adds the operation to an error and converts database errors to [apperr.Error]. The cause
// stays in the chain, where InTx finds serialization failures and deadlocks.
func wrap(ctx context.Context, operation string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%s: %w", operation, apperr.ErrNotFound)
	}
	// Query cancellation is reported as a server error, and a rolled back transaction as an error
	// of database/sql: neither contains the caller's ctx error.
	if ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
		err = fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	err = fmt.Errorf("%s: %w", operation, err)
	var pqErr *pq.Error
	if errors.As(err, &pqErr) {
		err = explain(pqErr, err)
	}
	if ctx.Err() == nil { // otherwise the caller gave up
		err = outage(err)
	}
	return err
}

// explain converts a constraint violation or invalid text to an [apperr.Error] with a message;
// other errors stay internal.
func explain(pqErr *pq.Error, err error) error {
	switch pqErr.Code {
	case pqerror.UniqueViolation:
		conflict := conflictOf(pqErr.Constraint)
		conflict.Err = err
		return conflict
	case pqerror.CharacterNotInRepertoire, pqerror.UntranslatableCharacter:
		// A zero byte or invalid UTF-8: the request is invalid, and a retry would fail too.
		return &apperr.Error{Code: apperr.CodeInvalid, Message: "The text contains characters that can't be stored.", Err: err}
	}
	return err
}

// isCollision reports whether a transaction failed only because of concurrent transactions.
func isCollision(err error) bool {
	return hasCode(err, pqerror.TRSerializationFailure, pqerror.TRDeadlockDetected)
}

func hasCode(err error, codes ...pqerror.Code) bool {
	return pq.As(err, codes...) != nil
}
