package account

import (
	_ "embed"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"

	"usher/billing/apperr"
	"usher/billing/mail"
)

// Messages about the name of a domain.
const (
	messageDomainName    = "Enter a domain such as example.com: what is behind the @ of your people's addresses."
	messageDomainAddress = "Enter the domain alone, without an address: what is behind the @."
	messageDomainSuffix  = "%s is open to everybody to register names below it. Enter your own domain."
	messageDomainPublic  = "Everybody can get an address at %s, so it can't be an organization's. Enter your own domain."
)

// maxDomainLength leaves room for the label of the DNS record: a name has at most 253 characters
// (RFC 1035 section 2.3.4, without the length of the first label and the root).
const maxDomainLength = 253 - len(domainRecordLabel) - 1

// publicMailDomains lists domains of providers that give everybody an address, a domain a line.
//
//go:embed public_mail_domains.txt
var publicMailDomainList string

var publicMailDomains = func() map[string]bool {
	domains := map[string]bool{}
	for _, domain := range strings.Fields(publicMailDomainList) {
		domains[domain] = true
	}
	return domains
}()

// cleanDomain returns a typed domain in ASCII form and lower case. Error: CodeUnprocessable with
// the field domain for a text that is none, and for a domain that cannot be an organization's.
func cleanDomain(typed string) (string, error) {
	typed = strings.TrimSuffix(strings.TrimSpace(typed), ".")
	if strings.ContainsAny(typed, "@:/") {
		return "", apperr.FieldError("domain", messageDomainAddress)
	}
	name, err := idna.Lookup.ToASCII(typed)
	if err != nil || !validDomain(name) {
		return "", apperr.FieldError("domain", messageDomainName)
	}
	suffix, _ := publicsuffix.PublicSuffix(name)
	switch {
	case publicMailDomains[name]:
		return "", apperr.FieldError("domain", messageDomainPublic, name)
	case suffix == name:
		return "", apperr.FieldError("domain", messageDomainSuffix, name)
	}
	return name, nil
}

// validDomain reports whether a name in ASCII form has two labels at least and is no IP address: no
// top-level domain is a number.
func validDomain(name string) bool {
	labels := strings.Split(name, ".")
	last := labels[len(labels)-1]
	for _, label := range labels {
		if label == "" || len(label) > 63 {
			return false
		}
	}
	return len(labels) > 1 && len(name) <= maxDomainLength && strings.Trim(last, "0123456789") != ""
}

// domainOf returns the domain of an address in ASCII form and lower case; empty: it has none that
// could be verified. Only the case of ASCII letters is ignored, as in [mail.SameAddress]: a domain
// that IDNA maps to another one, such as e\u212ample.com with a Kelvin sign, is none. The provider
// may know addresses in both as those of two people.
func domainOf(address string) string {
	domain := mail.AddressKey(address[strings.LastIndex(address, "@")+1:])
	name, err := idna.Lookup.ToASCII(domain)
	if err != nil || !validDomain(name) {
		return ""
	}
	if shown := DisplayDomain(name); domain != name && domain != shown {
		return ""
	}
	return name
}

// DisplayDomain returns a domain with the characters of its language instead of its ASCII form.
func DisplayDomain(name string) string {
	shown, err := idna.Lookup.ToUnicode(name)
	if err != nil {
		return name
	}
	return shown
}
