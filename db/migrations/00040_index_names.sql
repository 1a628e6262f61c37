-- +goose Up

-- Renaming an index changes the catalogue only.
alter index stripe_events_turn_idx rename to stripe_events_round_robin_idx;
alter index checkout_sessions_unsettled_idx rename to checkout_sessions_unreconciled_idx;

-- +goose Down
alter index checkout_sessions_unreconciled_idx rename to checkout_sessions_unsettled_idx;
alter index stripe_events_round_robin_idx rename to stripe_events_turn_idx;
