package stripelocal

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
)

// testdata/state_format1.json has one row in every table, with a value in every field that format 1
// had and the store still has. Every field must have a place in the store, and every field of the
// store must be filled, except for newerFields.
func TestAStateFileOfFormat1IsLoaded(t *testing.T) {
	raw, err := os.ReadFile("testdata/state_format1.json")
	if err != nil {
		t.Fatal(err)
	}
	upgraded, err := upgradeState(raw)
	if err != nil {
		t.Fatal(err)
	}
	var tables map[string]json.RawMessage
	if err := json.Unmarshal(upgraded, &tables); err != nil {
		t.Fatal(err)
	}
	v, newer := reflect.ValueOf(newStore()).Elem(), setOf(newerFields)
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if tables[name] == nil && newer[name] {
			delete(newer, name)
			continue
		}
		if tables[name] == nil {
			t.Errorf("the store's %s is not in the file", name)
			continue
		}
		into := storedValue(v.Field(i))
		strict := json.NewDecoder(bytes.NewReader(tables[name]))
		strict.DisallowUnknownFields()
		if err := strict.Decode(into.Interface()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, path := range zeroFields(into.Elem(), name) {
			if newer[path] {
				delete(newer, path)
				continue
			}
			t.Errorf("%s is not filled", path)
		}
		delete(tables, name)
	}
	for name := range tables {
		t.Errorf("the file's %s is not in the store", name)
	}
	for path := range newer {
		t.Errorf("the store has no %s, or the file has it", path)
	}
}

// newerFields are fields that format 1 did not have and whose zero value is what it meant.
var newerFields = []string{
	"CLISecrets", "Speed", "OtherVersions", "IdempotentResponses.Version", "WebhookEndpoints.Configured", "Blocks",
	"PortalRefusal", "Subscriptions.NextPendingInvoice", "Subscriptions.PendingInterval.Count", "Subscriptions.PendingInterval.Interval",
	"WithoutTerms", "WithoutStripeTax", "TaxRates", "Subscriptions.DefaultTaxRates", "Invoices.DefaultTaxRates", "Invoices.Taxes", "Invoices.Lines.TaxRates",
	"CheckoutSessions.LineItems.TaxRates", "CheckoutSessions.EnteredTerms", "CheckoutSessions.DefaultTaxRates", "CheckoutSessions.ConsentTerms",
	"CheckoutSessions.ConsentPromotions", "CheckoutSessions.RedisplayFilters", "CheckoutSessions.PaymentMethodSave", "CheckoutSessions.SubmitText", "CheckoutSessions.TermsText",
	"CustomerBalanceTransactions", "CreditNotes.BalanceTransaction",
	"Prices.TrialPeriodDays", "Prices.OfInvoiceItem", "Prices.Deleted", "PaymentMethods.Verified", "PaymentMethods.WithoutCVC",
	"Subscriptions.PauseCollection.Behavior", "Subscriptions.PauseCollection.ResumesAt", "InvoiceItems.TaxRates", "PaymentIntents.TransferGroup",
	"PaymentIntents.MethodOptions", "Charges.WasUncaptured", "Charges.BalancePending", "Charges.Shipping", "Charges.TransferGroup",
	"Charges.UserReport", "Charges.StatementDescriptor", "Charges.StatementDescriptorSuffix", "WebhookEndpoints.Connect",
	"SubscriptionSchedules.Phases.Discounts", "SubscriptionSchedules.Phases.HasDiscounts",
	"PaymentMethodDomains", "ApplePayDomains", "PaymentMethodConfigurations", "CustomerSessions", "EphemeralKeys", "ConfirmationTokens", "Files", "FileLinks",
	"Mandates", "Reviews", "CashBalances", "CashTransactions", "ShippingRates", "CheckoutSessions.ShippingOptions", "CheckoutSessions.ShippingRate",
	"PaymentIntents.MethodConfiguration", "SetupIntents.MethodConfiguration",
	"EntitlementFeatures", "ProductFeatures", "ActiveEntitlements",
	"Prices.TiersMode", "Prices.Tiers", "Prices.DivideBy", "Prices.RoundUp", "Prices.CurrencyOptions",
	"Prices.Metered", "Prices.Meter", "Prices.AggregateUsage", "Meters", "MeterEvents", "UsageRecords", "BillingAlerts", "Quotes", "PaymentLinks", "Payouts", "Topups", "TaxCalculations", "TaxTransactions", "TaxRegistrations", "TaxSettings", "RadarValueLists", "RadarValueListItems", "CheckoutSessions.PaymentLink",
	"PaymentMethods.Type", "PaymentMethods.HolderType", "PaymentMethods.AccountType", "PaymentMethods.Unverified", "PaymentMethods.FailedProofs", "PaymentMethods.BlockedBy",
	"PaymentIntents.Mandate", "PaymentIntents.DebitEndsAt", "PaymentIntents.BankTransfer", "PaymentIntents.PaymentMethodTypes",
	"SetupIntents.Mandate", "SetupIntents.PaymentMethodTypes", "Charges.Pending", "Charges.SettledAt",
	"PaymentIntents.UseStripeSDK", "PaymentIntents.AuthenticatedMethod", "SetupIntents.UseStripeSDK",
	"CheckoutSessions.ClientSecret", "CheckoutSessions.ReturnURL", "CheckoutSessions.RedirectOnCompletion",
	"SubscriptionSchedules.ExpiryNotedFor",
	"Customers.Discount", "Subscriptions.IgnoresCustomerDiscount", "SubscriptionSchedules.Phases.IgnoresCustomerDiscount", "CheckoutSessions.Inherited",
	"Subscriptions.Discounts.CustomerWide", "Subscriptions.Discounts.Invoice", "Invoices.Discounts.Discount.CustomerWide", "Invoices.Discounts.Discount.Invoice",
	"CheckoutSessions.Discount.CustomerWide", "CheckoutSessions.Discount.Invoice",
}

// storedValue returns a pointer to decode a field of the store into: a table's rows, or the field
// itself. The table's own UnmarshalJSON would allow unknown fields.
func storedValue(field reflect.Value) reflect.Value {
	if field.Kind() == reflect.Pointer {
		if rows, ok := field.Type().Elem().FieldByName("all"); ok {
			return reflect.New(rows.Type)
		}
	}
	return reflect.New(field.Type())
}

// zeroFields returns the paths of the exported fields without a value.
func zeroFields(v reflect.Value, path string) []string {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return zeroFields(v.Elem(), path)
		}
	case reflect.Slice:
		if v.Len() > 0 && v.Type().Elem().Kind() != reflect.Uint8 {
			return zeroFields(v.Index(0), path)
		}
	case reflect.Map:
		if v.Len() > 0 {
			return zeroFields(v.MapIndex(v.MapKeys()[0]), path)
		}
	case reflect.Struct:
		var out []string
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				out = append(out, zeroFields(v.Field(i), path+"."+f.Name)...)
			}
		}
		return out
	}
	if v.IsZero() {
		return []string{path}
	}
	return nil
}

func TestAStateFileOfAnUnknownFormatIsRefused(t *testing.T) {
	path := t.TempDir() + "/state.json"
	if err := os.WriteFile(path, []byte(`{"Format":99}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Options{StatePath: path}); err == nil {
		t.Error("a state file of format 99 was loaded")
	}
}

func TestMetadataKeysAreNotRenamed(t *testing.T) {
	upgraded, err := upgradeState([]byte(`{"Customers":[{"ID":"cus_1","Locales":["de"],"Metadata":{"Locales":"x"}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"Customers":[{"ID":"cus_1","Metadata":{"Locales":"x"},"PreferredLocales":["de"]}],"Format":3}`
	if string(upgraded) != want {
		t.Errorf("upgraded to %s, want %s", upgraded, want)
	}
}

func TestUpgradeKeepsRenderedObjectsAndIdempotencyKeys(t *testing.T) {
	upgraded, err := upgradeState([]byte(
		`{"Answers":{"At":{"At":1},"Object":{"At":2}},"Events":[{"Object":{"id":"in_1","object":"invoice","amount":1,"a":"<"}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"IdempotentResponses":{"At":{"StoredAt":1},"Object":{"StoredAt":2}}`,
		`"Object":{"id":"in_1","object":"invoice","amount":1,"a":"<"}`,
	} {
		if !strings.Contains(string(upgraded), want) {
			t.Errorf("upgraded to %s, want %s in it", upgraded, want)
		}
	}
}
