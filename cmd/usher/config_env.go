package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/joho/godotenv"
)

// envReader reads variables and collects the errors of all of them.
type envReader struct {
	getenv     func(string) string
	dotenv     map[string]string
	production bool
	set        map[string]bool
	errs       []error
}

// newEnvReader reads APP_ENV first, because .env is read in development only.
func newEnvReader(getenv func(string) string, dotenv string) *envReader {
	r := &envReader{getenv: getenv, set: map[string]bool{}}
	appEnv := readVar(r, "APP_ENV", "development", oneOf("development", "production"))
	r.production = appEnv == "production"
	if !r.production {
		r.readDotenv(dotenv)
	}
	return r
}

// readVar returns the parsed value of a variable, or the fallback if it is unset or invalid.
func readVar[T any](r *envReader, name string, fallback T, parse func(string) (T, error)) T {
	if value := r.lookup(name); value != "" {
		parsed, err := parse(value)
		if err == nil {
			return parsed
		}
		r.errs = append(r.errs, invalidValue(name, value, err))
	}
	return fallback
}

// readList returns the valid items of a comma-separated variable. Empty items are dropped, because
// an empty webhook secret would accept forged signatures.
func readList[T any](r *envReader, name string, parse func(string) (T, error)) (items []T) {
	value := r.lookup(name)
	if value != "" && strings.Trim(value, ", \t\r\n") == "" {
		r.errs = append(r.errs, invalidValue(name, value, errors.New("the list is empty")))
	}
	for item := range strings.SplitSeq(value, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		parsed, err := parse(item)
		if err != nil {
			r.errs = append(r.errs, invalidValue(name, item, err))
			continue
		}
		items = append(items, parsed)
	}
	return items
}

// lookup returns a variable without surrounding space; the environment precedes .env. An empty
// variable counts as unset.
func (r *envReader) lookup(name string) string {
	value := strings.TrimSpace(r.getenv(name))
	if value == "" {
		value = strings.TrimSpace(r.dotenv[name])
	}
	if value != "" {
		r.set[name] = true
	}
	return value
}

// readDotenv reads .env if it exists. A syntax error is reported by its line only, because the file
// contains secrets.
func (r *envReader) readDotenv(name string) {
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	values, syntaxErr := godotenv.UnmarshalBytes(text)
	switch env := values["APP_ENV"]; {
	case err != nil:
		err = fmt.Errorf("%w. Make it a readable file, or remove it", err)
	case syntaxErr != nil:
		err = fmt.Errorf("%s, line %d: not of the form NAME=value. Quote values that contain spaces or #",
			name, syntaxErrorLine(string(text)))
	case env != "" && env != "development" && r.getenv("APP_ENV") == "":
		err = fmt.Errorf("APP_ENV: set in %s, which is read in development only. "+
			"Set it in the process environment", name)
	}
	if syntaxErr == nil {
		r.dotenv = values
	}
	if err != nil {
		r.errs = append(r.errs, err)
	}
}

// syntaxErrorLine returns the number of the line where the invalid statement begins.
func syntaxErrorLine(text string) int {
	lines := strings.SplitAfter(text, "\n")
	n := len(lines) - 1
	for n > 0 && !parses(strings.Join(lines[:n], "")) {
		n--
	}
	return n + 1
}

func parses(dotenv string) bool {
	_, err := godotenv.Unmarshal(dotenv)
	return err == nil
}

// invalidValue is the error for one value. Its message is one line: the variable, the masked value,
// the problem and the remedy.
func invalidValue(name, value string, problem error) error {
	return fmt.Errorf("%s=%s: %w. %s", name, maskValue(name, value), problem, remedies[name])
}

// secretVariables are masked whatever their value is.
var secretVariables = map[string]bool{
	"STRIPE_SECRET_KEY": true, "STRIPE_WEBHOOK_SECRET": true, "DATABASE_URL": true, "MIGRATE_DATABASE_URL": true, "READ_DATABASE_URL": true,
	"SMTP_URL": true, "METRICS_TOKEN": true, "SECRETS_KEY": true, "HANDOVER_KEY": true, "OIDC_CLIENT_SECRET": true, "OTEL_EXPORTER_OTLP_HEADERS": true,
}

// publicPrefixes are the beginnings of secrets that reveal nothing.
var publicPrefixes = []string{
	"sk_test_", "sk_live_", "rk_test_", "rk_live_", "pk_test_", "pk_live_", "whsec_",
	"postgres://", "postgresql://", "smtp://", "smtps://",
}

// maskValue returns a value as messages may show it: of a secret a public prefix, or three of at
// least 12 characters; of a URL everything but user and password.
func maskValue(name, value string) string {
	isPrefix := func(prefix string) bool { return strings.HasPrefix(value, prefix) }
	scheme, rest, isURL := strings.Cut(value, "://")
	characters := []rune(value)
	switch i := slices.IndexFunc(publicPrefixes, isPrefix); {
	case i >= 0:
		return publicPrefixes[i] + "…"
	case secretVariables[name] && len(characters) < 12:
		return "…"
	case secretVariables[name]:
		return string(characters[:3]) + "…"
	case isURL && strings.Contains(rest, "@"):
		value = scheme + "://…@" + rest[strings.LastIndex(rest, "@")+1:]
	}
	return fmt.Sprintf("%.120q", value)
}
