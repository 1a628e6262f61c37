package db

import (
	"context"
	"time"

	"github.com/lib/pq"

	"usher/billing/account"
)

// loginDeviceStore implements [account.LoginDeviceStore].
type loginDeviceStore struct{ queries }

// LoginDevices implements [account.Tx].
func (q queries) LoginDevices() account.LoginDeviceStore { return loginDeviceStore{q} }

var loginDeviceTable = tableOf[account.LoginDevice]("login_devices")

var insertLoginDevice = loginDeviceTable.insert()

// Insert implements [account.LoginDeviceStore].
func (q loginDeviceStore) Insert(ctx context.Context, d account.LoginDevice) error {
	return q.exec(ctx, "insert log-in device", insertLoginDevice, loginDeviceTable.values(d)...)
}

var selectLoginDevice = `select ` + loginDeviceTable.list("d") + ` from login_devices d join users u on u.id = d.user_id
	where d.token_hash = any($1) and lower(u.email) = lower($2) and d.expires_at > $3
	order by d.expires_at desc limit 1`

// ByEmail implements [account.LoginDeviceStore].
func (q loginDeviceStore) ByEmail(ctx context.Context, hashes [][]byte, email string, now time.Time) (account.LoginDevice, error) {
	return get[account.LoginDevice](ctx, q.queries, "read log-in device", selectLoginDevice, pq.ByteaArray(hashes), email, now)
}

const extendLoginDevice = `update login_devices set expires_at = $2 where token_hash = $1`

// Extend implements [account.LoginDeviceStore].
func (q loginDeviceStore) Extend(ctx context.Context, hash []byte, expiresAt time.Time) error {
	return q.exec(ctx, "extend log-in device", extendLoginDevice, hash, expiresAt)
}

const keepLoginDevices = `delete from login_devices where token_hash in
	(select token_hash from login_devices where user_id = $1 order by expires_at desc, token_hash offset $2)`

// Keep implements [account.LoginDeviceStore].
func (q loginDeviceStore) Keep(ctx context.Context, userID string, newest int) error {
	return q.exec(ctx, "delete old log-in devices", keepLoginDevices, userID, newest)
}

const pruneLoginDevices = `delete from login_devices where expires_at <= $1`

// Prune implements [account.LoginDeviceStore].
func (q loginDeviceStore) Prune(ctx context.Context, now time.Time) error {
	return q.exec(ctx, "prune log-in devices", pruneLoginDevices, now)
}
