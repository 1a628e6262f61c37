package handlers

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"usher/billing/apperr"
)

// fieldMessages returns the message for each invalid field, from all joined errors.
func fieldMessages(ctx context.Context, err error) map[string]string {
	messages := map[string]string{}
	collectFieldMessages(ctx, err, messages)
	return messages
}

func collectFieldMessages(ctx context.Context, err error, messages map[string]string) {
	var found *apperr.Error
	switch wrapped := err.(type) {
	case nil:
	case interface{ Unwrap() []error }:
		for _, part := range wrapped.Unwrap() {
			collectFieldMessages(ctx, part, messages)
		}
	case *apperr.Error:
		if wrapped.Field != "" {
			messages[wrapped.Field] = messageIn(ctx, wrapped)
		}
	default:
		if errors.As(err, &found) {
			collectFieldMessages(ctx, errors.Unwrap(err), messages)
		}
	}
}

// isRefusal reports whether an error is a rule violation to show in the form, with the submitted
// values.
func isRefusal(err error) bool {
	var refusal *apperr.Error
	if !errors.As(err, &refusal) || errors.Is(err, apperr.ErrNotFound) {
		return false
	}
	return refusal.Code == apperr.CodeUnprocessable || refusal.Code == apperr.CodeConflict || refusal.Field != ""
}

// refusalStatus returns 422 for invalid input and 409 for a conflict with the current state.
func refusalStatus(err error) int { return problemOf(err).status }

// formMessage returns the message above a form: a violation that concerns no single field.
func formMessage(ctx context.Context, err error) string {
	if len(fieldMessages(ctx, err)) > 0 {
		return ""
	}
	return messageIn(ctx, err)
}

// isChecked reads a checkbox. Browsers send "on"; "true", "1" and "yes" are accepted too.
func isChecked(r *http.Request, name string) bool {
	switch strings.ToLower(r.PostFormValue(name)) {
	case "on", "true", "1", "yes":
		return true
	}
	return false
}
