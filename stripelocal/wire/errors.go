package wire

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Error is an API error. Its messages follow Stripe's.
type Error struct {
	Status        int
	Type          string
	Code          string
	DeclineCode   string
	Message       string
	Param         string
	EmptyParam    bool   // param is an empty string, not left out (recorded by pay-rails/pay)
	Charge        string // id
	PaymentIntent string // id; rendered as an object
	PaymentMethod string // id; rendered as an object
	SetupIntent   string // id; rendered as an object
}

func (e *Error) Error() string { return e.Message }

// Invalid is a 400 invalid_request_error. code and param may be empty.
func Invalid(code, param, message string) *Error {
	return &Error{Status: http.StatusBadRequest, Type: "invalid_request_error", Code: code, Param: param, Message: message}
}

func MissingParam(param string) *Error {
	return Invalid("parameter_missing", param, "Missing required param: "+param+".")
}

// NoSuch is the error for an unknown id in a parameter.
func NoSuch(what, id, param string) *Error {
	return Invalid("resource_missing", param, fmt.Sprintf("No such %s: '%s'", what, id))
}

// NotFound is the error for an unknown id in the path: a 404.
func NotFound(what, id, param string) *Error {
	e := NoSuch(what, id, param)
	e.Status = http.StatusNotFound
	return e
}

// AsNotFound turns a resource_missing error into a 404, for ids in the path.
func AsNotFound(err error) error {
	if e := AsError(err); e.Code == "resource_missing" {
		e.Status = http.StatusNotFound
	}
	return err
}

func Unauthorized(message string) *Error {
	return &Error{Status: http.StatusUnauthorized, Type: "invalid_request_error", Message: message}
}

func IdempotencyError(message string) *Error {
	return &Error{Status: http.StatusBadRequest, Type: "idempotency_error", Message: message}
}

func DocURL(code string) string {
	return "https://stripe.com/docs/error-codes/" + strings.ReplaceAll(code, "_", "-")
}

func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Status: http.StatusInternalServerError, Type: "api_error", Message: "An unknown error occurred"}
}
