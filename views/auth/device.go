package auth

import (
	"context"
	"strings"

	"usher/views/locale"
)

// deviceMark tells a browser or system by a part of the User-Agent header.
type deviceMark struct{ part, name string }

// browsers are in order of precedence: most browsers name Chrome and Safari too.
var browsers = []deviceMark{
	{"Edg", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser/", "Samsung Internet"}, {"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"},
	{"CriOS/", "Chrome"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"},
}

// systems are in order of precedence: Android names Linux too, and iPhones name Mac OS X. The names
// are in the form that follows "on".
var systems = []deviceMark{
	{"iPhone", locale.Mark("an iPhone")}, {"iPad", locale.Mark("an iPad")}, {"Android", "Android"}, {"Windows", "Windows"}, {"CrOS", "ChromeOS"},
	{"Macintosh", locale.Mark("a Mac")}, {"Linux", "Linux"},
}

// DeviceName says in words what a User-Agent header names: Firefox on Windows. The header is the
// client's own word, and helps people to recognize their devices. It proves nothing, so that a few
// cases are enough.
func DeviceName(ctx context.Context, userAgent string) string {
	browser, system := firstMark(browsers, userAgent), firstMark(systems, userAgent)
	switch {
	case browser == "" && system == "":
		return locale.T(ctx, "An unknown device")
	case browser == "":
		return locale.T(ctx, "Another program on %s", locale.Lookup(ctx, system))
	case system == "":
		return browser
	}
	return locale.T(ctx, "%s on %s", browser, locale.Lookup(ctx, system))
}

func firstMark(marks []deviceMark, userAgent string) string {
	for _, mark := range marks {
		if strings.Contains(userAgent, mark.part) {
			return mark.name
		}
	}
	return ""
}
