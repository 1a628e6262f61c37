package account

import (
	"context"
	"time"

	"usher/billing/mail"
)

// Tx gives access to the stores of people and organizations in one transaction.
type Tx interface {
	mail.Tx
	Users() UserStore
	Organizations() OrganizationStore
	Members() MemberStore
	Roles() RoleStore
	Invitations() InvitationStore
	Tokens() TokenStore
	EmailChanges() EmailChangeStore
	APIKeys() APIKeyStore
	Handovers() HandoverStore
	RateLimits() RateLimitStore
	LoginDevices() LoginDeviceStore
	SecondFactors() SecondFactorStore
	Passkeys() PasskeyStore
	Identities() IdentityStore
	Domains() DomainStore
	Audit() AuditStore
	IdempotencyKeys() IdempotencyKeyStore
}

// UserStore stores people and their sessions.
type UserStore interface {
	// Erase replaces name, address and password hash and deletes tokens, second factor and
	// identities of the user.
	Erase(ctx context.Context, userID, name string) error
	SetPassword(ctx context.Context, userID, hash string) error
	// ReplaceHash replaces the hash of a password that stays the same, unless it was changed.
	ReplaceHash(ctx context.Context, userID, old, replacement string) error
	// MarkEmailVerified keeps the first time.
	MarkEmailVerified(ctx context.Context, userID string, at time.Time) error
	// SetEmail replaces the address by a verified one; CodeConflict for a known address.
	SetEmail(ctx context.Context, userID, email string, verifiedAt time.Time) error
	// DeleteLoginDevices forgets the browsers that a user has logged in with.
	DeleteLoginDevices(ctx context.Context, userID string) error
	// DeleteSessions ends every session of a user and returns their number.
	DeleteSessions(ctx context.Context, userID string) (int64, error)
	// CountSessions counts the sessions of a user that have not expired.
	CountSessions(ctx context.Context, userID string) (int, error)
	SetName(ctx context.Context, userID, name string) error
	SetLanguage(ctx context.Context, userID, language string) error
	// SetOperator sets or clears the operator flag; ErrNotFound if there is no such user.
	SetOperator(ctx context.Context, userID string, operator bool) error
	Insert(ctx context.Context, u User) error // CodeConflict for a known address
	InsertAll(ctx context.Context, users []User) error
	Get(ctx context.Context, id string) (User, error)
	Lock(ctx context.Context, id string) (User, error)
	ByEmail(ctx context.Context, email string) (User, error) // case-insensitive
}

// OrganizationStore stores organizations.
type OrganizationStore interface {
	Update(ctx context.Context, o Organization) error // writes Name and DeletesAt
	SetRequireSecondFactor(ctx context.Context, id string, required bool) error
	Insert(ctx context.Context, o Organization) error
	// ByExternalID returns the organization, not a deleted one, with the id of a program.
	ByExternalID(ctx context.Context, externalID string) (Organization, error)
	Get(ctx context.Context, id string) (Organization, error)
	Lock(ctx context.Context, id string) (Organization, error)
	// Access reads user, organization and membership; ErrNotFound if the user is no active member.
	Access(ctx context.Context, userID, organizationID string) (Access, error)
	// OfUser lists the organizations in which the user is an active member, oldest membership
	// first.
	OfUser(ctx context.Context, userID string) ([]Organization, error)
}

// MemberStore stores memberships.
type MemberStore interface {
	// OfUser lists all memberships of a user, suspended ones and those of deleted organizations
	// included, by organization.
	OfUser(ctx context.Context, userID string) ([]Member, error)
	// BillingManagers lists the active members who have joined and may manage billing, the oldest
	// membership first.
	BillingManagers(ctx context.Context, organizationID string) ([]User, error)
	Get(ctx context.Context, organizationID, memberID string) (Member, error)
	ByUser(ctx context.Context, organizationID, userID string) (Member, error) // suspended ones too
	// Writes role, billable and status.
	Update(ctx context.Context, m Member) error
	Touch(ctx context.Context, memberID string, seenAt time.Time) error
	Delete(ctx context.Context, organizationID, memberID string) error
	InsertAll(ctx context.Context, members []Member) error
	// UpdateManaged writes role, billable, status and what a program sets of members.
	UpdateManaged(ctx context.Context, members []Member) error
	DeleteAll(ctx context.Context, organizationID string, memberIDs []string) error
	// ProvisionalByEmail lists the members with an address who have not joined, case-insensitive.
	ProvisionalByEmail(ctx context.Context, organizationID, email string) ([]Member, error)
	// Link makes a provisional membership, and the ledger's lines about it, that of a user.
	Link(ctx context.Context, m Member, userID string, at time.Time) error
	// CountOtherAdmins counts the active built-in admins who have joined, except one member.
	CountOtherAdmins(ctx context.Context, organizationID, exceptMemberID string) (int, error)
	Insert(ctx context.Context, m Member) error                        // reads m.Role.ID
	List(ctx context.Context, organizationID string) ([]Member, error) // by name
	// Search lists the matching members from an offset on, by name, and at most limit of them.
	Search(ctx context.Context, organizationID string, search MemberSearch, offset, limit int) ([]Member, error)
	Count(ctx context.Context, organizationID string, search MemberSearch) (int, error)
	CountByRole(ctx context.Context, organizationID string) (map[string]int, error) // by the role's id
	// ByKeys lists the members who have one of the keys, by name.
	ByKeys(ctx context.Context, organizationID string, keys MemberKeys) ([]Member, error)
	CountBillable(ctx context.Context, organizationID string) (int, error)
}

// RoleStore stores built-in and custom roles.
type RoleStore interface {
	Get(ctx context.Context, organizationID, roleID string) (Role, error) // built-in roles included
	// CodeConflict for a known name.
	Insert(ctx context.Context, r Role) error
	// Writes name and permissions; never a built-in role.
	Update(ctx context.Context, r Role) error
	// The role must have no holders.
	Delete(ctx context.Context, organizationID, roleID string) error
	// CountHolders counts the members with the role and the pending invitations that grant it.
	CountHolders(ctx context.Context, organizationID, roleID string) (members, invitations int, err error)
	List(ctx context.Context, organizationID string) ([]Role, error) // built-in first
}

// InvitationStore stores invitations.
type InvitationStore interface {
	Insert(ctx context.Context, i Invitation) error
	// Update writes token hash, inviter, times, Sent, and how the invitation was closed.
	Update(ctx context.Context, i Invitation) error
	Get(ctx context.Context, organizationID, invitationID string) (Invitation, error)
	ByToken(ctx context.Context, tokenHash []byte) (Invitation, error)
	// RevokeOfKeys revokes the pending invitations of API keys to the addresses.
	RevokeOfKeys(ctx context.Context, organizationID string, emails []string, at time.Time) error
	// Pending lists those neither accepted nor revoked, expired ones included, by address.
	Pending(ctx context.Context, organizationID string) ([]Invitation, error)
	// CountPromisedSeats counts the pending billable invitations that have not expired at now,
	// except one.
	CountPromisedSeats(ctx context.Context, organizationID, exceptInvitationID string, now time.Time) (int, error)
}

// TokenStore stores mailed links and requests for password resets.
type TokenStore interface {
	// PutResetRequest stores a request for a password reset, once per address, case-insensitive.
	PutResetRequest(ctx context.Context, email string, now time.Time) error
	// PopResetRequest deletes the oldest request and returns its address in lower case; ErrNotFound
	// if there is none. It waits for a concurrent caller that deletes the same one.
	PopResetRequest(ctx context.Context) (string, error)
	Insert(ctx context.Context, t Token) error
	// Get returns a token that is neither used nor expired; ErrNotFound otherwise.
	Get(ctx context.Context, hash []byte, purpose TokenPurpose, now time.Time) (Token, error)
	// MarkUsed marks a token as used; false if it is already, or does not exist.
	MarkUsed(ctx context.Context, hash []byte, now time.Time) (bool, error)
	// MarkAllUsed marks all tokens of a user as used.
	MarkAllUsed(ctx context.Context, userID string, purpose TokenPurpose, now time.Time) error
	// LastCreatedAt returns when the user's newest unused token was created; ErrNotFound if there
	// is none.
	LastCreatedAt(ctx context.Context, userID string, purpose TokenPurpose) (time.Time, error)
}

// EmailChangeStore stores changes of e-mail addresses, at most one of each user.
type EmailChangeStore interface {
	// Put replaces the user's change.
	Put(ctx context.Context, c EmailChange) error
	// OfUser returns the user's change unless it has expired; ErrNotFound if there is none.
	OfUser(ctx context.Context, userID string, now time.Time) (EmailChange, error)
	// ByToken returns the change with a token, of either address, unless it has expired;
	// ErrNotFound if there is none.
	ByToken(ctx context.Context, tokenHash []byte, now time.Time) (EmailChange, error)
	Delete(ctx context.Context, userID string) error
}

// APIKeyStore stores API keys.
type APIKeyStore interface {
	Insert(ctx context.Context, k APIKey) error
	ByHash(ctx context.Context, hash []byte) (APIKey, error)
	// OfOrganization lists the keys of an organization, the newest first.
	OfOrganization(ctx context.Context, organizationID string) ([]APIKey, error)
	// OfInstallation lists the keys of the installation, the newest first.
	OfInstallation(ctx context.Context) ([]APIKey, error)
	Touch(ctx context.Context, keyID string, at time.Time) error
	// RevokeAny is Revoke for a key of any organization or of the installation.
	RevokeAny(ctx context.Context, keyID string, at time.Time) (APIKey, error)
	// Revoke keeps the first time and returns the key.
	Revoke(ctx context.Context, organizationID, keyID string, at time.Time) (APIKey, error)
}

// LoginDeviceStore stores the browsers that people have logged in with.
type LoginDeviceStore interface {
	Insert(ctx context.Context, d LoginDevice) error
	// ByEmail returns the device with one of the hashes that is known to the account of an address
	// (case-insensitive) and not expired; ErrNotFound if there is none.
	ByEmail(ctx context.Context, hashes [][]byte, email string, now time.Time) (LoginDevice, error)
	Extend(ctx context.Context, hash []byte, expiresAt time.Time) error
	// Keep deletes all devices of a user but the newest ones.
	Keep(ctx context.Context, userID string, newest int) error
	Prune(ctx context.Context, now time.Time) error
}

// RateLimitStore counts rate-limited actions across all replicas.
type RateLimitStore interface {
	// Count counts one action in the window that starts at window and returns the window's count.
	// It replaces an older window of the key.
	Count(ctx context.Context, key string, window time.Time) (int, error)
	// Uncount takes back an action that was counted in the window.
	Uncount(ctx context.Context, key string, window time.Time) error
	// Clear deletes the counts of all keys with a prefix of printable ASCII.
	Clear(ctx context.Context, prefix string) error
	// Prune deletes windows that started before a time.
	Prune(ctx context.Context, before time.Time) error
}

// IdempotencyKeyStore stores requests with an idempotency key and their answers.
type IdempotencyKeyStore interface {
	// Begin stores a request. If its key is used already, it returns the stored request instead,
	// unless that is older than expired, or it is the same request and nobody handles it any more.
	Begin(ctx context.Context, k KeyedRequest, expired time.Time) (KeyedRequest, error)
	// Finish stores the answer, unless the request was begun anew.
	Finish(ctx context.Context, k KeyedRequest) error
	// Delete deletes the request, unless it was begun anew.
	Delete(ctx context.Context, k KeyedRequest) error
	Prune(ctx context.Context, before time.Time) error
}

// AuditStore stores the audit log.
type AuditStore interface {
	Insert(ctx context.Context, e AuditEntry) error
	InsertAll(ctx context.Context, entries []AuditEntry) error
	// Search lists entries, the newest first.
	Search(ctx context.Context, search AuditSearch) ([]AuditEntry, error)
	// Last returns the newest entry about an act of an actor; ErrNotFound if there is none.
	Last(ctx context.Context, organizationID string, act Act, actorID string) (AuditEntry, error)
	// Prune deletes up to limit entries from before a time, which must be more than 365 days ago.
	// It needs a transaction.
	Prune(ctx context.Context, before time.Time, limit int) (int, error)
	// ErasePerson replaces the names of a user by name and removes their addresses. email finds
	// entries about them from before they had an account. It needs a transaction.
	ErasePerson(ctx context.Context, userID, email, name string) (int, error)
}
