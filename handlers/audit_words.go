package handlers

import (
	"cmp"
	"fmt"

	"usher/billing/account"
	"usher/views/ui"
)

func auditRows(entries []account.AuditEntry, forOperators bool) []ui.AuditRow {
	rows := make([]ui.AuditRow, 0, len(entries))
	for _, entry := range entries {
		rows = append(rows, auditRow(entry, forOperators))
	}
	return rows
}

// auditRow puts an entry into words. The addresses of operators and of Stripe are shown to
// operators only.
func auditRow(e account.AuditEntry, forOperators bool) ui.AuditRow {
	row := ui.AuditRow{At: e.At, What: auditSentence(e), By: auditActor(e), RequestID: e.RequestID, Kind: actorLabels[e.ActorKind]}
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
	account.ActorOperator: "Operator of this installation",
	account.ActorAPIKey:   "API key",
	account.ActorCommand:  "Command line",
	account.ActorStripe:   "Change at Stripe",
	account.ActorSystem:   "Automatic",
}

func auditActor(e account.AuditEntry) string {
	if e.ActorName != "" {
		return e.ActorName
	}
	switch e.ActorKind {
	case account.ActorCommand:
		return "An administrator"
	case account.ActorStripe:
		return "Stripe"
	case account.ActorSystem:
		return "Usher"
	}
	return "Someone"
}

// auditLabels name the acts in the filter.
var auditLabels = map[account.Act]string{
	account.ActOrganizationCreated:     "Organization created",
	account.ActOrganizationRenamed:     "Organization renamed",
	account.ActOrganizationHandedOn:    "Organization handed over",
	account.ActOrganizationDeleted:     "Organization deleted",
	account.ActDeletionRequested:       "Deletion requested",
	account.ActDeletionWithdrawn:       "Deletion withdrawn",
	account.ActInvitationSent:          "Invitation sent",
	account.ActInvitationResent:        "Invitation sent again",
	account.ActInvitationRevoked:       "Invitation revoked",
	account.ActInvitationAccepted:      "Invitation accepted",
	account.ActMemberAdded:             "Member added",
	account.ActMemberRoleChanged:       "Role of a member changed",
	account.ActMemberSuspended:         "Member suspended",
	account.ActMemberReactivated:       "Member reactivated",
	account.ActMemberBilled:            "Seat added",
	account.ActMemberNotBilled:         "Seat removed",
	account.ActMemberRemoved:           "Member removed",
	account.ActMemberLeft:              "Member left",
	account.ActRoleCreated:             "Role created",
	account.ActRoleChanged:             "Role changed",
	account.ActRoleDeleted:             "Role deleted",
	account.ActContactAdded:            "Billing contact added",
	account.ActContactRemoved:          "Billing contact removed",
	account.ActNoticesChanged:          "Notices changed",
	account.ActCheckoutStarted:         "Checkout opened",
	account.ActPlanChangeConfirmed:     "Plan change confirmed",
	account.ActPlanChangeScheduled:     "Plan change scheduled",
	account.ActPlanChangeWithdrawn:     "Plan change withdrawn",
	account.ActPlanChangeFailed:        "Plan change failed",
	account.ActPlanChanged:             "Plan changed",
	account.ActPlanCanceled:            "Plan canceled",
	account.ActPlanResumed:             "Plan resumed",
	account.ActSeatsChanged:            "Number of seats changed",
	account.ActSeatSyncRetried:         "Update of seats retried",
	account.ActPortalOpened:            "Billing portal opened",
	account.ActInvoicePaymentRequested: "Payment of an invoice started",
	account.ActDuplicateCanceled:       "Second subscription ended",
	account.ActCustomerLinked:          "Stripe customer linked",
	account.ActOrganizationCompared:    "Compared with Stripe",
	account.ActOperatorLooked:          "Viewed by an operator",
	account.ActOperatorPromoted:        "Operator promoted",
	account.ActEventReplayed:           "Event replayed",
	account.ActPersonRenamed:           "Person renamed",
	account.ActPasswordChanged:         "Password changed",
	account.ActPasswordReset:           "Password reset",
	account.ActEmailVerified:           "E-mail address verified",
	account.ActAccountDeleted:          "Account deleted",
	account.ActAuditErased:             "Person erased from the audit log",
	account.ActAPIKeyCreated:           "API key created",
	account.ActAPIKeyRevoked:           "API key revoked",
	account.ActSecondFactorRequired:    "Two-step verification required",
	account.ActSecondFactorOptional:    "Two-step verification optional",
	account.ActSecondFactorEnabled:     "Two-step verification on",
	account.ActSecondFactorDisabled:    "Two-step verification off",
	account.ActRecoveryCodeUsed:        "Recovery code used",
	account.ActRecoveryCodesRenewed:    "Recovery codes renewed",
	account.ActPasskeyAdded:            "Passkey added",
	account.ActPasskeyRenamed:          "Passkey renamed",
	account.ActPasskeyRemoved:          "Passkey removed",
	account.ActEmailChanged:            "E-mail address changed",
	account.ActSessionsEnded:           "Sessions ended",
	account.ActIdentityLinked:          "Identity linked",
	account.ActIdentityUnlinked:        "Identity unlinked",
}

// auditSentence says what an entry is about. It follows the actor's name.
func auditSentence(e account.AuditEntry) string {
	if words, known := auditWords[e.Act]; known {
		return words(e)
	}
	return "did " + string(e.Act) // of a later release
}

// words returns a sentence without variables.
func words(text string) func(account.AuditEntry) string {
	return func(account.AuditEntry) string { return text }
}

// about returns a sentence about the target.
func about(format string) func(account.AuditEntry) string {
	return func(e account.AuditEntry) string {
		return fmt.Sprintf(format, cmp.Or(e.TargetName, e.TargetID, "someone"))
	}
}

// toValue returns a sentence that ends with a value, or is complete without it.
func toValue(text, preposition, key string) func(account.AuditEntry) string {
	return func(e account.AuditEntry) string {
		if value := e.After[key]; value != "" {
			return text + preposition + value
		}
		return text
	}
}

// auditWords are the sentences of the acts.
var auditWords = map[account.Act]func(account.AuditEntry) string{
	account.ActOrganizationCreated: about("created the organization %s"),
	account.ActOrganizationRenamed: func(e account.AuditEntry) string {
		return fmt.Sprintf("renamed the organization from %s to %s", e.Before["name"], e.After["name"])
	},
	account.ActOrganizationHandedOn: about("handed the organization over to %s"),
	account.ActOrganizationDeleted:  about("deleted the organization %s"),
	account.ActDeletionRequested:    toValue("requested the deletion of the organization", " on ", "on"),
	account.ActDeletionWithdrawn:    words("canceled the deletion of the organization"),
	account.ActInvitationSent: func(e account.AuditEntry) string {
		return fmt.Sprintf("invited %s%s", e.TargetName, asRole(e.After["role"]))
	},
	account.ActInvitationResent:  about("sent the invitation of %s again"),
	account.ActInvitationRevoked: about("revoked the invitation of %s"),
	account.ActInvitationAccepted: func(e account.AuditEntry) string {
		return "joined" + asRole(e.After["role"])
	},
	account.ActMemberAdded: func(e account.AuditEntry) string {
		return fmt.Sprintf("added %s%s", e.TargetName, asRole(e.After["role"]))
	},
	account.ActMemberRoleChanged: memberRoleWords,
	account.ActMemberSuspended:   about("suspended %s"),
	account.ActMemberReactivated: about("reactivated %s"),
	account.ActMemberBilled:      about("gave a seat to %s"),
	account.ActMemberNotBilled:   about("removed the seat of %s"),
	account.ActMemberRemoved:     about("removed %s"),
	account.ActMemberLeft: func(e account.AuditEntry) string {
		if e.After["reason"] != "" {
			return "left and " + e.After["reason"]
		}
		return "left"
	},
	account.ActRoleCreated:         about("created the role %s"),
	account.ActRoleChanged:         roleChangeWords,
	account.ActRoleDeleted:         about("deleted the role %s"),
	account.ActContactAdded:        about("added the billing contact %s"),
	account.ActContactRemoved:      about("removed the billing contact %s"),
	account.ActNoticesChanged:      words("changed which notices are sent"),
	account.ActCheckoutStarted:     func(e account.AuditEntry) string { return "opened Checkout" + forOffer(e.After) },
	account.ActPlanChangeConfirmed: planChangeWords("confirmed the change"),
	account.ActPlanChangeScheduled: planChangeWords("scheduled the change"),
	account.ActPlanChangeWithdrawn: planChangeWords("withdrew the change"),
	account.ActPlanChangeFailed:    planChangeWords("could not make the change"),
	account.ActPlanChanged:         planChangeWords("changed the plan"),
	account.ActPlanCanceled:        toValue("canceled the plan", " as of ", "ends"),
	account.ActPlanResumed:         words("resumed the plan"),
	account.ActSeatsChanged: func(e account.AuditEntry) string {
		return fmt.Sprintf("changed the number of seats from %s to %s", e.Before["seats"], e.After["seats"])
	},
	account.ActSeatSyncRetried: words("retried the update of seats at Stripe"),
	account.ActPortalOpened:    words("opened the billing portal"),
	account.ActInvoicePaymentRequested: func(e account.AuditEntry) string {
		return fmt.Sprintf("started the payment of invoice %s, %s", cmp.Or(e.TargetName, e.TargetID), e.After["amount"])
	},
	account.ActDuplicateCanceled:    toValue("ended a second subscription", " and refunded ", "refunded"),
	account.ActCustomerLinked:       about("linked the Stripe customer %s"),
	account.ActOrganizationCompared: words("compared the organization with Stripe"),
	account.ActOperatorLooked:       words("viewed the organization"),
	account.ActOperatorPromoted:     about("made %s an operator"),
	account.ActEventReplayed:        about("replayed the event %s"),
	account.ActPersonRenamed:        func(e account.AuditEntry) string { return "changed their name to " + e.After["name"] },
	account.ActPasswordChanged:      words("changed their password"),
	account.ActPasswordReset:        words("set a new password with a mailed link"),
	account.ActEmailVerified:        words("verified their e-mail address"),
	account.ActAccountDeleted:       words("deleted their account"),
	account.ActAuditErased:          about("erased %s from the audit log"),
	account.ActAPIKeyCreated:        about("created the API key %s"),
	account.ActAPIKeyRevoked:        about("revoked the API key %s"),
	account.ActSecondFactorRequired: words("required two-step verification of members"),
	account.ActSecondFactorOptional: words("made two-step verification optional for members"),
	account.ActSecondFactorEnabled:  about("turned two-step verification on for %s"),
	account.ActSecondFactorDisabled: about("turned two-step verification off for %s"),
	account.ActRecoveryCodeUsed:     about("signed in with a recovery code of %s"),
	account.ActRecoveryCodesRenewed: about("renewed the recovery codes of %s"),
	account.ActPasskeyAdded:         about("added the passkey %s"),
	account.ActPasskeyRenamed: func(e account.AuditEntry) string {
		return "renamed the passkey " + e.Before["name"] + " to " + e.After["name"]
	},
	account.ActPasskeyRemoved: about("removed the passkey %s"),
	account.ActEmailChanged: func(e account.AuditEntry) string {
		return fmt.Sprintf("changed their e-mail address from %s to %s", e.Before["email"], e.After["email"])
	},
	account.ActSessionsEnded:    about("ended the sessions of %s"),
	account.ActIdentityLinked:   about("linked an identity to the account of %s"),
	account.ActIdentityUnlinked: about("unlinked an identity from the account of %s"),
}

// builtInRoles are the built-in roles in a sentence, by their name.
var builtInRoles = map[string]string{"Admin": "an admin", "Billing admin": "a billing admin", "Member": "a member"}

// memberRoleWords is the sentence "made Grace a billing admin instead of a member".
func memberRoleWords(e account.AuditEntry) string {
	if role, builtIn := builtInRoles[e.After["role"]]; builtIn {
		return fmt.Sprintf("made %s %s instead of %s", e.TargetName, role, cmp.Or(builtInRoles[e.Before["role"]], e.Before["role"]))
	}
	return fmt.Sprintf("changed the role of %s from %s to %s", e.TargetName, e.Before["role"], e.After["role"])
}

func asRole(role string) string {
	if role == "" {
		return ""
	}
	return " as " + role
}

func roleChangeWords(e account.AuditEntry) string {
	text := "changed the role " + e.Before["name"]
	if e.Before["name"] != e.After["name"] {
		text += " to " + e.After["name"]
	}
	for _, permission := range []struct{ key, name string }{{"billing", "billing"}, {"members", "members"}} {
		switch {
		case e.Before[permission.key] == e.After[permission.key]:
		case e.After[permission.key] == "yes":
			text += ", which can now manage " + permission.name
		default:
			text += ", which can no longer manage " + permission.name
		}
	}
	return text
}

func planChangeWords(text string) func(account.AuditEntry) string {
	return func(e account.AuditEntry) string {
		if e.Before["plan"] == "" || e.After["plan"] == "" {
			return text
		}
		return fmt.Sprintf("%s from %s to %s", text, e.Before["plan"], e.After["plan"])
	}
}

func forOffer(offer account.AuditValues) string {
	if name := cmp.Or(offer["plan"], offer["pack"]); name != "" {
		return " for " + name
	}
	return ""
}
