package handlers

import (
	"net/http"
	"slices"
	"strings"
)

// need is what a route asks of whoever calls it. The zero value is no answer: such a route lets nobody in, and a test fails.
type need int

const (
	undeclared   need = iota
	public            // anybody
	signedIn          // somebody
	member            // somebody in the organization they work in
	billingAdmin      // a member who may manage billing
	memberAdmin       // a member who may manage members
	operator          // somebody who runs this installation, whatever organization they are in
	metricsToken      // who has METRICS_TOKEN, which the handler has checked; no session
	webhook           // Stripe, by its signature, which the handler has checked; no session
)

// form is the shape of a route's answers, its errors included.
type form int

const (
	page    form = iota // HTML for people; a fragment where htmx asks
	api                 // JSON with a session
	machine             // JSON without one
	asset               // a file
)

// route is one line of the map.
type route struct {
	method  string
	pattern string
	needs   need
	form    form
	handler handlerFunc
	// signedOut answers instead of the log-in page where nobody is signed in.
	signedOut handlerFunc
	// afterDeletion tells that it can be entered by way of an organization that was deleted.
	afterDeletion bool
	// limits bound how often it may be asked, where limits are on.
	limits []limit
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
		{method: get, pattern: "/{$}", needs: public, handler: s.showHome},
		{method: get, pattern: "/pricing", needs: public, handler: s.showPricing},

		{method: get, pattern: "/signup", needs: public, handler: s.showSignUp},
		{method: post, pattern: "/signup", needs: public, handler: s.createAccount, limits: []limit{signUps}},
		{method: get, pattern: "/login", needs: public, handler: s.showLogIn},
		{method: post, pattern: "/login", needs: public, handler: s.logIn, limits: []limit{logInByAddress, logInByEmail}},
		{method: post, pattern: "/logout", needs: public, handler: s.logOut},
		{method: get, pattern: "/forgot", needs: public, handler: s.showForgot},
		{method: post, pattern: "/forgot", needs: public, handler: s.requestRecovery, limits: []limit{recoveries}},
		{method: get, pattern: "/reset/{token}", needs: public, handler: s.showReset},
		{method: post, pattern: "/reset/{token}", needs: public, handler: s.resetPassword, limits: []limit{tokens}},
		{method: get, pattern: "/verify/{token}", needs: public, handler: s.verifyEmail, limits: []limit{tokens}},

		{method: get, pattern: "/settings", needs: signedIn, handler: s.showSettings},
		{method: post, pattern: "/settings/profile", needs: signedIn, handler: s.renameUser},
		{method: post, pattern: "/settings/password", needs: signedIn, handler: s.changePassword},
		{method: post, pattern: "/settings/delete", needs: signedIn, handler: s.deleteAccount, limits: []limit{logInByAddress}},
		{method: post, pattern: "/settings/sessions/end", needs: signedIn, handler: s.endOtherSessions},
		{method: get, pattern: "/invite/{token}", needs: public, handler: s.showInvitation},
		{method: post, pattern: "/invite/{token}", needs: public, handler: s.acceptInvitation, limits: []limit{tokens}},

		{method: get, pattern: "/dashboard", needs: member, handler: s.showDashboard},
		{method: get, pattern: "/organization", needs: member, handler: s.showOrganization},
		{method: post, pattern: "/organization/switch", needs: signedIn, handler: s.switchOrganization},
		{method: post, pattern: "/organization", needs: memberAdmin, handler: s.renameOrganization},
		{method: post, pattern: "/organization/leave", needs: member, handler: s.leaveOrganization},
		{method: post, pattern: "/organization/handover", needs: memberAdmin, handler: s.handOver},
		{method: post, pattern: "/organization/delete", needs: memberAdmin, handler: s.deleteOrganization},
		{method: post, pattern: "/organization/keep", needs: memberAdmin, handler: s.keepOrganization},
		{method: post, pattern: "/organization/invitations", needs: memberAdmin, handler: s.createInvitation, limits: []limit{invitations}},
		{method: post, pattern: "/organization/invitations/{id}/resend", needs: memberAdmin, handler: s.resendInvitation},
		{method: post, pattern: "/organization/invitations/{id}/revoke", needs: memberAdmin, handler: s.revokeInvitation},
		{method: get, pattern: "/organization/members/{id}", needs: memberAdmin, handler: s.showMember},
		{method: post, pattern: "/organization/members/{id}", needs: memberAdmin, handler: s.changeMember},
		{method: post, pattern: "/organization/members/{id}/remove", needs: memberAdmin, handler: s.removeMember},
		{method: post, pattern: "/organization/roles", needs: memberAdmin, handler: s.createRole},
		{method: get, pattern: "/organization/roles/{id}", needs: memberAdmin, handler: s.showRole},
		{method: post, pattern: "/organization/roles/{id}", needs: memberAdmin, handler: s.changeRole},
		{method: post, pattern: "/organization/roles/{id}/delete", needs: memberAdmin, handler: s.deleteRole},
		{method: get, pattern: "/organization/contacts", needs: billingAdmin, handler: s.showContacts},
		{method: post, pattern: "/organization/contacts", needs: billingAdmin, handler: s.addContact},
		{method: post, pattern: "/organization/contacts/remove", needs: billingAdmin, handler: s.removeContact},
		{method: post, pattern: "/organization/notices", needs: billingAdmin, handler: s.chooseNotices},
		{method: get, pattern: "/organization/seats", needs: member, handler: s.showSeats},
		{method: post, pattern: "/organization/seats/retry", needs: billingAdmin, handler: s.retrySeats, limits: []limit{seatRetries}},
		{method: post, pattern: "/organization/seats/undo", needs: memberAdmin, handler: s.undoSeats},

		{method: post, pattern: "/billing/checkout", needs: billingAdmin, handler: s.createCheckout, signedOut: s.rememberChoice, limits: []limit{checkouts}},
		{method: post, pattern: "/billing/portal", needs: billingAdmin, handler: s.createPortal, limits: []limit{portals}},
		{method: post, pattern: "/billing/cancel", needs: billingAdmin, handler: s.cancelPlan, limits: []limit{portals}},
		{method: post, pattern: "/billing/resume", needs: billingAdmin, handler: s.resumePlan, limits: []limit{portals}},
		{method: post, pattern: "/billing/resync", needs: billingAdmin, handler: s.resync},

		{method: get, pattern: "/billing/invoices", needs: billingAdmin, afterDeletion: true, handler: s.showInvoices},
		{method: get, pattern: "/billing/invoices/{id}", needs: billingAdmin, afterDeletion: true, handler: s.openInvoice},
		{method: get, pattern: "/billing/credits", needs: member, handler: s.showCredits},
		{method: get, pattern: "/billing/seats.csv", needs: member, handler: s.sendSeatLedger},

		{method: get, pattern: "/admin", needs: operator, handler: redirectTo("/admin/events")},
		{method: get, pattern: "/admin/events", needs: operator, handler: s.showEvents},
		{method: get, pattern: "/admin/events/{id}", needs: operator, handler: s.showEvent},
		{method: post, pattern: "/admin/events/{id}/replay", needs: operator, handler: s.replayEvent},
		{method: get, pattern: "/admin/drift", needs: operator, handler: s.showDrift},
		{method: get, pattern: "/admin/drift.json", needs: operator, form: api, handler: s.getDrift},
		{method: get, pattern: "/admin/organizations", needs: operator, handler: s.showOrganizations},
		{method: get, pattern: "/admin/organizations/{id}", needs: operator, handler: s.showOrganizationFile},
		{method: post, pattern: "/admin/organizations/{id}/compare", needs: operator, handler: s.compareOrganization},
		{method: get, pattern: "/admin/jobs", needs: operator, handler: s.showJobs},

		{method: get, pattern: "/api/v1/entitlements", needs: member, form: api, handler: s.getEntitlements},
		{method: post, pattern: "/api/v1/credits/consume", needs: member, form: api, handler: s.consumeCredits},

		{method: get, pattern: "/billing/getSummary", needs: member, form: api, handler: s.getSummary},
		{method: post, pattern: "/billing/createSubscriptionCheckout", needs: billingAdmin, form: api, handler: s.createSubscriptionCheckout, limits: []limit{checkouts}},
		{method: post, pattern: "/billing/createCustomerPortal", needs: billingAdmin, form: api, handler: s.createCustomerPortal, limits: []limit{portals}},
		{method: post, pattern: "/billing/retrySeatSync", needs: billingAdmin, form: api, handler: s.retrySeatSync, limits: []limit{seatRetries}},

		{method: post, pattern: "/stripe/webhook", needs: webhook, form: machine, handler: s.receiveEvent},
		{method: post, pattern: "/stripe-webhook", needs: webhook, form: machine, handler: s.receiveEvent},

		{method: get, pattern: "/healthz", needs: public, form: machine, handler: s.showHealth},
		{method: get, pattern: "/readyz", needs: public, form: machine, handler: s.showReadiness},
		{method: get, pattern: "/metrics", needs: metricsToken, form: machine, handler: s.sendMetrics},
		{method: get, pattern: "/static/", needs: public, form: asset, handler: s.sendAsset},
	}
	if s.development {
		all = append(all, route{method: get, pattern: "/dev/ui", needs: public, handler: showGallery})
	}
	if s.mailPage {
		all = append(all, route{method: get, pattern: "/dev/mail", needs: public, handler: s.showMail})
	}
	if s.development && s.clock != nil {
		all = append(all,
			route{method: get, pattern: "/dev/clock", needs: public, handler: s.showClock},
			route{method: post, pattern: "/dev/clock", needs: public, handler: s.advanceClock})
	}
	return all
}

// mux serves the map, and answers for what is not on it in the shape its neighbours have.
func (s *server) mux() *http.ServeMux {
	mux := http.NewServeMux()
	methods := map[string][]string{}
	shape := map[string]form{}
	for _, rt := range s.routes() {
		mux.Handle(rt.method+" "+rt.pattern, s.serve(rt))
		methods[rt.pattern] = append(methods[rt.pattern], rt.method)
		shape[rt.pattern] = rt.form
	}
	for pattern, allowed := range methods {
		mux.Handle(pattern, s.serve(route{pattern: pattern, needs: public, form: shape[pattern], handler: refuseMethod(allowed)}))
	}
	mux.Handle("/", s.serve(route{pattern: "/", needs: public, handler: notFound}))
	mux.Handle("/api/", s.serve(route{pattern: "/api/", needs: public, form: api, handler: notFound}))
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

// notFound answers for every other address, in JSON where the caller takes nothing else.
func notFound(_ http.ResponseWriter, r *http.Request) error {
	accept := r.Header.Get("Accept")
	if strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html") {
		traceOf(r).form = api
	}
	return errNoPage
}
