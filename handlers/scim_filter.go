package handlers

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"

	"usher/billing/account"
	"usher/billing/mail"
)

// scimFilterPattern is the one form of filters that is supported: an attribute and a value.
var scimFilterPattern = regexp.MustCompile(`(?i)^\s*([^\s\["]+(?:\[[^\]]*\][^\s"]*)?)\s+eq\s+("(?:[^"\\]|\\.)*"|true|false)\s*$`)

// scimTexts are the attributes that filters compare with a text, as identity providers do to find a
// user.
var scimTexts = map[string]func(m account.Member, text string) bool{
	"id":              func(m account.Member, text string) bool { return m.ID == text },
	"externalid":      func(m account.Member, text string) bool { return m.ExternalID != "" && m.ExternalID == text },
	"username":        hasSCIMEmail,
	"emails":          hasSCIMEmail,
	"emails.value":    hasSCIMEmail,
	"displayname":     hasSCIMName,
	"name.formatted":  hasSCIMName,
	"name.givenname":  func(m account.Member, text string) bool { return strings.EqualFold(m.GivenName, text) },
	"name.familyname": func(m account.Member, text string) bool { return strings.EqualFold(m.FamilyName, text) },

	`emails[type eq "work"].value`:  hasSCIMEmail,
	`emails[primary eq true].value`: hasSCIMEmail,
}

func hasSCIMEmail(m account.Member, text string) bool { return mail.SameAddress(m.Email, text) }

func hasSCIMName(m account.Member, text string) bool { return strings.EqualFold(m.Name, text) }

// scimFilter selects members.
type scimFilter struct {
	matches func(account.Member) bool
	keys    *account.MemberKeys // only members with one of these match; nil: others may match too
}

// scimKeys are the attributes that members are found by in an index.
var scimKeys = map[string]func(text string) account.MemberKeys{
	"id":           func(text string) account.MemberKeys { return account.MemberKeys{IDs: []string{text}} },
	"externalid":   func(text string) account.MemberKeys { return account.MemberKeys{ExternalIDs: []string{text}} },
	"username":     scimAddressKey,
	"emails":       scimAddressKey,
	"emails.value": scimAddressKey,

	`emails[type eq "work"].value`:  scimAddressKey,
	`emails[primary eq true].value`: scimAddressKey,
}

func scimAddressKey(text string) account.MemberKeys {
	return account.MemberKeys{Addresses: []string{text}}
}

// parseSCIMFilter reads a filter. Error: CodeInvalid for every other filter, so that none is
// ignored.
func parseSCIMFilter(filter string) (scimFilter, error) {
	if filter == "" {
		return scimFilter{matches: func(account.Member) bool { return true }}, nil
	}
	unsupported := scimInvalid("invalidFilter", `Filters have the form attribute eq "value". The attributes are id, externalId, userName, displayName, name.formatted, name.givenName, name.familyName, emails.value and active.`)
	parts := scimFilterPattern.FindStringSubmatch(filter)
	if parts == nil {
		return scimFilter{}, unsupported
	}
	attribute := strings.TrimPrefix(strings.ToLower(parts[1]), strings.ToLower(scimUserSchema)+":")
	text, isText := parts[2], strings.HasPrefix(parts[2], `"`)
	if isText && (json.Unmarshal([]byte(parts[2]), &text) != nil || !isValidText(text)) {
		return scimFilter{}, unsupported
	}
	if attribute == "active" {
		active, err := scimBool(text, nil)
		if err != nil {
			return scimFilter{}, unsupported
		}
		return scimFilter{matches: func(m account.Member) bool { return *active == (m.Status == account.MemberActive) }}, nil
	}
	matches, known := scimTexts[attribute]
	if !known || !isText {
		return scimFilter{}, unsupported
	}
	parsed := scimFilter{matches: func(m account.Member) bool { return matches(m, text) }}
	if keys, indexed := scimKeys[attribute]; indexed {
		named := keys(text)
		parsed.keys = &named
	}
	return parsed, nil
}

// selectAttributes returns a user with the attributes that the request asks for, or without those
// that it excludes (RFC 7644, section 3.9). schemas and id are always there.
func selectAttributes(r *http.Request, user scimUser) (any, error) {
	only, without := attributeNames(r, "attributes"), attributeNames(r, "excludedAttributes")
	if only == nil && without == nil {
		return user, nil
	}
	text, err := json.Marshal(user)
	if err != nil {
		return nil, err
	}
	var object map[string]any
	if err := json.Unmarshal(text, &object); err != nil {
		return nil, err
	}
	keepAttributes(object, "", func(name string) bool {
		switch {
		case name == "schemas" || name == "id":
			return true
		case only != nil:
			return only[name] || only[rootOf(name)]
		}
		return !without[name]
	}, only)
	return object, nil
}

// keepAttributes deletes the attributes of an object that are not kept. One with a sub-attribute
// that is named in only stays.
func keepAttributes(object map[string]any, parent string, keep func(string) bool, only map[string]bool) {
	for key, value := range object {
		name := parent + strings.ToLower(key)
		for _, nested := range nestedObjects(value) {
			keepAttributes(nested, name+".", keep, only)
		}
		if !keep(name) && !hasNamed(only, name+".") {
			delete(object, key)
		}
	}
}

func nestedObjects(value any) (nested []map[string]any) {
	switch v := value.(type) {
	case map[string]any:
		return []map[string]any{v}
	case []any:
		for _, element := range v {
			nested = append(nested, nestedObjects(element)...)
		}
	}
	return nested
}

func hasNamed(names map[string]bool, prefix string) bool {
	for name := range names {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// attributeNames returns the attributes of a parameter of the query; nil: it is not there.
func attributeNames(r *http.Request, parameter string) map[string]bool {
	list := r.URL.Query().Get(parameter)
	if list == "" {
		return nil
	}
	names := map[string]bool{}
	for path := range strings.SplitSeq(list, ",") {
		if name, known := attributeOf(strings.TrimSpace(path)); known {
			names[name] = true
		}
	}
	return names
}
