package main

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// refuseForeignHosts answers 421 to requests under a name that is not this machine's, for servers
// that trust whoever reaches them. A page of a stranger could otherwise let its own name resolve to
// this machine and read every answer (DNS rebinding). An IP address can't be made to resolve, and
// names without a dot and those of the reserved domains localhost and internal
// (https://www.iana.org/assignments/special-use-domain-names) are not on the public network.
func refuseForeignHosts(base *url.URL, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name := hostName(r.Host); !isOwnName(name) && !strings.EqualFold(name, base.Hostname()) {
			http.Error(w, fmt.Sprintf("Nothing is served under the name %q. Open %s, or set BASE_URL to the address that you use.", name, base),
				http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func isOwnName(name string) bool {
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	return !strings.Contains(name, ".") || strings.HasSuffix(name, ".localhost") || strings.HasSuffix(name, ".internal")
}

// hostName returns the host of a Host header, without port and brackets.
func hostName(header string) string {
	if host, _, err := net.SplitHostPort(header); err == nil {
		return host
	}
	return strings.Trim(header, "[]")
}
