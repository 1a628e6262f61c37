package stripelocal_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"os"
	"path"
	"strings"
	"testing"

	"usher/stripelocal"
)

var reduceFrom = flag.String("reduce-openapi", "", "path of Stripe's specification of version "+dahliaVersion+", of which to write the reduced one into testdata")

// TestReduceSpecification writes the file of dahliaSpec, if the flag is set.
func TestReduceSpecification(t *testing.T) {
	if *reduceFrom == "" {
		t.Skip("the flag -reduce-openapi is not set")
	}
	raw, err := os.ReadFile(*reduceFrom)
	if err != nil {
		t.Fatal(err)
	}
	var whole map[string]any
	if err := json.Unmarshal(raw, &whole); err != nil {
		t.Fatal(err)
	}
	reduced, err := json.Marshal(reduceSpec(whole))
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(reduced); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("testdata/openapi_"+dahliaVersion+".json.gz", packed.Bytes(), 0o644); err != nil { //nolint:gosec // a file of the repository
		t.Fatal(err)
	}
}

// reduceSpec keeps the parameters of the operations that this package has, and the schemas of their
// responses.
func reduceSpec(whole map[string]any) map[string]any {
	all := whole["components"].(map[string]any)["schemas"].(map[string]any)
	kept, schemas := map[string]any{}, map[string]any{}
	for p, item := range whole["paths"].(map[string]any) {
		for method, op := range item.(map[string]any) {
			op, ok := op.(map[string]any)
			if !ok || !hasOperation(strings.ToUpper(method), p) {
				continue
			}
			keepSchemas(op["responses"].(map[string]any)["200"], all, schemas)
			keepSchemas(op["requestBody"], all, schemas)
			of, _ := kept[p].(map[string]any)
			if of == nil {
				of = map[string]any{}
			}
			reduced := map[string]any{"responses": map[string]any{"200": map[string]any{"description": ""}}}
			for _, part := range []string{"parameters", "requestBody"} {
				if op[part] != nil {
					reduced[part] = withoutTexts(op[part])
				}
			}
			of[method] = reduced
			kept[p] = of
		}
	}
	version := whole["info"].(map[string]any)["version"]
	return map[string]any{
		"openapi": whole["openapi"], "info": map[string]any{"title": "Stripe API", "version": version},
		"paths": kept, "components": map[string]any{"schemas": schemas},
	}
}

// hasOperation reports whether a route of this package has the path. The names of its parameters
// may differ.
func hasOperation(method, specified string) bool {
	for pattern := range stripelocal.RouteParams() {
		own, of, _ := strings.Cut(pattern, " ")
		if own == method && anyNames(of) == anyNames(specified) {
			return true
		}
	}
	return false
}

func anyNames(of string) string {
	segments := strings.Split(of, "/")
	for i, s := range segments {
		if strings.HasPrefix(s, "{") {
			segments[i] = "{}"
		}
	}
	return strings.Join(segments, "/")
}

// keepSchemas adds the schemas that a value refers to.
func keepSchemas(v any, all, kept map[string]any) {
	switch v := v.(type) {
	case map[string]any:
		for name, field := range v {
			ref, isRef := field.(string)
			if name != "$ref" || !isRef {
				keepSchemas(field, all, kept)
				continue
			}
			if of := path.Base(ref); kept[of] == nil {
				kept[of] = withoutTexts(all[of])
				keepSchemas(kept[of], all, kept)
			}
		}
	case []any:
		for _, e := range v {
			keepSchemas(e, all, kept)
		}
	}
}

// withoutTexts removes descriptions, titles and Stripe's extensions.
func withoutTexts(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, field := range v {
			_, isText := field.(string)
			if isText && (name == "description" || name == "title") || strings.HasPrefix(name, "x-") {
				continue
			}
			out[name] = withoutTexts(field)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = withoutTexts(e)
		}
		return out
	}
	return v
}
