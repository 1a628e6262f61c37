package main

import (
	"log/slog"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

const defaultAddr = "127.0.0.1:4312"

// address reads a listen address.
func (s *settings) address(variable, fallback string) string {
	value, ok := s.value(variable)
	if !ok {
		return fallback
	}
	_, port, err := net.SplitHostPort(value)
	number, portErr := strconv.ParseUint(port, 10, 16)
	if err != nil || portErr != nil || number > 65535 || strings.ContainsAny(value, "/ ") {
		s.mistakes.add(variable, value, "it is no listen address", "Write host:port or :port, for example "+fallback+" or :4312")
		return fallback
	}
	return value
}

// originOf is the origin under which a listener is reached from this machine where BASE_URL does not say.
func originOf(addr string) *url.URL {
	host, port, _ := net.SplitHostPort(addr)
	ip := net.ParseIP(host)
	if host == "" || ip != nil && (ip.IsLoopback() || ip.IsUnspecified()) {
		host = "localhost"
	}
	return &url.URL{Scheme: "http", Host: net.JoinHostPort(host, port)}
}

// webURL reads an absolute http or https URL without user, password and fragment. Nil where it is unset or wrong.
func (s *settings) webURL(variable, example string) *url.URL {
	value, ok := s.value(variable)
	if !ok {
		return nil
	}
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		s.mistakes.add(variable, value, "it is no absolute http or https URL", "Write it in full, for example "+example)
	case u.User != nil:
		s.mistakes.add(variable, value, "it names a user", "Leave user and password out")
	case u.Fragment != "" || strings.Contains(value, "#"):
		s.mistakes.add(variable, value, "it has a fragment", "Leave out everything from # on: a server never sees it")
	default:
		return u
	}
	return nil
}

// origin reads a URL that is nothing but scheme and host.
func (s *settings) origin(variable string) *url.URL {
	u := s.webURL(variable, "https://billing.example.com")
	if u == nil {
		return nil
	}
	if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.ForceQuery {
		s.mistakes.add(variable, u.String(), "it goes on after the host", "Write the origin alone: "+u.Scheme+"://"+u.Host)
		return nil
	}
	if s.production && u.Scheme != "https" {
		s.mistakes.add(variable, u.String(), "production is served over https only", "Write https:// and let a proxy in front end TLS")
		return nil
	}
	return &url.URL{Scheme: u.Scheme, Host: strings.ToLower(u.Host)}
}

// dsn reads a PostgreSQL DSN in either of its forms. Whether a server answers there is for the one who opens it.
func (s *settings) dsn(variable string) string {
	value, ok := s.value(variable)
	if !ok {
		return ""
	}
	scheme, _, isURL := strings.Cut(value, "://")
	_, err := url.Parse(value)
	if isURL && (err != nil || scheme != "postgres" && scheme != "postgresql") || !isURL && !strings.Contains(value, "=") {
		s.mistakes.add(variable, value, "it is no PostgreSQL DSN", "Write postgres://user:password@host:5432/database, special characters in the password percent-encoded")
		return ""
	}
	return value
}

// smtp reads where mail is handed in.
func (s *settings) smtp(variable string) *url.URL {
	value, ok := s.value(variable)
	if !ok {
		return nil
	}
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "smtp" && u.Scheme != "smtps" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" {
		s.mistakes.add(variable, value, "it is no SMTP server", "Write smtp://user:password@host:port, special characters in the password percent-encoded")
		return nil
	}
	return u
}

// mailbox reads one e-mail address, with a name or without.
func (s *settings) mailbox(variable string) *mail.Address {
	value, ok := s.value(variable)
	if !ok {
		return nil
	}
	address, err := mail.ParseAddress(value)
	if err != nil {
		s.mistakes.add(variable, value, "it is no e-mail address", "Write billing@example.com or Billing <billing@example.com>")
		return nil
	}
	return address
}

// mailboxes reads a list of bare e-mail addresses.
func (s *settings) mailboxes(variable string) []string {
	var addresses []string
	for _, item := range s.list(variable) {
		address, err := mail.ParseAddress(item)
		if err != nil || address.Address != item {
			s.mistakes.add(variable, item, "it is no bare e-mail address", "Write the addresses with commas between them: a@example.com,b@example.com")
			continue
		}
		addresses = append(addresses, strings.ToLower(item))
	}
	return addresses
}

// level reads how much is logged.
func (s *settings) level(variable string) slog.Level {
	var level slog.Level
	word := s.choice(variable, "info", "debug", "info", "warn", "error")
	if err := level.UnmarshalText([]byte(word)); err != nil {
		return slog.LevelInfo
	}
	return level
}

// token reads a secret that travels in an HTTP header.
func (s *settings) token(variable string) string {
	value, ok := s.value(variable)
	if !ok {
		return ""
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' }) {
		s.mistakes.add(variable, value, "it holds spaces or characters that are not ASCII", "Make one with openssl rand -hex 24")
		return ""
	}
	if s.production && len(value) < 16 {
		s.mistakes.add(variable, value, "it has fewer than 16 characters", "Make one with openssl rand -hex 24")
		return ""
	}
	return value
}

// networks reads a list of addresses and networks; a bare address is a network of one.
func (s *settings) networks(variable string) []netip.Prefix {
	var networks []netip.Prefix
	for _, item := range s.list(variable) {
		if address, err := netip.ParseAddr(item); err == nil {
			networks = append(networks, netip.PrefixFrom(address.Unmap(), address.Unmap().BitLen()))
			continue
		}
		network, err := netip.ParsePrefix(item)
		if err != nil {
			s.mistakes.add(variable, item, "it is no IP address and no network", "Write them with commas between: 10.0.0.0/8,192.0.2.7")
			continue
		}
		networks = append(networks, network.Masked())
	}
	return networks
}
