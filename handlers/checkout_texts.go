package handlers

import (
	"context"
	"strings"

	"usher/billing"
	"usher/views/brand"
	"usher/views/locale"
)

// checkoutTexts are the adopter's texts on the hosted page, in the language of the page that leads
// there.
func checkoutTexts(ctx context.Context, b brand.Brand) billing.CheckoutTexts {
	var texts billing.CheckoutTexts
	if strings.HasPrefix(b.SupportURL, "https:") {
		texts.Submit = locale.T(ctx, "Questions? [Contact support](%s).", markdownURL(b.SupportURL))
	}
	switch {
	case b.TermsURL == "":
	case b.PrivacyURL == "":
		texts.Terms = locale.T(ctx, "I agree to the [terms](%s).", markdownURL(b.TermsURL))
	default:
		texts.Terms = locale.T(ctx, "I agree to the [terms](%s) and the [privacy policy](%s).", markdownURL(b.TermsURL), markdownURL(b.PrivacyURL))
	}
	return texts
}

// markdownURL escapes what would end a link in Markdown.
func markdownURL(address string) string {
	return strings.NewReplacer("(", "%28", ")", "%29", " ", "%20").Replace(address)
}
