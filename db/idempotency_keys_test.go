package db

import (
	"testing"
	"time"

	"usher/billing/account"
)

func keyedRequest(owner string, created time.Time) account.KeyedRequest {
	return account.KeyedRequest{
		Credential: "key_1", Key: "k", Fingerprint: tokenHash("request"), CreatedAt: created, LockedUntil: created.Add(30 * time.Second), Owner: owner,
	}
}

func TestKeyedRequestIsHandledOnce(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	keys := store.IdempotencyKeys()
	begin := func(k account.KeyedRequest) account.KeyedRequest {
		t.Helper()
		got, err := keys.Begin(ctx, k, k.CreatedAt.Add(-time.Hour))
		must(t, err)
		return got
	}
	first := keyedRequest("a", at(0))
	wantEqual(t, begin(first), first)
	wantEqual(t, begin(keyedRequest("b", at(10))), first) // it is being handled

	other := keyedRequest("c", at(40))
	other.Fingerprint = tokenHash("another request")
	wantEqual(t, begin(other), first)

	second := keyedRequest("d", at(40)) // the first one has crashed
	wantEqual(t, begin(second), second)
	first.Status = 500
	must(t, keys.Finish(ctx, first)) // it has not, but is late
	must(t, keys.Delete(ctx, first))
	second.Status, second.Body = 201, `{"id":"mem_1"}`
	wantFilled(t, second)
	must(t, keys.Finish(ctx, second))
	wantEqual(t, begin(keyedRequest("e", at(50))), second)
	wantEqual(t, begin(keyedRequest("f", at(3000))), second)

	late := keyedRequest("g", at(40+3601))
	wantEqual(t, begin(late), late)
	must(t, keys.Prune(ctx, at(40+3601)))
	must(t, keys.Delete(ctx, late))
	wantEqual(t, begin(keyedRequest("h", at(4000))), keyedRequest("h", at(4000)))
	must(t, keys.Prune(ctx, at(4001)))
	wantEqual(t, begin(keyedRequest("i", at(4000))), keyedRequest("i", at(4000)))
}
