package account

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"math/big"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"usher/billing/apperr"
)

// The scopes of API keys: what a program may do with one.
const (
	ScopeEntitlementsRead = "entitlements:read"
	ScopeCreditsWrite     = "credits:write"
	ScopeMembersRead      = "members:read"
	ScopeMembersWrite     = "members:write"
	ScopeBillingRead      = "billing:read"
	ScopeBillingWrite     = "billing:write"
	ScopeWebhooksWrite    = "webhooks:write"
)

// Scopes lists every scope.
func Scopes() []string {
	return []string{
		ScopeEntitlementsRead, ScopeCreditsWrite, ScopeMembersRead, ScopeMembersWrite, ScopeBillingRead, ScopeBillingWrite, ScopeWebhooksWrite,
	}
}

// APIKey lets a program act for an organization. Only the hash of the key is stored.
type APIKey struct {
	ID             string     `db:"id"`                   // key_…
	OrganizationID string     `db:"organization_id,null"` // empty: of the installation, for every organization
	Name           string     `db:"name"`
	Hint           string     `db:"hint"`     // the beginning of the key, to recognize it
	Hash           []byte     `db:"key_hash"` // SHA-256
	Livemode       bool       `db:"livemode"`
	Scopes         []string   `db:"scopes,lines"`
	CreatedBy      string     `db:"created_by"` // the person's name at that time, or the command line
	CreatedAt      time.Time  `db:"created_at"`
	ExpiresAt      *time.Time `db:"expires_at"`   // nil: never
	LastUsedAt     *time.Time `db:"last_used_at"` // nil: not yet; to the minute
	RevokedAt      *time.Time `db:"revoked_at"`
}

// Has reports whether the key has a scope.
func (k APIKey) Has(scope string) bool { return slices.Contains(k.Scopes, scope) }

// Valid reports whether the key can be used at now.
func (k APIKey) Valid(now time.Time) bool {
	return k.RevokedAt == nil && (k.ExpiresAt == nil || now.Before(*k.ExpiresAt))
}

// APIKeyDraft is the input for a key.
type APIKeyDraft struct {
	Name      string
	Scopes    []string
	ExpiresAt *time.Time // nil: never
}

const (
	maxKeyNameLength = 60 // characters
	keyRandomLength  = 32 // characters of base 62: 190 bits
	keyHintLength    = 4  // of the random characters
	keyUseInterval   = time.Minute
	commandLine      = "Command line"
)

// messageKeyInvalid does not reveal whether a key expired, was revoked or never existed.
const messageKeyInvalid = "This API key isn't valid. Create a new one under Organization, API keys."

// Create creates a key of the organization and returns it with the secret, which is not stored.
// Errors: CodeForbidden unless the actor is an admin; CodeUnprocessable with the field name, scopes
// or expires.
func (ks *APIKeys) Create(ctx context.Context, a Access, draft APIKeyDraft) (APIKey, string, error) {
	var key APIKey
	var secret string
	err := ks.members.InLockedOrganization(ctx, a, func(tx Tx, actor Access) (err error) {
		if err := actor.RequireAdmin(); err != nil {
			return err
		}
		key, secret, err = ks.insert(ctx, tx, actor.Organization.ID, actor.User.Name, draft)
		return err
	})
	if err != nil {
		return APIKey{}, "", fmt.Errorf("create API key: %w", err)
	}
	return key, secret, nil
}

// CreateByOperator is [APIKeys.Create] for an organization on behalf of whoever runs the
// installation, or for the installation if organizationID is empty. Error: also
// [apperr.ErrNotFound].
func (ks *APIKeys) CreateByOperator(ctx context.Context, organizationID string, draft APIKeyDraft) (APIKey, string, error) {
	var key APIKey
	var secret string
	err := ks.store.InTx(ctx, func(tx Tx) (err error) {
		if organizationID != "" {
			if _, err := tx.Organizations().Lock(ctx, organizationID); err != nil {
				return err
			}
		}
		key, secret, err = ks.insert(ctx, tx, organizationID, commandLine, draft)
		return err
	})
	if err != nil {
		return APIKey{}, "", fmt.Errorf("create API key: %w", err)
	}
	return key, secret, nil
}

func (ks *APIKeys) insert(ctx context.Context, tx Tx, organizationID, by string, draft APIKeyDraft) (APIKey, string, error) {
	draft.Name = CleanName(draft.Name)
	now := ks.Now()
	if err := draft.check(now); err != nil {
		return APIKey{}, "", err
	}
	secret := ks.newSecret()
	key := APIKey{
		ID: ks.NewID("key"), OrganizationID: organizationID, Name: draft.Name, Hint: secret[:len(ks.prefix())+keyHintLength],
		Hash: hashToken(secret), Livemode: ks.livemode, Scopes: draft.Scopes, CreatedBy: by, CreatedAt: now, ExpiresAt: draft.ExpiresAt,
	}
	if err := tx.APIKeys().Insert(ctx, key); err != nil {
		return APIKey{}, "", err
	}
	created := AuditEntry{Act: ActAPIKeyCreated, OrganizationID: organizationID}.To(key.ID, key.Name)
	return key, secret, ks.record(ctx, tx, created.Changed(nil, AuditValues{"scopes": strings.Join(key.Scopes, ", ")}))
}

func (d APIKeyDraft) check(now time.Time) error {
	unknown := func(scope string) bool { return !slices.Contains(Scopes(), scope) }
	switch {
	case d.Name == "" || utf8.RuneCountInString(d.Name) > maxKeyNameLength:
		return apperr.FieldError("name", "Enter a name of at most %d characters: what uses the key.", maxKeyNameLength)
	case len(d.Scopes) == 0:
		return apperr.FieldError("scopes", "Choose what the key can do.")
	case slices.ContainsFunc(d.Scopes, unknown):
		return apperr.FieldError("scopes", "There is no such scope. The scopes are %s.", strings.Join(Scopes(), ", "))
	case d.ExpiresAt != nil && !d.ExpiresAt.After(now):
		return apperr.FieldError("expires", "Choose a day in the future.")
	}
	return nil
}

// newSecret returns a key: its prefix, random characters, and their CRC-32 in six characters, so
// that scanners of source code can tell a key from other text.
func (ks *APIKeys) newSecret() string {
	random := make([]byte, 24)
	if _, err := io.ReadFull(ks.Rand, random); err != nil {
		// Crypto/rand never fails, so this is a test's reader.
		panic("account: read randomness: " + err.Error())
	}
	text := base62(new(big.Int).SetBytes(random), keyRandomLength+1)[1:]
	return ks.prefix() + text + keyChecksum(text)
}

func (ks *APIKeys) prefix() string {
	if ks.livemode {
		return "uk_live_"
	}
	return "uk_test_"
}

func keyChecksum(text string) string {
	return base62(big.NewInt(int64(crc32.ChecksumIEEE([]byte(text)))), 6)
}

// base62 returns a number in at least width characters of 0-9, A-Z and a-z.
func base62(n *big.Int, width int) string {
	text := n.Text(62) // 0-9, a-z, A-Z
	return strings.Repeat("0", max(0, width-len(text))) + text
}

// wellFormed reports whether a text can be a key of this mode, without asking the database.
func (ks *APIKeys) wellFormed(secret string) bool {
	text, ok := strings.CutPrefix(secret, ks.prefix())
	return ok && len(text) == keyRandomLength+6 && keyChecksum(text[:keyRandomLength]) == text[keyRandomLength:]
}

// Authenticate returns the key of a secret and, for an organization's key, what it may do there. An
// installation's key needs organizationID. Errors: CodeUnauthenticated; CodeInvalid if
// organizationID is missing; [apperr.ErrNotFound] for an organization that the key is not for.
func (ks *APIKeys) Authenticate(ctx context.Context, secret, organizationID string) (APIKey, Access, error) {
	key, err := ks.find(ctx, secret)
	if err != nil {
		return APIKey{}, Access{}, err
	}
	access, err := ks.access(ctx, key, organizationID)
	if err != nil {
		return APIKey{}, Access{}, err
	}
	return key, access, ks.touch(ctx, key)
}

// AuthenticateInstallation returns the key of a secret for what concerns no organization. Errors:
// CodeUnauthenticated; CodeForbidden for the key of an organization.
func (ks *APIKeys) AuthenticateInstallation(ctx context.Context, secret string) (APIKey, error) {
	key, err := ks.find(ctx, secret)
	if err != nil {
		return APIKey{}, err
	}
	if key.OrganizationID != "" {
		return APIKey{}, apperr.Errorf(apperr.CodeForbidden, MessageInstallationKey)
	}
	return key, ks.touch(ctx, key)
}

// MessageInstallationKey is shown where only keys of the installation are taken.
const MessageInstallationKey = "Only a key of the installation can do this. An operator creates one with usher api-key create --all."

// find returns the valid key of a secret.
func (ks *APIKeys) find(ctx context.Context, secret string) (APIKey, error) {
	invalid := apperr.Errorf(apperr.CodeUnauthenticated, messageKeyInvalid)
	if !ks.wellFormed(secret) {
		return APIKey{}, invalid
	}
	key, found, err := apperr.Found(ks.store.APIKeys().ByHash(ctx, hashToken(secret)))
	if err == nil && (!found || !key.Valid(ks.Now())) {
		err = invalid
	}
	return key, err
}

// access returns what a key may do in an organization. It acts in the name of the first person who
// may manage billing, whom Stripe has as the customer's contact.
func (ks *APIKeys) access(ctx context.Context, key APIKey, organizationID string) (Access, error) {
	switch {
	case key.OrganizationID == "" && organizationID == "":
		return Access{}, apperr.Errorf(apperr.CodeInvalid, "A key of the installation needs the header Usher-Organization: org_….")
	case key.OrganizationID == "":
	case organizationID != "" && organizationID != key.OrganizationID:
		return Access{}, apperr.ErrNotFound
	default:
		organizationID = key.OrganizationID
	}
	organization, err := ks.store.Organizations().Get(ctx, organizationID)
	if err != nil {
		return Access{}, err
	}
	access := Access{Organization: organization, Member: Member{
		Status: MemberActive, Role: Role{
			Name: key.Name, CanManageBilling: key.Has(ScopeBillingWrite), CanManageMembers: key.Has(ScopeMembersWrite),
		},
	}, ReadsBilling: key.Has(ScopeBillingRead), ManagesWebhooks: key.Has(ScopeWebhooksWrite), Key: &key}
	if key.Has(ScopeBillingWrite) {
		access.User, err = ks.billingManager(ctx, organizationID)
	}
	return access, err
}

// billingManager returns the first person who may manage billing. As long as nobody has joined, it
// is one whom a program named. The zero value: there is none.
func (ks *APIKeys) billingManager(ctx context.Context, organizationID string) (User, error) {
	managers, err := ks.store.Members().BillingManagers(ctx, organizationID)
	if err != nil || len(managers) > 0 {
		return append(managers, User{})[0], err
	}
	named, err := billingManagers(ctx, ks.store, organizationID)
	if err != nil || len(named) == 0 {
		return User{}, err
	}
	return User{ID: named[0].UserID, Name: named[0].Name, Email: named[0].Email}, nil
}

// touch notes that a key was used, once a minute at most.
func (ks *APIKeys) touch(ctx context.Context, key APIKey) error {
	now := ks.Now()
	if key.LastUsedAt != nil && now.Sub(*key.LastUsedAt) < keyUseInterval {
		return nil
	}
	return ks.store.APIKeys().Touch(ctx, key.ID, now)
}

// List lists the organization's keys, the newest first, revoked and expired ones included. Error:
// CodeForbidden unless the actor is an admin.
func (ks *APIKeys) List(ctx context.Context, a Access) ([]APIKey, error) {
	if err := a.RequireAdmin(); err != nil {
		return nil, err
	}
	return ks.store.APIKeys().OfOrganization(ctx, a.Organization.ID)
}

// ListByOperator lists the keys of an organization or, if organizationID is empty, those of the
// installation.
func (ks *APIKeys) ListByOperator(ctx context.Context, organizationID string) ([]APIKey, error) {
	if organizationID == "" {
		return ks.store.APIKeys().OfInstallation(ctx)
	}
	return ks.store.APIKeys().OfOrganization(ctx, organizationID)
}

// RevokeByOperator ends a key of any organization or of the installation. Error:
// [apperr.ErrNotFound].
func (ks *APIKeys) RevokeByOperator(ctx context.Context, keyID string) (APIKey, error) {
	var key APIKey
	err := ks.store.InTx(ctx, func(tx Tx) (err error) {
		if key, err = tx.APIKeys().RevokeAny(ctx, keyID, ks.Now()); err != nil {
			return err
		}
		return ks.record(ctx, tx, AuditEntry{Act: ActAPIKeyRevoked, OrganizationID: key.OrganizationID}.To(key.ID, key.Name))
	})
	if err != nil {
		return APIKey{}, fmt.Errorf("revoke API key: %w", err)
	}
	return key, nil
}

// Revoke ends a key at once, for good. Errors: CodeForbidden; [apperr.ErrNotFound].
func (ks *APIKeys) Revoke(ctx context.Context, a Access, keyID string) error {
	err := ks.members.InLockedOrganization(ctx, a, func(tx Tx, actor Access) error {
		if err := actor.RequireAdmin(); err != nil {
			return err
		}
		key, err := tx.APIKeys().Revoke(ctx, actor.Organization.ID, keyID, ks.Now())
		if err != nil {
			return err
		}
		return ks.record(ctx, tx, actor.Did(ActAPIKeyRevoked).To(key.ID, key.Name))
	})
	if err != nil {
		return fmt.Errorf("revoke API key: %w", err)
	}
	return nil
}
