package db

import (
	"context"
	"time"

	"usher/billing/account"
)

// apiKeyStore implements [account.APIKeyStore].
type apiKeyStore struct{ queries }

// APIKeys implements [account.Tx].
func (q queries) APIKeys() account.APIKeyStore { return apiKeyStore{q} }

var apiKeyTable = tableOf[account.APIKey]("api_keys")

var insertAPIKey = apiKeyTable.insert()

// Insert implements [account.APIKeyStore].
func (q apiKeyStore) Insert(ctx context.Context, k account.APIKey) error {
	return q.exec(ctx, "insert API key", insertAPIKey, apiKeyTable.values(k)...)
}

var selectAPIKeyByHash = `select ` + apiKeyTable.list("") + ` from api_keys where key_hash = $1`

// ByHash implements [account.APIKeyStore].
func (q apiKeyStore) ByHash(ctx context.Context, hash []byte) (account.APIKey, error) {
	return get[account.APIKey](ctx, q.queries, "read API key", selectAPIKeyByHash, hash)
}

var selectAPIKeys = `select ` + apiKeyTable.list("") + ` from api_keys where organization_id = $1 order by created_at desc, id`

// OfOrganization implements [account.APIKeyStore].
func (q apiKeyStore) OfOrganization(ctx context.Context, organizationID string) ([]account.APIKey, error) {
	return list[account.APIKey](ctx, q.queries, "list API keys", selectAPIKeys, organizationID)
}

var selectInstallationKeys = `select ` + apiKeyTable.list("") + ` from api_keys where organization_id is null order by created_at desc, id`

// OfInstallation implements [account.APIKeyStore].
func (q apiKeyStore) OfInstallation(ctx context.Context) ([]account.APIKey, error) {
	return list[account.APIKey](ctx, q.queries, "list API keys of the installation", selectInstallationKeys)
}

const touchAPIKey = `update api_keys set last_used_at = $2 where id = $1`

// Touch implements [account.APIKeyStore].
func (q apiKeyStore) Touch(ctx context.Context, keyID string, at time.Time) error {
	return q.exec(ctx, "touch API key", touchAPIKey, keyID, at)
}

var revokeAPIKey = `update api_keys set revoked_at = coalesce(revoked_at, $3) where organization_id = $1 and id = $2
	returning ` + apiKeyTable.list("")

// Revoke implements [account.APIKeyStore].
func (q apiKeyStore) Revoke(ctx context.Context, organizationID, keyID string, at time.Time) (account.APIKey, error) {
	return get[account.APIKey](ctx, q.queries, "revoke API key", revokeAPIKey, organizationID, keyID, at)
}

var revokeAnyAPIKey = `update api_keys set revoked_at = coalesce(revoked_at, $2) where id = $1 returning ` + apiKeyTable.list("")

// RevokeAny implements [account.APIKeyStore].
func (q apiKeyStore) RevokeAny(ctx context.Context, keyID string, at time.Time) (account.APIKey, error) {
	return get[account.APIKey](ctx, q.queries, "revoke API key", revokeAnyAPIKey, keyID, at)
}
