package billing

import (
	"context"
	"time"

	"usher/billing/account"
	"usher/billing/catalog"
	"usher/billing/mail"
	"usher/billing/webhook"
)

// Store stores Usher's state. Package db implements it on PostgreSQL. A method that reads one
// object returns [apperr.ErrNotFound] if it does not exist; a violated uniqueness constraint
// returns [apperr.CodeConflict]. A method with an organization ID reads that organization's rows,
// or those of all organizations if the ID is empty and its comment says so.
type Store interface {
	Tx
	// InTx runs f in one transaction and commits it if f returns nil. Serialization failures and
	// deadlocks are retried, so f must have no effects but those of its Tx.
	InTx(ctx context.Context, f func(Tx) error) error
	// InTxRecording is InTx with a Tx that records its writes in changes.
	InTxRecording(ctx context.Context, changes *ChangeLog, f func(Tx) error) error
	// InBatch decides about events in their order and stores them as decide returns them, with the
	// changes that it has recorded, in one transaction. It reports which are stored: an event is
	// left out if its customer's organization is not known, is locked, or has no subscription or
	// seats yet. After an error none is stored; an event that is stored already is an error too.
	InBatch(ctx context.Context, acct StripeAccount, events []Event, decide func(context.Context, Tx, Event) (StoredEvent, error)) ([]bool, error)
}

// Tx gives access to the stores in one transaction, or in none if it is the [Store] itself. Methods
// named Lock take a row lock until the transaction ends.
type Tx interface {
	webhook.Tx
	Stripe() StripeStore
	Contacts() ContactStore
	Customers() CustomerStore
	Checkouts() CheckoutStore
	Subscriptions() SubscriptionStore
	Seats() SeatStore
	SeatLedger() SeatLedgerStore
	SeatAttempts() SeatAttemptStore
	SeatPreviews() SeatPreviewStore
	PlanChanges() PlanChangeStore
	UpcomingInvoices() UpcomingInvoiceStore
	Forecasts() ForecastStore
	Cancellations() CancellationStore
	Invoices() InvoiceStore
	InvoiceDetails() InvoiceDetailStore
	Payments() PaymentStore
	PaymentAttempts() PaymentAttemptStore
	InvoicePayments() InvoicePaymentStore
	Credits() CreditStore
	Trials() TrialStore
	Events() EventStore
	Duplicates() DuplicateStore
	Deletions() DeletionStore
	Reconciliation() ReconciliationStore
	Operations() OperationsStore
}

// StripeStore stores the Stripe account and its prices, for a start while Stripe is unavailable.
type StripeStore interface {
	// PutAccount stores the account of a secret key; fingerprint identifies the key and does not
	// reveal it.
	PutAccount(ctx context.Context, fingerprint string, acct StripeAccount) error
	Account(ctx context.Context, fingerprint string) (StripeAccount, error)
	// PutPortalProblem stores why the customer portal offers fewer plan switches; empty: no more.
	PutPortalProblem(ctx context.Context, acct StripeAccount, problem string) error
	// PortalProblem reads it; empty: none.
	PortalProblem(ctx context.Context, acct StripeAccount) (string, error)
	// PutCheckoutProblem stores what Stripe refused of the plan file's Checkout settings; empty:
	// nothing.
	PutCheckoutProblem(ctx context.Context, acct StripeAccount, problem string) error
	// CheckoutProblem reads it; empty: none.
	CheckoutProblem(ctx context.Context, acct StripeAccount) (string, error)
	// PutPrices inserts or updates by account, mode and price id. Prices no longer on sale are
	// kept: subscriptions may still have them. Configured, a PlanID and a lookup key that moved to
	// another price (FormerLookupKey) are kept too.
	PutPrices(ctx context.Context, acct StripeAccount, prices []catalog.StripePrice) error
	// PrunePrices removes prices without a plan that were checked before a time.
	PrunePrices(ctx context.Context, acct StripeAccount, before time.Time) error
	Prices(ctx context.Context, acct StripeAccount) ([]catalog.StripePrice, error) // oldest first
}

// CustomerStore stores which customer at Stripe belongs to which organization, and the customer's
// name and address.
type CustomerStore interface {
	// Details reads the details of the organization's customer that is not deleted, in this account
	// and mode.
	Details(ctx context.Context, organizationID string, acct StripeAccount) (CustomerDetails, error)
	// Put writes a customer as read from Stripe, unless a later one is stored.
	Put(ctx context.Context, acct StripeAccount, c StripeCustomer) error
	// ScheduleUpdate makes the update of the organization's customer due; no customer is no error.
	ScheduleUpdate(ctx context.Context, organizationID string, acct StripeAccount, due time.Time) error
	// ClaimUpdate returns the update that has been due longest and moves its DueAt to leaseUntil;
	// ErrNotFound if none is due.
	ClaimUpdate(ctx context.Context, acct StripeAccount, now, leaseUntil time.Time) (CustomerDetails, error)
	// FinishUpdate writes AppliedVersion, Failures, Error and DueAt. A change scheduled meanwhile
	// is due at once.
	FinishUpdate(ctx context.Context, acct StripeAccount, d CustomerDetails, now time.Time) error
	// Links lists the links of customers that are not deleted, of one organization or (empty) of
	// all.
	Links(ctx context.Context, acct StripeAccount, organizationID string) ([]CustomerLink, error)
	// LinksAfter lists links of customers that are not deleted whose customer id is greater, in the
	// order of these ids.
	LinksAfter(ctx context.Context, acct StripeAccount, customerID string, limit int) ([]CustomerLink, error)
	// LinksSubscribedSince is LinksAfter for customers with a subscription that has not ended, or
	// ended at since or later, and for buyers of packs.
	LinksSubscribedSince(ctx context.Context, acct StripeAccount, since time.Time, customerID string, limit int) ([]CustomerLink, error)
	// CountLinks counts the links of customers that are not deleted.
	CountLinks(ctx context.Context, acct StripeAccount) (int, error)
	// Link reads the newest link of the organization in this account and mode, deleted or not.
	Link(ctx context.Context, organizationID string, acct StripeAccount) (CustomerLink, error)
	// LastGeneration returns the highest generation any link of the organization has had, 0 for
	// none.
	LastGeneration(ctx context.Context, organizationID string) (int, error)
	// Inserts or updates by organization and generation.
	PutLink(ctx context.Context, link CustomerLink) error
	// Owner reads the link of a customer to its organization, including links that were replaced.
	Owner(ctx context.Context, customerID string, acct StripeAccount) (CustomerLink, error)
	// Owners reads the links of several customers, as Owner does; customers without one are left
	// out.
	Owners(ctx context.Context, customerIDs []string, acct StripeAccount) ([]CustomerLink, error)
	// LockOwner locks the organization that Owner finds and returns its id.
	LockOwner(ctx context.Context, customerID string, acct StripeAccount) (string, error)
}

// CheckoutStore stores Checkout sessions.
type CheckoutStore interface {
	// Unfinished lists sessions stored as open, and sessions in payment mode created at since or
	// later that are complete without a credit fact; of one organization or (empty) of all.
	Unfinished(ctx context.Context, acct StripeAccount, organizationID string, since time.Time) ([]CheckoutSession, error)
	// Open reads the one reserved or open subscription checkout of the organization in this account
	// and mode.
	Open(ctx context.Context, organizationID string, acct StripeAccount) (CheckoutSession, error)
	// Put inserts or updates by ID. Complete and expired are final: a later write of such a session
	// has no effect.
	Put(ctx context.Context, session CheckoutSession) error
	ByStripeID(ctx context.Context, organizationID, sessionID string) (CheckoutSession, error)
	// SetSubscription writes the subscription that a session has sold, once; false if it is stored
	// already.
	SetSubscription(ctx context.Context, id, subscriptionID string) (bool, error)
	// SubscriptionIDs lists the subscriptions that the organization's sessions have sold.
	SubscriptionIDs(ctx context.Context, organizationID string) ([]string, error)
	// Unlinked lists the organization's complete subscription sessions in this account and mode
	// whose subscription is not stored.
	Unlinked(ctx context.Context, organizationID string, acct StripeAccount) ([]CheckoutSession, error)
}

// SubscriptionStore stores snapshots of subscriptions. The methods that list subscriptions or read
// the current one leave out those that are foreign, except Foreign.
type SubscriptionStore interface {
	// Live lists subscriptions that have not ended, of one organization or (empty) of all.
	Live(ctx context.Context, acct StripeAccount, organizationID string) ([]Subscription, error)
	// LiveOfPrice lists our subscriptions that have not ended, have a price, are on no test clock
	// and were created between two times, both included.
	LiveOfPrice(ctx context.Context, acct StripeAccount, priceID string, from, to time.Time) ([]Subscription, error)
	// LiveAtOtherPrices lists our subscriptions that have not ended and either have none of the
	// prices or are on a test clock, whose id is greater, in the order of their ids.
	LiveAtOtherPrices(ctx context.Context, acct StripeAccount, priceIDs []string, id string, limit int) ([]Subscription, error)
	// Lock reads and locks the snapshot.
	Lock(ctx context.Context, id string) (Subscription, error)
	// LockWithOwner is LockOwner followed by Lock in one query; ErrNotFound if either finds
	// nothing.
	LockWithOwner(ctx context.Context, customerID string, acct StripeAccount, id string) (organizationID string, stored Subscription, err error)
	Get(ctx context.Context, id string) (Subscription, error)
	// Foreign lists the foreign subscriptions of an organization in this account and mode, ended
	// ones included.
	Foreign(ctx context.Context, acct StripeAccount, organizationID string) ([]Subscription, error)
	// Second lists live subscriptions beside the current one, of one organization or (empty) of
	// all. Those whose first payment is not finished are left out, and duplicates that are being
	// canceled.
	Second(ctx context.Context, acct StripeAccount, organizationID string) ([]Subscription, error)
	// OfDeleted lists the live subscriptions of ours of deleted organizations, or (organizationID
	// not empty) of one of them.
	OfDeleted(ctx context.Context, acct StripeAccount, organizationID string) ([]Subscription, error)
	// Put inserts or overwrites the snapshot except IsCurrent, and raises Revision. It returns all
	// subscriptions of the same organization, account and mode, with this one as written.
	Put(ctx context.Context, s Subscription) ([]Subscription, error)
	// Current reads the organization's current subscription in this account and mode.
	Current(ctx context.Context, organizationID string, acct StripeAccount) (Subscription, error)
	// List lists the organization's subscriptions in this account and mode.
	List(ctx context.Context, organizationID string, acct StripeAccount) ([]Subscription, error)
	// CardsExpiring lists current subscriptions that are active or in a trial and whose card is not
	// valid from a time until, or earlier, on; those that were noticed are left out.
	CardsExpiring(ctx context.Context, acct StripeAccount, until time.Time, limit int) ([]Subscription, error)
	// NoticeCard stores that the expiry of a subscription's card was noticed; false if it is stored
	// already.
	NoticeCard(ctx context.Context, s Subscription, now time.Time) (bool, error)
	// SetCurrent makes one subscription, and no other, the organization's current one in its
	// account and mode.
	SetCurrent(ctx context.Context, organizationID, subscriptionID string, acct StripeAccount) error
	// ClearCurrent leaves the organization without a current subscription in this account and mode.
	ClearCurrent(ctx context.Context, organizationID string, acct StripeAccount) error
}

// SeatStore stores desired and applied seats.
type SeatStore interface {
	// DueReleases lists organizations whose ReleaseAt has passed, longest due first.
	DueReleases(ctx context.Context, now time.Time, limit int) ([]string, error)
	State(ctx context.Context, organizationID string) (SeatState, error)
	LockState(ctx context.Context, organizationID string) (SeatState, error)
	// LockAndCount is LockState, with the zero state if there is none yet, and CountBillable in one
	// query. The organization is locked.
	LockAndCount(ctx context.Context, organizationID string) (SeatState, int, error)
	PutState(ctx context.Context, s SeatState) error // inserts or updates
	// DueSummaries lists organizations whose summary of seat changes is due, longest due first.
	DueSummaries(ctx context.Context, now time.Time, limit int) ([]string, error)
	// DueSyncs lists organizations whose seat update is due and not leased, longest due first.
	DueSyncs(ctx context.Context, now time.Time, limit int) ([]string, error)
}

// SeatLedgerStore stores the seat ledger.
type SeatLedgerStore interface {
	// Latest reads the newest line of the seat ledger about each of the users; some have none.
	Latest(ctx context.Context, organizationID string, userIDs []string) ([]SeatChange, error)
	Insert(ctx context.Context, c SeatChange) error
	// InsertAll inserts lines in their order.
	InsertAll(ctx context.Context, changes []SeatChange) error
	// Newest first.
	List(ctx context.Context, organizationID string, limit int) ([]SeatChange, error)
	// MonthEnds lists the seats after the last change of each month (UTC), oldest first. All
	// changes before a time are of the month before it.
	MonthEnds(ctx context.Context, organizationID string, since time.Time) ([]MonthSeats, error)
	// History lists the ledger with names and without outcomes, oldest first.
	History(ctx context.Context, organizationID string) ([]SeatChange, error)
	// Between is History after one version, up to and with another.
	Between(ctx context.Context, organizationID string, since, until int64) ([]SeatChange, error)
	// CountUntil counts, by user, the lines about users up to and with a version.
	CountUntil(ctx context.Context, organizationID string, userIDs []string, until int64) (map[string]int, error)
	// Unrecorded lists the billed members about whom there is no line, such as the founder.
	Unrecorded(ctx context.Context, organizationID string) ([]account.Member, error)
	// Search lists the matching lines, newest first, and the number of all matches.
	Search(ctx context.Context, organizationID string, search LedgerSearch) ([]SeatChange, int, error)
}

// SeatAttemptStore stores quantity updates sent to Stripe.
type SeatAttemptStore interface {
	// Insert writes an attempt once; a repeated key has no effect.
	Insert(ctx context.Context, a SeatAttempt) error
	// RecordAnswer writes Stripe's answer: RequestID, Accepted, Error and AcknowledgedAt.
	RecordAnswer(ctx context.Context, a SeatAttempt) error
	// List lists a subscription's attempts sent at since or later, oldest first.
	List(ctx context.Context, subscriptionID string, since time.Time) ([]SeatAttempt, error)
	// OfOrganization lists all attempts of an organization, oldest first.
	OfOrganization(ctx context.Context, organizationID string) ([]SeatAttempt, error)
}

// SeatPreviewStore stores previewed and confirmed changes of seats.
type SeatPreviewStore interface {
	Insert(ctx context.Context, p SeatPreview) error
	Get(ctx context.Context, organizationID, id string) (SeatPreview, error)
	// Put overwrites a preview.
	Put(ctx context.Context, p SeatPreview) error
	// Confirmed reads the preview with known amounts that was confirmed last at a SyncVersion;
	// never an invitation's.
	Confirmed(ctx context.Context, organizationID, subscriptionID string, version int64) (SeatPreview, error)
	// LastProratedAt returns the newest proration date of the subscription's confirmed changes;
	// nil: none.
	LastProratedAt(ctx context.Context, subscriptionID string) (*time.Time, error)
	// Differing lists the organization's changes that were charged another amount than was
	// confirmed, newest first.
	Differing(ctx context.Context, organizationID string, limit int) ([]SeatPreview, error)
	// Uncharged lists the changes confirmed before a time whose update was sent and whose charge is
	// not known, the oldest first.
	Uncharged(ctx context.Context, before time.Time, limit int) ([]SeatPreview, error)
	// Prune removes previews from before a time that were not confirmed.
	Prune(ctx context.Context, before time.Time) error
}

// PlanChangeStore stores previewed and confirmed plan changes.
type PlanChangeStore interface {
	Insert(ctx context.Context, c PlanChange) error
	Get(ctx context.Context, organizationID, id string) (PlanChange, error)
	// BySchedule reads the change that made a schedule.
	BySchedule(ctx context.Context, organizationID, scheduleID string) (PlanChange, error)
	// Confirmed lists the changes of the organization that were confirmed, oldest first.
	Confirmed(ctx context.Context, organizationID string) ([]PlanChange, error)
	// Running reads the newest change of the organization that is open, pending or scheduled.
	Running(ctx context.Context, organizationID string) (PlanChange, error)
	// OfInvoice lists the confirmed upgrades of a subscription that an invoice may belong to: those
	// with its id, and those without an invoice, oldest first.
	OfInvoice(ctx context.Context, organizationID, subscriptionID, invoiceID string) ([]PlanChange, error)
	// Put overwrites a change.
	Put(ctx context.Context, c PlanChange) error
	// MarkDue makes the pending and scheduled changes of a subscription due at a time, unless they
	// are due earlier; those to one price, or (empty) all.
	MarkDue(ctx context.Context, subscriptionID, priceID string, at time.Time) error
	// ClaimDue returns the change that has been due longest and moves its NextAttemptAt to
	// leaseUntil; ErrNotFound if none is due.
	ClaimDue(ctx context.Context, now, leaseUntil time.Time) (PlanChange, error)
	// Prune removes previews from before a time that were not confirmed.
	Prune(ctx context.Context, before time.Time) error
}

// UpcomingInvoiceStore stores Stripe's last answer about each subscription's next invoice.
type UpcomingInvoiceStore interface {
	Get(ctx context.Context, organizationID, subscriptionID string) (UpcomingInvoice, error)
	// Put inserts or overwrites the answer, unless a later one is stored.
	Put(ctx context.Context, i UpcomingInvoice) error
}

// ForecastStore stores the last forecast for each question of an organization.
type ForecastStore interface {
	Get(ctx context.Context, organizationID, question string) (Forecast, error)
	// Put inserts or overwrites a forecast, unless a later one is stored, and deletes all but the
	// newest of the organization.
	Put(ctx context.Context, f Forecast) error
}

// CancellationStore stores requests to end a plan at the end of its period.
type CancellationStore interface {
	Insert(ctx context.Context, c Cancellation) error
	Get(ctx context.Context, organizationID, id string) (Cancellation, error)
	// Open reads the newest request of the organization that is open.
	Open(ctx context.Context, organizationID string) (Cancellation, error)
	Put(ctx context.Context, c Cancellation) error // overwrites
	// MarkResumed marks the open and set requests of a subscription as resumed.
	MarkResumed(ctx context.Context, organizationID, subscriptionID, userID string, at time.Time) error
	// ClaimDue returns the open request that has been due longest and moves its DueAt to
	// leaseUntil; ErrNotFound if none is due.
	ClaimDue(ctx context.Context, now, leaseUntil time.Time) (Cancellation, error)
	// List lists the requests of an organization, newest first.
	List(ctx context.Context, organizationID string) ([]Cancellation, error)
}

// InvoiceStore stores snapshots of invoices.
type InvoiceStore interface {
	// Open lists drafts and open invoices, of one organization or (empty) of all.
	Open(ctx context.Context, acct StripeAccount, organizationID string) ([]Invoice, error)
	// CountPaid counts the invoices with an amount that were paid at since or later.
	CountPaid(ctx context.Context, acct StripeAccount, since time.Time) (int, error)
	Lock(ctx context.Context, id string) (Invoice, error) // without Lines
	Get(ctx context.Context, id string) (Invoice, error)  // without Lines
	// OldestOpen reads the open invoice of a subscription that was finalized first.
	OldestOpen(ctx context.Context, organizationID, subscriptionID string) (Invoice, error)
	// OpenOf lists the open invoices of a subscription, the one that was finalized first first.
	OpenOf(ctx context.Context, organizationID, subscriptionID string) ([]Invoice, error)
	Put(ctx context.Context, i Invoice) error // inserts or overwrites, and raises Revision
	// PaidWithoutFact lists paid invoices of subscriptions, of one organization or (empty) of all,
	// that have no credit fact, by id, from the one after the given id on.
	PaidWithoutFact(ctx context.Context, acct StripeAccount, organizationID, after string, limit int) ([]Invoice, error)
	// PutProration inserts or overwrites a line that prorates a change within a period.
	PutProration(ctx context.Context, invoiceID, subscriptionID string, line InvoiceLine) error
	// Read reads an invoice of the organization in this account and mode, with the sums of its
	// charges.
	Read(ctx context.Context, organizationID string, acct StripeAccount, id string) (Invoice, error)
	// List lists the organization's invoices in this account and mode, except drafts, newest first.
	List(ctx context.Context, organizationID string, acct StripeAccount, limit int) ([]Invoice, error)
	// Since is List for those finalized at since or later, without a limit.
	Since(ctx context.Context, organizationID string, acct StripeAccount, since time.Time) ([]Invoice, error)
	// Search is List with a filter, and the number of all matches.
	Search(ctx context.Context, organizationID string, acct StripeAccount, search InvoiceSearch) ([]Invoice, int, error)
	// Years lists the years (UTC) of the invoices of List, newest first.
	Years(ctx context.Context, organizationID string, acct StripeAccount) ([]int, error)
}

// InvoiceDetailStore stores the lines and amounts of invoices.
type InvoiceDetailStore interface {
	// Put inserts or overwrites. An empty FailureCode keeps the stored one.
	Put(ctx context.Context, d InvoiceDetails) error
	// List lists the details of those invoices that are the organization's and have any.
	List(ctx context.Context, organizationID string, invoiceIDs []string) ([]InvoiceDetails, error)
}

// PaymentStore stores snapshots of charges.
type PaymentStore interface {
	Get(ctx context.Context, id string) (Payment, error)
	Lock(ctx context.Context, id string) (Payment, error)
	// Put inserts or overwrites the snapshot and raises Revision.
	Put(ctx context.Context, p Payment) error
}

// PaymentAttemptStore stores unsuccessful attempts to collect invoices.
type PaymentAttemptStore interface {
	// Put writes an attempt once, or completes the stored one: the earliest At, the highest Number,
	// and NextAttemptAt of the latest AsOf. It reports whether the attempt is new.
	Put(ctx context.Context, a PaymentAttempt) (bool, error)
	// List lists the attempts to collect an invoice, newest first.
	List(ctx context.Context, organizationID, invoiceID string) ([]PaymentAttempt, error)
}

// InvoicePaymentStore stores payments of open invoices.
type InvoicePaymentStore interface {
	Insert(ctx context.Context, p InvoicePayment) error // CodeConflict if the invoice has an open one
	// InsertForCard inserts a payment with a replaced card. It does nothing, and returns false, if
	// the invoice has an open payment or has had one with this payment method.
	InsertForCard(ctx context.Context, p InvoicePayment) (bool, error)
	// Open reads the open payment of an invoice.
	Open(ctx context.Context, invoiceID string) (InvoicePayment, error)
	// Latest reads the newest payment of an organization that was asked for.
	Latest(ctx context.Context, organizationID string, acct StripeAccount) (InvoicePayment, error)
	// Put overwrites an open payment; an ended one stays as it is.
	Put(ctx context.Context, p InvoicePayment) error
	// ClaimDue returns the open payment that has been due longest and moves its NextAttemptAt to
	// leaseUntil; ErrNotFound if none is due.
	ClaimDue(ctx context.Context, acct StripeAccount, now, leaseUntil time.Time) (InvoicePayment, error)
}

// CreditStore stores the credit ledger.
type CreditStore interface {
	// InsertFact writes a fact once; false if the organization has one of this source already.
	InsertFact(ctx context.Context, f CreditFact) (bool, error)
	// Facts lists all facts of an organization in this account and mode, with the amounts paid and
	// refunded for each.
	Facts(ctx context.Context, organizationID string, acct StripeAccount) ([]CreditFact, error)
	// ConsumedOfPeriod sums the plan credits consumed in one month of a period.
	ConsumedOfPeriod(ctx context.Context, organizationID, period string) (int, error)
	// LockAccount and Account read the organization's row, which may be of another account or mode.
	LockAccount(ctx context.Context, organizationID string) (CreditAccount, error)
	Account(ctx context.Context, organizationID string) (CreditAccount, error)
	// Sums returns the sum of the ledger's entries in this account and mode, and what was consumed
	// beyond the plan's credits.
	Sums(ctx context.Context, organizationID string, acct StripeAccount) (balance, packConsumed int, err error)
	PutAccount(ctx context.Context, c CreditAccount) error
	// InsertEntry adds a line; false if the organization has one of this source already.
	InsertEntry(ctx context.Context, e CreditEntry) (bool, error)
	// EntryAccount returns the account and mode of the entry of a source; ErrNotFound if there is
	// none.
	EntryAccount(ctx context.Context, organizationID, source string) (StripeAccount, error)
	// Levels lists the ledger in this account and mode from a time on, oldest first, with the last
	// entry before it; of the consumptions of a day (UTC), the last one only.
	Levels(ctx context.Context, organizationID string, acct StripeAccount, since time.Time) ([]CreditEntry, error)
	// Consumed sums the consumptions in this account and mode from a time on.
	Consumed(ctx context.Context, organizationID string, acct StripeAccount, since time.Time) (int, error)
	// Entries lists the ledger in this account and mode, newest first.
	Entries(ctx context.Context, organizationID string, acct StripeAccount, limit int) ([]CreditEntry, error)
	// DueMonths lists organizations whose next monthly grant is due in this account and mode.
	DueMonths(ctx context.Context, acct StripeAccount, now time.Time, limit int) ([]string, error)
}

// TrialStore stores which trials were used.
type TrialStore interface {
	// Put inserts a trial, or updates EndsAt, and Guarded and CardFingerprint once they are known,
	// by subscription and start.
	Put(ctx context.Context, t Trial) error
	// List lists the organization's trials in this account and mode, oldest first.
	List(ctx context.Context, organizationID string, acct StripeAccount) ([]Trial, error)
	// ClaimRepeated returns running guarded trials whose card has had an earlier trial in another
	// organization, moves their NextAttemptAt to leaseUntil and counts the attempt. Two callers
	// never get the same one.
	ClaimRepeated(ctx context.Context, acct StripeAccount, now, leaseUntil time.Time, limit int) ([]Trial, error)
	// Finish writes CanceledAt, NextAttemptAt and Error.
	Finish(ctx context.Context, t Trial) error
}

// EventStore stores the event inbox.
type EventStore interface {
	// Search lists the matching events, the newest received first.
	Search(ctx context.Context, search EventSearch) ([]StoredEvent, error)
	// Stored returns those of the ids that are in the inbox.
	Stored(ctx context.Context, ids []string) ([]string, error)
	// Failed lists dead letters of one organization or (empty) of all whose id is greater, in the
	// order of their ids.
	Failed(ctx context.Context, organizationID, id string, limit int) ([]StoredEvent, error)
	// Requeue makes an event pending and due again and resets its attempts; ErrNotFound if there is
	// none.
	Requeue(ctx context.Context, id string, now time.Time) error
	// Prune removes at most limit processed events received before a time, and returns their
	// number.
	Prune(ctx context.Context, before time.Time, limit int) (int, error)
	// Insert stores an event once; false if its id is stored already.
	Insert(ctx context.Context, e StoredEvent) (bool, error)
	// ClaimDue finds the first queue position after the cursor that has a due pending event, and
	// returns the one of it that has been due longest. It moves the event's NextAttemptAt to
	// leaseUntil and counts the attempt. ErrNotFound if no later position has one. Two callers
	// never get the same event.
	ClaimDue(ctx context.Context, now, leaseUntil time.Time, after QueueCursor) (StoredEvent, error)
	// Finish writes outcome, organization, error and next attempt.
	Finish(ctx context.Context, e StoredEvent) error
	Get(ctx context.Context, id string) (StoredEvent, error)
}

// DuplicateStore stores duplicate subscriptions that are canceled and refunded.
type DuplicateStore interface {
	// Insert stores a duplicate; false if it is stored already and was not kept.
	Insert(ctx context.Context, s DuplicateSubscription) (bool, error)
	// ClaimDue returns the duplicate that has been due longest, moves its NextAttemptAt to
	// leaseUntil and counts the attempt; ErrNotFound if none is due. Two callers never get the same
	// one.
	ClaimDue(ctx context.Context, now, leaseUntil time.Time) (DuplicateSubscription, error)
	Put(ctx context.Context, s DuplicateSubscription) error // overwrites
	// List lists an organization's duplicates found at since or later, newest first.
	List(ctx context.Context, organizationID string, since time.Time) ([]DuplicateSubscription, error)
}

// DeletionStore stores requested deletions of organizations.
type DeletionStore interface {
	Insert(ctx context.Context, d Deletion) error // CodeConflict if there is one
	Get(ctx context.Context, organizationID string) (Deletion, error)
	Put(ctx context.Context, d Deletion) error
	Remove(ctx context.Context, organizationID string) error
	// Due lists organizations whose deletion is due, longest due first.
	Due(ctx context.Context, now time.Time, limit int) ([]string, error)
	// WakeCancellation makes the cancellation of a subscription due, if the organization is about
	// to be deleted; otherwise it does nothing. It inserts the row if there is none.
	WakeCancellation(ctx context.Context, organizationID, subscriptionID string, now time.Time) error
	// WakeCancellations makes all cancellations of an organization due, so that they are withdrawn,
	// and returns their number.
	WakeCancellations(ctx context.Context, organizationID string, now time.Time) (int, error)
	// ClaimCancellation returns the cancellation that has been due longest, of one organization or
	// (empty) of all, and sets its lease; ErrNotFound if none is due. A leased one is not claimed.
	ClaimCancellation(ctx context.Context, organizationID string, now, leaseUntil time.Time) (DeletionCancellation, error)
	// PutCancellation overwrites a cancellation and releases its lease.
	PutCancellation(ctx context.Context, c DeletionCancellation) error
	RemoveCancellation(ctx context.Context, subscriptionID string) error
	// MarkDeleted removes all access to the organization except to its invoices, and revokes its
	// pending invitations.
	MarkDeleted(ctx context.Context, organizationID string, at time.Time) error
}

// ReconciliationStore stores the progress of the reconciler and its drift reports.
type ReconciliationStore interface {
	// Claim takes the lease on comparing the whole account until leaseUntil, if the last run
	// finished before due and no other lease is held. It returns where that run stopped.
	// ErrNotFound if no run is due or the lease is held.
	Claim(ctx context.Context, acct StripeAccount, now, due, leaseUntil time.Time) (ReconcileState, error)
	// SaveState stores the position of the run that holds the lease.
	SaveState(ctx context.Context, acct StripeAccount, s ReconcileState) error
	// Finish releases the lease.
	Finish(ctx context.Context, acct StripeAccount, finishedAt time.Time) error
	// PutCompared stores how many differences a comparison of the whole account found and did not
	// repair, and how many events no webhook had delivered.
	PutCompared(ctx context.Context, acct StripeAccount, unrepaired map[DriftKind]int, missed int, comparedAt time.Time) error
	InsertReport(ctx context.Context, r DriftReport) error
	// Reports lists reports, newest first; an empty id lists all organizations' and the whole
	// account's.
	Reports(ctx context.Context, organizationID string, limit int) ([]DriftReport, error)
	// PruneReports removes reports that began before a time.
	PruneReports(ctx context.Context, before time.Time) error
}

// OperationsStore reads what the operators' pages show.
type OperationsStore interface {
	// SearchOrganizations lists the matching organizations, newest first, and the number of all
	// matches.
	SearchOrganizations(ctx context.Context, search OrganizationSearch, acct StripeAccount) ([]OrganizationLine, int, error)
	// Backlog counts pending and failed work.
	Backlog(ctx context.Context) (Backlog, error)
	// EventsByHour counts the events received since a time, by hour. Hours without events are left
	// out.
	EventsByHour(ctx context.Context, since time.Time) ([]EventHour, error)
	// OpenJobs lists the jobs that run, will be retried or have failed, newest first.
	OpenJobs(ctx context.Context, limit int) ([]QueuedJob, error)
}

// ContactStore stores billing contacts and muted kinds of notice.
type ContactStore interface {
	// List lists the organization's billing contacts, oldest first.
	List(ctx context.Context, organizationID string) ([]string, error)
	// Add adds an address once, compared without case.
	Add(ctx context.Context, organizationID, email string) error
	// ErrNotFound if it is no contact
	Remove(ctx context.Context, organizationID, email string) error
	// Muted lists the muted kinds.
	Muted(ctx context.Context, organizationID string) ([]mail.Kind, error)
	// Mute mutes exactly these kinds.
	Mute(ctx context.Context, organizationID string, kinds []mail.Kind) error
}
