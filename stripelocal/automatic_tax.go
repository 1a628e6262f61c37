package stripelocal

import "usher/stripelocal/wire"

// renderAutomaticTax renders automatic_tax with the enabled flag that was sent. Tax is never
// computed.
func renderAutomaticTax(enabled bool) wire.Object {
	if !enabled {
		return wire.Object{"enabled": false, "liability": nil}
	}
	return wire.Object{"enabled": true, "liability": wire.Object{"type": "self"}}
}

func (inv *Invoice) renderAutomaticTax() wire.Object {
	o := renderAutomaticTax(inv.AutomaticTax)
	o["status"] = nil
	if inv.AutomaticTax {
		o["status"] = "complete"
	}
	return o
}
