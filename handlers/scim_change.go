package handlers

import (
	"cmp"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"usher/billing/account"
)

// scimChange is what a request sends about a user. Nil: nothing.
type scimChange struct {
	userName, externalID, displayName, formatted, givenName, familyName *string
	active                                                              *bool
}

// spec returns a new member. The attributes that are missing are empty.
func (c scimChange) spec() account.MemberSpec {
	email, given, family, externalID := textOf(c.userName), textOf(c.givenName), textOf(c.familyName), ""
	if c.externalID != nil {
		externalID = *c.externalID
	}
	return account.MemberSpec{
		ExternalID: externalID, Email: email, GivenName: given, FamilyName: family,
		Name:     cmp.Or(textOf(c.displayName), textOf(c.formatted), account.NameByParts(given, family, email)),
		Billable: true, Suspended: c.active != nil && !*c.active,
	}
}

// update returns the changes of a member.
func (c scimChange) update() account.MemberUpdate {
	u := account.MemberUpdate{ExternalID: c.externalID, Email: c.userName, GivenName: c.givenName, FamilyName: c.familyName, Active: c.active}
	if c.displayName != nil || c.formatted != nil {
		name := cmp.Or(textOf(c.displayName), textOf(c.formatted))
		u.Name = &name
	}
	return u
}

// textOf returns a text without the spaces around it; empty: there is none.
func textOf(text *string) string {
	if text == nil {
		return ""
	}
	return strings.TrimSpace(*text)
}

// decodeSCIMPatch decodes the operations of a PATCH request into one change.
func decodeSCIMPatch(r *http.Request) (scimChange, error) {
	var c scimChange
	object, err := decodeSCIM(r, scimPatchSchema)
	if err != nil {
		return c, err
	}
	operations, _ := object["operations"].([]any)
	if len(operations) == 0 {
		return c, scimInvalid("invalidSyntax", "Operations has to be a list of at least one operation.")
	}
	for _, o := range operations {
		operation, isObject := o.(map[string]any)
		if !isObject {
			return c, scimInvalid("invalidSyntax", "Each operation has to be an object.")
		}
		if operation, err = lowerNames(operation); err != nil {
			return c, err
		}
		if err := c.apply(operation); err != nil {
			return c, err
		}
	}
	return c, nil
}

// apply adds an operation. Entra writes its kind with a capital letter.
func (c *scimChange) apply(operation map[string]any) error {
	kind, _ := operation["op"].(string)
	kind = strings.ToLower(kind)
	path, hasPath := operation["path"].(string)
	switch {
	case kind != "add" && kind != "replace" && kind != "remove":
		return scimInvalid("invalidSyntax", "op has to be add, replace or remove.")
	case !hasPath && operation["path"] != nil:
		return scimInvalid("invalidPath", "path has to be a string.")
	case hasPath:
		return c.applyPath(kind, path, operation["value"])
	case kind == "remove":
		return scimInvalid("noTarget", "remove needs a path.")
	}
	attributes, isObject := operation["value"].(map[string]any)
	if !isObject {
		return scimInvalid("invalidValue", "Without a path, value has to be an object of attributes.")
	}
	return c.setAll("", attributes)
}

func (c *scimChange) applyPath(kind, path string, value any) error {
	name, known := attributeOf(path)
	switch {
	case !known:
		return scimInvalid("invalidPath", "path names no attribute of a user.")
	case slices.Contains([]string{"id", "schemas", "meta"}, rootOf(name)):
		return scimInvalid("mutability", "id, schemas and meta can't be changed.")
	case kind == "remove" && (name == "username" || name == "active"):
		return scimInvalid("mutability", "userName and active can't be removed.")
	case kind == "remove":
		value = nil
	}
	return c.set(name, value)
}

// setAll sets the attributes of an object, whose names may be paths. Others than those of a user
// are ignored.
func (c *scimChange) setAll(parent string, attributes map[string]any) error {
	attributes, err := lowerNames(attributes)
	if err != nil {
		return err
	}
	for _, path := range slices.Sorted(maps.Keys(attributes)) {
		if name, known := attributeOf(parent + path); known {
			err = c.set(name, attributes[path])
		} else if nested, isObject := attributes[path].(map[string]any); isObject && strings.EqualFold(path, scimUserSchema) {
			err = c.setAll("", nested)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// set sets an attribute. Those that a member does not have are ignored.
func (c *scimChange) set(name string, value any) (err error) {
	switch name {
	case "username":
		if c.userName, err = scimText("userName", value); err == nil {
			err = checkUserName(*c.userName)
		}
	case "externalid":
		c.externalID, err = scimText("externalId", value)
	case "displayname":
		c.displayName, err = scimText("displayName", value)
	case "name":
		return c.setName(value)
	case "name.formatted":
		c.formatted, err = scimText("name.formatted", value)
	case "name.givenname":
		c.givenName, err = scimText("name.givenName", value)
	case "name.familyname":
		c.familyName, err = scimText("name.familyName", value)
	case "active":
		c.active, err = scimBool(value, c.active)
	}
	return err
}

// setName sets the parts of a name.
func (c *scimChange) setName(value any) error {
	switch parts := value.(type) {
	case nil:
		c.formatted, c.givenName, c.familyName = new(string), new(string), new(string)
		return nil
	case map[string]any:
		return c.setAll("name.", parts)
	}
	return scimInvalid("invalidValue", "name has to be an object.")
}

// scimText returns a text. null is the empty one.
func scimText(name string, value any) (*string, error) {
	text, isText := value.(string)
	switch {
	case !isText && value != nil:
		return nil, scimInvalid("invalidValue", "%s has to be a string.", name)
	case !isValidText(text):
		return nil, errText
	}
	return &text, nil
}

// scimBool returns the value of active. Entra may send it as text. null changes nothing.
func scimBool(value any, present *bool) (*bool, error) {
	yes, no := true, false
	switch v := value.(type) {
	case nil:
		return present, nil
	case bool:
		return &v, nil
	case string:
		if strings.EqualFold(v, "true") {
			return &yes, nil
		}
		if strings.EqualFold(v, "false") {
			return &no, nil
		}
	}
	return nil, scimInvalid("invalidValue", "active has to be true or false.")
}

// lowerNames returns an object with its names in lower case, which must differ.
func lowerNames(object map[string]any) (map[string]any, error) {
	lower := make(map[string]any, len(object))
	for name, value := range object {
		key := strings.ToLower(name)
		if _, twice := lower[key]; twice {
			return nil, scimInvalid("invalidSyntax", "An attribute is there twice.")
		}
		lower[key] = value
	}
	return lower, nil
}

const valueCondition = `[a-z$][a-z0-9_$-]* eq (?:"[^"\\]*"|true|false)`

var (
	// attributePattern is an attribute, a filter of its values, and a sub-attribute.
	attributePattern = regexp.MustCompile(`^([a-z$][a-z0-9_$-]*)(\[` + valueCondition + `(?: (?:and|or) ` + valueCondition + `)*\])?(\.[a-z$][a-z0-9_$-]*)?$`)
	extensionPattern = regexp.MustCompile(`^urn:[a-z0-9._:-]+$`)
	// singleAttributes and their sub-attributes, and multiAttributes, are those of RFC 7643.
	singleAttributes = []string{
		"id", "externalid", "meta", "meta.resourcetype", "meta.created", "meta.lastmodified", "meta.location", "meta.version",
		"username", "displayname", "name", "name.formatted", "name.givenname", "name.familyname", "name.middlename", "name.honorificprefix",
		"name.honorificsuffix", "active", "nickname", "profileurl", "title", "usertype", "preferredlanguage", "locale", "timezone", "password",
	}
	multiAttributes = []string{
		"schemas", "emails", "phonenumbers", "ims", "photos", "addresses", "groups", "entitlements", "roles", "x509certificates",
	}
)

// attributeOf returns the name of the attribute at a path in lower case, without the URI of the
// user's schema and a filter of values. Attributes of extensions are known as "extension".
func attributeOf(path string) (name string, known bool) {
	path = strings.ToLower(path)
	path = strings.TrimPrefix(path, strings.ToLower(scimUserSchema)+":")
	if path != strings.ToLower(scimUserSchema) && extensionPattern.MatchString(path) {
		return "extension", true
	}
	parts := attributePattern.FindStringSubmatch(path)
	if parts == nil {
		return "", false
	}
	name = parts[1] + parts[3]
	if slices.Contains(multiAttributes, parts[1]) {
		return name, true
	}
	return name, parts[2] == "" && slices.Contains(singleAttributes, name)
}

func rootOf(name string) string {
	root, _, _ := strings.Cut(name, ".")
	return root
}
