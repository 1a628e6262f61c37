-- +goose Up
-- Counts of the running windows. Unlogged: after a crash the counting begins anew, which harms nobody.
create unlogged table rate_limits (
    key          text collate "C" primary key,
    window_start timestamptz not null,
    hits         integer not null
);
create index rate_limits_window_idx on rate_limits (window_start);

-- +goose Down
drop table rate_limits;
