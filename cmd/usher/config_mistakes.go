package main

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"
)

// mistake is one thing wrong with the configuration.
type mistake struct {
	variable string
	value    string // as it may be shown; empty where the variable is unset
	wrong    string // what is wrong
	mend     string // what to do
}

// String writes the mistake on one line.
func (m mistake) String() string {
	subject := m.variable
	if m.value != "" {
		subject += "=" + m.value
	}
	return subject + ": " + m.wrong + ". " + m.mend + "."
}

// mistakes gathers everything that is wrong, so that it is told at once.
type mistakes []mistake

// add notes a mistake in a value.
func (m *mistakes) add(variable, value, wrong, mend string) {
	*m = append(*m, mistake{variable, shown(variable, value), wrong, mend})
}

// missing notes a variable that is unset.
func (m *mistakes) missing(variable, wrong, mend string) {
	*m = append(*m, mistake{variable: variable, wrong: wrong, mend: mend})
}

// err is nil where nothing is wrong, else an error of one line for each mistake.
func (m mistakes) err() error {
	if len(m) == 0 {
		return nil
	}
	lines := make([]string, len(m))
	for i, one := range m {
		lines[i] = one.String()
	}
	return errors.New(strings.Join(lines, "\n"))
}

// secretVariables are shown masked whatever they hold.
var secretVariables = map[string]bool{
	"STRIPE_SECRET_KEY": true, "STRIPE_WEBHOOK_SECRET": true, "DATABASE_URL": true, "SMTP_URL": true, "METRICS_TOKEN": true,
}

// openBeginnings are beginnings of secrets that give nothing away.
var openBeginnings = []string{
	"sk_test_", "sk_live_", "rk_test_", "rk_live_", "pk_test_", "pk_live_", "whsec_", "postgres://", "postgresql://", "smtp://", "smtps://",
}

// shown is a value as it may stand in a message: a secret keeps its beginning only, a URL loses its password.
func shown(variable, value string) string {
	for _, beginning := range openBeginnings {
		if strings.HasPrefix(value, beginning) {
			return beginning + "…"
		}
	}
	if secretVariables[variable] {
		return firstCharacters(value) + "…"
	}
	if strings.Contains(value, "@") && strings.Contains(value, "://") {
		return withoutUser(value)
	}
	return fmt.Sprintf("%.120q", value)
}

// firstCharacters tells as much of a secret as helps to recognise it: nothing of a short one.
func firstCharacters(secret string) string {
	if utf8.RuneCountInString(secret) < 12 {
		return ""
	}
	return string([]rune(secret)[:3])
}

func withoutUser(value string) string {
	scheme, rest, _ := strings.Cut(value, "://")
	if u, err := url.Parse(value); err == nil {
		return fmt.Sprintf("%q", scheme+"://…@"+u.Host+u.Path)
	}
	return fmt.Sprintf("%q", scheme+"://…@"+rest[strings.LastIndex(rest, "@")+1:])
}
