package billing

import (
	"strings"
	"testing"
)

// Every decline has words, and those that Stripe advises not to disclose have the generic ones
// (https://docs.stripe.com/declines/codes).
func TestDeclinesHaveWords(t *testing.T) {
	generic := DeclineOf("generic_decline")
	if generic.Reason != "the card was declined" || generic.Final || generic.NewCard {
		t.Errorf("generic %+v", generic)
	}
	if DeclineOf("a_code_of_tomorrow") != generic || DeclineOf("do_not_honor") != generic {
		t.Error("an unknown code has other words")
	}
	for _, code := range []string{"fraudulent", "lost_card", "stolen_card", "pickup_card", "merchant_blacklist", "restricted_card", "security_violation"} {
		if d := DeclineOf(code); d.Reason != generic.Reason || d.Step != generic.Step {
			t.Errorf("%s is disclosed: %+v", code, d)
		}
	}
	for _, code := range []string{"lost_card", "stolen_card", "pickup_card", "incorrect_number", "revocation_of_authorization", "revocation_of_all_authorizations", "authentication_required", "highest_risk_level", "transaction_not_allowed"} {
		if !DeclineOf(code).Final {
			t.Errorf("%s is retried", code)
		}
	}
	for code, d := range declines {
		if d.Reason == "" || strings.HasSuffix(d.Reason, ".") || !strings.HasSuffix(d.Step, ".") || strings.Contains(d.Reason+d.Step, "_") {
			t.Errorf("%s: %+v", code, d)
		}
	}
}
