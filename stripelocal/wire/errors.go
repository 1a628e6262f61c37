package wire

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Error is a refusal as Stripe words it.
type Error struct {
	Status        int
	Type          string
	Code          string
	DeclineCode   string
	Message       string
	Param         string
	Charge        string // id
	PaymentIntent string // id, rendered whole
	PaymentMethod string // id, rendered whole
	SetupIntent   string // id, rendered whole
}

func (e *Error) Error() string { return e.Message }

// Invalid is a 400 invalid_request_error; code and param may be empty.
func Invalid(code, param, message string) *Error {
	return &Error{Status: http.StatusBadRequest, Type: "invalid_request_error", Code: code, Param: param, Message: message}
}

func MissingParam(param string) *Error {
	return Invalid("parameter_missing", param, "Missing required param: "+param+".")
}

// NoSuch is the answer to an id in a parameter that names nothing.
func NoSuch(what, id, param string) *Error {
	return Invalid("resource_missing", param, fmt.Sprintf("No such %s: '%s'", what, id))
}

// NotFound is noSuch for an id in the path: a 404.
func NotFound(what, id, param string) *Error {
	e := NoSuch(what, id, param)
	e.Status = http.StatusNotFound
	return e
}

// AsNotFound makes of a refused id a 404, where the id stood in the path.
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
