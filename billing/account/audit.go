package account

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"usher/billing/apperr"
)

// Audit reads the audit log: who did what, when and from where. [Record] writes it.
type Audit struct {
	*base
}

// AuditEntry is a line of the audit log. It is written in the transaction of the act, and is never
// changed. Names are those at the time of the act, so that an entry stays readable when a person, a
// role or an organization is gone.
type AuditEntry struct {
	ID             int64     `db:"id,readonly"`
	At             time.Time `db:"at"`
	OrganizationID string    `db:"organization_id,null"` // empty: the act concerns the installation
	ActorKind      ActorKind `db:"actor_kind"`
	ActorID        string    `db:"actor_id"`
	ActorName      string    `db:"actor_name"`
	Act            Act       `db:"act"`
	// TargetID and TargetName are what the act was done to; empty: the organization itself.
	TargetID   string `db:"target_id"`
	TargetName string `db:"target_name"`
	// Before and After are what the act changed; each act has its own keys.
	Before    AuditValues `db:"before,json"`
	After     AuditValues `db:"after,json"`
	Address   string      `db:"address"`    // of the client; empty: there is none
	RequestID string      `db:"request_id"` // as in the response and the log
}

// AuditValues are the changed values of an entry by their name.
type AuditValues map[string]string

// ActorKind says what kind of actor did something.
type ActorKind string

// The kinds of actor.
const (
	ActorPerson   ActorKind = "person"   // in the application, signed in or with a mailed link
	ActorOperator ActorKind = "operator" // on the operators' pages
	ActorAPIKey   ActorKind = "api_key"
	ActorCommand  ActorKind = "command" // a subcommand of usher
	ActorStripe   ActorKind = "stripe"  // a change at Stripe: the portal, the dashboard, support
	ActorSystem   ActorKind = "system"  // background work
)

// ActorKinds lists the kinds of actor.
func ActorKinds() []ActorKind {
	return []ActorKind{ActorPerson, ActorOperator, ActorAPIKey, ActorCommand, ActorStripe, ActorSystem}
}

// Origin is where an act comes from. The outermost layer puts it into the context: the handlers for
// each request, a command once. Background work has none.
type Origin struct {
	Kind      ActorKind // empty: not known, such as a request without a session
	ID, Name  string
	Address   string
	RequestID string
}

type originKey struct{}

// WithOrigin returns a context whose acts have an origin.
func WithOrigin(ctx context.Context, o Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

func originOf(ctx context.Context) Origin {
	o, _ := ctx.Value(originKey{}).(Origin)
	return o
}

// speaksForPerson reports whether the actor is this one even if the act is that of a person: an
// operator, a key or a command acts for them.
func (o Origin) speaksForPerson() bool {
	return o.Kind == ActorOperator || o.Kind == ActorAPIKey || o.Kind == ActorCommand
}

// Record writes an entry in the transaction of the act. The context's [Origin] gives the actor
// unless the entry names one, and address and request; without an origin the system acted.
func Record(ctx context.Context, tx Tx, at time.Time, e AuditEntry) error {
	if err := tx.Audit().Insert(ctx, e.from(originOf(ctx), at)); err != nil {
		return fmt.Errorf("write audit entry: %w", err)
	}
	return nil
}

// from returns the entry with its actor, address, request and time.
func (e AuditEntry) from(origin Origin, at time.Time) AuditEntry {
	e.At, e.Address, e.RequestID = at, origin.Address, origin.RequestID
	switch {
	case origin.speaksForPerson(), e.ActorKind == "" && origin.Kind != "":
		e.ActorKind, e.ActorID, e.ActorName = origin.Kind, origin.ID, origin.Name
	case e.ActorKind == "":
		e.ActorKind = ActorSystem
	}
	return e
}

// recordAll is [Record] for many entries, with the time of the environment.
func (b *base) recordAll(ctx context.Context, tx Tx, entries []AuditEntry) error {
	filled := make([]AuditEntry, len(entries))
	for i, e := range entries {
		filled[i] = e.from(originOf(ctx), b.Now())
	}
	if err := tx.Audit().InsertAll(ctx, filled); err != nil {
		return fmt.Errorf("write audit entries: %w", err)
	}
	return nil
}

// record is [Record] with the time of the environment.
func (b *base) record(ctx context.Context, tx Tx, e AuditEntry) error {
	return Record(ctx, tx, b.Now(), e)
}

// Did returns an entry about an act of the actor in their organization.
func (a Access) Did(act Act) AuditEntry {
	return a.User.did(act, a.Organization.ID)
}

// did returns an entry about an act of the user. organizationID is empty for their own account.
func (u User) did(act Act, organizationID string) AuditEntry {
	return AuditEntry{Act: act, OrganizationID: organizationID, ActorKind: ActorPerson, ActorID: u.ID, ActorName: u.Name}
}

// To returns the entry with its target.
func (e AuditEntry) To(id, name string) AuditEntry {
	e.TargetID, e.TargetName = id, name
	return e
}

// Changed returns the entry with what changed; nil: there was, or is, nothing.
func (e AuditEntry) Changed(before, after AuditValues) AuditEntry {
	e.Before, e.After = before, after
	return e
}

// AuditSearch filters the audit log. Zero fields do not filter.
type AuditSearch struct {
	OrganizationID string
	// Text is looked for in names and values, as the beginnings of words. An id (usr_…, req_…) is
	// looked for as actor, target, organization or request.
	Text        string
	Actor       string // the beginnings of words of the actor's name
	Kind        ActorKind
	Act         Act
	From, Until time.Time   // from From on, before Until
	Before      AuditCursor // the last entry of the previous page
	Limit       int
}

// AuditCursor is a position in the audit log. The zero value is before the newest entry.
type AuditCursor struct {
	At time.Time
	ID int64
}

// AuditLimit is the maximum number of entries of one search.
const AuditLimit = 1000

// Search lists the entries of the actor's organization, newest first. Error: CodeForbidden unless
// the actor may manage members.
func (au *Audit) Search(ctx context.Context, a Access, search AuditSearch) ([]AuditEntry, error) {
	if err := a.requireManageMembers(); err != nil {
		return nil, err
	}
	search.OrganizationID = a.Organization.ID
	return au.SearchAll(ctx, search)
}

// SearchAll lists the entries of all organizations and of the installation, for operators.
func (au *Audit) SearchAll(ctx context.Context, search AuditSearch) ([]AuditEntry, error) {
	search.Text, search.Actor = NormalizeSearch(search.Text), NormalizeSearch(search.Actor)
	search.Limit = min(search.Limit, AuditLimit)
	entries, err := au.store.Audit().Search(ctx, search)
	if err != nil {
		return nil, fmt.Errorf("search audit log: %w", err)
	}
	return entries, nil
}

// IsID reports whether the text of a search is an id.
func (s AuditSearch) IsID() bool {
	prefix, _, found := strings.Cut(s.Text, "_")
	return found && slices.Contains([]string{"usr", "org", "mem", "inv", "role", "req", "sub", "chg", "chk", "evt", "pky"}, prefix)
}

// Note records an act that is no change of a row, such as the start of a comparison with Stripe.
func (au *Audit) Note(ctx context.Context, e AuditEntry) error {
	return au.store.InTx(ctx, func(tx Tx) error { return au.record(ctx, tx, e) })
}

// lookInterval is how often it is recorded that an operator looks into an organization.
const lookInterval = time.Hour

// Look records that the operator of the context looks into an organization, once per hour. The data
// must not be shown if it fails. Error: [apperr.ErrNotFound] if there is no such organization.
func (au *Audit) Look(ctx context.Context, organizationID string) error {
	operator := originOf(ctx)
	err := au.store.InTx(ctx, func(tx Tx) error {
		organization, err := tx.Organizations().Get(ctx, organizationID)
		if err != nil {
			return err
		}
		last, looked, err := apperr.Found(tx.Audit().Last(ctx, organizationID, ActOperatorLooked, operator.ID))
		if err != nil || looked && au.Now().Sub(last.At) < lookInterval {
			return err
		}
		return au.record(ctx, tx, AuditEntry{Act: ActOperatorLooked, OrganizationID: organizationID, TargetName: organization.Name})
	})
	if err != nil {
		return fmt.Errorf("record look into organization: %w", err)
	}
	return nil
}

// auditRetention is how long entries are kept. The database refuses to delete any that are younger
// than 365 days.
const auditRetention = 400 * 24 * time.Hour

// auditPruneBatch is the maximum number of entries that one transaction deletes.
const auditPruneBatch = 2000

// Prune deletes entries at the end of their retention, in batches. Their age is that of the wall
// clock: a local Stripe's clock can be ahead, and the database refuses what is young for it.
func (au *Audit) Prune(ctx context.Context) error {
	for ctx.Err() == nil {
		removed := 0
		err := au.store.InTx(ctx, func(tx Tx) (err error) {
			removed, err = tx.Audit().Prune(ctx, au.Wall().Add(-auditRetention), auditPruneBatch)
			return err
		})
		if err != nil {
			return fmt.Errorf("prune audit log: %w", err)
		}
		if removed < auditPruneBatch {
			return nil
		}
	}
	return nil
}

// ErasePerson replaces the name and the addresses of a person in every entry, if they have a right
// to that: what was done, when, and by which id stays. Entries that name their address are found by
// it; email is a former one, for an account that is deleted already. It returns the number of
// entries. Error: [apperr.ErrNotFound] for an unknown user.
func (au *Audit) ErasePerson(ctx context.Context, userID, email string) (erased int, err error) {
	err = au.store.InTx(ctx, func(tx Tx) error {
		user, err := tx.Users().Get(ctx, userID)
		if err != nil {
			return err
		}
		if erased, err = tx.Audit().ErasePerson(ctx, user.ID, cmp.Or(email, user.Email), DeletedName); err != nil {
			return err
		}
		return au.record(ctx, tx, AuditEntry{Act: ActAuditErased, TargetID: userID})
	})
	if err != nil {
		return 0, fmt.Errorf("erase person from audit log: %w", err)
	}
	return erased, nil
}
