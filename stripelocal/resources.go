package stripelocal

// resource is one row of the table of everything the API has. To add one,
// write its file and name it here; its table stands in state.go.
type resource struct {
	kind   string       // as references name it
	routes []route      // none for what is only ever referred to
	render renderByID   // nil where nothing refers to it
	arm    func(a *act) // sets the timers of loaded rows; may be nil
}

type renderByID func(a *act, id string) (object, bool)

// route is one call: "METHOD /v1/path/{id}", the parameters it takes beside
// expand[] (see shape), and what it does.
type route struct {
	pattern string
	params  string
	do      func(a *act, in *input) (any, error)
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
func finder[T row](table func(*state) *table[T], render func(*act, T) object) renderByID {
	return func(a *act, id string) (object, bool) {
		r, ok := table(a.state).get(id)
		if !ok {
			return nil, false
		}
		return render(a, r), true
	}
}
