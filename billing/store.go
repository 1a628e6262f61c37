package billing

import (
	"context"
	"time"

	"usher/billing/account"
	"usher/billing/catalog"
	"usher/billing/mail"
)

// Store stores Usher's state. Package db implements it on PostgreSQL. A method that looks for one object returns [ErrNotFound] where it
// does not exist; a violated uniqueness rule returns [CodeConflict].
type Store interface {
	Tx
	// InTx runs f in one transaction and commits it if f returns nil. Serialization failures and deadlocks are retried, so f must do
	// nothing but use its Tx.
	InTx(ctx context.Context, f func(Tx) error) error
	// InTxRecording is InTx whose Tx records what it writes in changes.
	InTxRecording(ctx context.Context, changes *ChangeLog, f func(Tx) error) error
}

// Tx gives the stores of one transaction, or of none where it is the [Store] itself. Methods named Lock take a row lock until the
// transaction ends.
type Tx interface {
	account.Tx
	Stripe() StripeStore
	Contacts() ContactStore
	Customers() CustomerStore
	Checkouts() CheckoutStore
	Subscriptions() SubscriptionStore
	Seats() SeatStore
	SeatLedger() SeatLedgerStore
	SeatAttempts() SeatAttemptStore
	Invoices() InvoiceStore
	Payments() PaymentStore
	Credits() CreditStore
	Events() EventStore
	Duplicates() DuplicateStore
	Deletions() DeletionStore
	Reconciliation() ReconciliationStore
	Operations() OperationsStore
}

// StripeStore stores the Stripe account and its prices, so that a start without Stripe knows them.
type StripeStore interface {
	// PutAccount keeps whose keys these are; fingerprint stands for the secret key and does not reveal it.
	PutAccount(ctx context.Context, fingerprint string, acct StripeAccount) error
	Account(ctx context.Context, fingerprint string) (StripeAccount, error)
	// PutPrices inserts or updates by account, mode and price id. Prices no longer in use are kept: subscriptions may hold them.
	PutPrices(ctx context.Context, acct StripeAccount, prices []catalog.StripePrice) error
	Prices(ctx context.Context, acct StripeAccount) ([]catalog.StripePrice, error) // oldest first
}

// CustomerStore stores which customer at Stripe belongs to which organization, and its name and e-mail address there.
type CustomerStore interface {
	// Details reads those of the organization's living customer in this account and mode.
	Details(ctx context.Context, organizationID string, acct StripeAccount) (CustomerDetails, error)
	// Put writes what Stripe says of a customer, unless something later is held.
	Put(ctx context.Context, acct StripeAccount, c StripeCustomer) error
	// ScheduleUpdate has Stripe told at due what the organization's living customer is called; none is no error.
	ScheduleUpdate(ctx context.Context, organizationID string, acct StripeAccount, due time.Time) error
	// ClaimUpdate picks the longest due one, pushes its DueAt to leaseUntil and returns it; ErrNotFound where none is due.
	ClaimUpdate(ctx context.Context, acct StripeAccount, now, leaseUntil time.Time) (CustomerDetails, error)
	// FinishUpdate writes Pushed, Failures, Error and DueAt, unless more was wanted meanwhile: that is due at once.
	FinishUpdate(ctx context.Context, acct StripeAccount, d CustomerDetails, now time.Time) error
	// Links lists the links of customers that are not known to be deleted, of one organization or (empty) of all.
	Links(ctx context.Context, acct StripeAccount, organizationID string) ([]CustomerLink, error)
	// Link reads the newest link of the organization in this account and mode, deleted or not.
	Link(ctx context.Context, organizationID string, acct StripeAccount) (CustomerLink, error)
	// LastGeneration returns the highest generation any link of the organization has had, 0 for none.
	LastGeneration(ctx context.Context, organizationID string) (int, error)
	PutLink(ctx context.Context, link CustomerLink) error // inserts or updates by organization and generation
	// Owner tells which organization a customer belongs to, by any link, old ones included.
	Owner(ctx context.Context, customerID string, acct StripeAccount) (CustomerLink, error)
	// LockOwner is CustomerOwner with that organization locked; it returns the organization's id.
	LockOwner(ctx context.Context, customerID string, acct StripeAccount) (string, error)
}

// CheckoutStore stores Checkout sessions.
type CheckoutStore interface {
	// Unfinished lists sessions that are open as far as we know, and those in payment mode made at since or later that are complete and
	// of which nothing was counted; of one organization or (empty) of all.
	Unfinished(ctx context.Context, acct StripeAccount, organizationID string, since time.Time) ([]CheckoutSession, error)
	// Open reads the one reserved or open subscription checkout of the organization in this account and mode.
	Open(ctx context.Context, organizationID string, acct StripeAccount) (CheckoutSession, error)
	// Put inserts or updates by ID. Complete and expired are final: a later write of such a session changes nothing.
	Put(ctx context.Context, session CheckoutSession) error
	ByStripeID(ctx context.Context, organizationID, sessionID string) (CheckoutSession, error)
}

// SubscriptionStore stores snapshots of subscriptions.
type SubscriptionStore interface {
	// Live lists snapshots that have not ended, of one organization or (empty) of all.
	Live(ctx context.Context, acct StripeAccount, organizationID string) ([]Subscription, error)
	// Lock reads and locks the snapshot.
	Lock(ctx context.Context, id string) (Subscription, error)
	// LockWithOwner is LockOwner and then LockSubscription in one question; ErrNotFound where either has nothing.
	LockWithOwner(ctx context.Context, customerID string, acct StripeAccount, id string) (organizationID string, held Subscription, err error)
	Get(ctx context.Context, id string) (Subscription, error)
	// Put inserts or overwrites the snapshot, IsCurrent left as it is, and raises Revision. It returns all Subscriptions of its
	// organization, account and mode, this one as it is now.
	Put(ctx context.Context, s Subscription) ([]Subscription, error)
	// Current reads the organization's current one in this account and mode.
	Current(ctx context.Context, organizationID string, acct StripeAccount) (Subscription, error)
	// List lists the organization's subscriptions in this account and mode.
	List(ctx context.Context, organizationID string, acct StripeAccount) ([]Subscription, error)
	// SetCurrent makes one subscription the organization's current one in its account and mode and all others not.
	SetCurrent(ctx context.Context, organizationID, subscriptionID string, acct StripeAccount) error
}

// SeatStore stores desired and applied seats.
type SeatStore interface {
	// DueReleases lists organizations whose seats are to be given back at now, longest due first.
	DueReleases(ctx context.Context, now time.Time, limit int) ([]string, error)
	State(ctx context.Context, organizationID string) (SeatState, error)
	LockState(ctx context.Context, organizationID string) (SeatState, error)
	// LockAndCount is LockSeatState, the zero state where there is none yet, and CountBillable at once. The organization is locked.
	LockAndCount(ctx context.Context, organizationID string) (SeatState, int, error)
	PutState(ctx context.Context, s SeatState) error // inserts or updates
	// DueSummaries lists organizations whose billing contacts are to be told of changes at now, longest due first.
	DueSummaries(ctx context.Context, now time.Time, limit int) ([]string, error)
	// DueSyncs lists organizations whose seats are due at now and under no living lease, longest due first.
	DueSyncs(ctx context.Context, now time.Time, limit int) ([]string, error)
}

// SeatLedgerStore stores the seat ledger.
type SeatLedgerStore interface {
	// Latest reads the newest line of the seat ledger about each of the people who have one.
	Latest(ctx context.Context, organizationID string, userIDs []string) ([]SeatChange, error)
	Insert(ctx context.Context, c SeatChange) error
	List(ctx context.Context, organizationID string, limit int) ([]SeatChange, error) // newest first
	// Search lists those that fit, the newest first, and how many fit altogether.
	Search(ctx context.Context, organizationID string, search LedgerSearch) ([]SeatChange, int, error)
}

// SeatAttemptStore stores quantity updates sent to Stripe.
type SeatAttemptStore interface {
	// Insert writes an attempt once; a repeated key changes nothing.
	Insert(ctx context.Context, a SeatAttempt) error
	// Answer writes what Stripe said to it: RequestID, Accepted, Error and ToldAt.
	Answer(ctx context.Context, a SeatAttempt) error
	// List lists a subscription's attempts sent at since or later, the oldest first.
	List(ctx context.Context, subscriptionID string, since time.Time) ([]SeatAttempt, error)
}

// InvoiceStore stores snapshots of invoices.
type InvoiceStore interface {
	// Open lists snapshots of drafts and open invoices, of one organization or (empty) of all.
	Open(ctx context.Context, acct StripeAccount, organizationID string) ([]Invoice, error)
	Lock(ctx context.Context, id string) (Invoice, error) // without Lines
	Get(ctx context.Context, id string) (Invoice, error)  // without Lines
	// OldestOpen reads the open invoice of a subscription that was finalized first.
	OldestOpen(ctx context.Context, organizationID, subscriptionID string) (Invoice, error)
	Put(ctx context.Context, i Invoice) error // inserts or overwrites, and raises Revision
	// PutProration inserts or overwrites a line that charges for a change within a period.
	PutProration(ctx context.Context, invoiceID, subscriptionID string, line InvoiceLine) error
	// List lists the organization's invoices in this account and mode, drafts left out, newest first.
	List(ctx context.Context, organizationID string, acct StripeAccount, limit int) ([]Invoice, error)
}

// PaymentStore stores snapshots of charges.
type PaymentStore interface {
	Get(ctx context.Context, id string) (Payment, error)
	Lock(ctx context.Context, id string) (Payment, error)
	// Put inserts or overwrites the snapshot and raises Revision.
	Put(ctx context.Context, p Payment) error
}

// CreditStore stores the credit ledger.
type CreditStore interface {
	// InsertFact writes a fact once; false where the organization has one of this source already.
	InsertFact(ctx context.Context, f CreditFact) (bool, error)
	// Facts lists all facts of an organization, with what went back of their money.
	Facts(ctx context.Context, organizationID string) ([]CreditFact, error)
	// ConsumedOfPeriod adds up what was taken of a month of the plan.
	ConsumedOfPeriod(ctx context.Context, organizationID, period string) (int, error)
	LockAccount(ctx context.Context, organizationID string) (CreditAccount, error)
	Account(ctx context.Context, organizationID string) (CreditAccount, error)
	PutAccount(ctx context.Context, c CreditAccount) error
	// InsertEntry adds a line; false where the organization has one of this source already.
	InsertEntry(ctx context.Context, e CreditEntry) (bool, error)
	HasEntry(ctx context.Context, organizationID, source string) (bool, error)
	Entries(ctx context.Context, organizationID string, limit int) ([]CreditEntry, error) // newest first
	// DueMonths lists organizations whose next month's grant is due at now.
	DueMonths(ctx context.Context, now time.Time, limit int) ([]string, error)
}

// EventStore stores the event inbox.
type EventStore interface {
	// Search lists events that fit, the newest received first.
	Search(ctx context.Context, search EventSearch) ([]StoredEvent, error)
	// Requeue makes an event pending again, due at now, with its attempts counted from nothing; ErrNotFound where there is none.
	Requeue(ctx context.Context, id string, now time.Time) error
	// Prune removes settled events received before, limit of them at most, and returns how many it removed.
	Prune(ctx context.Context, before time.Time, limit int) (int, error)
	// Insert stores an event once; false where its id is known already.
	Insert(ctx context.Context, e StoredEvent) (bool, error)
	// ClaimDue picks the next turn that has a due pending event, and of it the longest due one; it pushes its NextAttemptAt to leaseUntil,
	// counts the attempt and returns it; ErrNotFound where no later turn has one. Two callers never get the same one.
	ClaimDue(ctx context.Context, now, leaseUntil time.Time, after QueueCursor) (StoredEvent, error)
	// Finish writes outcome, organization, error and next attempt.
	Finish(ctx context.Context, e StoredEvent) error
	Get(ctx context.Context, id string) (StoredEvent, error)
}

// DuplicateStore stores duplicate subscriptions that are canceled and refunded.
type DuplicateStore interface {
	// Insert writes one down; false where it is known and was not spared.
	Insert(ctx context.Context, s DuplicateSubscription) (bool, error)
	// ClaimDue picks the longest due one, pushes its NextAttemptAt to leaseUntil, counts the attempt and returns it; ErrNotFound where
	// none is due. Two callers never get the same one.
	ClaimDue(ctx context.Context, now, leaseUntil time.Time) (DuplicateSubscription, error)
	Put(ctx context.Context, s DuplicateSubscription) error // overwrites
	// DuplicateSubscriptions lists an organization's that were found at since or later, the newest first.
	List(ctx context.Context, organizationID string, since time.Time) ([]DuplicateSubscription, error)
}

// DeletionStore stores requested deletions of organizations.
type DeletionStore interface {
	Insert(ctx context.Context, d Deletion) error // CodeConflict where there is one
	Get(ctx context.Context, organizationID string) (Deletion, error)
	Put(ctx context.Context, d Deletion) error
	Remove(ctx context.Context, organizationID string) error
	// Due lists organizations that are to be deleted at now, longest due first.
	Due(ctx context.Context, now time.Time, limit int) ([]string, error)
	// MarkDeleted has nobody enter the organization any more, but for the invoices, and takes its pending invitations back.
	MarkDeleted(ctx context.Context, organizationID string, at time.Time) error
}

// ReconciliationStore stores the progress of the reconciler and its drift reports.
type ReconciliationStore interface {
	// Take takes the turn of comparing the whole account, until leaseUntil, where the last one finished before due and nobody is at
	// it; it returns how far Stripe's events were read, the zero time for not at all. ErrNotFound where it is not due or taken.
	Take(ctx context.Context, acct StripeAccount, now, due, leaseUntil time.Time) (readUntil time.Time, err error)
	// Finish gives the turn back. A zero readUntil leaves how far was read; a zero finishedAt makes it due at once.
	Finish(ctx context.Context, acct StripeAccount, readUntil, finishedAt time.Time) error
	InsertReport(ctx context.Context, r DriftReport) error
	// Reports lists reports, the newest first; empty for all organizations' and the whole account's.
	Reports(ctx context.Context, organizationID string, limit int) ([]DriftReport, error)
	// PruneReports forgets those that began before.
	PruneReports(ctx context.Context, before time.Time) error
}

// OperationsStore reads what operators see.
type OperationsStore interface {
	// SearchOrganizations lists those that fit, the youngest first, and how many fit altogether.
	SearchOrganizations(ctx context.Context, search OrganizationSearch, acct StripeAccount) ([]OrganizationLine, int, error)
	// Backlog counts what waits and what was given up.
	Backlog(ctx context.Context) (Backlog, error)
	// OpenJobs lists the queue's jobs that run, wait for another try or were given up, the newest first.
	OpenJobs(ctx context.Context, limit int) ([]QueuedJob, error)
}

// ContactStore stores billing contacts and the kinds of notice that are switched off.
type ContactStore interface {
	// List lists the organization's billing contacts, the oldest first.
	List(ctx context.Context, organizationID string) ([]string, error)
	// Add adds an address once, without case.
	Add(ctx context.Context, organizationID, email string) error
	Remove(ctx context.Context, organizationID, email string) error // ErrNotFound where it is none
	// Muted lists the kinds that are switched off.
	Muted(ctx context.Context, organizationID string) ([]mail.Kind, error)
	// Mute switches off these kinds and no others.
	Mute(ctx context.Context, organizationID string, kinds []mail.Kind) error
}
