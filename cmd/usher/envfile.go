package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/joho/godotenv"
)

// envFile is a file of NAME=value lines that a person wrote, and whose other lines stay as they
// are.
type envFile struct {
	path   string
	text   string
	values map[string]string
}

// readEnvFile reads a file; one that does not exist is empty. A syntax error is reported by its
// line only, because the file contains secrets.
func readEnvFile(path string) (*envFile, error) {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w. Make it a readable file, or remove it", err)
	}
	values, err := godotenv.UnmarshalBytes(text)
	if err != nil {
		return nil, fmt.Errorf("%s, line %d: not of the form NAME=value. Quote values that contain spaces or #", path, syntaxErrorLine(string(text)))
	}
	return &envFile{path: path, text: string(text), values: values}, nil
}

// set changes the line of a variable, or adds one: after its commented example if there is one. It
// returns what it did, without the value of a secret; empty: the file has the value already.
func (f *envFile) set(name, value string) (string, error) {
	former, known := f.values[name]
	if known && former == value {
		return "", nil
	}
	changed := replaceLine(f.text, name, name+"="+quoteEnv(value))
	values, err := godotenv.Unmarshal(changed)
	if err != nil || values[name] != value {
		return "", fmt.Errorf("%s: the line of %s can't be changed. Correct it by hand, and run this again", f.path, name)
	}
	f.text, f.values = changed, values
	switch {
	case known && former != "":
		return fmt.Sprintf("changed %s to %s, it was %s", name, maskValue(name, value), maskValue(name, former)), nil
	default:
		return fmt.Sprintf("set %s to %s", name, maskValue(name, value)), nil
	}
}

// replaceLine returns the text with the line in place of the variable's active one, else after its
// commented one, else at the end.
func replaceLine(text, name, line string) string {
	active := regexp.MustCompile(`(?m)^[ \t]*(?:export[ \t]+)?` + name + `[ \t]*[=:].*$`)
	if at := active.FindStringIndex(text); at != nil {
		return text[:at[0]] + line + text[at[1]:]
	}
	example := regexp.MustCompile(`(?m)^#[ \t]*` + name + `=.*$`)
	if at := example.FindStringIndex(text); at != nil {
		return text[:at[1]] + "\n" + line + text[at[1]:]
	}
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text + line + "\n"
}

var plainEnvValue = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./?&-]*$`)

func quoteEnv(value string) string {
	switch {
	case plainEnvValue.MatchString(value):
		return value
	case !strings.ContainsAny(value, "'\n\r"):
		return "'" + value + "'"
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "\n", `\n`, "\r", `\r`).Replace(value) + `"`
}

// write replaces the file by one that only its owner can read. A reader sees the former file or the
// new one.
func (f *envFile) write() error {
	path := f.path
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		path = resolved
	}
	if present, err := os.ReadFile(path); err == nil && bytes.Equal(present, []byte(f.text)) {
		return os.Chmod(path, 0o600)
	}
	draft, err := os.CreateTemp(filepath.Dir(path), ".env-*") // with mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", f.path, err)
	}
	_, err = draft.WriteString(f.text)
	if err = errors.Join(err, draft.Sync(), draft.Close()); err == nil {
		err = os.Rename(draft.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", f.path, err), os.Remove(draft.Name()))
	}
	return nil
}
