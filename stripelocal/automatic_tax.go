package stripelocal

// renderTax is automatic_tax, which is shown as asked for: no tax is ever added.
func renderTax(enabled bool) object {
	if !enabled {
		return object{"enabled": false, "liability": nil}
	}
	return object{"enabled": true, "liability": object{"type": "self"}}
}

func (inv *Invoice) renderTax() object {
	o := renderTax(inv.AutomaticTax)
	o["status"] = nil
	if inv.AutomaticTax {
		o["status"] = "complete"
	}
	return o
}
