package handlers

import (
	"net/http"
	"slices"
	"strings"
)

// responseType is the shape of a route's answers, its errors included.
type responseType int

const (
	page      responseType = iota // HTML for people; a fragment where htmx asks
	api                           // JSON with a session
	stateless                     // JSON without one
	asset                         // a file
)

// route is one line of the map.
type route struct {
	method   string
	pattern  string
	policy   policy
	response responseType
	handler  handlerFunc
	// signedOut answers instead of the log-in page where nobody is signed in.
	signedOut handlerFunc
	// afterDeletion tells that it can be entered by way of an organization that was deleted.
	afterDeletion bool
	// limits bound how often it may be asked, where limits are on.
	limits []rateLimit
}

// handlerFunc answers a request or returns why it can't; [server.fail] makes an answer of the error.
type handlerFunc func(w http.ResponseWriter, r *http.Request) error

const (
	get  = http.MethodGet
	post = http.MethodPost
)

// routes is the whole map.
func (s *server) routes() []route {
	all := []route{
		{method: get, pattern: "/{$}", policy: public, handler: s.showHome},
		{method: get, pattern: "/pricing", policy: public, handler: s.showPricing},

		{method: get, pattern: "/signup", policy: public, handler: s.showSignUp},
		{method: post, pattern: "/signup", policy: public, handler: s.createAccount, limits: []rateLimit{signUps}},
		{method: get, pattern: "/login", policy: public, handler: s.showLogIn},
		{method: post, pattern: "/login", policy: public, handler: s.logIn, limits: []rateLimit{logInsByIP, logInsByEmail}},
		{method: post, pattern: "/logout", policy: public, handler: s.logOut},
		{method: get, pattern: "/forgot", policy: public, handler: s.showForgot},
		{method: post, pattern: "/forgot", policy: public, handler: s.requestRecovery, limits: []rateLimit{passwordResets}},
		{method: get, pattern: "/reset/{token}", policy: public, handler: s.showReset},
		{method: post, pattern: "/reset/{token}", policy: public, handler: s.resetPassword, limits: []rateLimit{tokenAttempts}},
		{method: get, pattern: "/verify/{token}", policy: public, handler: s.verifyEmail, limits: []rateLimit{tokenAttempts}},

		{method: get, pattern: "/settings", policy: signedIn, handler: s.showSettings},
		{method: post, pattern: "/settings/profile", policy: signedIn, handler: s.renameUser},
		{method: post, pattern: "/settings/password", policy: signedIn, handler: s.changePassword},
		{method: post, pattern: "/settings/delete", policy: signedIn, handler: s.deleteAccount, limits: []rateLimit{logInsByIP}},
		{method: post, pattern: "/settings/sessions/end", policy: signedIn, handler: s.endOtherSessions},
		{method: get, pattern: "/invite/{token}", policy: public, handler: s.showInvitation},
		{method: post, pattern: "/invite/{token}", policy: public, handler: s.acceptInvitation, limits: []rateLimit{tokenAttempts}},

		{method: get, pattern: "/dashboard", policy: member, handler: s.showDashboard},
		{method: get, pattern: "/organization", policy: member, handler: s.showOrganization},
		{method: post, pattern: "/organization/switch", policy: signedIn, handler: s.switchOrganization},
		{method: post, pattern: "/organization", policy: memberAdmin, handler: s.renameOrganization},
		{method: post, pattern: "/organization/leave", policy: member, handler: s.leaveOrganization},
		{method: post, pattern: "/organization/handover", policy: memberAdmin, handler: s.handOver},
		{method: post, pattern: "/organization/delete", policy: memberAdmin, handler: s.deleteOrganization},
		{method: post, pattern: "/organization/keep", policy: memberAdmin, handler: s.keepOrganization},
		{method: post, pattern: "/organization/invitations", policy: memberAdmin, handler: s.createInvitation, limits: []rateLimit{newInvitations}},
		{method: post, pattern: "/organization/invitations/{id}/resend", policy: memberAdmin, handler: s.resendInvitation},
		{method: post, pattern: "/organization/invitations/{id}/revoke", policy: memberAdmin, handler: s.revokeInvitation},
		{method: get, pattern: "/organization/members/{id}", policy: memberAdmin, handler: s.showMember},
		{method: post, pattern: "/organization/members/{id}", policy: memberAdmin, handler: s.changeMember},
		{method: post, pattern: "/organization/members/{id}/remove", policy: memberAdmin, handler: s.removeMember},
		{method: post, pattern: "/organization/roles", policy: memberAdmin, handler: s.createRole},
		{method: get, pattern: "/organization/roles/{id}", policy: memberAdmin, handler: s.showRole},
		{method: post, pattern: "/organization/roles/{id}", policy: memberAdmin, handler: s.changeRole},
		{method: post, pattern: "/organization/roles/{id}/delete", policy: memberAdmin, handler: s.deleteRole},
		{method: get, pattern: "/organization/contacts", policy: billingAdmin, handler: s.showContacts},
		{method: post, pattern: "/organization/contacts", policy: billingAdmin, handler: s.addContact},
		{method: post, pattern: "/organization/contacts/remove", policy: billingAdmin, handler: s.removeContact},
		{method: post, pattern: "/organization/notices", policy: billingAdmin, handler: s.chooseNotices},
		{method: get, pattern: "/organization/seats", policy: member, handler: s.showSeats},
		{method: post, pattern: "/organization/seats/retry", policy: billingAdmin, handler: s.retrySeats, limits: []rateLimit{seatRetries}},
		{method: post, pattern: "/organization/seats/undo", policy: memberAdmin, handler: s.undoSeats},

		{method: post, pattern: "/billing/checkout", policy: billingAdmin, handler: s.createCheckout, signedOut: s.rememberChoice, limits: []rateLimit{checkoutStarts}},
		{method: post, pattern: "/billing/portal", policy: billingAdmin, handler: s.createPortal, limits: []rateLimit{portalSessions}},
		{method: post, pattern: "/billing/cancel", policy: billingAdmin, handler: s.cancelPlan, limits: []rateLimit{portalSessions}},
		{method: post, pattern: "/billing/resume", policy: billingAdmin, handler: s.resumePlan, limits: []rateLimit{portalSessions}},
		{method: post, pattern: "/billing/resync", policy: billingAdmin, handler: s.resync},

		{method: get, pattern: "/billing/invoices", policy: billingAdmin, afterDeletion: true, handler: s.showInvoices},
		{method: get, pattern: "/billing/invoices/{id}", policy: billingAdmin, afterDeletion: true, handler: s.openInvoice},
		{method: get, pattern: "/billing/credits", policy: member, handler: s.showCredits},
		{method: get, pattern: "/billing/seats.csv", policy: member, handler: s.sendSeatLedger},

		{method: get, pattern: "/admin", policy: operator, handler: redirectTo("/admin/events")},
		{method: get, pattern: "/admin/events", policy: operator, handler: s.showEvents},
		{method: get, pattern: "/admin/events/{id}", policy: operator, handler: s.showEvent},
		{method: post, pattern: "/admin/events/{id}/replay", policy: operator, handler: s.replayEvent},
		{method: get, pattern: "/admin/drift", policy: operator, handler: s.showDrift},
		{method: get, pattern: "/admin/drift.json", policy: operator, response: api, handler: s.getDrift},
		{method: get, pattern: "/admin/organizations", policy: operator, handler: s.showOrganizations},
		{method: get, pattern: "/admin/organizations/{id}", policy: operator, handler: s.showOrganizationFile},
		{method: post, pattern: "/admin/organizations/{id}/compare", policy: operator, handler: s.compareOrganization},
		{method: get, pattern: "/admin/jobs", policy: operator, handler: s.showJobs},

		{method: get, pattern: "/api/v1/entitlements", policy: member, response: api, handler: s.getEntitlements},
		{method: post, pattern: "/api/v1/credits/consume", policy: member, response: api, handler: s.consumeCredits},

		{method: get, pattern: "/billing/getSummary", policy: member, response: api, handler: s.getSummary},
		{method: post, pattern: "/billing/createSubscriptionCheckout", policy: billingAdmin, response: api, handler: s.createSubscriptionCheckout, limits: []rateLimit{checkoutStarts}},
		{method: post, pattern: "/billing/createCustomerPortal", policy: billingAdmin, response: api, handler: s.createCustomerPortal, limits: []rateLimit{portalSessions}},
		{method: post, pattern: "/billing/retrySeatSync", policy: billingAdmin, response: api, handler: s.retrySeatSync, limits: []rateLimit{seatRetries}},

		{method: post, pattern: "/stripe/webhook", policy: webhook, response: stateless, handler: s.receiveEvent},
		{method: post, pattern: "/stripe-webhook", policy: webhook, response: stateless, handler: s.receiveEvent},

		{method: get, pattern: "/healthz", policy: public, response: stateless, handler: s.showHealth},
		{method: get, pattern: "/readyz", policy: public, response: stateless, handler: s.showReadiness},
		{method: get, pattern: "/metrics", policy: metricsToken, response: stateless, handler: s.sendMetrics},
		{method: get, pattern: "/static/", policy: public, response: asset, handler: s.sendAsset},
	}
	if s.development {
		all = append(all, route{method: get, pattern: "/dev/ui", policy: public, handler: showGallery})
	}
	if s.mailPage {
		all = append(all, route{method: get, pattern: "/dev/mail", policy: public, handler: s.showMail})
	}
	if s.development && s.clock != nil {
		all = append(all,
			route{method: get, pattern: "/dev/clock", policy: public, handler: s.showClock},
			route{method: post, pattern: "/dev/clock", policy: public, handler: s.advanceClock})
	}
	return all
}

// mux serves the map, and answers for what is not on it in the shape its neighbours have.
func (s *server) mux() *http.ServeMux {
	mux := http.NewServeMux()
	methods := map[string][]string{}
	shape := map[string]responseType{}
	for _, rt := range s.routes() {
		mux.Handle(rt.method+" "+rt.pattern, s.serve(rt))
		methods[rt.pattern] = append(methods[rt.pattern], rt.method)
		shape[rt.pattern] = rt.response
	}
	for pattern, allowed := range methods {
		mux.Handle(pattern, s.serve(route{pattern: pattern, policy: public, response: shape[pattern], handler: refuseMethod(allowed)}))
	}
	mux.Handle("/", s.serve(route{pattern: "/", policy: public, handler: showNotFound}))
	mux.Handle("/api/", s.serve(route{pattern: "/api/", policy: public, response: api, handler: showNotFound}))
	return mux
}

func refuseMethod(allowed []string) handlerFunc {
	if slices.Contains(allowed, get) {
		allowed = append(slices.Clone(allowed), http.MethodHead)
	}
	header := strings.Join(allowed, ", ")
	return func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Allow", header)
		return errMethod
	}
}

// showNotFound answers for every other address, in JSON where the caller takes nothing else.
func showNotFound(_ http.ResponseWriter, r *http.Request) error {
	accept := r.Header.Get("Accept")
	if strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html") {
		stateOf(r).response = api
	}
	return errPageNotFound
}
