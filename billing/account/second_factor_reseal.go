package account

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"usher/billing/apperr"
	"usher/billing/secrets"
)

// resealBatch is the number of seeds that are read at once.
const resealBatch = 100

// ResealResult counts what [SecondFactors.Reseal] found.
type ResealResult struct {
	Resealed   int // now sealed with the newest key
	Unreadable int // sealed with a key that is not configured; left as they are
}

// Reseal seals every seed again that is not sealed with the newest key, so that the former keys can
// be removed. It can be interrupted and repeated. Error: [secrets.ErrNoKey].
func (sf *SecondFactors) Reseal(ctx context.Context) (ResealResult, error) {
	var result ResealResult
	prefix := sf.keyring.Prefix()
	if prefix == nil {
		return result, secrets.ErrNoKey
	}
	after := ""
	for {
		outdated, err := sf.store.SecondFactors().Outdated(ctx, prefix, after, resealBatch)
		if err != nil || len(outdated) == 0 {
			return result, err
		}
		for _, factor := range outdated {
			if err := sf.reseal(ctx, factor.UserID, &result); err != nil {
				return result, fmt.Errorf("reseal seed of %s: %w", factor.UserID, err)
			}
			after = factor.UserID
		}
	}
}

// CountOutdated counts the seeds that are not sealed with the newest key. Error:
// [secrets.ErrNoKey].
func (sf *SecondFactors) CountOutdated(ctx context.Context) (int, error) {
	prefix := sf.keyring.Prefix()
	if prefix == nil {
		return 0, secrets.ErrNoKey
	}
	return sf.store.SecondFactors().CountOutdated(ctx, prefix)
}

// reseal locks the seed, which a log-in may use at the same time.
func (sf *SecondFactors) reseal(ctx context.Context, userID string, result *ResealResult) error {
	unreadable, resealed := false, false
	err := sf.store.InTx(ctx, func(tx Tx) error {
		factor, found, err := apperr.Found(tx.SecondFactors().Lock(ctx, userID))
		if err != nil || !found || bytes.HasPrefix(factor.Seed, sf.keyring.Prefix()) {
			return err
		}
		seed, _, err := sf.keyring.Open(factor.Seed, seedPurpose, userID)
		if unreadable = errors.Is(err, secrets.ErrUnknownKey) || errors.Is(err, secrets.ErrTampered); unreadable {
			return nil
		}
		if factor.Seed, err = sf.keyring.Seal(seed, seedPurpose, userID); err != nil {
			return err
		}
		resealed = true
		return tx.SecondFactors().Update(ctx, factor)
	})
	if err != nil {
		return err
	}
	if unreadable {
		result.Unreadable++
		sf.Log.WarnContext(ctx, "seed of a second factor not readable", "user_id", userID)
	}
	if resealed {
		result.Resealed++
	}
	return nil
}
