package webhook

import (
	"bytes"
	"context"
	"fmt"

	"usher/billing/apperr"
	"usher/billing/secrets"
)

// resealBatch is the number of endpoints that are read at once.
const resealBatch = 100

// ResealResult counts what [Endpoints.Reseal] found.
type ResealResult struct {
	Resealed   int // endpoints whose secrets are now sealed with the newest key
	Unreadable int // endpoints with a secret of a key that is not configured; left as they are
}

// Reseal seals every signing secret again that is not sealed with the newest key. It can be
// interrupted and repeated. Error: [secrets.ErrNoKey].
func (es *Endpoints) Reseal(ctx context.Context) (ResealResult, error) {
	var result ResealResult
	prefix := es.keyring.Prefix()
	if prefix == nil {
		return result, secrets.ErrNoKey
	}
	after := ""
	for {
		outdated, err := es.store.Webhooks().Outdated(ctx, prefix, after, resealBatch)
		if err != nil || len(outdated) == 0 {
			return result, err
		}
		for _, endpoint := range outdated {
			if err := es.reseal(ctx, endpoint.ID, &result); err != nil {
				return result, fmt.Errorf("reseal secret of %s: %w", endpoint.ID, err)
			}
			after = endpoint.ID
		}
	}
}

func (es *Endpoints) reseal(ctx context.Context, id string, result *ResealResult) error {
	unreadable, resealed := false, false
	err := es.store.InTx(ctx, func(tx Tx) error {
		unreadable, resealed = false, false
		e, found, err := apperr.Found(tx.Webhooks().LockEndpoint(ctx, id))
		if err != nil || !found {
			return err
		}
		if e.FormerSecretUntil(es.Now()).IsZero() {
			e.FormerSecret, e.FormerUntil = nil, nil
		}
		for _, sealed := range []*[]byte{&e.Secret, &e.FormerSecret} {
			if *sealed == nil || bytes.HasPrefix(*sealed, es.keyring.Prefix()) {
				continue
			}
			secret, _, err := es.keyring.Open(*sealed, secretPurpose, id)
			if err != nil {
				unreadable = true
				return nil
			}
			if *sealed, err = es.keyring.Seal(secret, secretPurpose, id); err != nil {
				return err
			}
		}
		resealed = true
		return tx.Webhooks().UpdateEndpoint(ctx, e)
	})
	if err != nil {
		return err
	}
	if unreadable {
		result.Unreadable++
		es.Log.WarnContext(ctx, "webhook secret not readable", "endpoint_id", id)
	}
	if resealed {
		result.Resealed++
	}
	return nil
}
