package stripelocal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Seed is what a new account begins with: a list of API calls that create objects. ParseSeed reads
// it.
type Seed struct {
	file     string
	settings map[string]string
	entries  []seedEntry
}

// seedEntry is one object: POST /v1/COLLECTION with the parameters of params.
type seedEntry struct {
	collection string
	as         string // name in references; empty is none
	id         string // empty is a random one
	secret     string // of a webhook endpoint
	params     *seedValue
}

// seedValue is a JSON value with its line: a scalar as text, or members by key in order. The keys
// of an array are 0, 1, 2….
type seedValue struct {
	line    int
	where   string // such as prices[0].unit_amount
	scalar  string
	isNull  bool
	isArray bool
	keys    []string
	members map[string]*seedValue // nil for a scalar
}

// seedError names the place of a mistake in a seed.
type seedError struct {
	file  string
	line  int
	where string
	what  string
}

func (e *seedError) Error() string {
	if e.where == "" {
		return fmt.Sprintf("%s:%d: %s", e.file, e.line, e.what)
	}
	return fmt.Sprintf("%s:%d: %s: %s", e.file, e.line, e.where, e.what)
}

// ParseSeed reads a seed from JSON. file names it in errors, which begin with the file, the line
// and the key:
//
//	{
//	  "settings":      {"after_dunning": "unpaid"},
//	  "products":      [{"as": "pro", "name": "Pro"}],
//	  "prices":        [{"id": "price_pro", "product": "${pro}", "currency": "usd",
//	                     "unit_amount": 900, "recurring": {"interval": "month"}}],
//	  "customers":     [{"as": "ada", "email": "ada@example.com", "payment_method": "pm_card_visa",
//	                     "invoice_settings": {"default_payment_method": "pm_card_visa"}}],
//	  "subscriptions": [{"customer": "${ada}", "items": [{"price": "price_pro", "quantity": 3}]}]
//	}
//
// A key is the path of an API call below /v1/, such as checkout/sessions, and its array has the
// calls' parameters. They are made in the order of the file. The text ${NAME} stands for the id of
// the object that was created "as" NAME. With "id" an object has this id, and with "secret" a
// webhook endpoint has this signing secret. The calls emit no events.
func ParseSeed(file string, raw []byte) (*Seed, error) {
	p := &seedParser{file: file, raw: raw, decoder: json.NewDecoder(bytes.NewReader(raw))}
	p.decoder.UseNumber()
	root, err := p.document()
	if err != nil {
		return nil, err
	}
	seed := &Seed{file: file, settings: map[string]string{}}
	for _, key := range root.keys {
		if err := seed.add(key, root.members[key]); err != nil {
			return nil, err
		}
	}
	return seed, nil
}

type seedParser struct {
	file    string
	raw     []byte
	decoder *json.Decoder
}

func (p *seedParser) document() (*seedValue, error) {
	root, err := p.value("")
	if err != nil {
		return nil, err
	}
	if _, err := p.decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, p.fail("", "there is text after the end of the object")
	}
	if root.members == nil || root.isArray {
		return nil, &seedError{p.file, root.line, "", "a seed is a JSON object"}
	}
	return root, nil
}

// line is the line that the decoder has read up to.
func (p *seedParser) line() int {
	return 1 + bytes.Count(p.raw[:min(int(p.decoder.InputOffset()), len(p.raw))], []byte("\n"))
}

func (p *seedParser) fail(where, what string) error {
	return &seedError{p.file, p.line(), where, what}
}

func (p *seedParser) value(where string) (*seedValue, error) {
	token, err := p.decoder.Token()
	if err != nil {
		return nil, p.syntaxError(where, err)
	}
	v := &seedValue{line: p.line(), where: where}
	switch token := token.(type) {
	case json.Delim:
		v.members, v.isArray = map[string]*seedValue{}, token == '['
		return v, p.membersOf(v)
	case nil:
		v.isNull = true
	default:
		v.scalar = fmt.Sprint(token)
	}
	return v, nil
}

func (p *seedParser) syntaxError(where string, err error) error {
	var syntax *json.SyntaxError
	line := p.line()
	if errors.As(err, &syntax) {
		line = 1 + bytes.Count(p.raw[:min(int(syntax.Offset), len(p.raw))], []byte("\n"))
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &seedError{p.file, line, where, "the file ends in the middle of a value"}
	}
	return &seedError{p.file, line, where, "this is no JSON: " + err.Error()}
}

// membersOf reads an object or an array up to its end.
func (p *seedParser) membersOf(v *seedValue) error {
	for p.decoder.More() {
		key, err := p.key(v)
		if err != nil {
			return err
		}
		member, err := p.value(v.whereOf(key))
		if err != nil {
			return err
		}
		v.keys = append(v.keys, key)
		v.members[key] = member
	}
	if _, err := p.decoder.Token(); err != nil {
		return p.syntaxError(v.where, err)
	}
	return nil
}

func (p *seedParser) key(v *seedValue) (string, error) {
	if v.isArray {
		return strconv.Itoa(len(v.keys)), nil
	}
	token, err := p.decoder.Token()
	if err != nil {
		return "", p.syntaxError(v.where, err)
	}
	key, _ := token.(string)
	if v.members[key] != nil {
		return "", p.fail(v.whereOf(key), "this key is there twice")
	}
	return key, nil
}

func (v *seedValue) whereOf(key string) string {
	switch {
	case v.isArray:
		return v.where + "[" + key + "]"
	case v.where == "":
		return key
	}
	return v.where + "." + key
}

func (s *Seed) fail(v *seedValue, what string) error {
	return &seedError{s.file, v.line, v.where, what}
}

// add reads one key of the seed.
func (s *Seed) add(key string, v *seedValue) error {
	if key == "settings" {
		return s.addSettings(v)
	}
	if names := seedCollections(); !slices.Contains(names, key) {
		return s.fail(v, "there is no such key; keys are settings, "+strings.Join(names, ", "))
	}
	if !v.isArray {
		return s.fail(v, "this must be an array of objects")
	}
	for _, index := range v.keys {
		if err := s.addEntry(key, v.members[index]); err != nil {
			return err
		}
	}
	return nil
}

func (s *Seed) addSettings(v *seedValue) error {
	if v.members == nil || v.isArray {
		return s.fail(v, "this must be an object")
	}
	for _, name := range v.keys {
		value := v.members[name]
		if value.members != nil || value.isNull {
			return s.fail(value, "this must be text, a number, true or false")
		}
		if _, err := (&Server{}).setting(name, value.scalar); err != nil {
			return s.fail(value, strings.TrimPrefix(err.Error(), name+": "))
		}
		s.settings[name] = value.scalar
	}
	return nil
}

// seedCollections are the paths below /v1/ at which objects can be created.
func seedCollections() []string {
	var out []string
	for _, r := range resources() {
		for _, rt := range r.routes {
			path, post := strings.CutPrefix(rt.pattern, "POST /v1/")
			if post && !strings.Contains(path, "{") && !slices.Contains(notSeeded, path) {
				out = append(out, path)
			}
		}
	}
	return out
}

// notSeeded are calls that create nothing that stays.
var notSeeded = []string{"invoices/create_preview", "stripecli/sessions"}

var seedNamePattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`)

func (s *Seed) addEntry(collection string, v *seedValue) error {
	if v.members == nil || v.isArray {
		return s.fail(v, "this must be an object with the parameters of POST /v1/"+collection)
	}
	e := seedEntry{collection: collection, params: v}
	for name, to := range map[string]*string{"as": &e.as, "id": &e.id, "secret": &e.secret} {
		value := v.members[name]
		if value == nil || name == "secret" && collection != "webhook_endpoints" {
			continue
		}
		if value.scalar == "" || name == "as" && !seedNamePattern.MatchString(value.scalar) {
			return s.fail(value, "this must be a name of letters, digits, _ and -")
		}
		*to = value.scalar
		v.take(name)
	}
	s.entries = append(s.entries, e)
	return nil
}
