// Package wire is the wire format of the local Stripe: decoding of nested forms (form.go),
// parameter schemas and their checks (schema.go, schema_check.go), typed access to parameters
// (params.go), JSON encoding (json.go, encoder.go), expand[] (expand.go), previous_attributes
// (diff.go), API errors (errors.go), and the units that amounts and times are written in:
// currencies, minimum charges, rounding and billing periods. It knows no resource and holds no
// state.
package wire
