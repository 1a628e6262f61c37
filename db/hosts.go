package db

import (
	"net/url"
	"strings"
)

const defaultPort = "5432"

// severalHosts rewrites a URL that names several servers as libpq does, host1:port1,host2:port2
// (https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-MULTIPLE-HOSTS), to the form
// that lib/pq reads, ?host=host1,host2&port=port1,port2. It returns anything else as it is.
func severalHosts(dsn string) string {
	scheme, rest, isURL := strings.Cut(dsn, "://")
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, path := rest[:end], rest[end:]
	at := strings.LastIndex(authority, "@") + 1
	user, servers := authority[:at], authority[at:]
	if !isURL || !strings.Contains(servers, ",") {
		return dsn
	}
	var hosts, ports []string
	for server := range strings.SplitSeq(servers, ",") {
		host, port := splitHostPort(server)
		hosts, ports = append(hosts, host), append(ports, port)
	}
	path, query, _ := strings.Cut(path, "?")
	return scheme + "://" + user + path + "?" + url.Values{"host": {strings.Join(hosts, ",")}, "port": {strings.Join(ports, ",")}}.Encode() + "&" + query
}

// splitHostPort splits a host, an IPv6 address in brackets for one, from its port, which may be
// missing.
func splitHostPort(server string) (host, port string) {
	colon := strings.LastIndex(server, ":")
	if colon < 0 || strings.HasSuffix(server, "]") {
		return strings.Trim(server, "[]"), defaultPort
	}
	return strings.Trim(server[:colon], "[]"), server[colon+1:]
}
