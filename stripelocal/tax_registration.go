package stripelocal

import (
	"slices"
	"strings"

	"usher/stripelocal/wire"
)

// TaxRegistration is a country in which the account collects tax (docs: Stripe Tax registrations).
type TaxRegistration struct {
	Base
	ActiveFrom int64
	Country    string
	ExpiresAt  int64
	Scheme     string // small_seller, standard or empty
	Type       string // standard, ioss, oss_union or oss_non_union
}

const (
	europeanRegistration = "{type:ioss|oss_non_union|oss_union|standard! standard{place_of_supply_scheme:small_seller|standard!}} "
	otherRegistration    = "{type:standard!} "
	// registrationParams are the options of the countries that automatic tax knows.
	registrationParams = "country_options{at" + europeanRegistration + "de" + europeanRegistration + "es" + europeanRegistration + "fr" + europeanRegistration +
		"ie" + europeanRegistration + "it" + europeanRegistration + "nl" + europeanRegistration + "se" + europeanRegistration +
		"ch" + otherRegistration + "gb" + otherRegistration + "is" + otherRegistration + "jp" + otherRegistration + "}! "
)

// taxRegistrations serves /v1/tax/registrations.
type taxRegistrations struct{ *request }

func taxRegistrationResource() resource {
	return resource{
		objectType: "tax.registration",
		render: renderFrom(func(s *store) *table[*TaxRegistration] { return s.TaxRegistrations },
			bind(taxRegistrations.render)),
		routes: []route{
			on("POST /v1/tax/registrations", registrationParams+"country! active_from:now|time! expires_at:time", taxRegistrations.create),
			on("GET /v1/tax/registrations", pageParams+"status:active|all|expired|scheduled", taxRegistrations.list),
			on("GET /v1/tax/registrations/{id}", "", taxRegistrations.get),
			on("POST /v1/tax/registrations/{id}", "active_from:now|time expires_at:now|time?", taxRegistrations.update),
		},
	}
}

func (h taxRegistrations) create(in *input) (any, error) {
	country := strings.ToUpper(in.String("country"))
	options := in.At("country_options").At(strings.ToLower(country))
	switch {
	case automaticPercentages[country] == "":
		return nil, wire.Invalid("", "country", "The local Stripe has tax rates of these countries only: AT, CH, DE, ES, FR, GB, IE, IS, IT, JP, NL, SE.")
	case !options.Has("type"):
		return nil, wire.MissingParam("country_options[" + strings.ToLower(country) + "]")
	}
	x := &TaxRegistration{
		Base: Base{ID: h.ids.longID("taxreg_"), Created: h.now}, Country: country, Type: options.String("type"),
		Scheme: options.At("standard").String("place_of_supply_scheme"),
	}
	if x.Type == "standard" && x.Scheme == "" && europeanUnion[country] {
		x.Scheme = "standard"
	}
	if err := h.setTimes(x, in); err != nil {
		return nil, err
	}
	h.store.TaxRegistrations.insert(x)
	return h.render(x), nil
}

// setTimes reads active_from and expires_at. They are times, or now.
func (h taxRegistrations) setTimes(x *TaxRegistration, in *input) error {
	from, until := h.timeParam(in, "active_from", x.ActiveFrom), h.timeParam(in, "expires_at", x.ExpiresAt)
	if until != 0 && until < from {
		return wire.Invalid("", "expires_at", "A registration cannot expire before it is active.")
	}
	x.ActiveFrom, x.ExpiresAt = from, until
	return nil
}

func (h taxRegistrations) timeParam(in *input, name string, otherwise int64) int64 {
	if in.String(name) == "now" {
		return h.now
	}
	return in.IntOr(name, otherwise)
}

func (h taxRegistrations) find(in *input) (*TaxRegistration, error) {
	x, ok := h.store.TaxRegistrations.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("tax registration", in.pathValue("id"), "id")
	}
	return x, nil
}

func (h taxRegistrations) get(in *input) (any, error) {
	x, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return h.render(x), nil
}

func (h taxRegistrations) update(in *input) (any, error) {
	x, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if err := h.setTimes(x, in); err != nil {
		return nil, err
	}
	return h.render(x), nil
}

func (h taxRegistrations) list(in *input) (any, error) {
	return listing[*TaxRegistration]{
		resource: "tax registration", table: h.store.TaxRegistrations, rows: h.store.TaxRegistrations.all,
		filter: func(x *TaxRegistration) bool {
			status := in.StringOr("status", "all")
			return status == "all" || x.status(h.now) == status
		},
		render: h.render,
	}.page(in)
}

func (x *TaxRegistration) status(now int64) string {
	switch {
	case x.ExpiresAt != 0 && now >= x.ExpiresAt:
		return "expired"
	case now < x.ActiveFrom:
		return "scheduled"
	}
	return "active"
}

// isRegistered reports whether tax is collected in a country: by default in all that automatic tax
// knows, and once there are registrations only where one is active. A registration for the One Stop
// Shop covers the European Union.
func (h taxRegistrations) isRegistered(country string) bool {
	rows := h.store.TaxRegistrations.all
	return len(rows) == 0 || slices.ContainsFunc(rows, func(x *TaxRegistration) bool {
		return x.status(h.now) == "active" && (x.Country == country || x.Type != "standard" && europeanUnion[country])
	})
}

func (h taxRegistrations) render(x *TaxRegistration) wire.Object {
	options := wire.Object{"type": x.Type}
	if x.Scheme != "" {
		options["standard"] = wire.Object{"place_of_supply_scheme": x.Scheme}
	}
	return wire.Object{
		"id": x.ID, "object": "tax.registration", "active_from": x.ActiveFrom, "country": x.Country,
		"country_options": wire.Object{strings.ToLower(x.Country): options}, "created": x.Created, "expires_at": wire.IntOrNull(x.ExpiresAt),
		"livemode": false, "status": x.status(h.now),
	}
}
