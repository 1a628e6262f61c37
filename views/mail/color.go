package mail

import (
	"regexp"
	"strings"

	"usher/views/brand"
)

// styled are the places of a document where colors stand. Text can't contain them: it has no
// quotation marks and no tags once it is escaped.
var styled = regexp.MustCompile(`style="[^"]*"|<style>[^<]*</style>`)

// recolor replaces Usher's accent colors, those of tailwind.config.js, by the adopter's.
func recolor(html string, p *brand.Palette) string {
	if p == nil {
		return html
	}
	colors := strings.NewReplacer(
		"#8a1c3b", p.Light.Accent.String(), "color:#ffffff; font-weight", "color:"+p.Light.OnAccent.String()+"; font-weight",
		"#f29ab0", p.Dark.Accent.String(), "#2a0d16", p.Dark.OnAccent.String(),
	)
	return styled.ReplaceAllStringFunc(html, colors.Replace)
}
