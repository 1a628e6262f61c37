package stripelocal

// handlers are all handlers of one request, so that each can use the others.
type handlers struct {
	accounts             accounts
	authenticationPages  authenticationPages
	charges              charges
	checkoutPages        checkoutPages
	checkoutPayments     checkoutPayments
	checkoutSessions     checkoutSessions
	coupons              coupons
	creditNotes          creditNotes
	customers            customers
	dashboardPages       dashboardPages
	deliveries           deliveries
	discounts            discounts
	disputes             disputes
	dunning              dunning
	events               events
	invoiceItems         invoiceItems
	invoicePages         invoicePages
	invoices             invoices
	invoicing            invoicing
	paymentIntents       paymentIntents
	paymentMethods       paymentMethods
	paymentPages         paymentPages
	pendingUpdates       pendingUpdates
	portalConfigurations portalConfigurations
	portalPages          portalPages
	portalSessions       portalSessions
	portalUpdatePages    portalUpdatePages
	previews             previews
	prices               prices
	products             products
	promotionCodes       promotionCodes
	prorations           prorations
	refunds              refunds
	renewals             renewals
	schedules            schedules
	setupIntents         setupIntents
	sources              sources
	subscriptionChanges  subscriptionChanges
	subscriptionItems    subscriptionItems
	subscriptions        subscriptions
	taxIDs               taxIDs
	testClocks           testClocks
	tokens               tokens
	trials               trials
	webhookEndpoints     webhookEndpoints
}

func handlersOf(r *request) handlers {
	return handlers{
		accounts:             accounts{r},
		authenticationPages:  authenticationPages{r},
		charges:              charges{r},
		checkoutPages:        checkoutPages{r},
		checkoutPayments:     checkoutPayments{r},
		checkoutSessions:     checkoutSessions{r},
		coupons:              coupons{r},
		creditNotes:          creditNotes{r},
		customers:            customers{r},
		dashboardPages:       dashboardPages{r},
		deliveries:           deliveries{r},
		discounts:            discounts{r},
		disputes:             disputes{r},
		dunning:              dunning{r},
		events:               events{r},
		invoiceItems:         invoiceItems{r},
		invoicePages:         invoicePages{r},
		invoices:             invoices{r},
		invoicing:            invoicing{r},
		paymentIntents:       paymentIntents{r},
		paymentMethods:       paymentMethods{r},
		paymentPages:         paymentPages{r},
		pendingUpdates:       pendingUpdates{r},
		portalConfigurations: portalConfigurations{r},
		portalPages:          portalPages{r},
		portalSessions:       portalSessions{r},
		portalUpdatePages:    portalUpdatePages{r},
		previews:             previews{r},
		prices:               prices{r},
		products:             products{r},
		promotionCodes:       promotionCodes{r},
		prorations:           prorations{r},
		refunds:              refunds{r},
		renewals:             renewals{r},
		schedules:            schedules{r},
		setupIntents:         setupIntents{r},
		sources:              sources{r},
		subscriptionChanges:  subscriptionChanges{r},
		subscriptionItems:    subscriptionItems{r},
		subscriptions:        subscriptions{r},
		taxIDs:               taxIDs{r},
		testClocks:           testClocks{r},
		tokens:               tokens{r},
		trials:               trials{r},
		webhookEndpoints:     webhookEndpoints{r},
	}
}

type (
	accounts             struct{ *request }
	authenticationPages  struct{ *request }
	charges              struct{ *request }
	checkoutPages        struct{ *request }
	checkoutPayments     struct{ *request }
	checkoutSessions     struct{ *request }
	coupons              struct{ *request }
	creditNotes          struct{ *request }
	customers            struct{ *request }
	dashboardPages       struct{ *request }
	deliveries           struct{ *request }
	discounts            struct{ *request }
	disputes             struct{ *request }
	dunning              struct{ *request }
	events               struct{ *request }
	invoiceItems         struct{ *request }
	invoicePages         struct{ *request }
	invoices             struct{ *request }
	invoicing            struct{ *request }
	paymentIntents       struct{ *request }
	paymentMethods       struct{ *request }
	paymentPages         struct{ *request }
	pendingUpdates       struct{ *request }
	portalConfigurations struct{ *request }
	portalPages          struct{ *request }
	portalSessions       struct{ *request }
	portalUpdatePages    struct{ *request }
	previews             struct{ *request }
	prices               struct{ *request }
	products             struct{ *request }
	promotionCodes       struct{ *request }
	prorations           struct{ *request }
	refunds              struct{ *request }
	renewals             struct{ *request }
	schedules            struct{ *request }
	setupIntents         struct{ *request }
	sources              struct{ *request }
	subscriptionChanges  struct{ *request }
	subscriptionItems    struct{ *request }
	subscriptions        struct{ *request }
	taxIDs               struct{ *request }
	testClocks           struct{ *request }
	tokens               struct{ *request }
	trials               struct{ *request }
	webhookEndpoints     struct{ *request }
)
