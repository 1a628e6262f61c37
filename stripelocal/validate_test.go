package stripelocal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"usher/stripelocal"
)

// finding is a difference between a value and its schema. where is the field's path from the
// nearest named object, such as invoice.lines.
type finding struct{ where, problem string }

// divergence is an intended difference, either between 2024-06-20 and the specification, which is
// of 2024-09-30.acacia, or between Stripe's API and its own specification.
type divergence struct{ where, reason string }

// divergences must also be documented in doc.go.
func divergences() []divergence {
	return []divergence{
		{"price.recurring.trial_period_days", "left out of the specification; a field of PriceRecurring in stripe-go v79"},
		{"product.type", "left out of the specification; a field of Product in stripe-go v79"},
		{"charge.source", "left out of the specification; a field of Charge in stripe-go v79"},
		{"payment_intent.source", "left out of the specification; a field of PaymentIntent in stripe-go v79"},
		{"subscription_item.plan", "left out of the specification; a field of SubscriptionItem in stripe-go v79"},
		{"line_item.plan", "left out of the specification; a field of InvoiceLineItem in stripe-go v79"},
		{"invoiceitem.plan", "left out of the specification; a field of InvoiceItem in stripe-go v79"},
		{"subscription.plan", "a subscription with one item repeats its plan, which only the published examples show"},
		{"subscription.quantity", "a subscription with one item repeats its quantity, which only the published examples show"},
		{"subscription.items.total_count", "lists inside objects count themselves, which only the published examples show"},
		{"dispute.network_reason_code", "left out of the specification; a field of Dispute in stripe-go v79"},
		{"subscription_schedule.phases.items.plan", "left out of the specification; a field of SubscriptionSchedulePhaseItem in stripe-go v79"},
		{"payment_intent.next_action.use_stripe_sdk.type", "Stripe.js alone reads it: an object without fields in stripe-go v79; recorded by pay-rails/pay"},
		{"payment_intent.next_action.use_stripe_sdk.stripe_js", "Stripe.js alone reads it: an object without fields in stripe-go v79; recorded by pay-rails/pay"},
		{"setup_intent.next_action.use_stripe_sdk.type", "Stripe.js alone reads it: an object without fields in stripe-go v79; recorded by pay-rails/pay"},
		{"setup_intent.next_action.use_stripe_sdk.stripe_js", "Stripe.js alone reads it: an object without fields in stripe-go v79; recorded by pay-rails/pay"},
		{"charge.destination", "null in recordings of pay-rails/pay; neither the specification nor stripe-go v79 has it"},
		{"charge.dispute", "the dispute's id in recordings of pay-rails/pay; neither the specification nor stripe-go v79 has it"},
		{"charge.order", "null in recordings of pay-rails/pay; neither the specification nor stripe-go v79 has it"},
		{"charge.refunds.total_count", "lists inside objects count themselves; recorded by pay-rails/pay"},
		{"items.plan", "left out of the specification; recorded by pay-rails/pay, and a field in stripe-go v79"},
		{"plan", "an older parameter of subscriptions; recorded by pay-rails/pay"},
		{"quantity", "an older parameter of subscriptions; recorded by pay-rails/pay"},
		{"billing.alert.filter", "a field of BillingAlert in stripe-go v79; in the specification a list inside usage_threshold"},
		{"billing.alert.usage_threshold_config", "a field of BillingAlert in stripe-go v79; usage_threshold in the specification"},
		{"filter", "a parameter of billing alerts in stripe-go v79; in the specification a list inside usage_threshold"},
		{"usage_threshold_config", "a parameter of billing alerts in stripe-go v79; usage_threshold in the specification"},
		{"api_version", "the specification's enumeration of versions ends with its own; an endpoint may have a newer one"},
		{"payment_method_options.customer_balance.bank_transfer.type", "Stripe's command line tool sends jp_bank_account, which the specification does not have"},
		{"invoice.lines.total_count", "lists inside objects count themselves, which only the published examples show"},
	}
}

func TestEveryDivergenceIsDocumented(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range divergences() {
		if !strings.Contains(string(doc), d.where) || d.reason == "" {
			t.Errorf("doc.go does not name %s", d.where)
		}
	}
}

// validateValue validates a value with kin-openapi's visitor. In addition it walks the value to
// find unknown fields, because the specification requires little and forbids nothing in responses.
// It reports the findings of both.
func validateValue(s *openapi3.Schema, v any) []finding {
	var found []finding
	walk(s, v, "", func(where, problem string) {
		if !known(where) {
			found = append(found, finding{where, problem})
		} else {
			found = append(found, finding{})
		}
	})
	if err := s.VisitJSON(v, openapi3.MultiErrors()); err != nil && len(found) == 0 {
		found = append(found, finding{"", visitorProblem(err)})
	}
	return slices.DeleteFunc(found, func(f finding) bool { return f.problem == "" })
}

func known(where string) bool {
	return slices.ContainsFunc(divergences(), func(d divergence) bool { return d.where == where })
}

// visitorProblem is a visitor's error message without the schema.
func visitorProblem(err error) string {
	var many openapi3.MultiError
	if errors.As(err, &many) && len(many) > 0 {
		return visitorProblem(many[0])
	}
	var one *openapi3.SchemaError
	if errors.As(err, &one) {
		return strings.Join(one.JSONPointer(), "/") + ": " + one.Reason
	}
	return err.Error()
}

func walk(s *openapi3.Schema, v any, where string, report func(where, problem string)) {
	switch v := v.(type) {
	case nil:
		if !s.Nullable {
			report(where, "is null")
		}
	case map[string]any:
		walkObject(s, v, where, report)
	case []any:
		walkList(s, v, where, report)
	default:
		if err := s.VisitJSON(v); err != nil {
			report(where, fmt.Sprintf("%v: %s", v, visitorProblem(err)))
		}
	}
}

func walkList(s *openapi3.Schema, list []any, where string, report func(where, problem string)) {
	if s = choose(s, list); s == nil || s.Items == nil {
		report(where, "is a list")
		return
	}
	for _, v := range list {
		walk(s.Items.Value, v, where, report)
	}
}

func walkObject(s *openapi3.Schema, o map[string]any, where string, report func(where, problem string)) {
	if s = choose(s, o); s == nil {
		report(where, fmt.Sprintf("is an object %v that fits nothing allowed", o["object"]))
		return
	}
	if name, ok := o["object"].(string); ok && name != "list" && name != "search_result" {
		where = name
	}
	for _, name := range s.Required {
		if _, there := o[name]; !there {
			report(where+"."+name, "is missing")
		}
	}
	for name, v := range o {
		walkField(s, name, v, strings.TrimPrefix(where+"."+name, "."), report)
	}
}

func walkField(s *openapi3.Schema, name string, v any, where string, report func(where, problem string)) {
	more := s.AdditionalProperties
	switch field := s.Properties[name]; {
	case field != nil:
		walk(field.Value, v, where, report)
	case more.Schema != nil:
		walk(more.Schema.Value, v, where, report)
	case len(s.Properties) > 0 && (more.Has == nil || !*more.Has):
		report(where, "is not in the specification")
	}
}

// choose returns the alternative of a value: by its field object, else the first that matches, else
// the first of the same type.
func choose(s *openapi3.Schema, v any) *openapi3.Schema {
	if len(s.AnyOf) == 0 {
		return s
	}
	var fallback *openapi3.Schema
	for _, c := range alternatives(s) {
		if !c.Type.Is(kindOf(v)) || !sameObject(c, v) {
			continue
		}
		if fallback == nil {
			fallback = c
		}
		if c.VisitJSON(v) == nil {
			return c
		}
	}
	return fallback
}

func kindOf(v any) string {
	if _, list := v.([]any); list {
		return "array"
	}
	return "object"
}

func sameObject(s *openapi3.Schema, v any) bool {
	o, ok := v.(map[string]any)
	if !ok || o["object"] == nil || objectName(s) == "" {
		return true
	}
	_, deleted := o["deleted"]
	return o["object"] == objectName(s) && deleted == (s.Properties["deleted"] != nil)
}

// validator validates the requests of APIVersion that the server accepts, and their responses.
type validator struct {
	t    *testing.T
	spec *apiSpec
	next http.Handler

	mu   sync.Mutex
	seen map[string]bool // each finding is reported once
}

func validated(t *testing.T, next http.Handler) *validator {
	t.Helper()
	spec, err := loadedSpec()
	if err != nil {
		t.Fatal(err)
	}
	return &validator{t: t, spec: spec, next: next, seen: map[string]bool{}}
}

func (v *validator) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	key, _, _ := req.BasicAuth()
	seesAll := !strings.HasPrefix(key, "pk_") // the specification is about secret keys
	if version := req.Header.Get("Stripe-Version"); !seesAll || !strings.HasPrefix(req.URL.Path, "/v1/") || version != "" && version != stripelocal.APIVersion {
		v.next.ServeHTTP(w, req)
		return
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		v.t.Errorf("read a request: %v", err)
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	out := &tee{ResponseWriter: w, status: http.StatusOK}
	v.next.ServeHTTP(out, req)
	v.check(req, strings.Trim(req.URL.RawQuery+"&"+sentForm(req, body), "&"), out)
}

// sentForm is the form in a body. A file in a multipart one is replaced by its name.
func sentForm(req *http.Request, body []byte) string {
	_, params, err := mime.ParseMediaType(req.Header.Get("Content-Type"))
	if err != nil || params["boundary"] == "" {
		return string(body)
	}
	form, err := multipart.NewReader(bytes.NewReader(body), params["boundary"]).ReadForm(1 << 20)
	if err != nil {
		return string(body)
	}
	values := url.Values(form.Value)
	for name, files := range form.File {
		values.Set(name, files[0].Filename)
	}
	return values.Encode()
}

// tee copies a response.
type tee struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (w *tee) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *tee) Write(b []byte) (int, error) {
	w.body.Write(b)
	return w.ResponseWriter.Write(b)
}

// Unwrap lets a fault close the connection.
func (w *tee) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// unspecified are path prefixes of calls that the specification lacks.
func unspecified(path string) bool {
	return strings.HasPrefix(path, "/v1/payment_pages/") || strings.HasPrefix(path, "/v1/stripecli/") ||
		strings.HasPrefix(path, "/v1/events/") && strings.HasSuffix(path, "/retry") ||
		strings.HasPrefix(path, "/v1/files/") && strings.HasSuffix(path, "/contents")
}

func (v *validator) check(req *http.Request, form string, out *tee) {
	if out.body.Len() == 0 {
		return
	}
	title := req.Method + " " + req.URL.Path
	op, ok := v.spec.operation(req.Method, req.URL.Path)
	if !ok {
		if out.status < 300 && !unspecified(req.URL.Path) {
			v.report(title, finding{"", "is not in the specification, but answered"})
		}
		return
	}
	if out.status < 300 {
		v.checkRequest(title, op, form)
	}
	v.checkResponse(title, op, out)
}

func (v *validator) checkRequest(title string, op *openapi3.Operation, form string) {
	tree, err := readForm(form)
	if err != nil {
		v.report(title+" accepted", finding{"", err.Error()})
		return
	}
	schema := parameters(op)
	for _, f := range validateValue(schema, typed(schema, tree)) {
		v.report(title+" accepted", f)
	}
}

func (v *validator) checkResponse(title string, op *openapi3.Operation, out *tee) {
	if out.Header().Get("Content-Type") == "application/pdf" {
		return
	}
	schema := responseSchema(op, out.status)
	if schema == nil {
		v.report(title, finding{"", fmt.Sprintf("answered %d, which has no schema", out.status)})
		return
	}
	var value any
	if err := json.Unmarshal(out.body.Bytes(), &value); err != nil {
		v.report(title, finding{"", "answered what is not JSON: " + err.Error()})
		return
	}
	for _, f := range validateValue(schema, value) {
		v.report(title, f)
	}
	readFields(v.spec, value, func(where, problem string) { v.report(title, finding{where, problem}) })
	v.checkEvents(value)
}

// checkEvents validates the object in each event with its own schema. The schema of events allows
// any object.
func (v *validator) checkEvents(value any) {
	o, _ := value.(map[string]any)
	switch list, _ := o["data"].([]any); {
	case o["object"] == "event":
		v.checkEvent(o)
	case o["object"] == "list":
		for _, e := range list {
			v.checkEvents(e)
		}
	}
}

func (v *validator) checkEvent(e map[string]any) {
	data, _ := e["data"].(map[string]any)
	object, _ := data["object"].(map[string]any)
	name, _ := object["object"].(string)
	schema := v.spec.objects[name]
	if name == "invoice_payment" { // of newer versions only
		newer, err := dahliaSpec()
		if err != nil {
			v.t.Error(err)
			return
		}
		schema = newer.objects[name]
	}
	if schema == nil && stripeTypes()[name] != nil { // only stripe-go has it
		readFields(v.spec, object, func(where, problem string) { v.report(fmt.Sprint(e["type"]), finding{where, problem}) })
		return
	}
	if schema == nil {
		v.report(fmt.Sprint(e["type"]), finding{"", fmt.Sprintf("is about %q, which the specification does not know", name)})
		return
	}
	for _, f := range validateValue(schema, object) {
		v.report(fmt.Sprint(e["type"]), f)
	}
	readFields(v.spec, object, func(where, problem string) { v.report(fmt.Sprint(e["type"]), finding{where, problem}) })
	if previous, ok := data["previous_attributes"].(map[string]any); ok {
		for attribute := range previous {
			if schema.Properties[attribute] == nil && !known(name+"."+attribute) {
				v.report(fmt.Sprint(e["type"]), finding{name + "." + attribute, "is no attribute that can have changed"})
			}
		}
	}
}

// perType limits the number of events of a type that are validated at the end of a test.
const perType = 50

// checkAllEvents validates the newest events of every type, delivered or not.
func (v *validator) checkAllEvents(events [][]byte) {
	seen := map[string]int{}
	for _, raw := range slices.Backward(events) {
		var e map[string]any
		if err := json.Unmarshal(raw, &e); err != nil {
			v.t.Errorf("an event is not JSON: %v", err)
			return
		}
		kind := fmt.Sprint(e["type"])
		if seen[kind]++; seen[kind] <= perType {
			v.checkEvent(e)
		}
	}
}

func (v *validator) report(title string, f finding) {
	v.mu.Lock()
	defer v.mu.Unlock()
	key := f.where + " " + f.problem
	if v.seen[key] {
		return
	}
	v.seen[key] = true
	v.t.Errorf("%s: %s %s", title, f.where, f.problem)
}
