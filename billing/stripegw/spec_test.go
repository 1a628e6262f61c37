package stripegw

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-mock/embedded"
)

// stripeSpec is Stripe's OpenAPI specification as stripe-mock v0.190.0 embeds it, version
// 2024-09-30.acacia, the nearest to ours that is published that way. It answers every request with
// the sample of the response's object, and holds each against its operation.
type stripeSpec struct {
	document *openapi3.T
	samples  map[string]json.RawMessage // by x-resourceId
}

// loadedSpec loads the specification once per test binary, because it takes a second.
var loadedSpec = sync.OnceValues(func() (*stripeSpec, error) {
	document, err := openapi3.NewLoader().LoadFromData(embedded.OpenAPISpec)
	if err != nil {
		return nil, fmt.Errorf("load the OpenAPI specification: %w", err)
	}
	var fixtures struct {
		Resources map[string]json.RawMessage `json:"resources"`
	}
	if err := json.Unmarshal(embedded.OpenAPIFixtures, &fixtures); err != nil {
		return nil, fmt.Errorf("read the fixtures: %w", err)
	}
	return &stripeSpec{document: document, samples: fixtures.Resources}, nil
})

// specAnswers is what a specServer answers with.
type specAnswers int

const (
	answerSamples specAnswers = iota // lists have one element
	answerEmpty                      // lists are empty
	answerMore                       // lists inside objects have more pages; charges are disputed
	answerMissing                    // nothing that is read by id exists, lists are empty
)

// specServer is a Stripe that validates every request and records its operation.
type specServer struct {
	t          *testing.T
	spec       *stripeSpec
	answers    specAnswers
	url        string
	mutex      sync.Mutex
	operations map[string]bool // such as POST /v1/subscriptions/{id}
	requests   int
}

func newSpecServer(t *testing.T, answers specAnswers) *specServer {
	t.Helper()
	spec, err := loadedSpec()
	if err != nil {
		t.Fatal(err)
	}
	s := &specServer{t: t, spec: spec, answers: answers, operations: map[string]bool{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *specServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	pattern, operation := s.spec.operation(r.Method, r.URL.Path)
	if operation == nil {
		s.t.Errorf("%s %s is no operation of the specification", r.Method, r.URL.Path)
		http.NotFound(w, r)
		return
	}
	if err := r.ParseForm(); err != nil {
		s.t.Errorf("%s: %v", pattern, err)
	}
	if v := r.Header.Get("Stripe-Version"); v != stripe.APIVersion {
		s.t.Errorf("%s has Stripe-Version %q", pattern, v)
	}
	if key := r.Header.Get("Idempotency-Key"); len(key) > 255 || r.Method == http.MethodPost && key == "" {
		s.t.Errorf("%s has the idempotency key %q", pattern, key)
	}
	for _, problem := range checkForm(operation, r.Form) {
		s.t.Errorf("%s with %s: %s", pattern, r.Form.Encode(), problem)
	}
	s.mutex.Lock()
	s.operations[pattern], s.requests = true, s.requests+1
	s.mutex.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if s.answers == answerMissing && r.Method == http.MethodGet && strings.HasSuffix(pattern, "}") {
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"error":{"type":"invalid_request_error","code":"resource_missing","message":"No such object"}}`))
		return
	}
	_, _ = w.Write(s.spec.sample(operation, s.answers))
}

// operation returns the operation of a request and its pattern. Among matching patterns the one
// with the most literal segments wins.
func (s *stripeSpec) operation(method, path string) (string, *openapi3.Operation) {
	var found *openapi3.Operation
	pattern, best := "", -1
	for candidate, item := range s.document.Paths.Map() {
		operation := item.Operations()[method]
		if literal, fits := matchPath(candidate, path); fits && operation != nil && literal > best {
			pattern, found, best = method+" "+candidate, operation, literal
		}
	}
	return pattern, found
}

func matchPath(pattern, path string) (literal int, ok bool) {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return 0, false
	}
	for i := range want {
		switch {
		case want[i] == got[i]:
			literal++
		case !strings.HasPrefix(want[i], "{") || got[i] == "":
			return 0, false
		}
	}
	return literal, true
}

// sample is the sample of an operation's response.
func (s *stripeSpec) sample(operation *openapi3.Operation, answers specAnswers) []byte {
	schema := operation.Responses.Status(http.StatusOK).Value.Content["application/json"].Schema.Value
	if data := schema.Properties["data"]; data != nil && data.Value.Items != nil {
		element := s.resource(data.Value.Items.Value)
		if answers == answerEmpty || answers == answerMissing {
			element = nil
		}
		return fmt.Appendf(nil, `{"object":"list","has_more":false,"url":"/","data":[%s]}`, element)
	}
	object := s.resource(schema)
	if answers == answerMore {
		object = withMore(object)
	}
	return object
}

// withMore returns an object whose lists have more pages, and, if it is a charge, that is disputed.
func withMore(object []byte) []byte {
	var fields map[string]any
	if err := json.Unmarshal(object, &fields); err != nil {
		return object
	}
	for _, name := range []string{"items", "lines", "line_items", "refunds"} {
		fields[name] = map[string]any{"object": "list", "has_more": true, "url": "/", "data": []any{}}
	}
	if _, isCharge := fields["disputed"]; isCharge {
		fields["disputed"] = true
	}
	changed, err := json.Marshal(fields)
	if err != nil {
		return object
	}
	return changed
}

func (s *stripeSpec) resource(schema *openapi3.Schema) []byte {
	for _, candidate := range append(openapi3.SchemaRefs{{Value: schema}}, schema.AnyOf...) {
		if id, ok := candidate.Value.Extensions["x-resourceId"].(string); ok && s.samples[id] != nil {
			return s.samples[id]
		}
	}
	return []byte(`{}`)
}

// checkForm returns what is wrong with a request's parameters.
func checkForm(operation *openapi3.Operation, form url.Values) []string {
	schema, tree := requestSchema(operation), formTree{}
	for name, values := range form {
		path := strings.Split(strings.ReplaceAll(name, "]", ""), "[")
		tree.set(path, values[0])
	}
	var problems []string
	typed := typedObject(schema, tree, "", &problems)
	if err := schema.VisitJSON(typed, openapi3.MultiErrors()); err != nil {
		problems = append(problems, schemaProblem(err))
	}
	return problems
}

// requestSchema is the schema of an operation's parameters: the body's form and the query.
func requestSchema(operation *openapi3.Operation) *openapi3.Schema {
	all := &openapi3.Schema{Type: &openapi3.Types{"object"}, Properties: openapi3.Schemas{}}
	if operation.RequestBody != nil {
		if form := operation.RequestBody.Value.Content["application/x-www-form-urlencoded"]; form != nil {
			all.Required = slices.Clone(form.Schema.Value.Required)
			for name, property := range form.Schema.Value.Properties {
				all.Properties[name] = property
			}
		}
	}
	for _, parameter := range operation.Parameters {
		if parameter.Value.In != "query" {
			continue
		}
		all.Properties[parameter.Value.Name] = parameter.Value.Schema
		if parameter.Value.Required {
			all.Required = append(all.Required, parameter.Value.Name)
		}
	}
	return all
}

// formTree is a decoded form: strings, and trees by name. stripe-go numbers the elements of lists.
type formTree map[string]any

func (f formTree) set(path []string, value string) {
	if len(path) == 1 {
		f[path[0]] = value
		return
	}
	inner, ok := f[path[0]].(formTree)
	if !ok {
		inner = formTree{}
		f[path[0]] = inner
	}
	inner.set(path[1:], value)
}

// typed converts a form value to the JSON type of its schema and reports unknown names. A value
// that does not fit stays as it is, for the schema's check to find.
func typed(s *openapi3.Schema, v any, where string, problems *[]string) any {
	tree, isTree := v.(formTree)
	switch {
	case len(s.AnyOf) > 0:
		return typedAny(s.AnyOf, v, where, problems)
	case isTree && s.Type.Is("array"):
		list := make([]any, len(tree))
		for key, element := range tree {
			if i, err := strconv.Atoi(key); err == nil && i < len(list) {
				list[i] = typed(s.Items.Value, element, where+"["+key+"]", problems)
			}
		}
		return list
	case isTree:
		return typedObject(s, tree, where, problems)
	}
	return typedScalar(s, v.(string))
}

// typedAny takes the first choice that fits.
func typedAny(choices openapi3.SchemaRefs, v any, where string, problems *[]string) any {
	for _, choice := range choices {
		var found []string
		if made := typed(choice.Value, v, where, &found); len(found) == 0 && choice.Value.VisitJSON(made) == nil {
			return made
		}
	}
	return typed(choices[0].Value, v, where, problems)
}

func typedObject(s *openapi3.Schema, tree formTree, where string, problems *[]string) any {
	object := map[string]any{}
	for name, v := range tree {
		path := strings.TrimPrefix(where+"."+name, ".")
		inner := s.AdditionalProperties.Schema
		if property := s.Properties[name]; property != nil {
			inner = property
		}
		if inner == nil {
			*problems = append(*problems, path+" is no parameter")
			continue
		}
		object[name] = typed(inner.Value, v, path, problems)
	}
	return object
}

func typedScalar(s *openapi3.Schema, v string) any {
	switch {
	case s.Type.Is("integer"):
		if n, err := strconv.ParseInt(v, 10, 64); err == nil {
			return float64(n)
		}
	case s.Type.Is("number"):
		if n, err := strconv.ParseFloat(v, 64); err == nil {
			return n
		}
	case s.Type.Is("boolean") && (v == "true" || v == "false"):
		return v == "true"
	}
	return v
}

// schemaProblem is a schema error's message without the schema.
func schemaProblem(err error) string {
	var many openapi3.MultiError
	if errors.As(err, &many) && len(many) > 0 {
		return schemaProblem(many[0])
	}
	var one *openapi3.SchemaError
	if errors.As(err, &one) {
		return strings.Join(one.JSONPointer(), ".") + ": " + one.Reason
	}
	return err.Error()
}
