package stripelocal

import (
	"net"
	"regexp"
	"strings"

	"usher/stripelocal/wire"
)

// PaymentMethodDomain is a web domain that shows wallets (docs: register domains for payment
// methods). Nothing is fetched from the domain, so every wallet is active on it.
type PaymentMethodDomain struct {
	Base
	DomainName string
	Enabled    bool
}

// ApplePayDomain is a domain of the older API for Apple Pay alone.
type ApplePayDomain struct {
	Base
	DomainName string
}

// paymentMethodDomains serves /v1/payment_method_domains and /v1/apple_pay/domains.
type paymentMethodDomains struct{ *request }

func paymentMethodDomainResource() resource {
	return resource{
		objectType: "payment_method_domain",
		render: renderFrom(func(s *store) *table[*PaymentMethodDomain] { return s.PaymentMethodDomains },
			func(_ *request, x *PaymentMethodDomain) wire.Object { return x.render() }),
		routes: []route{
			on("POST /v1/payment_method_domains", "domain_name! enabled:bool", paymentMethodDomains.create),
			on("GET /v1/payment_method_domains", pageParams+"domain_name enabled:bool", paymentMethodDomains.list),
			on("GET /v1/payment_method_domains/{id}", "", paymentMethodDomains.get),
			on("POST /v1/payment_method_domains/{id}", "enabled:bool", paymentMethodDomains.update),
			on("POST /v1/payment_method_domains/{id}/validate", "", paymentMethodDomains.get),
		},
	}
}

func applePayDomainResource() resource {
	return resource{
		objectType: "apple_pay_domain",
		render: renderFrom(func(s *store) *table[*ApplePayDomain] { return s.ApplePayDomains },
			func(_ *request, x *ApplePayDomain) wire.Object { return x.render() }),
		routes: []route{
			on("POST /v1/apple_pay/domains", "domain_name!", paymentMethodDomains.createApplePay),
			on("GET /v1/apple_pay/domains", pageParams+"domain_name", paymentMethodDomains.listApplePay),
			on("GET /v1/apple_pay/domains/{id}", "", paymentMethodDomains.getApplePay),
			on("DELETE /v1/apple_pay/domains/{id}", "", paymentMethodDomains.deleteApplePay),
		},
	}
}

var domainPattern = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9][a-z0-9-]{0,61}[a-z0-9]$`)

// domainFromParams returns the registrable name in a call: a host name with a dot that is no
// address (the wording is inferred).
func domainFromParams(p wire.Params) (string, error) {
	name := strings.ToLower(p.String("domain_name"))
	if len(name) > 253 || !domainPattern.MatchString(name) || net.ParseIP(name) != nil {
		return "", wire.Invalid("", "domain_name", "Invalid domain name: "+p.String("domain_name")+". Provide a public host name, such as shop.example.com, without a scheme, a port or a path.")
	}
	return name, nil
}

// create registers a domain. One that is registered already is answered as it is, with the enabled
// of the call (inferred).
func (h paymentMethodDomains) create(in *input) (any, error) {
	name, err := domainFromParams(in.Params)
	if err != nil {
		return nil, err
	}
	for _, x := range h.store.PaymentMethodDomains.all {
		if x.DomainName == name {
			in.SetBool("enabled", &x.Enabled)
			return x.render(), nil
		}
	}
	x := &PaymentMethodDomain{Base: Base{ID: h.ids.longID("pmd_1"), Created: h.now}, DomainName: name, Enabled: in.BoolOr("enabled", true)}
	h.store.PaymentMethodDomains.insert(x)
	return x.render(), nil
}

func (h paymentMethodDomains) find(in *input) (*PaymentMethodDomain, error) {
	x, ok := h.store.PaymentMethodDomains.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("payment method domain", in.pathValue("id"), "payment_method_domain")
	}
	return x, nil
}

// get also serves the validation of a domain, which finds every wallet active.
func (h paymentMethodDomains) get(in *input) (any, error) {
	x, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return x.render(), nil
}

func (h paymentMethodDomains) update(in *input) (any, error) {
	x, err := h.find(in)
	if err != nil {
		return nil, err
	}
	in.SetBool("enabled", &x.Enabled)
	return x.render(), nil
}

func (h paymentMethodDomains) list(in *input) (any, error) {
	return listing[*PaymentMethodDomain]{
		resource: "payment method domain", table: h.store.PaymentMethodDomains, rows: h.store.PaymentMethodDomains.all,
		filter: func(x *PaymentMethodDomain) bool {
			return (!in.Has("domain_name") || x.DomainName == strings.ToLower(in.String("domain_name"))) && x.Enabled == in.BoolOr("enabled", x.Enabled)
		},
		render: (*PaymentMethodDomain).render,
	}.page(in)
}

func (x *PaymentMethodDomain) render() wire.Object {
	active := func() wire.Object { return wire.Object{"status": "active"} }
	return wire.Object{
		"id": x.ID, "object": "payment_method_domain", "apple_pay": active(), "created": x.Created, "domain_name": x.DomainName,
		"enabled": x.Enabled, "google_pay": active(), "link": active(), "livemode": false, "paypal": active(),
	}
}

func (h paymentMethodDomains) createApplePay(in *input) (any, error) {
	name, err := domainFromParams(in.Params)
	if err != nil {
		return nil, err
	}
	for _, x := range h.store.ApplePayDomains.all {
		if x.DomainName == name {
			return x.render(), nil
		}
	}
	x := &ApplePayDomain{Base: Base{ID: h.ids.longID("apwc_1"), Created: h.now}, DomainName: name}
	h.store.ApplePayDomains.insert(x)
	return x.render(), nil
}

func (h paymentMethodDomains) findApplePay(in *input) (*ApplePayDomain, error) {
	x, ok := h.store.ApplePayDomains.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("apple pay domain", in.pathValue("id"), "domain")
	}
	return x, nil
}

func (h paymentMethodDomains) getApplePay(in *input) (any, error) {
	x, err := h.findApplePay(in)
	if err != nil {
		return nil, err
	}
	return x.render(), nil
}

func (h paymentMethodDomains) deleteApplePay(in *input) (any, error) {
	x, err := h.findApplePay(in)
	if err != nil {
		return nil, err
	}
	h.store.ApplePayDomains.remove(x.ID)
	return wire.Object{"id": x.ID, "object": "apple_pay_domain", "deleted": true}, nil
}

func (h paymentMethodDomains) listApplePay(in *input) (any, error) {
	return listing[*ApplePayDomain]{
		resource: "apple pay domain", table: h.store.ApplePayDomains, rows: h.store.ApplePayDomains.all,
		filter: func(x *ApplePayDomain) bool {
			return !in.Has("domain_name") || x.DomainName == strings.ToLower(in.String("domain_name"))
		},
		render: (*ApplePayDomain).render,
	}.page(in)
}

func (x *ApplePayDomain) render() wire.Object {
	return wire.Object{"id": x.ID, "object": "apple_pay_domain", "created": x.Created, "domain_name": x.DomainName, "livemode": false}
}
