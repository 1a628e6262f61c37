package account

// Act is what an audit entry says was done: an object and a verb. The vocabulary is closed, and
// stored entries keep their act, so that none is ever renamed.
type Act string

// The acts.
const (
	ActOrganizationCreated     Act = "organization.created"
	ActOrganizationRenamed     Act = "organization.renamed"
	ActOrganizationHandedOn    Act = "organization.handed_over"
	ActOrganizationDeleted     Act = "organization.deleted"
	ActDeletionRequested       Act = "deletion.requested"
	ActDeletionWithdrawn       Act = "deletion.withdrawn"
	ActInvitationSent          Act = "invitation.sent"
	ActInvitationResent        Act = "invitation.resent"
	ActInvitationRevoked       Act = "invitation.revoked"
	ActInvitationAccepted      Act = "invitation.accepted"
	ActMemberAdded             Act = "member.added"
	ActMemberJoined            Act = "member.joined"
	ActMemberRoleChanged       Act = "member.role_changed"
	ActMemberSuspended         Act = "member.suspended"
	ActMemberReactivated       Act = "member.reactivated"
	ActMemberBilled            Act = "member.billed"
	ActMemberNotBilled         Act = "member.not_billed"
	ActMemberRemoved           Act = "member.removed"
	ActMemberDescribed         Act = "member.described"
	ActMemberLeft              Act = "member.left"
	ActRoleCreated             Act = "role.created"
	ActRoleChanged             Act = "role.changed"
	ActRoleDeleted             Act = "role.deleted"
	ActContactAdded            Act = "contact.added"
	ActContactRemoved          Act = "contact.removed"
	ActNoticesChanged          Act = "notices.changed"
	ActCheckoutStarted         Act = "checkout.started"
	ActPlanChangeConfirmed     Act = "plan.change_confirmed"
	ActPlanChangeScheduled     Act = "plan.change_scheduled"
	ActPlanChangeWithdrawn     Act = "plan.change_withdrawn"
	ActPlanChangeFailed        Act = "plan.change_failed"
	ActPlanChanged             Act = "plan.changed"
	ActPlanCanceled            Act = "plan.canceled"
	ActPlanResumed             Act = "plan.resumed"
	ActSeatsChanged            Act = "seats.changed"
	ActSeatsConfirmed          Act = "seats.confirmed"
	ActSeatSyncRetried         Act = "seats.sync_retried"
	ActPortalOpened            Act = "portal.opened"
	ActInvoicePaymentRequested Act = "invoice.payment_requested"
	ActDuplicateCanceled       Act = "duplicate.canceled"
	ActCustomerLinked          Act = "customer.linked"
	ActOrganizationCompared    Act = "organization.compared"
	ActOperatorLooked          Act = "operator.looked"
	ActOperatorPromoted        Act = "operator.promoted"
	ActEventReplayed           Act = "event.replayed"
	ActPersonRenamed           Act = "person.renamed"
	ActPasswordChanged         Act = "password.changed"
	ActPasswordReset           Act = "password.reset"
	ActEmailVerified           Act = "email.verified"
	ActAccountDeleted          Act = "account.deleted"
	ActAuditErased             Act = "audit.erased"
	ActAPIKeyCreated           Act = "api_key.created"
	ActAPIKeyRevoked           Act = "api_key.revoked"
	ActWebhookCreated          Act = "webhook.created"
	ActWebhookRotated          Act = "webhook.secret_rotated"
	ActWebhookEnabled          Act = "webhook.enabled"
	ActWebhookDeleted          Act = "webhook.deleted"
	ActWebhookResent           Act = "webhook.resent"
	ActDomainAdded             Act = "domain.added"
	ActDomainVerified          Act = "domain.verified"
	ActDomainChanged           Act = "domain.changed"
	ActDomainRemoved           Act = "domain.removed"
	ActSecondFactorRequired    Act = "second_factor.required"
	ActSecondFactorOptional    Act = "second_factor.optional"
	ActSecondFactorEnabled     Act = "second_factor.enabled"
	ActSecondFactorDisabled    Act = "second_factor.disabled"
	ActRecoveryCodeUsed        Act = "recovery_code.used"
	ActRecoveryCodesRenewed    Act = "recovery_codes.renewed"
	ActPasskeyAdded            Act = "passkey.added"
	ActPasskeyRenamed          Act = "passkey.renamed"
	ActPasskeyRemoved          Act = "passkey.removed"
	ActEmailChanged            Act = "email.changed"
	ActSessionsEnded           Act = "sessions.ended"
	ActIdentityLinked          Act = "identity.linked"
	ActIdentityUnlinked        Act = "identity.unlinked"
)

// Acts lists the acts in the order in which a search offers them.
func Acts() []Act {
	return append(OrganizationActs(), ActOperatorPromoted, ActPersonRenamed, ActPasswordChanged, ActPasswordReset, ActEmailVerified, ActEmailChanged,
		ActSecondFactorEnabled, ActSecondFactorDisabled, ActRecoveryCodeUsed, ActRecoveryCodesRenewed, ActPasskeyAdded, ActPasskeyRenamed, ActPasskeyRemoved,
		ActIdentityLinked, ActIdentityUnlinked, ActSessionsEnded, ActAccountDeleted, ActAuditErased)
}

// OrganizationActs lists the acts that concern an organization.
func OrganizationActs() []Act {
	return []Act{
		ActOrganizationCreated, ActOrganizationRenamed, ActOrganizationHandedOn, ActDeletionRequested, ActDeletionWithdrawn, ActOrganizationDeleted,
		ActInvitationSent, ActInvitationResent, ActInvitationRevoked, ActInvitationAccepted,
		ActMemberAdded, ActMemberJoined, ActMemberRoleChanged, ActMemberSuspended, ActMemberReactivated, ActMemberBilled, ActMemberNotBilled, ActMemberDescribed, ActMemberRemoved, ActMemberLeft,
		ActRoleCreated, ActRoleChanged, ActRoleDeleted, ActContactAdded, ActContactRemoved, ActNoticesChanged,
		ActCheckoutStarted, ActPlanChangeConfirmed, ActPlanChangeScheduled, ActPlanChangeWithdrawn, ActPlanChangeFailed, ActPlanChanged,
		ActPlanCanceled, ActPlanResumed, ActSeatsChanged, ActSeatsConfirmed, ActSeatSyncRetried, ActPortalOpened, ActInvoicePaymentRequested, ActDuplicateCanceled,
		ActCustomerLinked, ActOrganizationCompared, ActOperatorLooked, ActEventReplayed,
		ActAPIKeyCreated, ActAPIKeyRevoked,
		ActWebhookCreated, ActWebhookRotated, ActWebhookEnabled, ActWebhookDeleted, ActWebhookResent,
		ActDomainAdded, ActDomainVerified, ActDomainChanged, ActDomainRemoved, ActSecondFactorRequired, ActSecondFactorOptional,
	}
}
