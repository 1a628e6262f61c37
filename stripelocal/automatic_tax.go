package stripelocal

import "usher/stripelocal/wire"

// renderAutomaticTax is automatic_tax, which is shown as asked for: no tax is ever added.
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
