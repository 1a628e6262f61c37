package handlers

import (
	"context"

	"usher/views/locale"
	"usher/views/ui"
)

// notices are the messages that a page shows after a redirect, by the value of the query parameter
// notice. They are not kept in the session: a GET request that saves a session could restore one
// that is being signed out.
var notices = map[string]ui.NoticeProps{
	noticeSignedOut:   {Tone: ui.Good, Title: locale.Mark("You are signed out.")},
	noticePasswordSet: {Tone: ui.Good, Title: locale.Mark("Your new password is set."), Body: locale.Mark("Sign in with it. You've been signed out everywhere else.")},
	noticeSubscribed:  {Tone: ui.Note, Title: locale.Mark("This organization already has a plan."), Body: locale.Mark("You can change it here.")},
	noticeForbidden:   {Tone: ui.Wait, Title: locale.Mark("Only organization admins can manage billing."), Body: locale.Mark("Ask one of them to choose the plan.")},
	noticeUnavailable: {Tone: ui.Bad, Title: locale.Mark("Checkout couldn't be opened."), Body: locale.Mark("Nothing was charged. Choose a plan again in a moment.")},

	noticeComparing:         {Tone: ui.Wait, Title: locale.Mark("The comparison is still running."), Body: locale.Mark("Stripe is slow right now. Check again in a minute.")},
	noticeResynced:          {Tone: ui.Good, Title: locale.Mark("Compared with Stripe."), Body: locale.Mark("Differences were found and corrected. Seat updates follow in a moment.")},
	noticeInSync:            {Tone: ui.Good, Title: locale.Mark("Compared with Stripe."), Body: locale.Mark("Everything is in sync.")},
	noticeMemberChanged:     {Tone: ui.Good, Title: locale.Mark("The changes are saved.")},
	noticePeopleConfirmed:   {Tone: ui.Good, Title: locale.Mark("The number of seats is confirmed."), Body: locale.Mark("From now on the seats follow the people who have one.")},
	noticeMemberRemoved:     {Tone: ui.Good, Title: locale.Mark("The person was removed."), Body: locale.Mark("They no longer have access.")},
	noticeLeft:              {Tone: ui.Good, Title: locale.Mark("You have left the organization.")},
	noticeJoined:            {Tone: ui.Good, Title: locale.Mark("Welcome. You are a member now.")},
	noticeInvited:           {Tone: ui.Good, Title: locale.Mark("The invitation is on its way."), Body: locale.Mark("Its link is valid for 7 days. Earlier links no longer work.")},
	noticePeopleInvited:     {Tone: ui.Good, Title: locale.Mark("The invitations are on their way."), Body: locale.Mark("Nothing is charged before people join. The links are valid for 7 days.")},
	noticeInvitationRevoked: {Tone: ui.Good, Title: locale.Mark("The invitation is revoked."), Body: locale.Mark("Its link no longer works.")},
	noticeRoleSaved:         {Tone: ui.Good, Title: locale.Mark("The role is saved."), Body: locale.Mark("The change takes effect right away.")},
	noticeRoleDeleted:       {Tone: ui.Good, Title: locale.Mark("The role is deleted.")},
	noticeProfileSaved:      {Tone: ui.Good, Title: locale.Mark("Your name is saved.")},
	noticePasswordChanged:   {Tone: ui.Good, Title: locale.Mark("Your password is changed."), Body: locale.Mark("You are signed out everywhere else.")},
	noticeEmailRequested:    {Tone: ui.Good, Title: locale.Mark("Check your inbox."), Body: locale.Mark("Your address changes once you've confirmed it with the links we sent.")},
	noticeEmailHalfway:      {Tone: ui.Good, Title: locale.Mark("Confirmed."), Body: locale.Mark("Your address changes once the other address is confirmed too.")},
	noticeEmailChanged:      {Tone: ui.Good, Title: locale.Mark("Your e-mail address is changed.")},
	noticeEmailKept:         {Tone: ui.Good, Title: locale.Mark("You keep your e-mail address.")},
	noticeKeyRevoked:        {Tone: ui.Good, Title: locale.Mark("The key is revoked."), Body: locale.Mark("Programs that use it no longer have access.")},
	noticeWebhookTested:     {Tone: ui.Good, Title: locale.Mark("The test event is on its way."), Body: locale.Mark("Reload this page in a moment to see the answer.")},
	noticeWebhookResent:     {Tone: ui.Good, Title: locale.Mark("The message is being sent again."), Body: locale.Mark("Reload this page in a moment to see the answer.")},
	noticeWebhookEnabled:    {Tone: ui.Good, Title: locale.Mark("The webhook is on."), Body: locale.Mark("Changes are sent from now on. Read the present state through the API.")},
	noticeWebhookDeleted:    {Tone: ui.Good, Title: locale.Mark("The webhook is deleted."), Body: locale.Mark("Nothing is sent to its address any more.")},
	noticeDomainVerified:    {Tone: ui.Good, Title: locale.Mark("The domain is verified."), Body: locale.Mark("Whoever is new and signs in with an address there joins from now on.")},
	noticeDomainSaved:       {Tone: ui.Good, Title: locale.Mark("The change is saved."), Body: locale.Mark("It counts for people who join from now on.")},
	noticeDomainRemoved:     {Tone: ui.Good, Title: locale.Mark("The domain is removed."), Body: locale.Mark("Members stay. No one joins by it any more.")},
	noticeVerificationSent:  {Tone: ui.Good, Title: locale.Mark("We've sent you a link."), Body: locale.Mark("It's valid for 7 days.")},
	noticeSessionsEnded:     {Tone: ui.Good, Title: locale.Mark("You are signed out everywhere else.")},
	noticeSessionEnded:      {Tone: ui.Good, Title: locale.Mark("That device is signed out.")},
	noticeConfirmed:         {Tone: ui.Good, Title: locale.Mark("Thanks for confirming it's you."), Body: locale.Mark("Nothing has changed yet. You can continue now.")},
	noticePersonSignedOut:   {Tone: ui.Good, Title: locale.Mark("The person is signed out everywhere.")},
	noticeReplayed:          {Tone: ui.Good, Title: locale.Mark("The event is being replayed."), Body: locale.Mark("Nothing in it counts twice.")},
	noticeContacts:          {Tone: ui.Good, Title: locale.Mark("The billing contacts are saved.")},
	noticeNotices:           {Tone: ui.Good, Title: locale.Mark("The notices are saved.")},
	noticeHandedOver:        {Tone: ui.Good, Title: locale.Mark("The organization has a new admin."), Body: locale.Mark("You are a member now.")},
	noticeDeletionWithdrawn: {Tone: ui.Good, Title: locale.Mark("The organization is kept."), Body: locale.Mark("Its plan renews as before.")},
	noticeCanceled:          {Tone: ui.Good, Title: locale.Mark("Your plan is canceled."), Body: locale.Mark("You keep it until the date below, and can change your mind until then.")},
	noticeResumed:           {Tone: ui.Good, Title: locale.Mark("You keep your plan."), Body: locale.Mark("It renews on the date below.")},
	noticePlanChanged:       {Tone: ui.Good, Title: locale.Mark("Your plan is changed.")},
	noticePlanScheduled:     {Tone: ui.Good, Title: locale.Mark("The change is scheduled."), Body: locale.Mark("You keep your plan until then.")},
	noticePlanPending:       {Tone: ui.Wait, Title: locale.Mark("The payment is not complete."), Body: locale.Mark("Your plan hasn't changed. Pay or confirm the payment below to finish the change.")},
	noticePlanFailed:        {Tone: ui.Bad, Title: locale.Mark("Your plan is not changed."), Body: locale.Mark("Nothing was charged. Choose the plan again to see what it costs.")},
	noticePlanKept:          {Tone: ui.Good, Title: locale.Mark("You keep your plan.")},
	noticePaid:              {Tone: ui.Good, Title: locale.Mark("Payment received. Thank you.")},
	noticePayDeclined:       {Tone: ui.Bad, Title: locale.Mark("The payment was declined."), Body: locale.Mark("Nothing was charged, and nothing else has changed.")},
	noticePayConfirm:        {Tone: ui.Wait, Title: locale.Mark("Your bank wants you to confirm the payment."), Body: locale.Mark("Nothing was charged yet.")},
	noticePayNoCard:         {Tone: ui.Bad, Title: locale.Mark("There is no card to charge."), Body: locale.Mark("Add a card, and the payment is made at once.")},
	noticePayFailed:         {Tone: ui.Bad, Title: locale.Mark("The payment could not be made."), Body: locale.Mark("Nothing was charged. Please try again in a moment.")},
	noticeAccountDeleted:    {Tone: ui.Good, Title: locale.Mark("Your account is deleted.")},
	noticeSecondFactorOff:   {Tone: ui.Good, Title: locale.Mark("Two-step verification is off."), Body: locale.Mark("Your password alone now lets you in.")},
	noticeSignInAgain:       {Tone: ui.Wait, Title: locale.Mark("Please sign in again."), Body: locale.Mark("The second step took too long, or your password has changed.")},
	noticeSetUpAgain:        {Tone: ui.Wait, Title: locale.Mark("Please start again."), Body: locale.Mark("Setting up the app took too long. Remove the entry for Usher from your app first.")},
	noticeAppAdded:          {Tone: ui.Good, Title: locale.Mark("Your authenticator app is set up."), Body: locale.Mark("You are signed out everywhere else. Your recovery codes stay as they are.")},
	noticeAppRemoved:        {Tone: ui.Good, Title: locale.Mark("Your authenticator app is removed."), Body: locale.Mark("Your passkeys still protect your account.")},
	noticePasskeyAdded:      {Tone: ui.Good, Title: locale.Mark("The passkey is added.")},
	noticePasskeyRenamed:    {Tone: ui.Good, Title: locale.Mark("The passkey has its new name.")},
	noticePasskeyRemoved:    {Tone: ui.Good, Title: locale.Mark("The passkey is removed."), Body: locale.Mark("Two-step verification is still on.")},
	noticeSecondFactorOrg:   {Tone: ui.Good, Title: locale.Mark("The setting is saved.")},
	noticePasswordsOff:      {Tone: ui.Note, Title: locale.Mark("Passwords aren't used here."), Body: locale.Mark("Sign in with your identity provider instead.")},
	noticeIdentityLinked:    {Tone: ui.Good, Title: locale.Mark("Your identity provider is linked."), Body: locale.Mark("You can sign in with it from now on.")},
	noticeIdentityUnlinked:  {Tone: ui.Good, Title: locale.Mark("The identity is unlinked."), Body: locale.Mark("It can't sign in to your account any more.")},
	noticeIdentityKept:      {Tone: ui.Wait, Title: locale.Mark("This is your only way to sign in."), Body: locale.Mark("Set a password first, then unlink it.")},
	noticePasswordLinkSent:  {Tone: ui.Good, Title: locale.Mark("Check your inbox."), Body: locale.Mark("The link sets your password. It's valid for an hour.")},
	noticeRenamed:           {Tone: ui.Good, Title: locale.Mark("The organization is renamed.")},
}

// Values of the query parameter notice.
const (
	noticeSignedOut   = "signed-out"
	noticePasswordSet = "password-set"
	noticeSubscribed  = "subscribed"
	noticeForbidden   = "forbidden"
	noticeUnavailable = "checkout-unavailable"

	noticeResynced          = "resynced"
	noticeComparing         = "comparing"
	noticeInSync            = "agreed"
	noticeMemberChanged     = "member-changed"
	noticePeopleConfirmed   = "people-confirmed"
	noticeMemberRemoved     = "member-removed"
	noticeLeft              = "left"
	noticeJoined            = "joined"
	noticeInvited           = "invited"
	noticePeopleInvited     = "people-invited"
	noticeInvitationRevoked = "invitation-taken-back"
	noticeRoleSaved         = "role-saved"
	noticeRoleDeleted       = "role-deleted"
	noticeContacts          = "contacts"
	noticeNotices           = "notices"
	noticeHandedOver        = "handed-over"
	noticeDeletionWithdrawn = "kept"
	noticeCanceled          = "plan-canceled"
	noticeResumed           = "plan-resumed"
	noticePlanChanged       = "plan-changed"
	noticePlanScheduled     = "plan-scheduled"
	noticePlanPending       = "plan-pending"
	noticePlanFailed        = "plan-failed"
	noticePlanKept          = "plan-kept"
	noticePaid              = "paid"
	noticePayDeclined       = "payment-declined"
	noticePayConfirm        = "payment-confirm"
	noticePayNoCard         = "payment-no-card"
	noticePayFailed         = "payment-failed"
	noticeAccountDeleted    = "account-deleted"
	noticeWebhookTested     = "webhook-tested"
	noticeWebhookResent     = "webhook-resent"
	noticeWebhookEnabled    = "webhook-on"
	noticeWebhookDeleted    = "webhook-deleted"
	noticeDomainVerified    = "domain-verified"
	noticeDomainSaved       = "domain-saved"
	noticeDomainRemoved     = "domain-removed"
	noticeRenamed           = "renamed"
	noticeSecondFactorOff   = "second-factor-off"
	noticeSignInAgain       = "sign-in-again"
	noticeSetUpAgain        = "set-up-again"
	noticeAppAdded          = "app-added"
	noticeAppRemoved        = "app-removed"
	noticePasskeyAdded      = "passkey-added"
	noticePasskeyRenamed    = "passkey-renamed"
	noticePasskeyRemoved    = "passkey-removed"
	noticeSecondFactorOrg   = "second-factor-members"
	noticeReplayed          = "replayed"
	noticePasswordsOff      = "passwords-off"
	noticeIdentityLinked    = "identity-linked"
	noticeIdentityUnlinked  = "identity-unlinked"
	noticeIdentityKept      = "identity-kept"
	noticePasswordLinkSent  = "password-link-sent"
	noticeProfileSaved      = "name-saved"
	noticePasswordChanged   = "password-changed"
	noticeEmailRequested    = "email-requested"
	noticeEmailHalfway      = "email-halfway"
	noticeEmailChanged      = "email-changed"
	noticeEmailKept         = "email-kept"
	noticeKeyRevoked        = "key-revoked"
	noticeVerificationSent  = "verification-sent"
	noticeSessionsEnded     = "signed-out-elsewhere"
	noticeSessionEnded      = "session-ended"
	noticeConfirmed         = "confirmed"
	noticePersonSignedOut   = "person-signed-out"
)

// translated returns a notice of [notices] in the language of ctx.
func translated(ctx context.Context, notice ui.NoticeProps) *ui.NoticeProps {
	notice.Title, notice.Body = locale.Lookup(ctx, notice.Title), locale.Lookup(ctx, notice.Body)
	return &notice
}
