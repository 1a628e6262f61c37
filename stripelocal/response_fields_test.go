package stripelocal_test

import (
	"reflect"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stripe/stripe-go/v79"
)

// The specification requires few fields, so it does not find fields that are missing from
// responses. The structs of stripe-go v79 are of APIVersion and name every field: each must be
// present, and no others.

// stripeTypes are the structs by object type.
func stripeTypes() map[string]reflect.Type {
	return map[string]reflect.Type{
		"account":                                 reflect.TypeFor[stripe.Account](),
		"billing_portal.configuration":            reflect.TypeFor[stripe.BillingPortalConfiguration](),
		"billing_portal.session":                  reflect.TypeFor[stripe.BillingPortalSession](),
		"balance_transaction":                     reflect.TypeFor[stripe.BalanceTransaction](),
		"radar.early_fraud_warning":               reflect.TypeFor[stripe.RadarEarlyFraudWarning](),
		"card":                                    reflect.TypeFor[stripe.Card](),
		"charge":                                  reflect.TypeFor[stripe.Charge](),
		"checkout.session":                        reflect.TypeFor[stripe.CheckoutSession](),
		"entitlements.active_entitlement":         reflect.TypeFor[stripe.EntitlementsActiveEntitlement](),
		"entitlements.active_entitlement_summary": reflect.TypeFor[stripe.EntitlementsActiveEntitlementSummary](),
		"entitlements.feature":                    reflect.TypeFor[stripe.EntitlementsFeature](),
		"billing.alert":                           reflect.TypeFor[stripe.BillingAlert](),
		"billing.alert_triggered":                 reflect.TypeFor[stripe.BillingAlertTriggered](),
		"billing.meter":                           reflect.TypeFor[stripe.BillingMeter](),
		"billing.meter_event":                     reflect.TypeFor[stripe.BillingMeterEvent](),
		"billing.meter_event_adjustment":          reflect.TypeFor[stripe.BillingMeterEventAdjustment](),
		"billing.meter_event_summary":             reflect.TypeFor[stripe.BillingMeterEventSummary](),
		"usage_record":                            reflect.TypeFor[stripe.UsageRecord](),
		"usage_record_summary":                    reflect.TypeFor[stripe.UsageRecordSummary](),
		"setup_attempt":                           reflect.TypeFor[stripe.SetupAttempt](),
		"payout":                                  reflect.TypeFor[stripe.Payout](),
		"topup":                                   reflect.TypeFor[stripe.Topup](),
		"tax.calculation":                         reflect.TypeFor[stripe.TaxCalculation](),
		"tax.calculation_line_item":               reflect.TypeFor[stripe.TaxCalculationLineItem](),
		"tax.transaction":                         reflect.TypeFor[stripe.TaxTransaction](),
		"tax.transaction_line_item":               reflect.TypeFor[stripe.TaxTransactionLineItem](),
		"tax.registration":                        reflect.TypeFor[stripe.TaxRegistration](),
		"tax.settings":                            reflect.TypeFor[stripe.TaxSettings](),
		"tax_code":                                reflect.TypeFor[stripe.TaxCode](),
		"radar.value_list":                        reflect.TypeFor[stripe.RadarValueList](),
		"radar.value_list_item":                   reflect.TypeFor[stripe.RadarValueListItem](),
		"country_spec":                            reflect.TypeFor[stripe.CountrySpec](),
		"payment_method_domain":                   reflect.TypeFor[stripe.PaymentMethodDomain](),
		"apple_pay_domain":                        reflect.TypeFor[stripe.ApplePayDomain](),
		"payment_method_configuration":            reflect.TypeFor[stripe.PaymentMethodConfiguration](),
		"customer_session":                        reflect.TypeFor[stripe.CustomerSession](),
		"ephemeral_key":                           reflect.TypeFor[stripe.EphemeralKey](),
		"confirmation_token":                      reflect.TypeFor[stripe.ConfirmationToken](),
		"file":                                    reflect.TypeFor[stripe.File](),
		"file_link":                               reflect.TypeFor[stripe.FileLink](),
		"cash_balance":                            reflect.TypeFor[stripe.CashBalance](),
		"customer_cash_balance_transaction":       reflect.TypeFor[stripe.CustomerCashBalanceTransaction](),
		"shipping_rate":                           reflect.TypeFor[stripe.ShippingRate](),
		"mandate":                                 reflect.TypeFor[stripe.Mandate](),
		"review":                                  reflect.TypeFor[stripe.Review](),
		"quote":                                   reflect.TypeFor[stripe.Quote](),
		"payment_link":                            reflect.TypeFor[stripe.PaymentLink](),
		"product_feature":                         reflect.TypeFor[stripe.ProductFeature](),
		"coupon":                                  reflect.TypeFor[stripe.Coupon](),
		"credit_note":                             reflect.TypeFor[stripe.CreditNote](),
		"customer_balance_transaction":            reflect.TypeFor[stripe.CustomerBalanceTransaction](),
		"tax_id":                                  reflect.TypeFor[stripe.TaxID](),
		"customer":                                reflect.TypeFor[stripe.Customer](),
		"discount":                                reflect.TypeFor[stripe.Discount](),
		"dispute":                                 reflect.TypeFor[stripe.Dispute](),
		"event":                                   reflect.TypeFor[stripe.Event](),
		"invoice":                                 reflect.TypeFor[stripe.Invoice](),
		"invoiceitem":                             reflect.TypeFor[stripe.InvoiceItem](),
		"item":                                    reflect.TypeFor[stripe.LineItem](),
		"line_item":                               reflect.TypeFor[stripe.InvoiceLineItem](),
		"payment_intent":                          reflect.TypeFor[stripe.PaymentIntent](),
		"payment_method":                          reflect.TypeFor[stripe.PaymentMethod](),
		"plan":                                    reflect.TypeFor[stripe.Plan](),
		"price":                                   reflect.TypeFor[stripe.Price](),
		"product":                                 reflect.TypeFor[stripe.Product](),
		"promotion_code":                          reflect.TypeFor[stripe.PromotionCode](),
		"refund":                                  reflect.TypeFor[stripe.Refund](),
		"setup_intent":                            reflect.TypeFor[stripe.SetupIntent](),
		"source":                                  reflect.TypeFor[stripe.Source](),
		"subscription":                            reflect.TypeFor[stripe.Subscription](),
		"subscription_item":                       reflect.TypeFor[stripe.SubscriptionItem](),
		"subscription_schedule":                   reflect.TypeFor[stripe.SubscriptionSchedule](),
		"test_helpers.test_clock":                 reflect.TypeFor[stripe.TestHelpersTestClock](),
		"token":                                   reflect.TypeFor[stripe.Token](),
		"webhook_endpoint":                        reflect.TypeFor[stripe.WebhookEndpoint](),
	}
}

// fieldReader finds the objects in a response and compares each with its struct. The specification
// decides which fields may be absent: those that are neither required nor nullable.
type fieldReader struct {
	types  map[string]reflect.Type
	spec   *apiSpec
	report func(where, problem string)
}

// kindOfPart describes a part of a response: its struct, its schema (either may be nil) and its
// name.
type kindOfPart struct {
	goType reflect.Type
	schema *openapi3.Schema
	where  string
}

func readFields(sp *apiSpec, v any, report func(where, problem string)) {
	fieldReader{types: stripeTypes(), spec: sp, report: report}.value(v, kindOfPart{})
}

func (r fieldReader) value(v any, k kindOfPart) {
	switch v := v.(type) {
	case map[string]any:
		r.object(v, k)
	case []any:
		for _, e := range v {
			r.value(e, k.element(v))
		}
	}
}

func (k kindOfPart) element(list []any) kindOfPart {
	inner := kindOfPart{where: k.where}
	if k.goType != nil && k.goType.Kind() == reflect.Slice {
		inner.goType = k.goType.Elem()
	}
	if k.schema != nil {
		if s := choose(k.schema, list); s != nil && s.Items != nil {
			inner.schema = s.Items.Value
		}
	}
	return inner
}

func (r fieldReader) object(o map[string]any, k kindOfPart) {
	if _, deleted := o["deleted"]; deleted {
		return
	}
	if k.schema != nil {
		k.schema = choose(k.schema, o)
	}
	if name, named := o["object"].(string); named {
		k = kindOfPart{r.types[name], r.spec.objects[name], name}
	}
	fields := fieldsOf(k.goType)
	if fields != nil {
		r.compare(o, fields, k)
	}
	for field, v := range o {
		r.value(v, k.field(field, fields))
	}
}

func (k kindOfPart) field(name string, fields map[string]reflect.Type) kindOfPart {
	inner := kindOfPart{goType: fields[name], where: strings.TrimPrefix(k.where+"."+name, ".")}
	if k.schema != nil && k.schema.Properties[name] != nil {
		inner.schema = k.schema.Properties[name].Value
	}
	return inner
}

func (r fieldReader) compare(o map[string]any, fields map[string]reflect.Type, k kindOfPart) {
	for field := range fields {
		if _, there := o[field]; !there && !k.mayLack(field) {
			r.report(k.where+"."+field, "is a field in stripe-go v79 and missing")
		}
	}
	for field := range o {
		if fields[field] == nil && !known(k.where+"."+field) {
			r.report(k.where+"."+field, "is no field in stripe-go v79")
		}
	}
}

func (k kindOfPart) mayLack(field string) bool {
	if field == "deleted" || slices.ContainsFunc(knownAbsences(), func(a divergence) bool { return a.where == k.where+"."+field }) {
		return true
	}
	if k.schema == nil || k.schema.Properties[field] == nil {
		return false
	}
	return !k.schema.Properties[field].Value.Nullable && !slices.Contains(k.schema.Required, field)
}

// fieldsOf returns a struct's fields by JSON name. It returns nil for other types, and for those
// that decode themselves, such as a hash by currency.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	out := map[string]reflect.Type{}
	for i := range t.NumField() {
		f := t.Field(i)
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if tag != "" && tag != "-" {
			out[tag] = f.Type
		}
	}
	return out
}

// knownAbsences are fields of stripe-go that responses lack although the specification does not
// allow it.
func knownAbsences() []divergence {
	onRequest := "shown to accounts that were let in only (the comment in stripe-go), and to ours it is not"
	payouts := "of cards that money is paid out to, which no account here has"
	return []divergence{
		{"card.account", payouts},
		{"card.available_payout_methods", payouts},
		{"card.currency", payouts},
		{"card.default_for_currency", payouts},
		{"card.status", payouts},
		{"card.description", onRequest},
		{"card.iin", onRequest},
		{"card.issuer", onRequest},
		{"customer.cash_balance", "shown only where a request expands it"},
		{"charge.refunds", "shown only where a request expands it (changelog: 2022-11-15)"},
		{"charge.authorization_code", onRequest},
		{"charge.level3", onRequest},
		{"charge.payment_method_details.sepa_credit_transfer", "another kind of payment method than a card"},
		{"charge.payment_method_details.card.description", onRequest},
		{"charge.payment_method_details.card.iin", onRequest},
		{"charge.payment_method_details.card.issuer", onRequest},
		{"charge.payment_method_details.card.moto", onRequest},
		{"confirmation_token.payment_method_preview.card.description", onRequest},
		{"confirmation_token.payment_method_preview.card.iin", onRequest},
		{"confirmation_token.payment_method_preview.card.issuer", onRequest},
		{"payment_method.card.description", onRequest},
		{"payment_method.card.iin", onRequest},
		{"payment_method.card.issuer", onRequest},
		{"tax.calculation.line_items", "shown only where a request expands it"},
		{"tax.transaction.line_items", "shown only where a request expands it"},
		{"tax.settings.status_details.active", "shown for that status only"},
		{"tax.settings.status_details.pending", "shown for that status only"},
		{"topup.arrival_date", "deprecated (the comment in stripe-go)"},
		{"setup_attempt.payment_method_details.card.description", onRequest},
		{"setup_attempt.payment_method_details.card.iin", onRequest},
		{"setup_attempt.payment_method_details.card.issuer", onRequest},
		{"setup_attempt.setup_error.error", "stripe-go's own, as below"},
		{"setup_attempt.setup_error.error_description", "stripe-go's own, as below"},
		{"setup_attempt.setup_error.request_id", "stripe-go's own, out of a header"},
		{"setup_attempt.setup_error.status", "stripe-go's own, out of the status line"},
		{"payment_intent.last_payment_error.error", "stripe-go's own: its error type serves for answers to OAuth too"},
		{"payment_intent.last_payment_error.error_description", "stripe-go's own, as above"},
		{"payment_intent.last_payment_error.request_id", "stripe-go's own, out of a header"},
		{"payment_intent.last_payment_error.status", "stripe-go's own, out of the status line"},
		{"setup_intent.last_setup_error.error", "stripe-go's own, as above"},
		{"setup_intent.last_setup_error.error_description", "stripe-go's own, as above"},
		{"setup_intent.last_setup_error.request_id", "stripe-go's own, out of a header"},
		{"setup_intent.last_setup_error.status", "stripe-go's own, out of the status line"},
	}
}
