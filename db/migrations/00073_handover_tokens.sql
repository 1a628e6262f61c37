-- +goose Up

-- Hand-over tokens that were used, by a hash of their id, until they would not be valid any more.
create table handover_tokens (
    id_hash    bytea primary key,
    expires_at timestamptz not null
);
create index handover_tokens_expires_idx on handover_tokens (expires_at);

-- +goose Down
drop table handover_tokens;
