package stripelocal

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// storeFormat is the format of the state file that this version writes. Format 1 had no number and
// other field names. Format 2 had the texts of events and of stored responses in place, which is
// still read.
const storeFormat = 3

// upgradeState converts a state file of an older format to storeFormat. Numbers keep their digits.
func upgradeState(raw []byte) ([]byte, error) {
	var format struct{ Format int }
	if err := json.Unmarshal(raw, &format); err != nil {
		return nil, err
	}
	switch format.Format {
	case 2, storeFormat:
		return raw, nil
	case 0:
		return upgradeFormat1(raw)
	}
	return nil, fmt.Errorf("format %d is unknown; this version writes format %d", format.Format, storeFormat)
}

func upgradeFormat1(raw []byte) ([]byte, error) {
	var old map[string]json.RawMessage
	if err := json.Unmarshal(raw, &old); err != nil {
		return nil, err
	}
	renamed := map[string]any{"Format": storeFormat}
	for name, rows := range old {
		if to, ok := format1Tables[name]; ok {
			name = to
		}
		rename := renameFields
		if name == "IdempotentResponses" {
			rename = renameValues
		}
		upgraded, err := rename(rows, format1Fields[name])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		renamed[name] = upgraded
	}
	return marshalPlain(renamed)
}

// renameFields renames the fields of a stored value and of everything in it. The contents of
// opaqueFields keep their bytes.
func renameFields(raw json.RawMessage, names map[string]string) (json.RawMessage, error) {
	switch {
	case bytes.HasPrefix(raw, []byte("[")):
		var elements []json.RawMessage
		if err := json.Unmarshal(raw, &elements); err != nil {
			return nil, err
		}
		for i, element := range elements {
			var err error
			if elements[i], err = renameFields(element, names); err != nil {
				return nil, err
			}
		}
		return marshalPlain(elements)
	case bytes.HasPrefix(raw, []byte("{")):
		return renameObject(raw, names)
	}
	return raw, nil
}

func renameObject(raw json.RawMessage, names map[string]string) (json.RawMessage, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, err
	}
	renamed := make(map[string]json.RawMessage, len(fields))
	for name, value := range fields {
		if to, ok := names[name]; ok {
			name = to
		}
		if !opaqueFields[name] {
			var err error
			if value, err = renameFields(value, names); err != nil {
				return nil, err
			}
		}
		renamed[name] = value
	}
	return marshalPlain(renamed)
}

// renameValues renames the fields of the values of a map whose keys come from clients.
func renameValues(raw json.RawMessage, names map[string]string) (json.RawMessage, error) {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(raw, &values); err != nil {
		return nil, err
	}
	for key, value := range values {
		var err error
		if values[key], err = renameFields(value, names); err != nil {
			return nil, err
		}
	}
	return marshalPlain(values)
}

// marshalPlain marshals v without escaping <, > and &, so that raw values keep their bytes.
func marshalPlain(v any) (json.RawMessage, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// opaqueFields are fields, by their current names, whose keys are not fields of this package:
// metadata and rendered objects.
var opaqueFields = setOf([]string{"Metadata", "Object", "PreviousAttributes", "Evidence", "RenderedFlow", "SubscriptionMetadata", "PaymentIntentMetadata"})

// format1Tables maps the table names of format 1 to the current ones.
var format1Tables = map[string]string{
	"Answers":       "IdempotentResponses",
	"Endpoints":     "WebhookEndpoints",
	"Items":         "SubscriptionItems",
	"PortalConfigs": "PortalConfigurations",
	"Schedules":     "SubscriptionSchedules",
	"Sessions":      "CheckoutSessions",
}

// format1Fields maps the field names of format 1 to the current ones, by the current name of their
// table. Fields of nested values are listed with the table.
var format1Fields = map[string]map[string]string{
	"Charges": {
		"DisputeDue": "DisputePending", "Released": "ReleasedAmount",
	},
	"CheckoutSessions": {
		"BillingAddress": "BillingAddressCollection", "FutureUsage": "SetupFutureUsage",
		"IntentDescription": "PaymentIntentDescription", "IntentMetadata": "PaymentIntentMetadata",
		"IntentReceipt": "PaymentIntentReceiptEmail", "IntentShipping": "PaymentIntentShipping",
		"Lines": "LineItems", "MaxRedeemed": "MaxRedemptions",
		"MethodCollection": "PaymentMethodCollection", "MethodTypes": "PaymentMethodTypes",
		"Months": "DurationInMonths", "PhoneCollection": "PhoneNumberCollection",
		"Products": "AppliesToProducts", "SettlesAt": "BankDebitSettlesAt",
		"SubDescription": "SubscriptionDescription", "SubMetadata": "SubscriptionMetadata",
		"SubMissingMethod": "MissingPaymentMethod", "SubTrialDays": "TrialPeriodDays",
		"SubTrialEnd": "TrialEnd",
	},
	"Coupons": {
		"MaxRedeemed": "MaxRedemptions", "Months": "DurationInMonths",
		"Products": "AppliesToProducts",
	},
	"CreditNotes": {
		"Balance": "CreditAmount", "Kind": "Type", "OutOfBand": "OutOfBandAmount",
		"RefundSum": "RefundAmount",
	},
	"Customers": {
		"Footer": "InvoiceFooter", "Locales": "PreferredLocales",
		"NextInvoice": "NextInvoiceSequence",
	},
	"Deliveries": {
		"NextAt": "NextAttemptAt",
	},
	"Disputes": {
		"Deadline": "DueBy", "Inquiry": "IsInquiry", "Submissions": "SubmissionCount",
	},
	"Events": {
		"Pending": "PendingWebhooks", "Previous": "PreviousAttributes",
	},
	"IdempotentResponses": {
		"At": "StoredAt",
	},
	"InvoiceItems": {
		"Undiscountable": "NotDiscountable",
	},
	"Invoices": {
		"CreditedAfter":  "PostPaymentCreditNotesAmount",
		"CreditedBefore": "PrePaymentCreditNotesAmount", "DefaultMethod": "DefaultPaymentMethod",
		"DeliveredAt": "WebhooksDeliveredAt", "Descriptor": "StatementDescriptor",
		"FinalizesAt": "AutomaticallyFinalizesAt", "FirstRefusal": "FirstDeclineAt", "Kind": "Type",
		"MaxRedeemed": "MaxRedemptions", "MethodTypes": "PaymentMethodTypes",
		"Months": "DurationInMonths", "NextAttempt": "NextPaymentAttempt",
		"OverdueTold": "OverdueSent", "Products": "AppliesToProducts",
		"RefusedMethod": "DeclinedMethod", "Retries": "RetryCount",
		"SubMetadata": "SubscriptionMetadata", "SubProrationDate": "SubscriptionProrationDate",
		"UncollectibleAt": "MarkedUncollectibleAt", "Undiscountable": "NotDiscountable",
	},
	"PaymentIntents": {
		"Automatic": "AutomaticPaymentMethods", "CancelReason": "CancellationReason",
		"Descriptor": "StatementDescriptor", "DescriptorSuffix": "StatementDescriptorSuffix",
		"LastCharge": "LatestCharge", "LastError": "LastPaymentError", "Redirects": "AllowRedirects",
		"Secret": "ClientSecret", "Session": "CheckoutSession",
	},
	"PaymentMethods": {
		"Bank": "IsBankAccount", "Redisplay": "AllowRedisplay", "Spent": "Consumed",
	},
	"PortalConfigurations": {
		"Cancel": "SubscriptionCancel", "CancelReasons": "CancellationReason",
		"CustomerUpdates": "CustomerAllowedUpdates", "Invoices": "InvoiceHistory",
		"ReasonOptions": "CancellationReasonOptions", "Switch": "SubscriptionUpdate",
		"SwitchProducts": "UpdateProducts", "SwitchProration": "UpdateProration",
		"SwitchUpdates": "DefaultAllowedUpdates", "UpdateCustomer": "CustomerUpdate",
		"UpdateMethod": "PaymentMethodUpdate",
	},
	"PortalSessions": {
		"Done": "Completed", "FlowShown": "RenderedFlow",
	},
	"Prices": {
		"Decimal": "UnitAmountDecimal",
	},
	"Products": {
		"Features": "MarketingFeatures", "Statement": "StatementDescriptor",
	},
	"PromotionCodes": {
		"FirstTime": "FirstTimeTransaction", "MaxRedeemed": "MaxRedemptions",
		"Minimum": "MinimumAmount", "MinimumIn": "MinimumAmountCurrency",
	},
	"SetupIntents": {
		"Automatic": "AutomaticPaymentMethods", "CancelReason": "CancellationReason",
		"LastError": "LastSetupError", "LastMethod": "LastErrorMethod", "Redirects": "AllowRedirects",
		"Secret": "ClientSecret", "Session": "CreatedBySession",
	},
	"SubscriptionSchedules": {
		"Current": "CurrentPhase", "DefaultMethod": "DefaultPaymentMethod", "End": "EndDate",
		"Proration": "ProrationBehavior", "Released": "ReleasedSubscription", "Start": "StartDate",
	},
	"Subscriptions": {
		"CancelComment": "CancellationComment", "CancelFeedback": "CancellationFeedback",
		"CancelReason": "CancellationReason", "FreeStub": "FreeFirstPeriod",
		"FromCheckout": "CheckoutSession", "MaxRedeemed": "MaxRedemptions",
		"MethodTypes": "PaymentMethodTypes", "MissingMethod": "MissingPaymentMethod",
		"Months": "DurationInMonths", "PendingSetup": "PendingSetupIntent",
		"Products": "AppliesToProducts", "ResumeBy": "ResumeExpiresAt",
		"SaveDefault": "SaveDefaultPaymentMethod", "Told": "AttemptFailed",
		"TrialWarned": "TrialWillEndSent", "UpcomingTold": "UpcomingSentFor",
	},
	"TestClocks": {
		"Frozen": "FrozenTime", "Target": "TargetTime",
	},
	"WebhookEndpoints": {
		"Events": "EnabledEvents", "Expires": "ExpiresAt", "Version": "APIVersion",
	},
}
