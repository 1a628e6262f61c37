package stripegw

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/catalog"
)

// gatewayOperations are the operations of each method of the gateway, besides the account's. A
// method that is missing here fails the test.
var gatewayOperations = map[string][]string{
	"Account":                 {},
	"AccountInvoices":         {"GET /v1/invoices"},
	"CancelAtPeriodEnd":       {"GET /v1/subscription_items", "POST /v1/subscriptions/{subscription_exposed_id}"},
	"CancelInvoicing":         {"DELETE /v1/subscriptions/{subscription_exposed_id}"},
	"CancelSubscription":      {"DELETE /v1/subscriptions/{subscription_exposed_id}"},
	"Charge":                  {"GET /v1/charges/{charge}", "GET /v1/disputes"},
	"Charges":                 {"GET /v1/charges"},
	"CheckoutSession":         {"GET /v1/checkout/sessions/{session}"},
	"CreateCheckoutSession":   {"POST /v1/checkout/sessions"},
	"CreateCreditNote":        {"POST /v1/credit_notes"},
	"CreateCustomer":          {"POST /v1/customers"},
	"ChangePlan":              {"GET /v1/subscription_items", "POST /v1/subscriptions/{subscription_exposed_id}"},
	"CreatePortalSession":     {"GET /v1/billing_portal/configurations", "GET /v1/prices/{price}", "POST /v1/billing_portal/configurations", "POST /v1/billing_portal/sessions"},
	"Customer":                {"GET /v1/customers/{customer}"},
	"CustomersWithOrgID":      {"GET /v1/customers/search"},
	"DisputedCharges":         {"GET /v1/disputes"},
	"EnsurePrice":             {"GET /v1/prices", "GET /v1/products/{id}", "POST /v1/prices", "POST /v1/products"},
	"EnsureWebhookEndpoint":   {"GET /v1/webhook_endpoints", "POST /v1/webhook_endpoints", "POST /v1/webhook_endpoints/{webhook_endpoint}"},
	"Events":                  {"GET /v1/events"},
	"ExpireCheckoutSession":   {"POST /v1/checkout/sessions/{session}/expire"},
	"Invoice":                 {"GET /v1/invoices/{invoice}", "GET /v1/invoices/{invoice}/lines"},
	"Invoices":                {"GET /v1/invoices"},
	"MissingTaxSettings":      {"GET /v1/tax/settings"},
	"ParseEvent":              {},
	"PendingItemsInvoice":     {"GET /v1/invoices/upcoming", "GET /v1/invoices/upcoming/lines"},
	"FailedCharge":            {"GET /v1/charges/{charge}"},
	"PayInvoice":              {"POST /v1/invoices/{invoice}/pay"},
	"PreviewFirstPeriod":      {"GET /v1/invoices/upcoming/lines", "POST /v1/invoices/create_preview"},
	"PreviewPeriodEnd":        {"GET /v1/invoices/upcoming/lines", "POST /v1/invoices/create_preview"},
	"PreviewPlanChange":       {"GET /v1/invoices/upcoming/lines", "POST /v1/invoices/create_preview"},
	"PendingProrations":       {"GET /v1/invoiceitems"},
	"PreviewQuantity":         {"GET /v1/invoices/upcoming/lines", "POST /v1/invoices/create_preview"},
	"Prices":                  {"GET /v1/prices", "GET /v1/prices/{price}"},
	"SoldPrices":              {"GET /v1/prices"},
	"PromotionCodes":          {"GET /v1/promotion_codes"},
	"ReleaseSchedule":         {"POST /v1/subscription_schedules/{schedule}/release"},
	"ResumePaused":            {"POST /v1/subscriptions/{subscription}/resume"},
	"Resume":                  {"GET /v1/subscription_items", "POST /v1/subscriptions/{subscription_exposed_id}"},
	"SchedulePlan":            {"GET /v1/subscription_schedules/{schedule}", "POST /v1/subscription_schedules", "POST /v1/subscription_schedules/{schedule}"},
	"Subscription":            {"GET /v1/subscription_items", "GET /v1/subscriptions/{subscription_exposed_id}"},
	"RefundedCharges":         {"GET /v1/refunds"},
	"Subscriptions":           {"GET /v1/subscriptions"},
	"AccountSubscriptions":    {"GET /v1/subscriptions"},
	"SetCustomerOrganization": {"POST /v1/customers/{customer}"},
	"SubscriptionsByPrice":    {"GET /v1/subscriptions"},
	"UpdateCustomer":          {"POST /v1/customers/{customer}"},
	"UpdateQuantity":          {"GET /v1/subscription_items", "POST /v1/subscriptions/{subscription_exposed_id}"},
	"UpcomingInvoice":         {"GET /v1/invoices/upcoming", "GET /v1/invoices/upcoming/lines"},
	"VerifyEvent":             {},
	"VoidInvoice":             {"POST /v1/invoices/{invoice}/void"},
	"WebhookEndpoint":         {"GET /v1/webhook_endpoints"},
}

// Every request of every method, with each optional argument on and off, is one that Stripe's
// specification accepts.
func TestSpecificationAcceptsEveryRequestOfTheGateway(t *testing.T) {
	t.Parallel()
	methods := reflect.TypeFor[*Gateway]()
	named := maps.Clone(gatewayOperations)
	calls, requests := 0, 0
	for i := range methods.NumMethod() {
		method := methods.Method(i)
		want, listed := named[method.Name]
		if delete(named, method.Name); !listed {
			t.Errorf("gatewayOperations has no %s", method.Name)
			continue
		}
		t.Run(method.Name, func(t *testing.T) {
			requested := map[string]bool{"GET /v1/account": true}
			for _, answers := range []specAnswers{answerSamples, answerEmpty, answerMore, answerMissing} {
				server := newSpecServer(t, answers)
				for _, arguments := range argumentLists(t, method) {
					gateway := New(Options{SecretKey: "sk_test_123456789012", APIBase: server.url, WebhookSecrets: []string{secretA}})
					method.Func.Call(append([]reflect.Value{reflect.ValueOf(gateway)}, arguments...))
					calls++
				}
				maps.Copy(requested, server.operations)
				requests += server.requests
			}
			delete(requested, "GET /v1/account")
			if got := slices.Sorted(maps.Keys(requested)); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
				t.Errorf("requested %q, listed %q", got, want)
			}
		})
	}
	for name := range named {
		t.Errorf("the gateway has no method %s", name)
	}
	t.Logf("%d methods, %d calls, %d requests", methods.NumMethod(), calls, requests)
}

// argumentLists are the argument lists of a method: one with the first sample of every argument,
// and for each further sample of an argument one that differs by it.
func argumentLists(t *testing.T, method reflect.Method) [][]reflect.Value {
	t.Helper()
	samples := make([][]reflect.Value, method.Type.NumIn()-1)
	for i := range samples {
		of := method.Type.In(i + 1)
		if given, ok := argumentSamples[method.Name][i]; ok {
			samples[i] = valuesOf(given, of)
			continue
		}
		samples[i] = samplesOf(t, of, "")
	}
	return variations(samples)
}

// variations returns the list of the first samples, and one list for each other sample.
func variations(samples [][]reflect.Value) [][]reflect.Value {
	first := make([]reflect.Value, len(samples))
	for i := range samples {
		first[i] = samples[i][0]
	}
	lists := [][]reflect.Value{first}
	for i := range samples {
		for _, other := range samples[i][1:] {
			list := slices.Clone(first)
			list[i] = other
			lists = append(lists, list)
		}
	}
	return lists
}

// argumentSamples are the values of arguments that are more than their Go type says, by method and
// position. The first URL is that of the specification's sample.
var argumentSamples = map[string]map[int][]any{
	"EnsureWebhookEndpoint": {
		1: {"https://example.com/my/webhook/endpoint", "https://app.example/stripe/webhook"},
		2: {[]string{"invoice.paid", "customer.subscription.updated"}},
	},
}

// typeSamples are the values of types that are more than their Go type says.
var typeSamples = map[reflect.Type][]any{
	reflect.TypeFor[time.Time]():            {time.Unix(1_700_000_000, 0)},
	reflect.TypeFor[[]byte]():               {[]byte(`{"id":"evt_1","object":"event","type":"invoice.paid"}`)},
	reflect.TypeFor[billing.CheckoutMode](): {billing.ModeSubscription, billing.ModePayment},
	reflect.TypeFor[billing.PortalFlow]():   {billing.PortalHome, billing.PortalPaymentMethod, billing.PortalCancel, billing.PortalChangePlan},
	reflect.TypeFor[billing.CancelReason](): {billing.CancelReasons()[0], billing.CancelReason("")},
	reflect.TypeFor[catalog.Interval]():     {catalog.Monthly, catalog.Yearly, catalog.Interval("")},
	reflect.TypeFor[catalog.TaxBehavior]():  {catalog.TaxExclusive, catalog.TaxInclusive, catalog.TaxUnspecified, catalog.TaxBehavior("")},
	reflect.TypeFor[catalog.Money]():        {catalog.Money{Minor: 900, Currency: "USD"}, catalog.Money{Minor: 900, Currency: "jpy"}},
	reflect.TypeFor[catalog.Catalog](): {
		newCatalog(catalog.Price{ID: "price_m", ProductID: "prod_1"}, catalog.Price{ID: "price_y", ProductID: "prod_2"}),
		catalog.Catalog{},
	},
}

// nameSamples are the values of strings and numbers by the name of their field. The empty value
// means that the field is optional.
var nameSamples = map[string][]any{
	"BillingAddress":         {"required", "auto", ""},
	"CancelURL":              {"https://app.example/no"},
	"Credit":                 {int64(500), int64(0)},
	"Description":            {"For teams", ""},
	"Email":                  {"ana@example.com", ""},
	"Generation":             {1, 2},
	"Name":                   {"Ana", ""},
	"Proration":              {"create_prorations", "always_invoice", "none", ""},
	"PendingInvoiceInterval": {"", "month", "none"},
	"Quantity":               {3, 0},
	"Refund":                 {int64(400), int64(0)},
	"ReturnURL":              {"https://app.example/back"},
	"ScheduleID":             {"sub_sched_1", ""},
	"SuccessURL":             {"https://app.example/ok?session={CHECKOUT_SESSION_ID}"},
	"PromotionCode":          {"promo_1", ""},
	"TrialWithoutCard":       {"pause", "cancel", ""},
	"TrialDays":              {14, 0},
	"UserID":                 {"usr_1", ""},
}

// samplesOf returns the samples of a type, in a field of that name.
func samplesOf(t *testing.T, of reflect.Type, name string) []reflect.Value {
	t.Helper()
	given, ok := typeSamples[of]
	if !ok {
		given, ok = nameSamples[name]
	}
	if ok {
		return valuesOf(given, of)
	}
	switch of.Kind() {
	case reflect.Struct:
		return structSamples(t, of)
	case reflect.Bool:
		return valuesOf([]any{true, false}, of)
	case reflect.String:
		return valuesOf([]any{strings.ToLower(name) + "_1"}, of)
	case reflect.Int, reflect.Int64:
		return valuesOf([]any{2}, of)
	case reflect.Pointer:
		set := reflect.New(of.Elem())
		set.Elem().Set(samplesOf(t, of.Elem(), name)[0])
		return []reflect.Value{set, reflect.Zero(of)}
	case reflect.Slice:
		return []reflect.Value{reflect.Append(reflect.Zero(of), samplesOf(t, of.Elem(), name)[0]), reflect.Zero(of)}
	case reflect.Map:
		return []reflect.Value{reflect.Zero(of)}
	case reflect.Func:
		return []reflect.Value{reflect.MakeFunc(of, func([]reflect.Value) []reflect.Value { return zeros(of) })}
	case reflect.Interface:
		if of == reflect.TypeFor[context.Context]() {
			return []reflect.Value{reflect.ValueOf(t.Context())}
		}
	}
	t.Fatalf("no sample of %s", of)
	return nil
}

// structSamples are structs with every field set, and for each further sample of a field one that
// differs by it.
func structSamples(t *testing.T, of reflect.Type) []reflect.Value {
	t.Helper()
	var fields [][]reflect.Value
	for i := range of.NumField() {
		fields = append(fields, samplesOf(t, of.Field(i).Type, of.Field(i).Name))
	}
	var out []reflect.Value
	for _, values := range variations(fields) {
		made := reflect.New(of).Elem()
		for i, v := range values {
			if of.Field(i).IsExported() {
				made.Field(i).Set(v)
			}
		}
		out = append(out, made)
	}
	return out
}

func valuesOf(samples []any, of reflect.Type) []reflect.Value {
	var out []reflect.Value
	for _, s := range samples {
		out = append(out, reflect.ValueOf(s).Convert(of))
	}
	return out
}

func zeros(of reflect.Type) []reflect.Value {
	var out []reflect.Value
	for i := range of.NumOut() {
		out = append(out, reflect.Zero(of.Out(i)))
	}
	return out
}
