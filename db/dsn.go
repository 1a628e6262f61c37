package db

import (
	"errors"
	"strings"
	"time"

	"github.com/lib/pq"
)

// Defaults of a connection; the DSN may say otherwise.
const (
	applicationName  = "usher"
	connectTimeout   = 5 * time.Second
	statementTimeout = "10s" // longer than any query here takes, shorter than the patience of whoever waits
	lockTimeout      = "5s"
	idleInTxTimeout  = "30s" // a transaction whose process hangs gives its locks back
)

// errDSN does not carry the cause: the parser's messages quote parts of the DSN, and with a mistyped one that part is the password.
var errDSN = errors.New("the PostgreSQL DSN can't be read: write postgres://user:password@host:5432/database?sslmode=disable with " +
	"special characters percent-encoded, or host=… port=… user=… password='…' dbname=…, and set no libpq variables " +
	"that lib/pq does not know")

// parameterStatementCache is a parameter of ours in a DSN: with statement_cache=off nothing is prepared, for poolers that give every
// transaction another server connection and do not follow prepared statements.
const parameterStatementCache = "statement_cache"

// settings are a DSN's, with our defaults filled in.
type settings struct {
	config pq.Config
	cache  bool
}

// parseDSN reads a URL or key=value DSN and the PG… variables of the environment, and fills in what neither says.
func parseDSN(dsn string) (settings, error) {
	config, err := pq.NewConfig(dsn)
	if err != nil {
		return settings{}, errDSN
	}
	if config.ApplicationName == "" {
		config.ApplicationName = applicationName
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	// With binary parameters lib/pq sends what is not prepared in one round trip instead of two, and bytes as they are instead of
	// as hexadecimal digits.
	if !strings.Contains(dsn, "binary_parameters") {
		config.BinaryParameters = true
	}
	cache := config.Runtime[parameterStatementCache] != "off"
	delete(config.Runtime, parameterStatementCache)
	return settings{config: config, cache: cache}, nil
}

// withTimeouts makes the server end what takes too long, so that nothing waits for ever.
func (s settings) withTimeouts() settings {
	s.setDefault("statement_timeout", statementTimeout)
	s.setDefault("lock_timeout", lockTimeout)
	s.setDefault("idle_in_transaction_session_timeout", idleInTxTimeout)
	return s
}

// setDefault sets a server parameter unless the DSN sets it, by name or within options.
func (s settings) setDefault(name, value string) {
	if _, ok := s.config.Runtime[name]; ok || strings.Contains(s.config.Options, name) {
		return
	}
	s.config.Runtime[name] = value
}
