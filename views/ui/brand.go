package ui

import (
	"context"

	"usher/views/brand"
	"usher/views/locale"
)

// BrandLinks are the links to the adopter's support and legal texts, as far as they are set.
func BrandLinks(ctx context.Context, b brand.Brand) []LinkButtonProps {
	var links []LinkButtonProps
	for _, link := range []LinkButtonProps{
		{Label: locale.T(ctx, "Support"), Href: b.SupportURL}, {Label: locale.T(ctx, "Terms"), Href: b.TermsURL}, {Label: locale.T(ctx, "Privacy"), Href: b.PrivacyURL},
	} {
		if link.Href != "" {
			links = append(links, link)
		}
	}
	return links
}
