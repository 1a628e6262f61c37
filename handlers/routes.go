package handlers

import (
	"net/http"
	"slices"
	"strings"

	"usher/billing/account"
)

// responseType is the form of a route's responses, errors included.
type responseType int

const (
	page      responseType = iota // HTML with a session; a fragment for htmx
	api                           // JSON with a session
	scim                          // SCIM's JSON with a session
	stateless                     // JSON without a session
	asset                         // a static file
)

// forPrograms reports whether programs read the responses.
func (t responseType) forPrograms() bool { return t == api || t == scim }

// route is one entry of the route map.
type route struct {
	method   string
	pattern  string
	policy   policy
	scope    string // of API keys that may call it; empty: none
	response responseType
	handler  handlerFunc
	// signedOut handles requests without a signed-in user, instead of the redirect to the log-in
	// page.
	signedOut handlerFunc
	// afterDeletion allows access for members of a deleted organization.
	afterDeletion bool
	// recent requires a recent authentication, see requireRecent. It returns the page that leads on
	// once there was one: [requestedPage], or the form of a POST request, see formAt. nil: none is
	// required.
	recent func(*http.Request) string
	// recentInstead requires the same of people who can't use a password, where others type it.
	recentInstead func(*http.Request) string
	// beforeSecondFactor allows access for those who still have to set up two-step verification.
	beforeSecondFactor bool
	// secret: the response shows a secret that is not in the request, such as a seed. It is not
	// compressed (docs/security.md, Compression).
	secret bool
	// maxBody is the largest body, in bytes; 0: that of the response type.
	maxBody int64
	// limits are the rate limits, applied if rate limits are enabled.
	limits []rateLimit
}

// handlerFunc handles a request or returns an error, which [site.fail] turns into the response.
type handlerFunc func(w http.ResponseWriter, r *http.Request) error

const (
	get    = http.MethodGet
	post   = http.MethodPost
	put    = http.MethodPut
	patch  = http.MethodPatch
	remove = http.MethodDelete
)

// routes returns the whole route map. Each route names who may call it (policy) and the form of its
// responses (response; HTML by default).
func (s *server) routes() []route {
	all := []route{
		{method: get, pattern: "/{$}", policy: public, handler: s.pricing.redirectHome},
		{method: get, pattern: "/pricing", policy: public, handler: s.pricing.show, limits: []rateLimit{promotionLookups}},

		{method: post, pattern: "/theme", policy: public, handler: s.themes.choose},
		{method: post, pattern: "/language", policy: public, handler: s.languages.choose},

		{method: get, pattern: "/signup", policy: public, handler: s.auth.showSignUp},
		{method: post, pattern: "/signup", policy: public, handler: s.auth.signUp, limits: []rateLimit{signUps}},
		{method: get, pattern: "/login", policy: public, handler: s.auth.showLogIn},
		{method: post, pattern: "/login", policy: public, handler: s.auth.logIn, limits: logIns},
		{method: get, pattern: secondStepPath, policy: public, handler: s.secondStep.show},
		{method: post, pattern: secondStepPath, policy: public, handler: s.secondStep.verify, limits: []rateLimit{tokenAttempts, secondStepAttempts}},
		{method: post, pattern: passkeyLogInPath, policy: public, handler: s.auth.logInWithPasskey, limits: []rateLimit{passkeyLogIns}},
		{method: post, pattern: passkeyLogInPath + ceremonyOptions, policy: public, response: api, secret: true, handler: s.auth.beginPasskeyLogIn, limits: []rateLimit{passkeyRequests}},
		{method: post, pattern: passkeySecondStepPath, policy: public, handler: s.secondStep.verifyPasskey, limits: []rateLimit{tokenAttempts, secondStepAttempts}},
		{method: post, pattern: passkeySecondStepPath + ceremonyOptions, policy: public, response: api, secret: true, handler: s.secondStep.beginPasskey, limits: []rateLimit{passkeyRequests}},
		{method: get, pattern: handoverPath, policy: public, handler: s.handovers.show, limits: []rateLimit{tokenAttempts}},
		{method: post, pattern: handoverPath, policy: public, handler: s.handovers.use, limits: []rateLimit{tokenAttempts}},
		{method: get, pattern: recentPath, policy: signedIn, beforeSecondFactor: true, handler: s.recent.show},
		{method: post, pattern: recentPath, policy: signedIn, beforeSecondFactor: true, handler: s.recent.confirm, limits: []rateLimit{passwordConfirmations}},
		{method: post, pattern: passkeyConfirmPath, policy: signedIn, beforeSecondFactor: true, handler: s.recent.confirmPasskey, limits: []rateLimit{passwordConfirmations}},
		{method: post, pattern: passkeyConfirmPath + ceremonyOptions, policy: signedIn, beforeSecondFactor: true, response: api, secret: true, handler: s.recent.beginPasskey, limits: []rateLimit{passkeyRequests}},
		{method: get, pattern: oidcPath, policy: public, handler: s.oidc.show},
		{method: post, pattern: oidcPath, policy: public, handler: s.oidc.begin, limits: []rateLimit{providerRounds}},
		{method: get, pattern: oidcCallbackPath, policy: public, handler: s.oidc.callback, limits: []rateLimit{providerRounds}},
		{method: get, pattern: oidcSignUpPath, policy: public, handler: s.oidc.showSignUpForm},
		{method: post, pattern: oidcSignUpPath, policy: public, handler: s.oidc.signUp, limits: []rateLimit{signUps}},
		{method: get, pattern: oidcLinkPath, policy: public, handler: s.oidc.showLink},
		{method: post, pattern: oidcLinkPath, policy: signedIn, beforeSecondFactor: true, recent: formAt(oidcLinkPath, ""), handler: s.oidc.link},
		{method: post, pattern: recentPath + "/oidc", policy: signedIn, beforeSecondFactor: true, handler: s.oidc.beginConfirmation, limits: []rateLimit{providerRounds}},
		{method: post, pattern: "/logout", policy: public, handler: s.auth.logOut},
		{method: get, pattern: "/forgot", policy: public, handler: s.auth.showForgotPassword},
		{method: post, pattern: "/forgot", policy: public, handler: s.auth.requestPasswordReset, limits: []rateLimit{passwordResets}},
		{method: get, pattern: "/reset/{token}", policy: public, handler: s.auth.showPasswordReset},
		{method: post, pattern: "/reset/{token}", policy: public, handler: s.auth.resetPassword, limits: []rateLimit{tokenAttempts}},
		{method: get, pattern: "/verify/{token}", policy: public, handler: s.auth.showVerification, limits: []rateLimit{tokenAttempts}},
		{method: post, pattern: "/verify/{token}", policy: signedIn, handler: s.auth.verifyEmail, limits: []rateLimit{tokenAttempts}},

		{method: get, pattern: "/settings", policy: signedIn, handler: s.settings.show},
		{method: post, pattern: "/settings/profile", policy: signedIn, handler: s.settings.rename},
		{method: post, pattern: "/settings/verification", policy: signedIn, handler: s.settings.sendVerification, limits: []rateLimit{tokenAttempts}},
		{method: post, pattern: "/settings/email", policy: signedIn, recentInstead: formAt("/settings", ""), handler: s.emailChanges.request, limits: []rateLimit{emailChanges, passwordsByAccount}},
		{method: post, pattern: "/settings/email/withdraw", policy: signedIn, handler: s.emailChanges.withdraw},
		{method: get, pattern: "/email/{token}", policy: public, handler: s.emailChanges.show, limits: []rateLimit{tokenAttempts}},
		{method: post, pattern: "/email/{token}", policy: signedIn, handler: s.emailChanges.confirm, limits: []rateLimit{tokenAttempts}},
		{method: post, pattern: "/email/{token}/stop", policy: public, handler: s.emailChanges.stop, limits: []rateLimit{tokenAttempts}},
		{method: post, pattern: "/settings/password", policy: signedIn, handler: s.settings.changePassword, limits: []rateLimit{passwordsByAccount}},
		{method: post, pattern: "/settings/delete", policy: signedIn, recentInstead: formAt("/settings", ""), handler: s.settings.deleteAccount, limits: []rateLimit{passwordsByAccount}},
		{method: post, pattern: "/settings/sessions/end", policy: signedIn, recent: formAt("/settings", "sessions"), handler: s.settings.endOtherSessions},
		{method: post, pattern: "/settings/sessions/{id}/end", policy: signedIn, recent: formAt("/settings", "sessions"), handler: s.settings.endSession},
		{method: get, pattern: "/settings/security", policy: signedIn, beforeSecondFactor: true, handler: s.twoStep.show},
		{method: get, pattern: "/settings/security/setup", policy: signedIn, beforeSecondFactor: true, secret: true, handler: s.twoStep.showSetup},
		{method: post, pattern: "/settings/security/setup", policy: signedIn, beforeSecondFactor: true, recentInstead: formAt(securityPath, ""), handler: s.twoStep.begin, limits: []rateLimit{securityChanges}},
		{method: post, pattern: "/settings/security/confirm", policy: signedIn, beforeSecondFactor: true, secret: true, handler: s.twoStep.confirm, limits: []rateLimit{securityChanges}},
		{method: post, pattern: "/settings/security/codes", policy: signedIn, beforeSecondFactor: true, recent: formAt(securityPath, ""), secret: true, handler: s.twoStep.renewCodes, limits: []rateLimit{securityChanges}},
		{method: post, pattern: "/settings/security/disable", policy: signedIn, beforeSecondFactor: true, recent: formAt(securityPath, ""), handler: s.twoStep.disable, limits: []rateLimit{securityChanges}},
		{method: get, pattern: newPasskeyPath, policy: signedIn, beforeSecondFactor: true, recent: requestedPage, handler: s.twoStep.showNewPasskey},
		{method: post, pattern: passkeysPath, policy: signedIn, beforeSecondFactor: true, recent: formAt(newPasskeyPath, ""), secret: true, handler: s.twoStep.addPasskey, limits: []rateLimit{securityChanges}},
		{method: post, pattern: passkeysPath + ceremonyOptions, policy: signedIn, beforeSecondFactor: true, response: api, recent: formAt(newPasskeyPath, ""), secret: true, handler: s.twoStep.beginPasskey, limits: []rateLimit{passkeyRequests}},
		{method: post, pattern: passkeysPath + "/{id}/rename", policy: signedIn, beforeSecondFactor: true, handler: s.twoStep.renamePasskey, limits: []rateLimit{securityChanges}},
		{method: post, pattern: passkeysPath + "/{id}/remove", policy: signedIn, beforeSecondFactor: true, recent: formAt(securityPath, "passkeys"), handler: s.twoStep.removePasskey, limits: []rateLimit{securityChanges}},
		{method: post, pattern: "/settings/security/identity", policy: signedIn, beforeSecondFactor: true, recent: formAt(securityPath, "identities"), handler: s.oidc.beginLink, limits: []rateLimit{providerRounds}},
		{method: post, pattern: "/settings/security/identity/unlink", policy: signedIn, beforeSecondFactor: true, recent: formAt(securityPath, "identities"), handler: s.oidc.unlink},
		{method: post, pattern: "/settings/security/password", policy: signedIn, beforeSecondFactor: true, handler: s.oidc.sendFirstPassword, limits: []rateLimit{passwordResets}},
		{method: get, pattern: "/invite/{token}", policy: public, handler: s.invitations.show},
		{method: post, pattern: "/invite/{token}", policy: public, handler: s.invitations.accept, limits: []rateLimit{tokenAttempts}},

		{method: get, pattern: "/dashboard", policy: member, handler: s.billing.showDashboard},
		{method: get, pattern: "/organization", policy: member, handler: s.organization.showTab},
		{method: post, pattern: "/organization/switch", policy: signedIn, beforeSecondFactor: true, handler: s.organization.switchTo},
		{method: post, pattern: "/organization", policy: memberAdmin, handler: s.organization.rename},
		{method: post, pattern: "/organization/second-factor", policy: memberAdmin, handler: s.organization.requireSecondFactor},
		{method: post, pattern: "/organization/leave", policy: member, handler: s.organization.leave},
		{method: post, pattern: "/organization/handover", policy: organizationAdmin, recent: formAt(generalPath, "handover"), handler: s.organization.transfer},
		{method: post, pattern: "/organization/delete", policy: organizationAdmin, recent: formAt(generalPath, "delete"), handler: s.organization.requestDeletion},
		{method: post, pattern: "/organization/keep", policy: organizationAdmin, handler: s.organization.withdrawDeletion},
		{method: post, pattern: "/organization/invitations", policy: memberAdmin, handler: s.invitations.create, limits: []rateLimit{newInvitations}},
		{method: get, pattern: "/organization/people", policy: memberAdmin, handler: s.people.show},
		{method: post, pattern: "/organization/people", policy: memberAdmin, handler: s.people.invite, limits: []rateLimit{invitationBatches}},
		{method: post, pattern: "/organization/invitations/{id}/resend", policy: memberAdmin, handler: s.invitations.resend, limits: []rateLimit{invitationResends}},
		{method: post, pattern: "/organization/invitations/{id}/revoke", policy: memberAdmin, handler: s.invitations.revoke},
		{method: get, pattern: "/organization/members/{id}", policy: memberAdmin, handler: s.members.show},
		{method: post, pattern: "/organization/members", policy: memberAdmin, handler: s.seatChanges.changeSelected, limits: []rateLimit{seatPreviews}},
		{method: post, pattern: "/organization/members/{id}", policy: memberAdmin, handler: s.members.update, limits: []rateLimit{seatPreviews}},
		{method: post, pattern: "/organization/members/{id}/remove", policy: memberAdmin, handler: s.members.remove, limits: []rateLimit{seatPreviews}},
		{method: get, pattern: "/organization/members/{id}/saving", policy: memberAdmin, handler: s.seatChanges.saving, limits: []rateLimit{seatPreviews}},
		{method: post, pattern: "/organization/roles", policy: memberAdmin, handler: s.roles.create},
		{method: get, pattern: "/organization/roles/{id}", policy: memberAdmin, handler: s.roles.show},
		{method: post, pattern: "/organization/roles/{id}", policy: memberAdmin, handler: s.roles.update},
		{method: post, pattern: "/organization/roles/{id}/delete", policy: memberAdmin, handler: s.roles.remove},
		{method: get, pattern: "/organization/api-keys", policy: organizationAdmin, handler: s.keys.list},
		{method: post, pattern: "/organization/api-keys", policy: organizationAdmin, recent: formAt(apiKeysPath, ""), secret: true, handler: s.keys.create},
		{method: post, pattern: "/organization/api-keys/{id}/revoke", policy: organizationAdmin, handler: s.keys.revoke},
		{method: get, pattern: webhooksPath, policy: organizationAdmin, handler: s.webhooks.list},
		{method: post, pattern: webhooksPath, policy: organizationAdmin, recent: formAt(webhooksPath, ""), secret: true, handler: s.webhooks.create, limits: []rateLimit{newWebhooks}},
		{method: get, pattern: webhooksPath + "/{id}", policy: organizationAdmin, handler: s.webhooks.show},
		{method: post, pattern: webhooksPath + "/{id}/test", policy: organizationAdmin, handler: s.webhooks.test, limits: []rateLimit{webhookSends}},
		{method: post, pattern: webhooksPath + "/{id}/resend", policy: organizationAdmin, handler: s.webhooks.resend, limits: []rateLimit{webhookSends}},
		{method: post, pattern: webhooksPath + "/{id}/enable", policy: organizationAdmin, handler: s.webhooks.enable, limits: []rateLimit{webhookSends}},
		{method: post, pattern: webhooksPath + "/{id}/rotate", policy: organizationAdmin, recent: formAt(webhooksPath+"/{id}", ""), secret: true, handler: s.webhooks.rotate, limits: []rateLimit{newWebhooks}},
		{method: post, pattern: webhooksPath + "/{id}/delete", policy: organizationAdmin, handler: s.webhooks.remove},
		{method: get, pattern: "/organization/audit.csv", policy: memberAdmin, handler: s.audit.export},
		{method: get, pattern: "/organization/contacts", policy: billingAdmin, handler: s.contacts.show},
		{method: post, pattern: "/organization/contacts", policy: billingAdmin, handler: s.contacts.add},
		{method: post, pattern: "/organization/contacts/remove", policy: billingAdmin, handler: s.contacts.remove},
		{method: post, pattern: "/organization/notices", policy: billingAdmin, handler: s.contacts.updateNotices},
		{method: get, pattern: "/organization/seats", policy: member, handler: s.seats.show},
		{method: post, pattern: "/organization/seats/retry", policy: billingAdmin, handler: s.seats.retry, limits: []rateLimit{seatRetries}},
		{method: post, pattern: "/organization/seats/confirm", policy: billingAdmin, handler: s.seatChanges.confirmPeople, limits: []rateLimit{seatPreviews}},
		{method: post, pattern: "/organization/seats/undo", policy: memberAdmin, handler: s.seats.undo, limits: []rateLimit{seatPreviews}},

		{method: post, pattern: "/billing/checkout", policy: billingAdmin, handler: s.checkout.startCheckout, signedOut: s.checkout.rememberSelection, limits: []rateLimit{checkoutStarts}},
		{method: post, pattern: "/billing/portal", policy: billingAdmin, handler: s.billing.openPortal, limits: []rateLimit{portalSessions}},
		{method: post, pattern: "/billing/pay", policy: billingAdmin, handler: s.billing.pay, limits: []rateLimit{invoicePayments}},
		{method: post, pattern: "/billing/preview", policy: billingAdmin, handler: s.plans.preview, limits: []rateLimit{planPreviews}},
		{method: post, pattern: "/billing/plan", policy: billingAdmin, handler: s.plans.change, limits: []rateLimit{planPreviews}},
		{method: post, pattern: "/billing/plan/keep", policy: billingAdmin, handler: s.plans.keep, limits: []rateLimit{portalSessions}},
		{method: get, pattern: "/billing/cancel", policy: billingAdmin, handler: s.cancellations.showCancel, limits: []rateLimit{planPreviews}},
		{method: post, pattern: "/billing/cancel", policy: billingAdmin, handler: s.cancellations.cancel, limits: []rateLimit{portalSessions}},
		{method: get, pattern: "/billing/resume", policy: billingAdmin, handler: s.cancellations.showResume, limits: []rateLimit{planPreviews}},
		{method: post, pattern: "/billing/resume", policy: billingAdmin, handler: s.cancellations.resume, limits: []rateLimit{portalSessions}},
		{method: post, pattern: "/billing/resync", policy: billingAdmin, handler: s.billing.resync},

		{method: get, pattern: "/billing/invoices", policy: billingAdmin, afterDeletion: true, handler: s.billing.showInvoices},
		{method: get, pattern: "/billing/next-invoice", policy: member, handler: s.billing.showNextInvoice},
		{method: get, pattern: "/billing/forecast", policy: billingAdmin, handler: s.forecasts.show, limits: []rateLimit{planPreviews}},
		{method: get, pattern: "/billing/invoices.csv", policy: billingAdmin, afterDeletion: true, handler: s.billing.exportInvoices},
		{method: get, pattern: "/billing/invoices/{id}", policy: billingAdmin, afterDeletion: true, handler: s.billing.showInvoice},
		{method: get, pattern: "/billing/invoices/{id}/stripe", policy: billingAdmin, afterDeletion: true, handler: s.billing.openInvoice},
		{method: get, pattern: "/billing/invoices/{id}/pdf", policy: billingAdmin, afterDeletion: true, handler: s.billing.openInvoicePDF},
		{method: get, pattern: "/billing/credits", policy: member, handler: s.billing.showCredits},
		{method: get, pattern: "/billing/seats.csv", policy: member, handler: s.seats.exportLedger},

		{method: get, pattern: "/admin", policy: operator, handler: redirectTo("/admin/events")},
		{method: get, pattern: "/admin/events", policy: operator, handler: s.admin.listEvents},
		{method: get, pattern: "/admin/events/{id}", policy: operator, handler: s.admin.showEvent},
		{method: post, pattern: "/admin/events/{id}/replay", policy: operator, handler: s.admin.replayEvent},
		{method: get, pattern: "/admin/drift", policy: operator, handler: s.admin.showDrift},
		{method: get, pattern: "/admin/drift.json", policy: operator, response: api, handler: s.admin.showDriftJSON},
		{method: get, pattern: "/admin/organizations", policy: operator, handler: s.admin.listOrganizations},
		{method: get, pattern: "/admin/organizations/{id}", policy: operator, handler: s.admin.showOrganization},
		{method: post, pattern: "/admin/organizations/{id}/compare", policy: operator, handler: s.admin.reconcileOrganization},
		{method: get, pattern: "/admin/people", policy: operator, handler: s.adminPeople.search},
		{method: get, pattern: "/admin/people/{id}", policy: operator, handler: s.adminPeople.show},
		{method: post, pattern: "/admin/people/{id}/sessions/end", policy: operator, recent: formAt("/admin/people/{id}", ""), handler: s.adminPeople.endSessions},
		{method: get, pattern: "/admin/jobs", policy: operator, handler: s.admin.listJobs},
		{method: get, pattern: "/admin/profiles/{id}", policy: operator, response: api, handler: s.admin.showProfile},
		{method: get, pattern: "/admin/audit", policy: operator, handler: s.audit.showAll},

		{method: get, pattern: "/api/openapi.json", policy: public, response: stateless, handler: s.api.showOpenAPI},
		{method: get, pattern: "/api/v1/entitlements", policy: member, scope: account.ScopeEntitlementsRead, response: api, handler: s.api.getEntitlements},
		{method: get, pattern: "/api/v1/members", policy: member, scope: account.ScopeMembersRead, response: api, handler: s.api.listMembers},
		{method: put, pattern: "/api/v1/members", policy: memberAdmin, scope: account.ScopeMembersWrite, response: api, maxBody: maxMembersBody, handler: s.api.putMembers, limits: []rateLimit{apiMemberSets}},
		{method: post, pattern: "/api/v1/members", policy: memberAdmin, scope: account.ScopeMembersWrite, response: api, handler: s.api.addMember},
		{method: remove, pattern: "/api/v1/members/{id}", policy: memberAdmin, scope: account.ScopeMembersWrite, response: api, handler: s.api.removeMember},
		{method: get, pattern: "/api/v1/organizations", policy: installation, scope: account.ScopeMembersRead, response: api, handler: s.api.findOrganization},
		{method: post, pattern: "/api/v1/organizations", policy: installation, scope: account.ScopeMembersWrite, response: api, handler: s.api.createOrganization},
		{method: get, pattern: "/api/v1/organizations/{id}", policy: installation, scope: account.ScopeMembersRead, response: api, handler: s.api.getOrganization},
		{method: get, pattern: "/api/v1/seats", policy: member, scope: account.ScopeBillingRead, response: api, handler: s.api.getSeats},
		{method: get, pattern: "/api/v1/invoices", policy: billingAdmin, scope: account.ScopeBillingRead, response: api, handler: s.api.listInvoices},
		{method: post, pattern: "/api/v1/credits/consume", policy: member, scope: account.ScopeCreditsWrite, response: api, handler: s.api.consumeCredits},
		{method: get, pattern: "/api/v1/webhooks", policy: organizationAdmin, scope: account.ScopeWebhooksWrite, response: api, handler: s.api.listWebhooks},
		{method: post, pattern: "/api/v1/webhooks", policy: organizationAdmin, scope: account.ScopeWebhooksWrite, response: api, recent: formAt(webhooksPath, ""), secret: true, handler: s.api.createWebhook, limits: []rateLimit{newWebhooks}},
		{method: post, pattern: "/api/v1/webhooks/{id}/test", policy: organizationAdmin, scope: account.ScopeWebhooksWrite, response: api, handler: s.api.testWebhook, limits: []rateLimit{webhookSends}},
		{method: post, pattern: "/api/v1/webhooks/{id}/enable", policy: organizationAdmin, scope: account.ScopeWebhooksWrite, response: api, handler: s.api.enableWebhook, limits: []rateLimit{webhookSends}},
		{method: post, pattern: "/api/v1/webhooks/{id}/rotate", policy: organizationAdmin, scope: account.ScopeWebhooksWrite, response: api, recent: formAt(webhooksPath, ""), secret: true, handler: s.api.rotateWebhook, limits: []rateLimit{newWebhooks}},
		{method: remove, pattern: "/api/v1/webhooks/{id}", policy: organizationAdmin, scope: account.ScopeWebhooksWrite, response: api, handler: s.api.deleteWebhook},

		{method: get, pattern: scimPath + "/ServiceProviderConfig", policy: member, scope: account.ScopeMembersRead, response: scim, handler: s.scim.showConfig},
		{method: get, pattern: scimPath + "/ResourceTypes", policy: member, scope: account.ScopeMembersRead, response: scim, handler: s.scim.listResourceTypes},
		{method: get, pattern: scimPath + "/ResourceTypes/{id}", policy: member, scope: account.ScopeMembersRead, response: scim, handler: s.scim.showResourceType},
		{method: get, pattern: scimPath + "/Schemas", policy: member, scope: account.ScopeMembersRead, response: scim, handler: s.scim.listSchemas},
		{method: get, pattern: scimPath + "/Schemas/{id}", policy: member, scope: account.ScopeMembersRead, response: scim, handler: s.scim.showSchema},
		{method: get, pattern: scimUsersPath, policy: member, scope: account.ScopeMembersRead, response: scim, handler: s.scim.listUsers},
		{method: post, pattern: scimUsersPath, policy: memberAdmin, scope: account.ScopeMembersWrite, response: scim, handler: s.scim.createUser},
		{method: get, pattern: scimUsersPath + "/{id}", policy: member, scope: account.ScopeMembersRead, response: scim, handler: s.scim.getUser},
		{method: put, pattern: scimUsersPath + "/{id}", policy: memberAdmin, scope: account.ScopeMembersWrite, response: scim, handler: s.scim.replaceUser},
		{method: patch, pattern: scimUsersPath + "/{id}", policy: memberAdmin, scope: account.ScopeMembersWrite, response: scim, handler: s.scim.patchUser},
		{method: remove, pattern: scimUsersPath + "/{id}", policy: memberAdmin, scope: account.ScopeMembersWrite, response: scim, handler: s.scim.deleteUser},

		{method: get, pattern: "/billing/getSummary", policy: member, scope: account.ScopeBillingRead, response: api, handler: s.api.getSummary},
		{method: post, pattern: "/billing/createSubscriptionCheckout", policy: billingAdmin, scope: account.ScopeBillingWrite, response: api, handler: s.api.createSubscriptionCheckout, limits: []rateLimit{checkoutStarts}},
		{method: post, pattern: "/billing/createCustomerPortal", policy: billingAdmin, scope: account.ScopeBillingWrite, response: api, handler: s.api.createCustomerPortal, limits: []rateLimit{portalSessions}},
		{method: post, pattern: "/billing/retrySeatSync", policy: billingAdmin, scope: account.ScopeBillingWrite, response: api, handler: s.api.retrySeatSync, limits: []rateLimit{seatRetries}},

		{method: post, pattern: "/stripe/webhook", policy: webhook, response: stateless, handler: s.webhook.receive},
		{method: post, pattern: "/stripe-webhook", policy: webhook, response: stateless, handler: s.webhook.receive},

		{method: get, pattern: "/healthz", policy: public, response: stateless, handler: s.system.showHealth},
		{method: get, pattern: "/readyz", policy: public, response: stateless, handler: s.system.showReadiness},
		{method: get, pattern: "/metrics", policy: metricsToken, response: stateless, handler: s.system.showMetrics},
		{method: get, pattern: "/static/", policy: public, response: asset, handler: s.system.serveAsset},
	}
	if s.provider != nil {
		all = append(all, s.domainRoutes()...)
	}
	if s.development {
		all = append(all, route{method: get, pattern: "/dev/ui", policy: public, handler: showGallery})
	}
	if s.dev.mailPage {
		all = append(all, route{method: get, pattern: "/dev/mail", policy: public, handler: s.dev.showMail})
	}
	if s.development && s.dev.clock != nil {
		all = append(all,
			route{method: get, pattern: "/dev/clock", policy: public, handler: s.dev.showClock},
			route{method: post, pattern: "/dev/clock", policy: public, handler: s.dev.advanceClock})
	}
	if s.development && s.dev.scenarios != nil {
		all = append(all,
			route{method: get, pattern: scenariosPath, policy: public, handler: s.dev.showScenarios},
			route{method: post, pattern: scenariosPath, policy: public, handler: s.dev.makeScenarios},
			route{method: post, pattern: scenariosPath + "/open", policy: public, handler: s.dev.openScenario})
	}
	return all
}

// domainRoutes are the pages about domains, by which people join who sign in at the provider.
func (s *server) domainRoutes() []route {
	return []route{
		{method: get, pattern: domainsPath, policy: organizationAdmin, handler: s.domains.list},
		{method: post, pattern: domainsPath, policy: organizationAdmin, recent: formAt(domainsPath, ""), handler: s.domains.add, limits: []rateLimit{domainChanges}},
		{method: post, pattern: domainsPath + "/{id}", policy: organizationAdmin, handler: s.domains.update},
		{method: post, pattern: domainsPath + "/{id}/check", policy: organizationAdmin, handler: s.domains.check, limits: []rateLimit{domainChanges}},
		{method: post, pattern: domainsPath + "/{id}/remove", policy: organizationAdmin, handler: s.domains.remove},
	}
}

// mux serves the route map. A wrong method gets 405 and an unknown address 404, in the response
// form of the route or area. Whoever opens the address of a form gets the page with the form.
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
		if forms, found := formPageOf(pattern); found && shape[pattern] == page && !slices.Contains(allowed, get) {
			mux.Handle(get+" "+pattern, s.serve(route{method: get, pattern: pattern, policy: public, handler: redirectTo(forms.path)}))
		}
	}
	mux.Handle("/", s.serve(route{pattern: "/", policy: public, handler: showNotFound}))
	mux.Handle("/scim/", s.serve(route{pattern: "/scim/", policy: public, response: scim, handler: showNotFound}))
	mux.Handle("/api/", s.serve(route{pattern: "/api/", policy: public, response: api, handler: showNotFound}))
	return mux
}

// refuseMethod returns a handler that responds with 405 and the allowed methods.
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

// showNotFound responds with 404, as JSON if the client accepts only JSON.
func showNotFound(_ http.ResponseWriter, r *http.Request) error {
	accept := r.Header.Get("Accept")
	if stateOf(r).response == page && strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html") {
		stateOf(r).response = api
	}
	return errPageNotFound
}
