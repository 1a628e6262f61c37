package stripelocal

import "strings"

// Address is a postal address; empty lines are null.
type Address struct{ City, Country, Line1, Line2, PostalCode, State string }

const (
	addressLines  = "{city? country? line1? line2? postal_code? state?}"
	addressParams = addressLines + "? "
)

func (x *Address) render() any {
	if x == nil {
		return nil
	}
	return object{
		"city": orNull(x.City), "country": orNull(x.Country), "line1": orNull(x.Line1),
		"line2": orNull(x.Line2), "postal_code": orNull(x.PostalCode), "state": orNull(x.State),
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

// Shipping is where goods go to.
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
	return object{
		"address": address.render(), "carrier": orNull(s.Carrier), "name": s.Name,
		"phone": orNull(s.Phone), "tracking_number": orNull(s.TrackingNumber),
	}
}

func setAddress(p params, name string, into **Address) {
	if !p.has(name) {
		return
	}
	sent := p.at(name)
	if sent.isScalar() {
		*into = nil
		return
	}
	changed := Address{}
	if *into != nil {
		changed = **into
	}
	sent.setStr("city", &changed.City)
	sent.setStr("country", &changed.Country)
	sent.setStr("line1", &changed.Line1)
	sent.setStr("line2", &changed.Line2)
	sent.setStr("postal_code", &changed.PostalCode)
	sent.setStr("state", &changed.State)
	*into = &changed
}

func setShipping(p params, into **Shipping) {
	if !p.has("shipping") {
		return
	}
	sent := p.at("shipping")
	if sent.isScalar() {
		*into = nil
		return
	}
	changed := Shipping{}
	if *into != nil {
		changed = **into
	}
	setAddress(sent, "address", &changed.Address)
	sent.setStr("carrier", &changed.Carrier)
	sent.setStr("name", &changed.Name)
	sent.setStr("phone", &changed.Phone)
	sent.setStr("tracking_number", &changed.TrackingNumber)
	*into = &changed
}
