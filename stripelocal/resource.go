package stripelocal

import "usher/stripelocal/wire"

// resource is one row of the table of everything the API has. To add one,
// write its file and name it here; its table stands in state.go.
type resource struct {
	objectType     string           // as references name it
	routes         []route          // none for what is only ever referred to
	render         renderByID       // nil where nothing refers to it
	scheduleTimers func(r *request) // sets the timers of loaded rows; may be nil
}

type renderByID func(r *request, id string) (wire.Object, bool)

// route is one call: "METHOD /v1/path/{id}", the parameters it takes beside
// expand[] (see shape), and what it does.
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
		paymentIntentResource(),
		setupIntentResource(),
		tokenResource(),
		cardResource(),
		paymentPageResource(),
		searchResource(),
		chargeResource(),
		refundResource(),
		disputeResource(),
		creditNoteResource(),
		portalConfigurationResource(),
		portalSessionResource(),
		couponResource(),
		promotionCodeResource(),
		discountResource(),
		taxIDResource(),
		eventResource(),
		webhookEndpointResource(),
	}
}

// finder turns a table and its rendering into what references need.
func finder[T row](table func(*store) *table[T], render func(*request, T) wire.Object) renderByID {
	return func(r *request, id string) (wire.Object, bool) {
		found, ok := table(r.store).get(id)
		if !ok {
			return nil, false
		}
		return render(r, found), true
	}
}

// handler is a type that handles one resource, one lifecycle or one set of
// pages within a request.
type handler interface{ ~struct{ *request } }

// bind makes a handler's method a function of the request.
func bind[H handler, A, R any](do func(H, A) R) func(*request, A) R {
	return func(r *request, arg A) R { return do(H{r}, arg) }
}

// on is a route that a handler's method serves.
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
