package billing

import (
	"context"
	"time"
)

// Store keeps Usher's state. Package db implements it on PostgreSQL. A method that looks for one object answers [ErrNotFound] where it
// does not exist; a broken uniqueness rule answers [CodeConflict].
type Store interface {
	Queries
	// InTx runs f in one transaction and commits it if f returns nil. Serialization failures and deadlocks are run again, so f
	// must do nothing but speak to its Queries.
	InTx(ctx context.Context, f func(Queries) error) error
	// InTxRecording is InTx whose Queries record what they write in changes.
	InTxRecording(ctx context.Context, changes *ChangeLog, f func(Queries) error) error
}

// Queries are the reads and writes, inside a transaction or outside. Methods named Lock take a row lock until the transaction ends.
type Queries interface {
	// Record adds a line to the transaction's [ChangeLog]. Outside a transaction that records it does nothing.
	Record(format string, args ...any)
	AccountQueries
	CheckoutQueries
	SubscriptionQueries
	SeatQueries
	SeatAttemptQueries
	EventQueries
	StripeQueries
	MailQueries
	RecoveryQueries
	InvoiceQueries
	CreditQueries
	LimitQueries
	MembershipQueries
	JobQueries
	ReconcileQueries
	InboxQueries
	PaymentQueries
	OperatorQueries
	DuplicateQueries
	ContactQueries
	DeletionQueries
	AccountDeletionQueries
	CustomerDetailsQueries
}

// AccountQueries are about people and organizations.
type AccountQueries interface {
	InsertUser(ctx context.Context, u User) error // CodeConflict on a known e-mail address
	User(ctx context.Context, id string) (User, error)
	LockUser(ctx context.Context, id string) (User, error)
	UserByEmail(ctx context.Context, email string) (User, error) // without case
	InsertOrganization(ctx context.Context, o Organization) error
	Organization(ctx context.Context, id string) (Organization, error)
	LockOrganization(ctx context.Context, id string) (Organization, error)
	InsertMember(ctx context.Context, m Member) error // reads m.Role.ID
	// Access reads user, organization and membership at once; ErrNotFound where the user is no active member.
	Access(ctx context.Context, userID, organizationID string) (Access, error)
	// Organizations lists those the user is an active member of, oldest membership first.
	Organizations(ctx context.Context, userID string) ([]Organization, error)
	Members(ctx context.Context, organizationID string) ([]Member, error) // by name
	Roles(ctx context.Context, organizationID string) ([]Role, error)     // built-in first
	CountBillable(ctx context.Context, organizationID string) (int, error)
}

// CheckoutQueries are about customers and Checkout sessions.
type CheckoutQueries interface {
	// CustomerLink reads the newest link of the organization in this account and mode, deleted or not.
	CustomerLink(ctx context.Context, organizationID string, acct StripeAccount) (CustomerLink, error)
	// LastGeneration returns the highest generation any link of the organization has had, 0 for none.
	LastGeneration(ctx context.Context, organizationID string) (int, error)
	PutCustomerLink(ctx context.Context, link CustomerLink) error // inserts or updates by organization and generation
	// CustomerOwner tells which organization a customer belongs to, by any link, old ones included.
	CustomerOwner(ctx context.Context, customerID string, acct StripeAccount) (CustomerLink, error)
	// LockOwner is CustomerOwner with that organization locked; it returns the organization's id.
	LockOwner(ctx context.Context, customerID string, acct StripeAccount) (string, error)
	// OpenCheckout reads the one reserved or open subscription checkout of the organization in this account and mode.
	OpenCheckout(ctx context.Context, organizationID string, acct StripeAccount) (CheckoutSession, error)
	// PutCheckout inserts or updates by ID. Complete and expired are final: a later write of such a session changes nothing.
	PutCheckout(ctx context.Context, session CheckoutSession) error
	CheckoutByStripeID(ctx context.Context, organizationID, sessionID string) (CheckoutSession, error)
}

// SubscriptionQueries are about snapshots of subscriptions.
type SubscriptionQueries interface {
	// LockSubscription reads and locks the snapshot.
	LockSubscription(ctx context.Context, id string) (Subscription, error)
	// LockOwnerAndSubscription is LockOwner and then LockSubscription in one question; ErrNotFound where either has nothing.
	LockOwnerAndSubscription(ctx context.Context, customerID string, acct StripeAccount, id string) (organizationID string, held Subscription, err error)
	Subscription(ctx context.Context, id string) (Subscription, error)
	// PutSubscription inserts or overwrites the snapshot, IsCurrent left as it is, and raises Revision. It returns all Subscriptions of its
	// organization, account and mode, this one as it is now.
	PutSubscription(ctx context.Context, s Subscription) ([]Subscription, error)
	// CurrentSubscription reads the organization's current one in this account and mode.
	CurrentSubscription(ctx context.Context, organizationID string, acct StripeAccount) (Subscription, error)
	// Subscriptions lists the organization's subscriptions in this account and mode.
	Subscriptions(ctx context.Context, organizationID string, acct StripeAccount) ([]Subscription, error)
	// SetCurrent makes one subscription the organization's current one in its account and mode and all others not.
	SetCurrent(ctx context.Context, organizationID, subscriptionID string, acct StripeAccount) error
}

// SeatQueries are about wanted and applied seats.
type SeatQueries interface {
	SeatState(ctx context.Context, organizationID string) (SeatState, error)
	LockSeatState(ctx context.Context, organizationID string) (SeatState, error)
	// LockSeats is LockSeatState, the zero state where there is none yet, and CountBillable at once. The organization is locked.
	LockSeats(ctx context.Context, organizationID string) (SeatState, int, error)
	PutSeatState(ctx context.Context, s SeatState) error // inserts or updates
	InsertSeatChange(ctx context.Context, c SeatChange) error
	SeatChanges(ctx context.Context, organizationID string, limit int) ([]SeatChange, error) // newest first
	// SearchSeatChanges lists those that fit, the newest first, and how many fit altogether.
	SearchSeatChanges(ctx context.Context, organizationID string, search LedgerSearch) ([]SeatChange, int, error)
	// DueSeatSummaries lists organizations whose billing contacts are to be told of changes at now, longest due first.
	DueSeatSummaries(ctx context.Context, now time.Time, limit int) ([]string, error)
	// DueSeatSyncs lists organizations whose seats are due at now and under no living lease, longest due first.
	DueSeatSyncs(ctx context.Context, now time.Time, limit int) ([]string, error)
}

// EventQueries are about the inbox of Stripe's events.
type EventQueries interface {
	// InsertEvent stores an event once; false where its id is known already.
	InsertEvent(ctx context.Context, e StoredEvent) (bool, error)
	// ClaimDueEvent picks the next turn that has a due pending event, and of it the longest due one; it pushes its NextAttemptAt to leaseUntil,
	// counts the attempt and returns it; ErrNotFound where no later turn has one. Two callers never get the same one.
	ClaimDueEvent(ctx context.Context, now, leaseUntil time.Time, after QueueCursor) (StoredEvent, error)
	// FinishEvent writes outcome, organization, error and next attempt.
	FinishEvent(ctx context.Context, e StoredEvent) error
	Event(ctx context.Context, id string) (StoredEvent, error)
}

// StripeQueries remember what Stripe told of the account and its prices, so that a start while Stripe is away knows them.
type StripeQueries interface {
	// RememberAccount keeps whose keys these are; fingerprint stands for the secret key and does not reveal it.
	RememberAccount(ctx context.Context, fingerprint string, acct StripeAccount) error
	RememberedAccount(ctx context.Context, fingerprint string) (StripeAccount, error)
	// RememberPrices inserts or updates by account, mode and price id. Prices no longer in use are kept: subscriptions may hold them.
	RememberPrices(ctx context.Context, acct StripeAccount, prices []StripePrice) error
	RememberedPrices(ctx context.Context, acct StripeAccount) ([]StripePrice, error) // oldest first
}

// InvoiceQueries are about snapshots of invoices.
type InvoiceQueries interface {
	LockInvoice(ctx context.Context, id string) (Invoice, error) // without Lines
	Invoice(ctx context.Context, id string) (Invoice, error)     // without Lines
	// OldestOpenInvoice reads the open invoice of a subscription that was finalized first.
	OldestOpenInvoice(ctx context.Context, organizationID, subscriptionID string) (Invoice, error)
	PutInvoice(ctx context.Context, i Invoice) error // inserts or overwrites, and raises Revision
	// PutProration inserts or overwrites a line that charges for a change within a period.
	PutProration(ctx context.Context, invoiceID, subscriptionID string, line InvoiceLine) error
	// Invoices lists the organization's invoices in this account and mode, drafts left out, newest first.
	Invoices(ctx context.Context, organizationID string, acct StripeAccount, limit int) ([]Invoice, error)
}

// CreditQueries are about the credit ledger.
type CreditQueries interface {
	// InsertCreditFact writes a fact once; false where the organization has one of this source already.
	InsertCreditFact(ctx context.Context, f CreditFact) (bool, error)
	// CreditFacts lists all facts of an organization, with what went back of their money.
	CreditFacts(ctx context.Context, organizationID string) ([]CreditFact, error)
	// ConsumedOfPeriod adds up what was taken of a month of the plan.
	ConsumedOfPeriod(ctx context.Context, organizationID, period string) (int, error)
	LockCreditAccount(ctx context.Context, organizationID string) (CreditAccount, error)
	CreditAccount(ctx context.Context, organizationID string) (CreditAccount, error)
	PutCreditAccount(ctx context.Context, c CreditAccount) error
	// InsertCreditEntry adds a line; false where the organization has one of this source already.
	InsertCreditEntry(ctx context.Context, e CreditEntry) (bool, error)
	HasCreditEntry(ctx context.Context, organizationID, source string) (bool, error)
	CreditEntries(ctx context.Context, organizationID string, limit int) ([]CreditEntry, error) // newest first
	// DueCreditMonths lists organizations whose next month's grant is due at now.
	DueCreditMonths(ctx context.Context, now time.Time, limit int) ([]string, error)
}
