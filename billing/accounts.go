package billing

import "context"

// AccountStorage stores people and organizations. Package db implements it.
type AccountStorage interface {
	AccountTx
	// InTx runs f in one transaction and commits it if f returns nil. Serialization failures and deadlocks are retried, so f must do
	// nothing but use its AccountTx.
	InTx(ctx context.Context, f func(AccountTx) error) error
}

// AccountOptions are the dependencies of [Accounts].
type AccountOptions struct {
	Env            *Env
	Store          AccountStorage
	Outbox         *Outbox
	Hooks          Hooks
	BaseURL        string   // the public origin, for links in e-mails
	OperatorEmails []string // who operates the installation
}

// Accounts groups the operations on people and organizations. It is safe for concurrent use.
type Accounts struct {
	Users         *Users
	Recovery      *Recovery
	Organizations *Organizations
	Members       *Members
	Roles         *Roles
	Invitations   *Invitations
	RateLimits    *RateLimits
}

// NewAccounts returns Accounts.
func NewAccounts(o AccountOptions) *Accounts {
	base := &accountBase{Env: o.Env, store: o.Store}
	passwords := &Passwords{Env: o.Env, hashing: make(chan struct{}, 2)}
	recovery := &Recovery{accountBase: base, outbox: o.Outbox, passwords: passwords, baseURL: o.BaseURL}
	members := &Members{accountBase: base, hooks: o.Hooks}
	return &Accounts{
		Users: &Users{
			accountBase: base, members: members, passwords: passwords, recovery: recovery, outbox: o.Outbox,
			operatorEmails: o.OperatorEmails,
		},
		Recovery:      recovery,
		Organizations: &Organizations{accountBase: base, members: members, hooks: o.Hooks},
		Members:       members,
		Roles:         &Roles{accountBase: base, members: members},
		Invitations: &Invitations{
			accountBase: base, members: members, outbox: o.Outbox, passwords: passwords, hooks: o.Hooks, baseURL: o.BaseURL,
		},
		RateLimits: &RateLimits{accountBase: base},
	}
}

// accountBase is what every type of this package needs.
type accountBase struct {
	*Env
	store AccountStorage
}

// Users creates people and changes their log-ins.
type Users struct {
	*accountBase
	members        *Members
	passwords      *Passwords
	recovery       *Recovery
	outbox         *Outbox
	operatorEmails []string
}

// Passwords hashes passwords.
type Passwords struct {
	*Env
	hashing chan struct{} // bounds the memory that hashing takes
}

// Recovery mails links that reset a password or verify an address, and redeems them.
type Recovery struct {
	*accountBase
	outbox    *Outbox
	passwords *Passwords
	baseURL   string
}

// Organizations reads and renames organizations.
type Organizations struct {
	*accountBase
	members *Members
	hooks   Hooks
}

// Members changes memberships.
type Members struct {
	*accountBase
	hooks Hooks
}

// Roles changes custom roles.
type Roles struct {
	*accountBase
	members *Members
}

// Invitations invites people and lets them join.
type Invitations struct {
	*accountBase
	members   *Members
	outbox    *Outbox
	passwords *Passwords
	hooks     Hooks
	baseURL   string
}

// RateLimits counts limited actions.
type RateLimits struct{ *accountBase }
