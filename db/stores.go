package db

import (
	"usher/billing"
	"usher/billing/account"
	"usher/billing/job"
	"usher/billing/mail"
)

// A store type per interface of package billing, each on the same connection or transaction.
type (
	checkoutStore       struct{ queries }
	contactStore        struct{ queries }
	creditStore         struct{ queries }
	customerStore       struct{ queries }
	deletionStore       struct{ queries }
	duplicateStore      struct{ queries }
	eventStore          struct{ queries }
	invitationStore     struct{ queries }
	invoiceStore        struct{ queries }
	jobStore            struct{ queries }
	mailStore           struct{ queries }
	memberStore         struct{ queries }
	operationsStore     struct{ queries }
	organizationStore   struct{ queries }
	paymentStore        struct{ queries }
	rateLimitStore      struct{ queries }
	reconciliationStore struct{ queries }
	roleStore           struct{ queries }
	seatAttemptStore    struct{ queries }
	seatLedgerStore     struct{ queries }
	seatStore           struct{ queries }
	stripeStore         struct{ queries }
	subscriptionStore   struct{ queries }
	tokenStore          struct{ queries }
	userStore           struct{ queries }
)

// The accessors of [billing.Tx].
func (q queries) Checkouts() billing.CheckoutStore            { return checkoutStore{q} }
func (q queries) Contacts() billing.ContactStore              { return contactStore{q} }
func (q queries) Credits() billing.CreditStore                { return creditStore{q} }
func (q queries) Customers() billing.CustomerStore            { return customerStore{q} }
func (q queries) Deletions() billing.DeletionStore            { return deletionStore{q} }
func (q queries) Duplicates() billing.DuplicateStore          { return duplicateStore{q} }
func (q queries) Events() billing.EventStore                  { return eventStore{q} }
func (q queries) Invitations() account.InvitationStore        { return invitationStore{q} }
func (q queries) Invoices() billing.InvoiceStore              { return invoiceStore{q} }
func (q queries) Jobs() job.Store                             { return jobStore{q} }
func (q queries) Mails() mail.Store                           { return mailStore{q} }
func (q queries) Members() account.MemberStore                { return memberStore{q} }
func (q queries) Operations() billing.OperationsStore         { return operationsStore{q} }
func (q queries) Organizations() account.OrganizationStore    { return organizationStore{q} }
func (q queries) Payments() billing.PaymentStore              { return paymentStore{q} }
func (q queries) RateLimits() account.RateLimitStore          { return rateLimitStore{q} }
func (q queries) Reconciliation() billing.ReconciliationStore { return reconciliationStore{q} }
func (q queries) Roles() account.RoleStore                    { return roleStore{q} }
func (q queries) SeatAttempts() billing.SeatAttemptStore      { return seatAttemptStore{q} }
func (q queries) SeatLedger() billing.SeatLedgerStore         { return seatLedgerStore{q} }
func (q queries) Seats() billing.SeatStore                    { return seatStore{q} }
func (q queries) Stripe() billing.StripeStore                 { return stripeStore{q} }
func (q queries) Subscriptions() billing.SubscriptionStore    { return subscriptionStore{q} }
func (q queries) Tokens() account.TokenStore                  { return tokenStore{q} }
func (q queries) Users() account.UserStore                    { return userStore{q} }
