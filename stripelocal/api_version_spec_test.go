package stripelocal_test

import (
	"compress/gzip"
	"io"
	"maps"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"usher/stripelocal"
)

// dahliaVersion is the newest version of which a specification is at hand.
const dahliaVersion = "2026-08-26.dahlia"

// dahliaSpec is Stripe's OpenAPI specification as stripe-mock v0.203.0 (MIT) embeds it
// (embedded/openapi/spec3.json), reduced to the parameters of the calls and the objects that this
// package has, without descriptions: after a new route, run
// go test -run TestReduceSpecification ./stripelocal -reduce-openapi PATH_OF_SPEC3.
var dahliaSpec = sync.OnceValues(func() (*apiSpec, error) {
	file, err := os.Open("testdata/openapi_" + dahliaVersion + ".json.gz")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	unpacked, err := gzip.NewReader(file)
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(unpacked)
	if err != nil {
		return nil, err
	}
	return parseSpec(raw)
})

// summaryOfEvent is an object of events only, which the specification lacks.
const summaryOfEvent = "entitlements.active_entitlement_summary"

// checkSpecification compares objects with the specification.
func checkSpecification(t *testing.T, captured []map[string]any) {
	t.Helper()
	spec, err := dahliaSpec()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, o := range captured {
		name, _ := o["object"].(string)
		schema := spec.objects[name]
		if deleted, _ := o["deleted"].(bool); deleted || name == "event" || name == summaryOfEvent {
			continue
		}
		if schema == nil {
			t.Errorf("the specification has no %s", name)
			continue
		}
		for _, f := range validateValue(schema, o) {
			if line := f.where + " " + f.problem; !seen[line] {
				seen[line] = true
				t.Error(line)
			}
		}
	}
}

// TestParametersThatDahliaRemovedAreRefused compares the parameters of every call with the
// specification: what it lacks is refused in its version.
func TestParametersThatDahliaRemovedAreRefused(t *testing.T) {
	t.Parallel()
	spec, err := dahliaSpec()
	if err != nil {
		t.Fatal(err)
	}
	for pattern, params := range stripelocal.RouteParams() {
		method, path, _ := strings.Cut(pattern, " ")
		op, ok := spec.operation(method, strings.NewReplacer("{", "x", "}", "x").Replace(path))
		if !stripelocal.HasRoute(pattern, dahliaVersion) || unspecified(path) {
			continue
		}
		if !ok {
			// The reduced file is older than these calls, which stripe-node 22.6.2 has.
			if !strings.HasSuffix(path, "/verify_microdeposits") {
				t.Errorf("%s is not in the specification", pattern)
			}
			continue
		}
		for _, name := range missingParams("", params, parameters(op)) {
			if !stripelocal.RefusesParam(pattern, dahliaVersion, name) && !tolerated(pattern+" "+strings.ReplaceAll(name, "[0][plan]", "[] plan")) {
				t.Errorf("%s: %s is not in the specification, and accepted", pattern, name)
			}
		}
	}
}

// missingParams returns the names of parameters that a schema lacks, as they are sent.
func missingParams(of string, params []stripelocal.Param, s *openapi3.Schema) []string {
	fields := schemaFields(s)
	var out []string
	for _, p := range params {
		name := p.Name
		if of != "" {
			name = of + "[" + p.Name + "]"
		}
		field := fields[p.Name]
		if p.Name == "expand" {
			continue
		}
		if field == nil {
			out = append(out, name)
			continue
		}
		if p.List {
			name += "[0]"
		}
		out = append(out, missingParams(name, p.Fields, field)...)
	}
	return out
}

// schemaFields are the fields of a schema, of its alternatives and of its elements.
func schemaFields(s *openapi3.Schema) map[string]*openapi3.Schema {
	out := map[string]*openapi3.Schema{}
	for _, form := range alternatives(s) {
		if form.Items != nil {
			maps.Copy(out, schemaFields(form.Items.Value))
		}
		for name, field := range form.Properties {
			if also, ok := out[name]; ok {
				field = (&openapi3.Schema{AnyOf: openapi3.SchemaRefs{also.NewRef(), field}}).NewRef()
			}
			out[name] = field.Value
		}
	}
	return out
}
