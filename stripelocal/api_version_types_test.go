package stripelocal_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// typesByObject are the types of stripe-node by object type.
func typesByObject() map[string]string {
	return map[string]string{
		"account": "Account", "balance_transaction": "BalanceTransaction", "billing_portal.configuration": "BillingPortal.Configuration",
		"billing_portal.session": "BillingPortal.Session", "charge": "Charge", "checkout.session": "Checkout.Session", "coupon": "Coupon",
		"credit_note": "CreditNote", "customer": "Customer", "discount": "Discount", "event": "Event", "invoice": "Invoice",
		"invoice_payment": "InvoicePayment", "invoiceitem": "InvoiceItem", "line_item": "InvoiceLineItem", "payment_intent": "PaymentIntent",
		"payment_method": "PaymentMethod", "plan": "Plan", "price": "Price", "product": "Product", "promotion_code": "PromotionCode",
		"customer_balance_transaction": "CustomerBalanceTransaction", "dispute": "Dispute", "item": "LineItem", "tax_id": "TaxId", "refund": "Refund", "setup_intent": "SetupIntent", "subscription": "Subscription", "subscription_item": "SubscriptionItem",
		"subscription_schedule": "SubscriptionSchedule", "tax_rate": "TaxRate", "test_helpers.test_clock": "TestHelpers.TestClock",
		"webhook_endpoint": "WebhookEndpoint",

		"balance": "Balance", "billing.alert": "Billing.Alert", "billing.meter": "Billing.Meter", "billing.meter_event": "Billing.MeterEvent",
		"billing.meter_event_adjustment": "Billing.MeterEventAdjustment", "billing.meter_event_summary": "Billing.MeterEventSummary", "card": "Card",
		"credit_note_line_item": "CreditNoteLineItem", "entitlements.active_entitlement": "Entitlements.ActiveEntitlement",
		"entitlements.active_entitlement_summary": "Entitlements.ActiveEntitlementSummary", "entitlements.feature": "Entitlements.Feature",
		"payment_link": "PaymentLink", "payout": "Payout", "product_feature": "ProductFeature", "quote": "Quote", "radar.value_list": "Radar.ValueList",
		"radar.value_list_item": "Radar.ValueListItem", "setup_attempt": "SetupAttempt", "tax.calculation": "Tax.Calculation",
		"tax.calculation_line_item": "Tax.CalculationLineItem", "tax.registration": "Tax.Registration", "tax.settings": "Tax.Settings",
		"tax.transaction": "Tax.Transaction", "tax.transaction_line_item": "Tax.TransactionLineItem", "tax_code": "TaxCode", "topup": "Topup",
		"apple_pay_domain": "ApplePayDomain", "confirmation_token": "ConfirmationToken", "country_spec": "CountrySpec", "customer_session": "CustomerSession",
		"ephemeral_key": "EphemeralKey", "file": "File", "file_link": "FileLink",
		"cash_balance": "CashBalance", "customer_cash_balance_transaction": "CustomerCashBalanceTransaction", "mandate": "Mandate", "review": "Review", "shipping_rate": "ShippingRate", "payment_method_configuration": "PaymentMethodConfiguration", "payment_method_domain": "PaymentMethodDomain",
		"usage_record": "UsageRecord", "usage_record_summary": "UsageRecordSummary",
	}
}

// maxShown is how many bytes of the compiler's output a failure shows.
const maxShown = 4000

// checkTypes has the TypeScript compiler check objects against the types of the release. A literal
// must have every required field, and no field that the type lacks.
func (s sdk) checkTypes(t *testing.T, captured []map[string]any) {
	t.Helper()
	dir := t.TempDir()
	var source strings.Builder
	source.WriteString("import Stripe from 'stripe'\n")
	for i, o := range s.parts(captured) {
		o, _ = withoutUntyped(o, "").(map[string]any)
		name, ok := typeOf(o)
		if !ok {
			t.Errorf("no type of %v is known", o["object"])
			continue
		}
		fmt.Fprintf(&source, "export const v%d: %s = %s\n", i, name, s.literal(t, o))
	}
	s.writeProject(t, dir, source.String())
	if out, err := exec.CommandContext(t.Context(), npmTool(t, "tsc"), "--project", dir).CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", s.alias, err, out[:min(len(out), maxShown)])
	}
}

// parts takes the objects out of the events, because the type of an event allows many. The API's
// events are of the account's version.
func (s sdk) parts(captured []map[string]any) []map[string]any {
	var out []map[string]any
	for _, o := range captured {
		if data, ok := o["data"].(map[string]any); ok && o["object"] == "event" {
			if object, ok := data["object"].(map[string]any); ok && o["api_version"] == s.version {
				out = append(out, object)
			}
			o = maps.Clone(o)
			delete(o, "data")
			delete(o, "type")
		}
		out = append(out, o)
	}
	return out
}

func typeOf(o map[string]any) (string, bool) {
	object, _ := o["object"].(string)
	name, ok := typesByObject()[object]
	deleted, _ := o["deleted"].(bool)
	if deleted && object != "subscription" {
		if object == "discount" {
			return "Stripe.DeletedDiscount", true
		}
		name = "Deleted" + name
	}
	switch {
	case object == "event":
		return "Omit<Stripe.Event, 'data' | 'type'>", true
	case object == "invoice" && o["id"] == nil:
		return "Stripe.UpcomingInvoice", true
	}
	return "Stripe." + name, ok
}

// literal is a value as TypeScript. Since stripe-node 21 the SDK makes a Decimal of the text of a
// decimal field, except of a percentage.
func (s sdk) literal(t *testing.T, v any) string {
	t.Helper()
	switch v := v.(type) {
	case map[string]any:
		var fields []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			text, isText := v[name].(string)
			value := s.literal(t, v[name])
			if isText && strings.HasSuffix(name, "_decimal") && name != "percentage_decimal" && s.version >= dahliaVersion[:10] {
				value = fmt.Sprintf("Stripe.Decimal.from(%q)", text)
			}
			fields = append(fields, fmt.Sprintf("%q: %s", name, value))
		}
		return "{" + strings.Join(fields, ", ") + "}"
	case []any:
		var elements []string
		for _, e := range v {
			elements = append(elements, s.literal(t, e))
		}
		return "[" + strings.Join(elements, ", ") + "]"
	}
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// untyped are fields of divergences that no release has a type of.
var untyped = []string{
	"subscription.plan", "subscription.quantity", "subscription.items.total_count", "invoice.lines.total_count",
	"charge.destination", "charge.dispute", "charge.order", "charge.refunds.total_count",
}

// withoutUntyped removes the untyped fields.
func withoutUntyped(v any, where string) any {
	switch v := v.(type) {
	case map[string]any:
		if name, ok := v["object"].(string); ok && name != "list" {
			where = name
		}
		out := map[string]any{}
		for name, field := range v {
			at := where + "." + name
			if !slices.Contains(untyped, at) {
				out[name] = withoutUntyped(field, at)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = withoutUntyped(e, where)
		}
		return out
	}
	return v
}

// writeProject writes a TypeScript project with the release as the module stripe. Until stripe-node
// 21 the types declare that module; since 22 they are one.
func (s sdk) writeProject(t *testing.T, dir, source string) {
	t.Helper()
	modules, err := filepath.Abs(filepath.Join("..", "node_modules"))
	if err != nil {
		t.Fatal(err)
	}
	options := map[string]any{
		"strict": true, "noEmit": true, "skipLibCheck": true, "target": "es2022", "module": "esnext", "moduleResolution": "bundler",
		"typeRoots": []string{filepath.Join(modules, "@types")}, "types": []string{"node"},
	}
	files := []string{"captured.ts"}
	if declared := filepath.Join(modules, s.alias, "types", "index.d.ts"); exists(declared) {
		files = append(files, declared)
	} else {
		options["paths"] = map[string]any{"stripe": []string{filepath.Join(modules, s.alias, "esm", "stripe.esm.node.d.ts")}}
	}
	config, err := json.Marshal(map[string]any{"compilerOptions": options, "files": files})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"tsconfig.json": config, "captured.ts": []byte(source)} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// npmTool returns the path of a command that npm installed.
func npmTool(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "node_modules", ".bin", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath(path); err != nil {
		t.Fatalf("%s is not installed: run `make node_modules/.package-lock.json` (or `make test`, which does) and try again: %v", name, err)
	}
	return path
}
