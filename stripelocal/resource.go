package stripelocal

import "usher/stripelocal/wire"

// resource is an object type of the API. To add one, write its file, list it here and add its table
// to store.go.
type resource struct {
	objectType     string           // as in references
	routes         []route          // empty for types that are only referenced
	render         renderFunc       // nil if it cannot be expanded
	scheduleTimers func(r *request) // schedules the timers of loaded rows; may be nil
}

type renderFunc func(r *request, id string) (wire.Object, bool)

// route is one API call: "METHOD /v1/path/{id}", its parameters besides expand[] (see wire.Schema)
// and its handler.
type route struct {
	pattern string
	params  string
	do      func(r *request, in *input) (any, error)
}

func resources() []resource {
	return []resource{
		accountResource(),
		testClockResource(),
		customerResource(),
		customerBalanceResource(),
		productResource(),
		priceResource(),
		paymentMethodResource(),
		checkoutSessionResource(),
		subscriptionResource(),
		subscriptionItemResource(),
		scheduleResource(),
		planResource(),
		invoiceResource(),
		invoiceItemResource(),
		invoicePaymentResource(),
		paymentIntentResource(),
		setupIntentResource(),
		tokenResource(),
		cardResource(),
		paymentPageResource(),
		searchResource(),
		balanceTransactionResource(),
		chargeResource(),
		fraudWarningResource(),
		refundResource(),
		disputeResource(),
		creditNoteResource(),
		portalConfigurationResource(),
		portalSessionResource(),
		couponResource(),
		promotionCodeResource(),
		discountResource(),
		taxIDResource(),
		taxRateResource(),
		taxSettingsResource(),
		eventResource(),
		entitlementFeatureResource(),
		productFeatureResource(),
		entitlementResource(),
		meterResource(),
		meterEventResource(),
		usageRecordResource(),
		billingAlertResource(),
		quoteResource(),
		paymentLinkResource(),
		setupAttemptResource(),
		payoutResource(),
		topupResource(),
		taxCalculationResource(),
		taxTransactionResource(),
		taxRegistrationResource(),
		taxCodeResource(),
		radarValueListResource(),
		radarValueListItemResource(),
		countrySpecResource(),
		paymentMethodDomainResource(),
		applePayDomainResource(),
		paymentMethodConfigurationResource(),
		customerSessionResource(),
		ephemeralKeyResource(),
		confirmationTokenResource(),
		fileResource(),
		fileLinkResource(),
		cashBalanceResource(),
		cashTransactionResource(),
		shippingRateResource(),
		mandateResource(),
		reviewResource(),
		webhookEndpointResource(),
		cliSessionResource(),
	}
}

// renderFrom makes a renderer by id from a table and a row renderer.
func renderFrom[T row](table func(*store) *table[T], render func(*request, T) wire.Object) renderFunc {
	return func(r *request, id string) (wire.Object, bool) {
		found, ok := table(r.store).get(id)
		if !ok {
			return nil, false
		}
		return render(r, found), true
	}
}

// handler is a handler type: one resource, one lifecycle or one set of pages.
type handler interface{ ~struct{ *request } }

// bind makes a function of the request from a handler's method.
func bind[H handler, A, R any](do func(H, A) R) func(*request, A) R {
	return func(r *request, arg A) R { return do(H{r}, arg) }
}

// on is a route that is served by a handler's method.
func on[H handler](pattern, params string, do func(H, *input) (any, error)) route {
	return route{pattern, params, func(r *request, in *input) (any, error) { return do(H{r}, in) }}
}

func setOf(words []string) map[string]bool {
	set := map[string]bool{}
	for _, w := range words {
		set[w] = true
	}
	return set
}
