package layout_test

import (
	"context"
	"encoding/json"
	"io"
	"regexp"
	"testing"

	"github.com/a-h/templ"

	"usher/views/layout"
	"usher/views/viewtest"
)

func TestHtmxIsConfigured(t *testing.T) {
	content := templ.Raw(`<form hx-post="/pricing"></form>`)
	doc := viewtest.Render(t, withContent(layout.Page("Pricing", layout.Props{}), content))
	var config struct {
		AllowEval              *bool
		IncludeIndicatorStyles *bool
		SelfRequestsOnly       *bool
		HistoryCacheSize       *int
		BindingDelay           *int `json:"defaultSettleDelay"`
		ResponseHandling       []struct {
			Code  string
			Swap  bool
			Error bool
		}
	}
	if err := json.Unmarshal([]byte(doc.Find("meta[name=htmx-config]").AttrOr("content", "")), &config); err != nil {
		t.Fatalf("htmx-config: %v", err)
	}
	if config.AllowEval == nil || *config.AllowEval || config.IncludeIndicatorStyles == nil || *config.IncludeIndicatorStyles {
		t.Error("htmx would break the Content-Security-Policy")
	}
	if config.SelfRequestsOnly == nil || !*config.SelfRequestsOnly || config.HistoryCacheSize == nil || *config.HistoryCacheSize != 0 {
		t.Error("htmx would leave the origin or keep pages")
	}
	if config.BindingDelay == nil || *config.BindingDelay != 0 {
		t.Error("a form in new content would leave the page if it is submitted at once")
	}
	swaps := func(code string) bool {
		for _, rule := range config.ResponseHandling {
			if regexp.MustCompile(rule.Code).MatchString(code) {
				return rule.Swap
			}
		}
		return false
	}
	for code, want := range map[string]bool{"200": true, "204": false, "303": true, "404": false, "409": false, "422": true, "500": false} {
		if swaps(code) != want {
			t.Errorf("status %s swaps: %t", code, !want)
		}
	}
}

// withContent renders a component around content.
func withContent(frame, content templ.Component) templ.Component {
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		return frame.Render(templ.WithChildren(ctx, content), w)
	})
}
