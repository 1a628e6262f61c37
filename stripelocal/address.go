package stripelocal

import (
	"strings"

	"usher/stripelocal/wire"
)

// Address is a postal address. Empty lines are rendered as null.
type Address struct{ City, Country, Line1, Line2, PostalCode, State string }

const (
	addressLines  = "{city? country? line1? line2? postal_code? state?}"
	addressParams = addressLines + "? "
)

func (x *Address) render() any {
	if x == nil {
		return nil
	}
	return wire.Object{
		"city": wire.StringOrNull(x.City), "country": wire.StringOrNull(x.Country), "line1": wire.StringOrNull(x.Line1),
		"line2": wire.StringOrNull(x.Line2), "postal_code": wire.StringOrNull(x.PostalCode), "state": wire.StringOrNull(x.State),
	}
}

func (x *Address) oneLine() string {
	if x == nil {
		return ""
	}
	var parts []string
	for _, part := range []string{x.Line1, x.Line2, strings.TrimSpace(x.PostalCode + " " + x.City), x.State, x.Country} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ", ")
}

// Shipping is the address and carrier of a delivery of goods.
type Shipping struct {
	Address                              *Address
	Carrier, Name, Phone, TrackingNumber string
}

func (s *Shipping) render() any {
	if s == nil {
		return nil
	}
	address := s.Address
	if address == nil {
		address = &Address{}
	}
	return wire.Object{
		"address": address.render(), "carrier": wire.StringOrNull(s.Carrier), "name": s.Name,
		"phone": wire.StringOrNull(s.Phone), "tracking_number": wire.StringOrNull(s.TrackingNumber),
	}
}

func setAddress(p wire.Params, name string, into **Address) {
	if !p.Has(name) {
		return
	}
	sent := p.At(name)
	if sent.IsScalar() {
		*into = nil
		return
	}
	changed := Address{}
	if *into != nil {
		changed = **into
	}
	sent.SetString("city", &changed.City)
	sent.SetString("country", &changed.Country)
	sent.SetString("line1", &changed.Line1)
	sent.SetString("line2", &changed.Line2)
	sent.SetString("postal_code", &changed.PostalCode)
	sent.SetString("state", &changed.State)
	*into = &changed
}

func setShipping(p wire.Params, into **Shipping) {
	if !p.Has("shipping") {
		return
	}
	sent := p.At("shipping")
	if sent.IsScalar() {
		*into = nil
		return
	}
	changed := Shipping{}
	if *into != nil {
		changed = **into
	}
	setAddress(sent, "address", &changed.Address)
	sent.SetString("carrier", &changed.Carrier)
	sent.SetString("name", &changed.Name)
	sent.SetString("phone", &changed.Phone)
	sent.SetString("tracking_number", &changed.TrackingNumber)
	*into = &changed
}
