package handlers

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"usher/billing/apperr"
)

// writeJSON writes a value to the buffered response, so that an encoding error can still change the
// status.
func writeJSON(w http.ResponseWriter, status int, value any) error {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false) // keeps URLs readable; nosniff prevents interpretation as HTML
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

// writeTagged writes a value with status 200 and a tag of its text, or 304 without a body if the
// request has that tag already: a product can ask on every request of its own.
func writeTagged(w http.ResponseWriter, r *http.Request, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	sum := sha256.Sum256(text)
	tag := `W/"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "private, no-cache")
	if slices.Contains(strings.Split(strings.ReplaceAll(r.Header.Get("If-None-Match"), " ", ""), ","), tag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return writeJSON(w, http.StatusOK, value)
}

// errorResponse is the body of every JSON error.
type errorResponse struct {
	Error errorDetail `json:"error"`
}

type errorDetail struct {
	Code    apperr.Code `json:"code"`
	Message string      `json:"message"`
}

func writeProblem(w http.ResponseWriter, p problem) {
	// The value always encodes, and a write error means that the client disconnected.
	_ = writeJSON(w, p.status, errorResponse{errorDetail{p.code, p.message}})
}

// decodeJSON decodes the body, one object, into a struct. It rejects unknown fields by name: a
// misspelled optional field would otherwise be ignored.
func decodeJSON(r *http.Request, into any) error {
	if mediaType(r) != "application/json" {
		return errJSONType
	}
	return decodeObject(bodyOf(r), into)
}

// decodeObject decodes one JSON object like [decodeJSON].
func decodeObject(content []byte, into any) error {
	var given map[string]json.RawMessage
	if err := json.Unmarshal(content, &given); err != nil || given == nil {
		return jsonError(err)
	}
	if err := rejectUnknownFields(given, into); err != nil {
		return err
	}
	if err := json.Unmarshal(content, into); err != nil {
		return jsonError(err)
	}
	return rejectInvalidText(reflect.ValueOf(into).Elem())
}

func rejectInvalidText(fields reflect.Value) error {
	for _, value := range fields.Fields() {
		if !isValidText(value.String()) {
			return errText
		}
	}
	return nil
}

// rejectUnknownFields compares names exactly; encoding/json would accept organizationid for
// organizationId.
func rejectUnknownFields(given map[string]json.RawMessage, into any) error {
	var known []string
	for field := range reflect.TypeOf(into).Elem().Fields() {
		known = append(known, field.Tag.Get("json"))
	}
	var unknown []string
	for name := range given {
		if !slices.Contains(known, name) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	slices.Sort(unknown)
	return apperr.Errorf(apperr.CodeInvalid, "Unknown field %q. Known are %s.", unknown[0], strings.Join(known, ", "))
}

func jsonError(err error) error {
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) && wrongType.Field != "" {
		return &apperr.Error{Code: apperr.CodeInvalid, Message: fmt.Sprintf("The field %q has to be %s.", wrongType.Field, jsonType(wrongType.Type)), Err: err}
	}
	return &apperr.Error{Code: apperr.CodeInvalid, Message: "The body has to be one JSON object.", Err: err}
}

// jsonType names the JSON type of a Go type in messages.
func jsonType(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return jsonType(t.Elem())
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	case reflect.Slice:
		return "a list"
	case reflect.Struct:
		return "an object"
	}
	return "a string"
}

// hasBody reports whether the request has a JSON body, for the endpoint that does not require one.
func hasBody(r *http.Request) bool { return len(bytes.TrimSpace(bodyOf(r))) > 0 }
