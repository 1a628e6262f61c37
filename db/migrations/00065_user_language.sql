-- +goose Up

-- The language in which a person reads pages and e-mails, a BCP 47 tag; empty: not known.
alter table users add column language text not null default '' constraint users_language_check check (length(language) <= 35);

-- +goose Down
alter table users drop column language;
