package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"usher/billing"
)

// conflict is what a broken uniqueness rule means to people.
type conflict struct {
	field   string
	message string
}

// conflictOf tells it by the name of the constraint or unique index.
func conflictOf(constraint string) conflict {
	switch constraint {
	case "users_email_key":
		return conflict{"email", "There is an account with this e-mail address already. Sign in instead."}
	case "organization_members_organization_user_key":
		return conflict{"", "This person is a member of the organization already."}
	case "roles_organization_name_key":
		return conflict{"name", "There is a role with this name already."}
	case "billing_customers_customer_key":
		return conflict{"", "This Stripe customer belongs to another organization."}
	case "checkout_sessions_one_open_key":
		return conflict{"", "A checkout of this organization is open already. Finish or cancel it first."}
	case "subscriptions_one_current_key":
		return conflict{"", "The organization's subscription changed at the same moment. Please try again."}
	}
	return conflict{"", "This exists already. Please reload the page."}
}

// wrap names the operation that failed and turns what the database refused into an error of package billing. The cause stays in the
// chain: InTx looks for collisions there.
func wrap(ctx context.Context, operation string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%s: %w", operation, billing.ErrNotFound)
	}
	// A canceled query is an error of the server, a rolled back transaction one of database/sql: neither tells that it was our
	// caller who ended it.
	if ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
		err = fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	err = fmt.Errorf("%s: %w", operation, err)
	var refusal *pq.Error
	if errors.As(err, &refusal) {
		return explain(refusal, err)
	}
	return err
}

// explain gives a refusal of the database the code and the sentence it has here; what nobody can help stays an internal error.
func explain(refusal *pq.Error, err error) error {
	switch refusal.Code {
	case pqerror.UniqueViolation:
		c := conflictOf(refusal.Constraint)
		return &billing.Error{Code: billing.CodeConflict, Field: c.field, Message: c.message, Err: err}
	case pqerror.CharacterNotInRepertoire, pqerror.UntranslatableCharacter:
		// A zero byte, or bytes that are no UTF-8: the sender's mistake, and sending it again can't help.
		return &billing.Error{Code: billing.CodeInvalid, Message: "The text contains characters that can't be stored.", Err: err}
	}
	return err
}

// isCollision tells whether a transaction failed only because of others that ran beside it.
func isCollision(err error) bool {
	return hasCode(err, pqerror.TRSerializationFailure, pqerror.TRDeadlockDetected)
}

func hasCode(err error, codes ...pqerror.Code) bool {
	return pq.As(err, codes...) != nil
}
