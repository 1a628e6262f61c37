package db

import (
	"context"
	"time"

	"usher/billing"
)

// seatPreviewStore implements [billing.SeatPreviewStore].
type seatPreviewStore struct{ queries }

// SeatPreviews implements [billing.Tx].
func (q queries) SeatPreviews() billing.SeatPreviewStore { return seatPreviewStore{q} }

var seatPreviewTable = tableOf[billing.SeatPreview]("seat_previews")

var insertSeatPreview = seatPreviewTable.insert()

// Insert implements [billing.SeatPreviewStore].
func (q seatPreviewStore) Insert(ctx context.Context, p billing.SeatPreview) error {
	return q.exec(ctx, "insert seat preview", insertSeatPreview, seatPreviewTable.values(p)...)
}

var (
	selectSeatPreview          = `select ` + seatPreviewTable.list("") + ` from seat_previews where organization_id = $1 and id = $2`
	selectConfirmedSeatPreview = `select ` + seatPreviewTable.list("") + ` from seat_previews
	where organization_id = $1 and subscription_id = $2 and version = $3 and confirmed_at is not null and kind <> 'invitation' and proration <> ''
		and known
	order by confirmed_at desc, id desc limit 1`
	selectDifferingSeatPreviews = `select ` + seatPreviewTable.list("") + ` from seat_previews
	where organization_id = $1 and confirmed_at is not null and charged is not null
		and charged <> case when invoice_id <> '' then invoice_total else proration_sum end
	order by confirmed_at desc limit $2`
	selectUnchargedSeatPreviews = `select ` + seatPreviewTable.list("") + ` from seat_previews
	where attempt_key <> '' and done_at is null and confirmed_at < $1 order by confirmed_at limit $2`
)

// Get implements [billing.SeatPreviewStore].
func (q seatPreviewStore) Get(ctx context.Context, organizationID, id string) (billing.SeatPreview, error) {
	return get[billing.SeatPreview](ctx, q.queries, "read seat preview", selectSeatPreview, organizationID, id)
}

// Confirmed implements [billing.SeatPreviewStore].
func (q seatPreviewStore) Confirmed(ctx context.Context, organizationID, subscriptionID string, version int64) (billing.SeatPreview, error) {
	return get[billing.SeatPreview](ctx, q.queries, "read confirmed seat preview", selectConfirmedSeatPreview, organizationID, subscriptionID, version)
}

// Differing implements [billing.SeatPreviewStore].
func (q seatPreviewStore) Differing(ctx context.Context, organizationID string, limit int) ([]billing.SeatPreview, error) {
	return list[billing.SeatPreview](ctx, q.queries, "list differing seat previews", selectDifferingSeatPreviews, organizationID, limit)
}

// Uncharged implements [billing.SeatPreviewStore].
func (q seatPreviewStore) Uncharged(ctx context.Context, before time.Time, limit int) ([]billing.SeatPreview, error) {
	return list[billing.SeatPreview](ctx, q.queries, "list uncharged seat previews", selectUnchargedSeatPreviews, before, limit)
}

var updateSeatPreview = seatPreviewTable.update("id")

// Put implements [billing.SeatPreviewStore]; ErrNotFound if it is not stored.
func (q seatPreviewStore) Put(ctx context.Context, p billing.SeatPreview) error {
	return q.execOne(ctx, "write seat preview", updateSeatPreview, seatPreviewTable.values(p)...)
}

const selectLastProration = `select max(prorated_at) from seat_previews where subscription_id = $1 and confirmed_at is not null`

// LastProratedAt implements [billing.SeatPreviewStore].
func (q seatPreviewStore) LastProratedAt(ctx context.Context, subscriptionID string) (*time.Time, error) {
	return get[*time.Time](ctx, q.queries, "read last proration date", selectLastProration, subscriptionID)
}

// Prune implements [billing.SeatPreviewStore].
func (q seatPreviewStore) Prune(ctx context.Context, before time.Time) error {
	return q.exec(ctx, "prune seat previews", `delete from seat_previews where confirmed_at is null and previewed_at < $1`, before)
}
