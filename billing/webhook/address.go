package webhook

import (
	"net/netip"
	"net/url"
	"strings"

	"usher/billing/apperr"
)

// notPublic are the addresses that are not of the public internet, or lead to one that may not be:
// the special-purpose registries of IANA
// (https://www.iana.org/assignments/iana-ipv4-special-registry,
// https://www.iana.org/assignments/iana-ipv6-special-registry). The metadata services of cloud
// providers are link-local or unique local.
var notPublic = parsePrefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
)

// publicIPv6 is the global unicast space; notPublicIPv6 are the parts of it that are no public
// hosts, or that carry an IPv4 address (Teredo, 6to4).
var (
	publicIPv6    = netip.MustParsePrefix("2000::/3")
	notPublicIPv6 = parsePrefixes("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)

func parsePrefixes(texts ...string) []netip.Prefix {
	prefixes := make([]netip.Prefix, 0, len(texts))
	for _, text := range texts {
		prefixes = append(prefixes, netip.MustParsePrefix(text))
	}
	return prefixes
}

// IsPublic reports whether an address is one of the public internet. Everything else is refused in
// production: a message must not reach the network of this server.
func IsPublic(address netip.Addr) bool {
	address = address.Unmap().WithZone("")
	prefixes := notPublic
	if address.Is6() {
		if !publicIPv6.Contains(address) {
			return false
		}
		prefixes = notPublicIPv6
	}
	for _, prefix := range prefixes {
		if prefix.Contains(address) {
			return false
		}
	}
	return address.IsValid()
}

const maxURLLength = 2000

// checkURL returns the address as it is stored. strict is true in production. What a name resolves
// to is checked at each connection, not here: it can change.
func checkURL(text string, strict bool) (string, error) {
	text = strings.TrimSpace(text)
	u, err := url.Parse(text)
	switch {
	case text == "" || len(text) > maxURLLength || err != nil || u.Hostname() == "" || u.Opaque != "":
		return "", apperr.FieldError("url", "Enter a complete address such as https://example.com/webhooks.")
	case u.Scheme != "https" && (strict || u.Scheme != "http"):
		return "", apperr.FieldError("url", "The address has to begin with https://.")
	case u.User != nil:
		return "", apperr.FieldError("url", "Leave user name and password out of the address. Messages are signed instead.")
	case u.Fragment != "":
		return "", apperr.FieldError("url", "Leave out the part after #. It is never sent.")
	case strict && isLocal(u.Hostname()):
		return "", apperr.FieldError("url", "This address is in a private network. Enter one that can be reached from the internet.")
	}
	return u.String(), nil
}

// isLocal reports whether a host is an address that is not public, or a name of this machine.
func isLocal(host string) bool {
	if address, err := netip.ParseAddr(host); err == nil {
		return !IsPublic(address)
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}
