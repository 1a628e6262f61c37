package stripelocal

import "encoding/json"

// versionBasil is the version that moved current_period_* from subscriptions to their items and
// added parent to invoices (changelog: 2025-03-31.basil).
const versionBasil = "2025-03-31"

// convertToVersion converts an object of APIVersion to a newer version. It converts only the
// differences that break webhook receivers, and leaves objects of older versions unchanged.
func convertToVersion(raw json.RawMessage, version string) json.RawMessage {
	if version < versionBasil {
		return raw
	}
	var o map[string]any
	if err := json.Unmarshal(raw, &o); err != nil {
		return raw
	}
	switch o["object"] {
	case "subscription":
		movePeriods(o)
	case "invoice":
		moveParent(o)
	default:
		return raw
	}
	out, err := json.Marshal(o)
	if err != nil {
		return raw
	}
	return out
}

func movePeriods(sub map[string]any) {
	list, _ := sub["items"].(map[string]any)
	items, _ := list["data"].([]any)
	for _, name := range []string{"current_period_start", "current_period_end"} {
		for _, item := range items {
			if o, ok := item.(map[string]any); ok {
				o[name] = sub[name]
			}
		}
		delete(sub, name)
	}
}

func moveParent(inv map[string]any) {
	inv["parent"] = nil
	if details, ok := inv["subscription_details"].(map[string]any); ok && inv["subscription"] != nil {
		details["subscription"] = inv["subscription"]
		inv["parent"] = map[string]any{"type": "subscription_details", "quote_details": nil, "subscription_details": details}
	}
	for _, name := range []string{"subscription", "subscription_details", "charge", "payment_intent", "paid"} {
		delete(inv, name)
	}
}
