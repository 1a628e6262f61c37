package handlers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"usher/billing/account"
	"usher/views/locale"
	"usher/views/ui"
)

func auditRows(ctx context.Context, entries []account.AuditEntry, forOperators bool) []ui.AuditRow {
	rows := make([]ui.AuditRow, 0, len(entries))
	for _, entry := range entries {
		rows = append(rows, auditRow(ctx, entry, forOperators))
	}
	return rows
}

// auditRow puts an entry into words. The addresses of operators and of Stripe are shown to
// operators only.
func auditRow(ctx context.Context, e account.AuditEntry, forOperators bool) ui.AuditRow {
	row := ui.AuditRow{At: e.At, What: auditSentence(ctx, e), By: auditActor(ctx, e), RequestID: e.RequestID}
	if label, known := actorLabels[e.ActorKind]; known {
		row.Kind = locale.Lookup(ctx, label)
	}
	if forOperators || e.ActorKind == account.ActorPerson || e.ActorKind == account.ActorAPIKey {
		row.From = e.Address
	}
	if forOperators && e.OrganizationID != "" {
		row.Organization, row.OrganizationHref = e.OrganizationID, "/admin/organizations/"+e.OrganizationID
	}
	return row
}

// actorLabels say what an actor is who is no person of the organization.
var actorLabels = map[account.ActorKind]string{
	account.ActorOperator: locale.Mark("Operator of this installation"),
	account.ActorAPIKey:   locale.Mark("API key"),
	account.ActorCommand:  locale.Mark("Command line"),
	account.ActorStripe:   locale.Mark("Change at Stripe"),
	account.ActorSystem:   locale.Mark("Automatic"),
}

func auditActor(ctx context.Context, e account.AuditEntry) string {
	if e.ActorName != "" {
		return e.ActorName
	}
	switch e.ActorKind {
	case account.ActorCommand:
		return locale.T(ctx, "An administrator")
	case account.ActorStripe:
		return "Stripe"
	case account.ActorSystem:
		return locale.T(ctx, "Usher")
	}
	return locale.T(ctx, "Someone")
}

// auditLabels name the acts in the filter.
var auditLabels = map[account.Act]string{
	account.ActOrganizationCreated:     locale.Mark("Organization created"),
	account.ActOrganizationRenamed:     locale.Mark("Organization renamed"),
	account.ActOrganizationHandedOn:    locale.Mark("Organization handed over"),
	account.ActOrganizationDeleted:     locale.Mark("Organization deleted"),
	account.ActDeletionRequested:       locale.Mark("Deletion requested"),
	account.ActDeletionWithdrawn:       locale.Mark("Deletion withdrawn"),
	account.ActInvitationSent:          locale.Mark("Invitation sent"),
	account.ActInvitationResent:        locale.Mark("Invitation sent again"),
	account.ActInvitationRevoked:       locale.Mark("Invitation revoked"),
	account.ActInvitationAccepted:      locale.Mark("Invitation accepted"),
	account.ActMemberAdded:             locale.Mark("Member added"),
	account.ActMemberJoined:            locale.Mark("Member joined by a domain"),
	account.ActMemberRoleChanged:       locale.Mark("Role of a member changed"),
	account.ActMemberSuspended:         locale.Mark("Member suspended"),
	account.ActMemberReactivated:       locale.Mark("Member reactivated"),
	account.ActMemberBilled:            locale.Mark("Seat added"),
	account.ActMemberNotBilled:         locale.Mark("Seat removed"),
	account.ActMemberDescribed:         locale.Mark("Name or address of a member changed"),
	account.ActMemberRemoved:           locale.Mark("Member removed"),
	account.ActMemberLeft:              locale.Mark("Member left"),
	account.ActRoleCreated:             locale.Mark("Role created"),
	account.ActRoleChanged:             locale.Mark("Role changed"),
	account.ActRoleDeleted:             locale.Mark("Role deleted"),
	account.ActContactAdded:            locale.Mark("Billing contact added"),
	account.ActContactRemoved:          locale.Mark("Billing contact removed"),
	account.ActNoticesChanged:          locale.Mark("Notices changed"),
	account.ActCheckoutStarted:         locale.Mark("Checkout opened"),
	account.ActPlanChangeConfirmed:     locale.Mark("Plan change confirmed"),
	account.ActPlanChangeScheduled:     locale.Mark("Plan change scheduled"),
	account.ActPlanChangeWithdrawn:     locale.Mark("Plan change withdrawn"),
	account.ActPlanChangeFailed:        locale.Mark("Plan change failed"),
	account.ActPlanChanged:             locale.Mark("Plan changed"),
	account.ActPlanCanceled:            locale.Mark("Plan canceled"),
	account.ActPlanResumed:             locale.Mark("Plan resumed"),
	account.ActSeatsChanged:            locale.Mark("Number of seats changed"),
	account.ActSeatsConfirmed:          locale.Mark("Number of seats confirmed"),
	account.ActSeatSyncRetried:         locale.Mark("Update of seats retried"),
	account.ActPortalOpened:            locale.Mark("Billing portal opened"),
	account.ActInvoicePaymentRequested: locale.Mark("Payment of an invoice started"),
	account.ActDuplicateCanceled:       locale.Mark("Second subscription ended"),
	account.ActCustomerLinked:          locale.Mark("Stripe customer linked"),
	account.ActOrganizationCompared:    locale.Mark("Compared with Stripe"),
	account.ActOperatorLooked:          locale.Mark("Viewed by an operator"),
	account.ActOperatorPromoted:        locale.Mark("Operator promoted"),
	account.ActEventReplayed:           locale.Mark("Event replayed"),
	account.ActPersonRenamed:           locale.Mark("Person renamed"),
	account.ActPasswordChanged:         locale.Mark("Password changed"),
	account.ActPasswordReset:           locale.Mark("Password reset"),
	account.ActEmailVerified:           locale.Mark("E-mail address verified"),
	account.ActAccountDeleted:          locale.Mark("Account deleted"),
	account.ActAuditErased:             locale.Mark("Person erased from the audit log"),
	account.ActAPIKeyCreated:           locale.Mark("API key created"),
	account.ActAPIKeyRevoked:           locale.Mark("API key revoked"),
	account.ActWebhookCreated:          locale.Mark("Webhook added"),
	account.ActWebhookRotated:          locale.Mark("Secret of a webhook replaced"),
	account.ActWebhookEnabled:          locale.Mark("Webhook turned on"),
	account.ActWebhookDeleted:          locale.Mark("Webhook deleted"),
	account.ActWebhookResent:           locale.Mark("Webhook message sent again"),
	account.ActDomainAdded:             locale.Mark("Domain added"),
	account.ActDomainVerified:          locale.Mark("Domain verified"),
	account.ActDomainChanged:           locale.Mark("Seats of a domain changed"),
	account.ActDomainRemoved:           locale.Mark("Domain removed"),
	account.ActSecondFactorRequired:    locale.Mark("Two-step verification required"),
	account.ActSecondFactorOptional:    locale.Mark("Two-step verification optional"),
	account.ActSecondFactorEnabled:     locale.Mark("Two-step verification on"),
	account.ActSecondFactorDisabled:    locale.Mark("Two-step verification off"),
	account.ActRecoveryCodeUsed:        locale.Mark("Recovery code used"),
	account.ActRecoveryCodesRenewed:    locale.Mark("Recovery codes renewed"),
	account.ActPasskeyAdded:            locale.Mark("Passkey added"),
	account.ActPasskeyRenamed:          locale.Mark("Passkey renamed"),
	account.ActPasskeyRemoved:          locale.Mark("Passkey removed"),
	account.ActEmailChanged:            locale.Mark("E-mail address changed"),
	account.ActSessionsEnded:           locale.Mark("Sessions ended"),
	account.ActIdentityLinked:          locale.Mark("Identity linked"),
	account.ActIdentityUnlinked:        locale.Mark("Identity unlinked"),
}

// auditSentence says what an entry is about. It follows the actor's name.
func auditSentence(ctx context.Context, e account.AuditEntry) string {
	if words, known := auditWords[e.Act]; known {
		return words(ctx, e)
	}
	return locale.T(ctx, "did %s", string(e.Act)) // of a later release
}

// auditText is the sentence of an act.
type auditText func(context.Context, account.AuditEntry) string

// words returns a sentence without variables. The text is marked for translation, as are those of
// the functions below.
func words(text string) auditText {
	return func(ctx context.Context, _ account.AuditEntry) string { return locale.Lookup(ctx, text) }
}

// about returns a sentence about the target.
func about(format string) auditText {
	return func(ctx context.Context, e account.AuditEntry) string {
		return fmt.Sprintf(locale.Lookup(ctx, format), cmp.Or(e.TargetName, e.TargetID, locale.T(ctx, "someone")))
	}
}

// toValue returns a sentence with a value, or the text if there is none.
func toValue(text, format, key string) auditText {
	return func(ctx context.Context, e account.AuditEntry) string {
		if value := e.After[key]; value != "" {
			return fmt.Sprintf(locale.Lookup(ctx, format), auditValue(ctx, value))
		}
		return locale.Lookup(ctx, text)
	}
}

// auditValue is a value as it is shown. Dates are recorded as 1 Dec 2026.
func auditValue(ctx context.Context, value string) string {
	if day, err := time.Parse("2 Jan 2006", value); err == nil {
		return locale.Date(ctx, day)
	}
	return value
}

// changed returns a sentence with a value before and after.
func changed(format, key string) auditText {
	return func(ctx context.Context, e account.AuditEntry) string {
		return fmt.Sprintf(locale.Lookup(ctx, format), e.Before[key], e.After[key])
	}
}

// withRole returns a sentence about the target and its role, or the text if no role is known.
func withRole(text, format string) auditText {
	return func(ctx context.Context, e account.AuditEntry) string {
		if role := e.After["role"]; role != "" {
			return fmt.Sprintf(locale.Lookup(ctx, format), e.TargetName, recordedRole(ctx, role))
		}
		return fmt.Sprintf(locale.Lookup(ctx, text), e.TargetName)
	}
}

// auditWords are the sentences of the acts.
var auditWords = map[account.Act]auditText{
	account.ActOrganizationCreated:  about(locale.Mark("created the organization %s")),
	account.ActOrganizationRenamed:  changed(locale.Mark("renamed the organization from %s to %s"), "name"),
	account.ActOrganizationHandedOn: about(locale.Mark("handed the organization over to %s")),
	account.ActOrganizationDeleted:  about(locale.Mark("deleted the organization %s")),
	account.ActDeletionRequested:    toValue(locale.Mark("requested the deletion of the organization"), locale.Mark("requested the deletion of the organization on %s"), "on"),
	account.ActDeletionWithdrawn:    words(locale.Mark("canceled the deletion of the organization")),
	account.ActInvitationSent:       withRole(locale.Mark("invited %s"), locale.Mark("invited %s as %s")),
	account.ActInvitationResent:     about(locale.Mark("sent the invitation of %s again")),
	account.ActInvitationRevoked:    about(locale.Mark("revoked the invitation of %s")),
	account.ActInvitationAccepted:   joinedWords,
	account.ActMemberAdded:          withRole(locale.Mark("added %s"), locale.Mark("added %s as %s")),
	account.ActMemberJoined:         domainJoinWords,
	account.ActMemberRoleChanged:    memberRoleWords,
	account.ActMemberSuspended:      about(locale.Mark("suspended %s")),
	account.ActMemberReactivated:    about(locale.Mark("reactivated %s")),
	account.ActMemberBilled:         about(locale.Mark("gave a seat to %s")),
	account.ActMemberNotBilled:      about(locale.Mark("removed the seat of %s")),
	account.ActMemberDescribed:      about(locale.Mark("changed name or address of %s")),
	account.ActMemberRemoved:        about(locale.Mark("removed %s")),
	account.ActMemberLeft:           leftWords,
	account.ActRoleCreated:          about(locale.Mark("created the role %s")),
	account.ActRoleChanged:          roleChangeWords,
	account.ActRoleDeleted:          about(locale.Mark("deleted the role %s")),
	account.ActContactAdded:         about(locale.Mark("added the billing contact %s")),
	account.ActContactRemoved:       about(locale.Mark("removed the billing contact %s")),
	account.ActNoticesChanged:       words(locale.Mark("changed which notices are sent")),
	account.ActCheckoutStarted:      checkoutWords,
	account.ActPlanChangeConfirmed:  planChangeWords(locale.Mark("confirmed the change"), locale.Mark("confirmed the change from %s to %s")),
	account.ActPlanChangeScheduled:  planChangeWords(locale.Mark("scheduled the change"), locale.Mark("scheduled the change from %s to %s")),
	account.ActPlanChangeWithdrawn:  planChangeWords(locale.Mark("withdrew the change"), locale.Mark("withdrew the change from %s to %s")),
	account.ActPlanChangeFailed:     planChangeWords(locale.Mark("could not make the change"), locale.Mark("could not make the change from %s to %s")),
	account.ActPlanChanged:          planChangeWords(locale.Mark("changed the plan"), locale.Mark("changed the plan from %s to %s")),
	account.ActPlanCanceled:         toValue(locale.Mark("canceled the plan"), locale.Mark("canceled the plan as of %s"), "ends"),
	account.ActPlanResumed:          words(locale.Mark("resumed the plan")),
	account.ActSeatsChanged:         changed(locale.Mark("changed the number of seats from %s to %s"), "seats"),
	account.ActSeatsConfirmed:       words(locale.Mark("confirmed the number of seats")),
	account.ActSeatSyncRetried:      words(locale.Mark("retried the update of seats at Stripe")),
	account.ActPortalOpened:         words(locale.Mark("opened the billing portal")),
	account.ActInvoicePaymentRequested: func(ctx context.Context, e account.AuditEntry) string {
		return locale.T(ctx, "started the payment of invoice %s, %s", cmp.Or(e.TargetName, e.TargetID), e.After["amount"])
	},
	account.ActDuplicateCanceled:    toValue(locale.Mark("ended a second subscription"), locale.Mark("ended a second subscription and refunded %s"), "refunded"),
	account.ActCustomerLinked:       about(locale.Mark("linked the Stripe customer %s")),
	account.ActOrganizationCompared: words(locale.Mark("compared the organization with Stripe")),
	account.ActOperatorLooked:       words(locale.Mark("viewed the organization")),
	account.ActOperatorPromoted:     about(locale.Mark("made %s an operator")),
	account.ActEventReplayed:        about(locale.Mark("replayed the event %s")),
	account.ActPersonRenamed: func(ctx context.Context, e account.AuditEntry) string {
		return locale.T(ctx, "changed their name to %s", e.After["name"])
	},
	account.ActPasswordChanged:      words(locale.Mark("changed their password")),
	account.ActPasswordReset:        words(locale.Mark("set a new password with a mailed link")),
	account.ActEmailVerified:        words(locale.Mark("verified their e-mail address")),
	account.ActAccountDeleted:       words(locale.Mark("deleted their account")),
	account.ActAuditErased:          about(locale.Mark("erased %s from the audit log")),
	account.ActAPIKeyCreated:        about(locale.Mark("created the API key %s")),
	account.ActAPIKeyRevoked:        about(locale.Mark("revoked the API key %s")),
	account.ActWebhookCreated:       about(locale.Mark("added the webhook to %s")),
	account.ActWebhookRotated:       about(locale.Mark("replaced the secret of the webhook to %s")),
	account.ActWebhookEnabled:       about(locale.Mark("turned the webhook to %s on")),
	account.ActWebhookDeleted:       about(locale.Mark("deleted the webhook to %s")),
	account.ActWebhookResent:        about(locale.Mark("sent a message to %s again")),
	account.ActDomainAdded:          about(locale.Mark("added the domain %s")),
	account.ActDomainVerified:       about(locale.Mark("verified the domain %s")),
	account.ActDomainChanged:        domainSeatWords,
	account.ActDomainRemoved:        about(locale.Mark("removed the domain %s")),
	account.ActSecondFactorRequired: words(locale.Mark("required two-step verification of members")),
	account.ActSecondFactorOptional: words(locale.Mark("made two-step verification optional for members")),
	account.ActSecondFactorEnabled:  about(locale.Mark("turned two-step verification on for %s")),
	account.ActSecondFactorDisabled: about(locale.Mark("turned two-step verification off for %s")),
	account.ActRecoveryCodeUsed:     about(locale.Mark("signed in with a recovery code of %s")),
	account.ActRecoveryCodesRenewed: about(locale.Mark("renewed the recovery codes of %s")),
	account.ActPasskeyAdded:         about(locale.Mark("added the passkey %s")),
	account.ActPasskeyRenamed:       changed(locale.Mark("renamed the passkey %s to %s"), "name"),
	account.ActPasskeyRemoved:       about(locale.Mark("removed the passkey %s")),
	account.ActEmailChanged:         changed(locale.Mark("changed their e-mail address from %s to %s"), "email"),
	account.ActSessionsEnded:        about(locale.Mark("ended the sessions of %s")),
	account.ActIdentityLinked:       about(locale.Mark("linked an identity to the account of %s")),
	account.ActIdentityUnlinked:     about(locale.Mark("unlinked an identity from the account of %s")),
}

// builtInRoles are the names of the built-in roles.
var builtInRoles = []string{locale.Mark("Admin"), locale.Mark("Billing admin"), locale.Mark("Member")}

// recordedRole is the name of a role in an entry, as it is shown. People named the custom ones.
func recordedRole(ctx context.Context, name string) string {
	if slices.Contains(builtInRoles, name) {
		return locale.Lookup(ctx, name)
	}
	return name
}

// memberRoleFormats are the sentences about a built-in role in place of another one, by the former
// role and the new one.
var memberRoleFormats = map[[2]string]string{
	{"Billing admin", "Admin"}:  locale.Mark("made %s an admin instead of a billing admin"),
	{"Member", "Admin"}:         locale.Mark("made %s an admin instead of a member"),
	{"Admin", "Billing admin"}:  locale.Mark("made %s a billing admin instead of an admin"),
	{"Member", "Billing admin"}: locale.Mark("made %s a billing admin instead of a member"),
	{"Admin", "Member"}:         locale.Mark("made %s a member instead of an admin"),
	{"Billing admin", "Member"}: locale.Mark("made %s a member instead of a billing admin"),
}

// formerRoleFormats are the sentences about a built-in role in place of a custom one, by the new
// role.
var formerRoleFormats = map[string]string{
	"Admin":         locale.Mark("made %s an admin instead of %s"),
	"Billing admin": locale.Mark("made %s a billing admin instead of %s"),
	"Member":        locale.Mark("made %s a member instead of %s"),
}

// memberRoleWords is the sentence "made Grace a billing admin instead of a member".
func memberRoleWords(ctx context.Context, e account.AuditEntry) string {
	before, after := e.Before["role"], e.After["role"]
	if format, known := memberRoleFormats[[2]string{before, after}]; known {
		return fmt.Sprintf(locale.Lookup(ctx, format), e.TargetName)
	}
	if format, builtIn := formerRoleFormats[after]; builtIn {
		return fmt.Sprintf(locale.Lookup(ctx, format), e.TargetName, before)
	}
	return locale.T(ctx, "changed the role of %s from %s to %s", e.TargetName, recordedRole(ctx, before), after)
}

func joinedWords(ctx context.Context, e account.AuditEntry) string {
	if role := e.After["role"]; role != "" {
		return locale.T(ctx, "joined as %s", recordedRole(ctx, role))
	}
	return locale.T(ctx, "joined")
}

func domainJoinWords(ctx context.Context, e account.AuditEntry) string {
	return locale.T(ctx, "joined by the domain %s as %s", e.After["domain"], recordedRole(ctx, e.After["role"]))
}

func domainSeatWords(ctx context.Context, e account.AuditEntry) string {
	if e.After["seat"] == "yes" {
		return locale.T(ctx, "turned seats on for people who join by the domain %s", e.TargetName)
	}
	return locale.T(ctx, "turned seats off for people who join by the domain %s", e.TargetName)
}

// leftWords has one reason: account.Members records no other.
func leftWords(ctx context.Context, e account.AuditEntry) string {
	if e.After["reason"] != "" {
		return locale.T(ctx, "left and deleted their account")
	}
	return locale.T(ctx, "left the organization")
}

// roleChange is what changed about a role.
type roleChange struct {
	renamed          bool
	billing, members permissionChange
}

// permissionChange is what changed about a permission of a role; empty: nothing.
type permissionChange string

const (
	permissionGiven permissionChange = "given"
	permissionTaken permissionChange = "taken"
)

// roleChangeFormats are the sentences about a role. A renamed one has its former and its new name.
var roleChangeFormats = map[roleChange]string{
	{}:                         locale.Mark("changed the role %s"),
	{members: permissionGiven}: locale.Mark("changed the role %s, which can now manage members"),
	{members: permissionTaken}: locale.Mark("changed the role %s, which can no longer manage members"),
	{billing: permissionGiven}: locale.Mark("changed the role %s, which can now manage billing"),
	{billing: permissionGiven, members: permissionGiven}: locale.Mark("changed the role %s, which can now manage billing, which can now manage members"),
	{billing: permissionGiven, members: permissionTaken}: locale.Mark("changed the role %s, which can now manage billing, which can no longer manage members"),
	{billing: permissionTaken}:                           locale.Mark("changed the role %s, which can no longer manage billing"),
	{billing: permissionTaken, members: permissionGiven}: locale.Mark("changed the role %s, which can no longer manage billing, which can now manage members"),
	{billing: permissionTaken, members: permissionTaken}: locale.Mark("changed the role %s, which can no longer manage billing, which can no longer manage members"),
	{renamed: true}: locale.Mark("changed the role %s to %s"),
	{renamed: true, members: permissionGiven}:                           locale.Mark("changed the role %s to %s, which can now manage members"),
	{renamed: true, members: permissionTaken}:                           locale.Mark("changed the role %s to %s, which can no longer manage members"),
	{renamed: true, billing: permissionGiven}:                           locale.Mark("changed the role %s to %s, which can now manage billing"),
	{renamed: true, billing: permissionGiven, members: permissionGiven}: locale.Mark("changed the role %s to %s, which can now manage billing, which can now manage members"),
	{renamed: true, billing: permissionGiven, members: permissionTaken}: locale.Mark("changed the role %s to %s, which can now manage billing, which can no longer manage members"),
	{renamed: true, billing: permissionTaken}:                           locale.Mark("changed the role %s to %s, which can no longer manage billing"),
	{renamed: true, billing: permissionTaken, members: permissionGiven}: locale.Mark("changed the role %s to %s, which can no longer manage billing, which can now manage members"),
	{renamed: true, billing: permissionTaken, members: permissionTaken}: locale.Mark("changed the role %s to %s, which can no longer manage billing, which can no longer manage members"),
}

func roleChangeWords(ctx context.Context, e account.AuditEntry) string {
	names := []any{e.Before["name"]}
	change := roleChange{
		renamed: e.Before["name"] != e.After["name"],
		billing: permissionChangeOf(e, "billing"), members: permissionChangeOf(e, "members"),
	}
	if change.renamed {
		names = append(names, e.After["name"])
	}
	return fmt.Sprintf(locale.Lookup(ctx, roleChangeFormats[change]), names...)
}

func permissionChangeOf(e account.AuditEntry, permission string) permissionChange {
	switch {
	case e.Before[permission] == e.After[permission]:
		return ""
	case e.After[permission] == "yes":
		return permissionGiven
	}
	return permissionTaken
}

func planChangeWords(text, format string) auditText {
	return func(ctx context.Context, e account.AuditEntry) string {
		if e.Before["plan"] == "" || e.After["plan"] == "" {
			return locale.Lookup(ctx, text)
		}
		return fmt.Sprintf(locale.Lookup(ctx, format), recordedPlan(ctx, e.Before["plan"]), recordedPlan(ctx, e.After["plan"]))
	}
}

// recordedPlan is a plan with its interval, which is recorded as "Pro, monthly", as it is shown.
func recordedPlan(ctx context.Context, plan string) string {
	if name, monthly := strings.CutSuffix(plan, ", monthly"); monthly {
		return locale.T(ctx, "%s, monthly", name)
	}
	if name, yearly := strings.CutSuffix(plan, ", yearly"); yearly {
		return locale.T(ctx, "%s, yearly", name)
	}
	return plan
}

func checkoutWords(ctx context.Context, e account.AuditEntry) string {
	if name := cmp.Or(recordedPlan(ctx, e.After["plan"]), e.After["pack"]); name != "" {
		return locale.T(ctx, "opened Checkout for %s", name)
	}
	return locale.T(ctx, "opened Checkout")
}
