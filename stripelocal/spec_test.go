package stripelocal_test

import (
	"fmt"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stripe/stripe-mock/embedded"
)

// apiSpec is Stripe's OpenAPI specification as stripe-mock v0.190.0 embeds it, version
// 2024-09-30.acacia.
type apiSpec struct {
	routes  []specRoute
	objects map[string]*openapi3.Schema // by object type
	deleted map[string]*openapi3.Schema
}

// specRoute is an operation. A path segment in braces matches anything.
type specRoute struct {
	method   string
	segments []string
	op       *openapi3.Operation
}

// loadedSpec loads the specification once per test binary, because it takes a second.
var loadedSpec = sync.OnceValues(loadSpec)

func loadSpec() (*apiSpec, error) { return parseSpec(embedded.OpenAPISpec) }

func parseSpec(raw []byte) (*apiSpec, error) {
	doc, err := openapi3.NewLoader().LoadFromData(raw)
	if err != nil {
		return nil, fmt.Errorf("load the OpenAPI specification: %w", err)
	}
	sp := &apiSpec{objects: map[string]*openapi3.Schema{}, deleted: map[string]*openapi3.Schema{}}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			sp.routes = append(sp.routes, specRoute{method: method, segments: strings.Split(path, "/"), op: op})
		}
	}
	for _, ref := range doc.Components.Schemas {
		sp.addObject(ref.Value)
	}
	return sp, nil
}

func (sp *apiSpec) addObject(s *openapi3.Schema) {
	into := sp.objects
	if s.Properties["deleted"] != nil {
		into = sp.deleted
	}
	name := objectName(s)
	if hasID := s.Properties["id"] != nil; name != "" && (hasID || name == "invoice" || into[name] == nil) {
		into[name] = s
	}
}

// objectName is the constant value of a schema's field object.
func objectName(s *openapi3.Schema) string {
	field := s.Properties["object"]
	if field == nil || len(field.Value.Enum) != 1 {
		return ""
	}
	name, _ := field.Value.Enum[0].(string)
	return name
}

// operation returns the operation of a request. Among matching patterns the one with the most
// literal segments wins.
func (sp *apiSpec) operation(method, path string) (*openapi3.Operation, bool) {
	var found *openapi3.Operation
	best := -1
	for _, r := range sp.routes {
		if literal, fits := r.fits(method, path); fits && literal > best {
			found, best = r.op, literal
		}
	}
	return found, found != nil
}

func (r specRoute) fits(method, path string) (literal int, ok bool) {
	segments := strings.Split(path, "/")
	if r.method != method || len(segments) != len(r.segments) {
		return 0, false
	}
	for i, want := range r.segments {
		switch {
		case want == segments[i]:
			literal++
		case !strings.HasPrefix(want, "{") || segments[i] == "":
			return 0, false
		}
	}
	return literal, true
}

// parameters is the schema of an operation's parameters: the body's form and the query.
func parameters(op *openapi3.Operation) *openapi3.Schema {
	all := &openapi3.Schema{Type: &openapi3.Types{"object"}, Properties: openapi3.Schemas{}}
	if op.RequestBody != nil {
		form := op.RequestBody.Value.Content["application/x-www-form-urlencoded"]
		if form == nil {
			form = op.RequestBody.Value.Content["multipart/form-data"]
		}
		if form != nil {
			all.Required = form.Schema.Value.Required
			for name, s := range form.Schema.Value.Properties {
				all.Properties[name] = s
			}
		}
	}
	for _, p := range op.Parameters {
		if p.Value.In == "query" {
			all.Properties[p.Value.Name] = p.Value.Schema
		}
		if p.Value.In == "query" && p.Value.Required {
			all.Required = append(all.Required, p.Value.Name)
		}
	}
	return all
}

// responseSchema is the schema of an operation's response with a status.
func responseSchema(op *openapi3.Operation, status int) *openapi3.Schema {
	answer := op.Responses.Status(status)
	if answer == nil {
		answer = op.Responses.Default()
	}
	if answer == nil || answer.Value.Content["application/json"] == nil {
		return nil
	}
	return answer.Value.Content["application/json"].Schema.Value
}
