package db

import (
	"errors"
	"net/netip"
	"strings"
	"time"

	"github.com/lib/pq"
)

// Defaults of a connection, overridden by the DSN.
const (
	applicationName = "usher"
	connectTimeout  = 5 * time.Second
	// Longer than any query of this package takes, shorter than the timeouts of callers.
	statementTimeout = "10s"
	lockTimeout      = "5s"
	idleInTxTimeout  = "30s" // releases the locks of a transaction whose process hangs
)

// errDSN has no cause: the parser's messages quote parts of the DSN, and in a malformed one that
// part may be the password.
var errDSN = errors.New("the PostgreSQL DSN can't be read: write postgres://user:password@host:5432/database?sslmode=disable with " +
	"special characters percent-encoded, or host=… port=… user=… password='…' dbname=…, and set no libpq variables " +
	"that lib/pq does not know")

// parameterStatementCache is Usher's own DSN parameter: statement_cache=off is for poolers that
// assign a server connection per transaction. It disables prepared statements and everything else
// that belongs to a session.
const parameterStatementCache = "statement_cache"

// settings are those of a DSN with the defaults filled in.
type settings struct {
	config  pq.Config
	pooler  bool // connections go through a pooler, see poolerConnector
	prepare bool // statements are prepared at their first use
	// local are the server parameters of each transaction, with a pooler.
	local map[string]string
	// answer is how long the server may be silent; 0: without limit.
	answer time.Duration
}

// parseDSN reads a URL or key=value DSN and the PG… environment variables, and sets defaults for
// what neither contains.
func parseDSN(dsn string) (settings, error) {
	config, err := pq.NewConfig(severalHosts(dsn))
	if err != nil {
		return settings{}, errDSN
	}
	if config.ApplicationName == "" {
		config.ApplicationName = applicationName
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	// With binary parameters lib/pq sends unprepared statements in one round trip instead of two,
	// and bytea values without hexadecimal encoding.
	pooler := config.Runtime[parameterStatementCache] == "off"
	delete(config.Runtime, parameterStatementCache)
	// Through a pooler the two round trips may reach two server connections.
	if pooler || !strings.Contains(dsn, "binary_parameters") {
		config.BinaryParameters = true
	}
	return settings{config: config, pooler: pooler, prepare: !pooler, local: map[string]string{}}, nil
}

// CheckDSN returns an error, which does not contain dsn, if [Open] could not read it.
func CheckDSN(dsn string) error {
	_, err := parseDSN(dsn)
	return err
}

// ServerUnverified reports whether a connection of the DSN goes to another machine and does not
// verify that the server has the certificate of its name: sslmode is neither verify-full nor
// verify-ca. lib/pq's default, require, encrypts without a look at the certificate.
func ServerUnverified(dsn string) bool {
	s, err := parseDSN(dsn)
	if err != nil {
		return false
	}
	local := isLocalHost(s.config.Host) && !s.config.Hostaddr.IsValid() || s.config.Hostaddr.IsLoopback()
	for _, more := range s.config.Multi {
		local = local && isLocalHost(more.Host)
	}
	mode := s.config.SSLMode
	return !local && mode != pq.SSLModeVerifyFull && mode != pq.SSLModeVerifyCA
}

// isLocalHost reports whether a host is this machine: a socket, loopback, or the default.
func isLocalHost(host string) bool {
	address, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "" || host == "localhost" || strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") ||
		err == nil && address.IsLoopback()
}

// withTimeouts sets the server's timeouts, so that no statement or lock waits without limit.
func (s settings) withTimeouts() settings {
	_, own := s.config.Runtime["statement_timeout"]
	switch {
	case own || strings.Contains(s.config.Options, "statement_timeout"): // the DSN decides
	case s.pooler:
		s.answer = answerTimeoutPooler
	default:
		s.answer = answerTimeout
	}
	s.setDefault("statement_timeout", statementTimeout)
	s.setDefault("lock_timeout", lockTimeout)
	s.setDefault("idle_in_transaction_session_timeout", idleInTxTimeout)
	return s
}

// setDefault sets a server parameter unless the DSN sets it, by name or within options: for the
// session, or through a pooler for each transaction.
func (s settings) setDefault(name, value string) {
	said, ok := s.config.Runtime[name]
	switch {
	case strings.Contains(s.config.Options, name):
	case s.pooler && ok:
		delete(s.config.Runtime, name)
		s.local[name] = said
	case s.pooler:
		s.local[name] = value
	case !ok:
		s.config.Runtime[name] = value
	}
}
