package handlers

import (
	"errors"
	"net/http"
	"strings"

	"usher/billing/apperr"
)

// fieldMessages collects what is wrong with which field, from all errors that were joined.
func fieldMessages(err error) map[string]string {
	messages := map[string]string{}
	collectFieldMessages(err, messages)
	return messages
}

func collectFieldMessages(err error, messages map[string]string) {
	var found *apperr.Error
	switch wrapped := err.(type) {
	case nil:
	case interface{ Unwrap() []error }:
		for _, part := range wrapped.Unwrap() {
			collectFieldMessages(part, messages)
		}
	case *apperr.Error:
		if wrapped.Field != "" {
			messages[wrapped.Field] = wrapped.Message
		}
	default:
		if errors.As(err, &found) {
			collectFieldMessages(errors.Unwrap(err), messages)
		}
	}
}

// isRefusal tells whether an error is a rule's no to a form, which comes back with what was typed.
func isRefusal(err error) bool {
	var refusal *apperr.Error
	if !errors.As(err, &refusal) || errors.Is(err, apperr.ErrNotFound) {
		return false
	}
	return refusal.Code == apperr.CodeUnprocessable || refusal.Code == apperr.CodeConflict || refusal.Field != ""
}

// refusalStatus is 422 for what was typed and stays what it is for the state of things.
func refusalStatus(err error) int { return problemOf(err).status }

// formMessage is what stands above a form: a refusal that is about none of its fields.
func formMessage(err error) string {
	if len(fieldMessages(err)) > 0 {
		return ""
	}
	return apperr.MessageOf(err)
}

// isChecked reads a box: browsers send on, other callers true, 1 or yes.
func isChecked(r *http.Request, name string) bool {
	switch strings.ToLower(r.PostFormValue(name)) {
	case "on", "true", "1", "yes":
		return true
	}
	return false
}
