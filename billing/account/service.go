package account

import (
	"cmp"
	"context"
	"runtime"

	"usher/billing/env"
	"usher/billing/mail"
	"usher/billing/secrets"
)

// Store stores people and organizations. Package db implements it.
type Store interface {
	Tx
	// InTx runs f in one transaction and commits it if f returns nil. f runs again after a
	// serialization failure or a deadlock, so it must have no effects except through its Tx.
	InTx(ctx context.Context, f func(Tx) error) error
}

// Options are the dependencies of a [Service].
type Options struct {
	Env            *env.Env
	Store          Store
	Outbox         *mail.Outbox
	Hooks          Hooks
	BaseURL        string           // the public origin, for links in e-mails
	Product        string           // its name, in authenticators; empty: Usher
	OperatorEmails []string         // addresses of the operators of the installation
	Livemode       bool             // API keys are for real money
	Secrets        *secrets.Keyring // seals seeds of authenticator apps; nil: two-step verification cannot be set up
	SignIn         SignInPolicy
	Resolver       DomainResolver // nil: no domain can be verified
	HandoverKeys   []secrets.Key  // sign hand-over tokens; none: there are no hand-overs
	// HashMemory is the memory of one password hash in KiB; zero: 19 MiB. Tests take less, because
	// hashing under the race detector would be most of their time.
	HashMemory uint32
}

// Service groups the operations on people and organizations. It is safe for concurrent use.
type Service struct {
	Users         *Users
	Recovery      *Recovery
	EmailChanges  *EmailChanges
	Organizations *Organizations
	Members       *Members
	Roles         *Roles
	Invitations   *Invitations
	Provisioning  *Provisioning
	APIKeys       *APIKeys
	RateLimits    *RateLimits
	Idempotency   *IdempotencyKeys
	LoginDevices  *LoginDevices
	SecondFactors *SecondFactors
	Passkeys      *Passkeys
	Identities    *Identities
	Domains       *Domains
	DomainMembers *DomainMembers
	Handovers     *Handovers
	Audit         *Audit
	SignInPolicy  SignInPolicy
}

// New returns a Service.
func New(o Options) *Service {
	base := &base{Env: o.Env, store: o.Store}
	// One hash uses a processor; the others are for everything else.
	passwords := &Passwords{
		Env: o.Env, queue: newHashQueue(max(1, runtime.GOMAXPROCS(0)/2)), memory: cmp.Or(o.HashMemory, hashMemory),
		product: append(productWords(o.BaseURL), wordsOf(o.Product)...), policy: o.SignIn,
	}
	recovery := &Recovery{base: base, outbox: o.Outbox, passwords: passwords, baseURL: o.BaseURL}
	members := &Members{base: base, hooks: o.Hooks}
	users := &Users{
		base: base, members: members, passwords: passwords, recovery: recovery, outbox: o.Outbox, operatorEmails: o.OperatorEmails,
	}
	factors := &SecondFactors{base: base, passwords: passwords, outbox: o.Outbox, keyring: o.Secrets, baseURL: o.BaseURL, issuer: siteName(o.Product, o.BaseURL)}
	identities := &Identities{base: base, users: users, outbox: o.Outbox, policy: o.SignIn, baseURL: o.BaseURL}
	organizations := &Organizations{base: base, members: members, hooks: o.Hooks}
	invitations := &Invitations{
		base: base, members: members, outbox: o.Outbox, passwords: passwords, identities: identities, hooks: o.Hooks, baseURL: o.BaseURL,
	}
	return &Service{
		Handovers:     &Handovers{base: base, users: users, organizations: organizations, keys: o.HandoverKeys, audience: o.BaseURL},
		Identities:    identities,
		Domains:       &Domains{base: base, members: members, resolver: o.Resolver},
		DomainMembers: &DomainMembers{base: base, identities: identities, invitations: invitations, members: members},
		SignInPolicy:  o.SignIn,
		Users:         users,
		Recovery:      recovery,
		EmailChanges:  &EmailChanges{base: base, users: users, outbox: o.Outbox, hooks: o.Hooks, baseURL: o.BaseURL},
		Organizations: organizations,
		Members:       members,
		Roles:         &Roles{base: base, members: members},
		Invitations:   invitations,
		Provisioning:  &Provisioning{base: base, members: members, invitations: invitations, hooks: o.Hooks},
		APIKeys:       &APIKeys{base: base, members: members, livemode: o.Livemode},
		RateLimits:    &RateLimits{base: base},
		Idempotency:   &IdempotencyKeys{base: base, keyring: o.Secrets},
		LoginDevices:  &LoginDevices{base: base},
		SecondFactors: factors,
		Passkeys:      &Passkeys{base: base, factors: factors, relyingParty: newRelyingParty(o.BaseURL, o.Product), policy: o.SignIn},
		Audit:         &Audit{base: base},
	}
}

// base holds the dependencies that every type of this package uses.
type base struct {
	*env.Env
	store Store
}

// Users creates, authenticates, changes and deletes people.
type Users struct {
	*base
	members        *Members
	passwords      *Passwords
	recovery       *Recovery
	outbox         *mail.Outbox
	operatorEmails []string
}

// Passwords checks, hashes and verifies passwords.
type Passwords struct {
	*env.Env
	queue   *hashQueue
	memory  uint32 // of one hash, KiB
	policy  SignInPolicy
	product []string // words that everybody knows, see [productWords]
}

// Recovery sends links that reset a password or verify an address, and redeems them.
type Recovery struct {
	*base
	outbox    *mail.Outbox
	passwords *Passwords
	baseURL   string
}

// EmailChanges changes the addresses of people.
type EmailChanges struct {
	*base
	users   *Users
	outbox  *mail.Outbox
	hooks   Hooks
	baseURL string
}

// Organizations reads and renames organizations.
type Organizations struct {
	*base
	members *Members
	hooks   Hooks
}

// Members reads and changes memberships.
type Members struct {
	*base
	hooks Hooks
}

// Roles reads and changes custom roles.
type Roles struct {
	*base
	members *Members
}

// Invitations creates, resends, revokes and accepts invitations.
type Invitations struct {
	*base
	members    *Members
	outbox     *mail.Outbox
	passwords  *Passwords
	identities *Identities
	hooks      Hooks
	baseURL    string
}

// APIKeys creates, checks and revokes the keys of programs.
type APIKeys struct {
	*base
	members  *Members
	livemode bool
}

// RateLimits counts rate-limited actions.
type RateLimits struct{ *base }

// LoginDevices knows the browsers that people have logged in with.
type LoginDevices struct{ *base }
