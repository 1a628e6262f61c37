package handlers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"usher/billing/account"
)

// A person's own account keeps its address; who has not joined has what the program sends.
func TestSCIMAddresses(t *testing.T) {
	h := newTestEnv(t)
	p := h.program(account.ScopeMembersRead, account.ScopeMembersWrite)
	joined := "/Users/" + h.memberID("member")
	move := func(path, address string) response {
		return p.scim(patch, path, patchOf(`{"op":"replace","path":"userName","value":"`+address+`"}`))
	}
	move(joined, "new@example.com").wantSCIMError(http.StatusBadRequest, "mutability", "joined with an account of their own")
	p.scim(put, joined, newUser(`"userName":"new@example.com"`)).wantSCIMError(http.StatusBadRequest, "mutability", "joined with an account of their own")
	if got := move(joined, strings.ToUpper(email("member"))).wantStatus(http.StatusOK).user(); got.UserName != strings.ToUpper(email("member")) {
		t.Errorf("%+v", got)
	}
	p.scim(post, "/Users", newUser(`"userName":"`+email("member")+`"`)).wantSCIMError(http.StatusConflict, "uniqueness", "has this e-mail address")
	added := p.scim(post, "/Users", newUser(`"userName":"x@example.com","externalId":"1"`)).wantStatus(http.StatusCreated).user()
	move("/Users/"+added.ID, email("admin")).wantSCIMError(http.StatusConflict, "uniqueness", "has this e-mail address")
	if got := move("/Users/"+added.ID, email("stranger")).wantStatus(http.StatusOK).user(); got.UserName != email("stranger") || got.DisplayName != email("stranger") {
		t.Errorf("%+v", got) // an account elsewhere is nobody here
	}
	p.scim(patch, joined, patchOf(`{"op":"add","path":"externalId","value":"1"}`)).wantSCIMError(http.StatusConflict, "uniqueness", "has this externalId")
	if h.count(`select count(*) from users where lower(email) = lower($1)`, email("member")) != 1 {
		t.Error("the account has another address")
	}
}

func TestSCIMNames(t *testing.T) {
	h := newTestEnv(t)
	p := h.program(account.ScopeMembersRead, account.ScopeMembersWrite)
	id := p.scim(post, "/Users", newUser(`"userName":"x@example.com"`)).wantStatus(http.StatusCreated).user().ID
	for _, step := range []struct{ method, body, name, parts string }{
		{patch, patchOf(`{"op":"add","path":"name.givenName","value":"Xi"}`), "Xi", "Xi|"},
		{patch, patchOf(`{"op":"add","value":{"name":{"familyName":"Xu"}}}`), "Xi Xu", "Xi|Xu"},
		{patch, patchOf(`{"op":"replace","value":{"NAME.formatted":"X. Xu"}}`), "X. Xu", "Xi|Xu"},
		{patch, patchOf(`{"op":"replace","path":"name.familyName","value":"Xiang"}`), "X. Xu", "Xi|Xiang"},
		{put, newUser(`"userName":"x@example.com","displayName":"Dr. Xi","name":{"formatted":"X"}`), "Dr. Xi", "Xi|Xiang"},
		{put, newUser(`"userName":"x@example.com"`), "Dr. Xi", "Xi|Xiang"},
		{put, newUser(`"userName":"x@example.com","name":{"givenName":"Xaver"}`), "Xaver Xiang", "Xaver|Xiang"},
		{patch, patchOf(`{"op":"remove","path":"displayName"},{"op":"remove","path":"name"}`), "x@example.com", "|"},
		{patch, patchOf(`{"op":"replace","value":{"` + scimUserSchema + `":{"displayName":"Core"}}}`), "Core", "|"},
	} {
		got := p.scim(step.method, "/Users/"+id, step.body).wantStatus(http.StatusOK).user()
		if parts := got.Name.GivenName + "|" + got.Name.FamilyName; got.DisplayName != step.name || got.Name.Formatted != step.name || parts != step.parts {
			t.Errorf("%s: %q %q, want %q %q", step.body, got.DisplayName, parts, step.name, step.parts)
		}
	}
	p.scim(patch, "/Users/"+id, patchOf(`{"op":"add","path":"externalId","value":"7"}`)).wantStatus(http.StatusOK)
	if got := p.scim(patch, "/Users/"+id, patchOf(`{"op":"remove","path":"externalId"}`)).wantStatus(http.StatusOK).user(); got.ExternalID != "" {
		t.Errorf("%+v", got)
	}
	// The names of a program that does not know their parts replace them.
	p.scim(patch, "/Users/"+id, patchOf(`{"op":"replace","path":"name.givenName","value":"Xi"}`)).wantStatus(http.StatusOK)
	p.put("", everybody+`,{"email":"x@example.com","name":"Zoe"}`)
	if got := p.scim(get, "/Users/"+id, "").user(); got.Name != (scimName{Formatted: "Zoe"}) {
		t.Errorf("%+v", got)
	}
}

func TestSCIMRefuses(t *testing.T) {
	h := newTestEnv(t)
	p := h.program(account.ScopeMembersRead, account.ScopeMembersWrite)
	before, member := h.history(), "/Users/"+h.memberID("member")
	refuse := func(method, path, body, kind, detail string) {
		t.Helper()
		p.scim(method, path, body).wantSCIMError(http.StatusBadRequest, kind, detail)
	}
	for _, c := range []struct{ body, kind, detail string }{
		{``, "invalidSyntax", "one JSON object"},
		{`null`, "invalidSyntax", "one JSON object"},
		{`[]`, "invalidSyntax", "one JSON object"},
		{`{"userName":"x@example.com"}`, "invalidSyntax", "schemas has to contain"},
		{patchOf(`{}`), "invalidSyntax", "schemas has to contain"},
		{newUser(`"displayName":"X"`), "invalidValue", "userName is missing"},
		{newUser(`"userName":null`), "invalidValue", "userName has to be an e-mail address"},
		{newUser(`"userName":"xavier"`), "invalidValue", "userName has to be an e-mail address"},
		{newUser(`"userName":7`), "invalidValue", "userName has to be a string"},
		{newUser(`"userName":"x@example.com","USERNAME":"y@example.com"`), "invalidSyntax", "twice"},
		{newUser(`"userName":"x@example.com","active":"yes"`), "invalidValue", "active has to be true or false"},
		{newUser(`"userName":"x@example.com","name":"X"`), "invalidValue", "name has to be an object"},
		{newUser(`"userName":"x@example.com","externalId":" 7"`), "invalidValue", "externalId can have"},
		{newUser(`"userName":"x@example.com","externalId":"\u0000"`), "invalidValue", "can't be stored"},
		{newUser(`"userName":"x@example.com","displayName":"` + strings.Repeat("x", 101) + `"`), "invalidValue", "between 1 and 100"},
	} {
		refuse(post, "/Users", c.body, c.kind, c.detail)
		refuse(put, member, strings.ReplaceAll(c.body, "x@example.com", email("member")), c.kind, c.detail)
	}
	for _, c := range []struct{ operations, kind, detail string }{
		{``, "invalidSyntax", "at least one operation"},
		{`"x"`, "invalidSyntax", "has to be an object"},
		{`{"op":"move","path":"active","value":true}`, "invalidSyntax", "op has to be"},
		{`{"op":"replace","path":7,"value":true}`, "invalidPath", "path has to be a string"},
		{`{"op":"replace","path":"","value":true}`, "invalidPath", "names no attribute"},
		{`{"op":"replace","path":"actve","value":false}`, "invalidPath", "names no attribute"},
		{`{"op":"replace","path":"name.nick","value":"X"}`, "invalidPath", "names no attribute"},
		{`{"op":"replace","path":"emails[type eq \"work\"","value":"x@example.com"}`, "invalidPath", "names no attribute"},
		{`{"op":"replace","path":"emails[type is work].value","value":"x@example.com"}`, "invalidPath", "names no attribute"},
		{`{"op":"replace","path":"active[type eq \"work\"]","value":false}`, "invalidPath", "names no attribute"},
		{`{"op":"replace","path":"` + scimUserSchema + `","value":{}}`, "invalidPath", "names no attribute"},
		{`{"op":"replace","path":"id","value":"mem_1"}`, "mutability", "can't be changed"},
		{`{"op":"replace","path":"meta.created","value":"x"}`, "mutability", "can't be changed"},
		{`{"op":"remove","path":"userName"}`, "mutability", "can't be removed"},
		{`{"op":"remove","path":"active"}`, "mutability", "can't be removed"},
		{`{"op":"remove"}`, "noTarget", "remove needs a path"},
		{`{"op":"replace","value":false}`, "invalidValue", "object of attributes"},
		{`{"op":"replace","path":"displayName","value":"New"},{"op":"replace","path":"active","value":"no"}`, "invalidValue", "true or false"},
		{`{"op":"replace","path":"userName","value":"x"}`, "invalidValue", "e-mail address"},
		{`{"op":"replace","OP":"add","path":"active","value":false}`, "invalidSyntax", "twice"},
	} {
		refuse(patch, member, patchOf(c.operations), c.kind, c.detail)
	}
	for _, query := range []string{"count=x", "startIndex=1.5"} {
		refuse(get, "/Users?"+query, "", "invalidValue", "whole number")
	}
	p.scim(post, "/Users", newUser(`"userName":"`+strings.Repeat("x", maxFormBody)+`"`)).wantSCIMError(http.StatusRequestEntityTooLarge, "", "more than can be taken")
	p.send(post, scimUsersPath, newUser(`"userName":"x@example.com"`), "Content-Type", "text/plain", "Authorization", "Bearer "+p.secret).
		wantSCIMError(http.StatusUnsupportedMediaType, "", scimMediaType)
	if after := h.history(); after != before {
		t.Errorf("something was changed:\n%s\n%s", before, after)
	}
	// What a member does not have is accepted, and ignored.
	ignored := patchOf(`{"op":"add","path":"title","value":"Usher"},{"op":"remove","path":"phoneNumbers[type eq \"work\"].value"},
		{"op":"add","path":"addresses[type eq \"work\"].country","value":"PT"},{"op":"add","path":"roles[primary eq true and type eq \"x\"].value","value":"x"},{"op":"replace","value":{"id":"x","new":1,"title":"x"}}`)
	p.call(patch, scimPath+member, ignored).wantStatus(http.StatusOK) // application/json
	if after := h.history(); after != before {
		t.Errorf("something was changed:\n%s\n%s", before, after)
	}
}

func TestSCIMAccess(t *testing.T) {
	h := newTestEnv(t)
	p := h.program(account.ScopeMembersRead, account.ScopeMembersWrite)
	other := h.id(`select id from organization_members where organization_id = $1`, h.otherOrganization.ID)
	on := patchOf(`{"op":"replace","path":"active","value":true}`)
	for method, body := range map[string]string{get: "", remove: "", patch: on, put: newUser(`"userName":"x@example.com"`)} {
		p.scim(method, "/Users/"+other, body).wantSCIMError(http.StatusNotFound, "", "could not find")
	}
	p.scim(get, "/Users/%00", "").wantSCIMError(http.StatusBadRequest, "invalidValue", "can't be stored")
	p.scim(get, "/Users", "", "Usher-Organization", h.otherOrganization.ID).wantSCIMError(http.StatusNotFound, "", "could not find")
	if found := p.find(`id eq "` + other + `"`); len(found) != 0 {
		t.Errorf("%+v", found)
	}
	h.program(account.ScopeMembersRead).scim(post, "/Users", newUser(`"userName":"x@example.com"`)).wantSCIMError(http.StatusForbidden, "", "members:write")
	h.program(account.ScopeMembersWrite).scim(get, "/Users", "").wantSCIMError(http.StatusForbidden, "", "members:read")
	unknown := program{p.browser, "uk_test_unknown"}.scim(get, "/ServiceProviderConfig", "").wantSCIMError(http.StatusUnauthorized, "", "API key")
	if unknown.header.Get("WWW-Authenticate") != "Bearer" {
		t.Error("no challenge")
	}
	p.scim(patch, "/Users", on).wantSCIMError(http.StatusMethodNotAllowed, "", "can't be used")
	p.scim(get, "/Groups", "").wantSCIMError(http.StatusNotFound, "", "nothing at this address")
	h.exec(`update organizations set deleted_at = now() where id = $1`, h.organization.ID)
	p.scim(get, "/Users", "").wantSCIMError(http.StatusConflict, "", account.MessageDeleted)
}

func TestSCIMFilters(t *testing.T) {
	h := newTestEnv(t)
	p := h.program(account.ScopeMembersRead, account.ScopeMembersWrite)
	id := p.scim(post, "/Users", newUser(`"userName":"Eve@example.com","externalId":"Seven","displayName":"Eve \"E\" Ek","name":{"givenName":"Eve"},"active":false`)).user().ID
	for filter, matches := range map[string]int{
		`userName eq "eve@EXAMPLE.com"`: 1, `USERNAME Eq "eve@example.com"`: 1, `userName eq "eve"`: 0, scimUserSchema + `:userName eq "eve@example.com"`: 1,
		`externalId eq "Seven"`: 1, `externalId eq "seven"`: 0, `externalId eq ""`: 0, `id eq "` + id + `"`: 1, `id eq "` + strings.ToUpper(id) + `"`: 0,
		`emails.value eq "eve@example.com"`: 1, `emails[type eq "work"].value eq "eve@example.com"`: 1, `emails eq "eve@example.com"`: 1,
		`displayName eq "eve \"e\" ek"`: 1, `name.givenName eq "EVE"`: 1, `name.familyName eq "Ek"`: 0, `active eq false`: 1, `active eq "False"`: 1, `active eq true`: 3, ``: 4,
		`displayName eq "The member"`: 1, ` userName  eq  "eve@example.com" `: 1,
	} {
		if found := p.find(filter); len(found) != matches || matches == 1 && found[0].ID != id && !strings.Contains(filter, "The member") {
			t.Errorf("%s: %+v, want %d", filter, found, matches)
		}
	}
	for _, filter := range []string{
		`userName`, `userName eq`, `userName eq eve`, `userName eq 'eve'`, `userName eq "eve`, `userName eq true`, `userName pr`, `userName sw "e"`, `userName ne "e"`,
		`userName eq "a" and active eq true`, `userName eq "a" or userName eq "b"`, `not (active eq true)`, `(active eq true)`, `title eq "x"`, `active eq "x"`, `active eq 1`,
		`emails[type eq "home"].value eq "x"`, `emails[type eq "work" and value eq "x"]`, `meta.lastModified eq "2026"`, `externalId eq null`, `userName eq "\x"`,
	} {
		p.scim(get, "/Users?"+url.Values{"filter": {filter}}.Encode(), "").wantSCIMError(http.StatusBadRequest, "invalidFilter", "Filters have the form")
	}
}

func TestSCIMPages(t *testing.T) {
	h := newTestEnv(t)
	p := h.program(account.ScopeMembersRead, account.ScopeMembersWrite)
	set := new(strings.Builder)
	set.WriteString(everybody)
	for i := range 250 {
		fmt.Fprintf(set, `,{"externalId":"p%d","email":"p%d@example.com","name":"Person %d"}`, i, i, i)
	}
	p.put("", set.String())
	read := func(query string, wantStart, wantItems int) (ids []string) {
		t.Helper()
		var list scimList
		if err := json.Unmarshal([]byte(p.scim(get, "/Users?"+query, "").wantStatus(http.StatusOK).body), &list); err != nil {
			t.Fatal(err)
		}
		if list.TotalResults != 253 || list.StartIndex != wantStart || list.ItemsPerPage != wantItems || len(list.Resources) != wantItems {
			t.Errorf("%s: %d from %d, %d items", query, list.TotalResults, list.StartIndex, list.ItemsPerPage)
		}
		for _, resource := range list.Resources {
			ids = append(ids, resource.(map[string]any)["id"].(string))
		}
		return ids
	}
	all := slices.Concat(read("count=100", 1, 100), read("startIndex=101&count=100", 101, 100), read("startIndex=201&count=100", 201, 53))
	if distinct := slices.Compact(slices.Sorted(slices.Values(all))); len(distinct) != 253 {
		t.Errorf("%d distinct users", len(distinct))
	}
	read("", 1, maxSCIMResults)
	read("count=1000", 1, maxSCIMResults)
	read("count=0", 1, 0)
	read("count=-1", 1, 0)
	read("startIndex=-5&count=2", 1, 2)
	read("startIndex=254", 254, 0)
	read("startIndex=9223372036854775807", 9223372036854775807, 0)
}

func TestSCIMAttributes(t *testing.T) {
	h := newTestEnv(t)
	p := h.program(account.ScopeMembersRead, account.ScopeMembersWrite)
	user := p.scim(post, "/Users?attributes=userName", newUser(`"userName":"x@example.com","name":{"givenName":"X","familyName":"Y"},"externalId":"1"`)).wantStatus(http.StatusCreated).user()
	id := `"id":"` + user.ID + `"`
	for query, want := range map[string]string{
		"attributes=userName":                              `{` + id + `,"schemas":["` + scimUserSchema + `"],"userName":"x@example.com"}`,
		"attributes=USERNAME,name.familyName":              `{` + id + `,"name":{"familyName":"Y"},"schemas":["` + scimUserSchema + `"],"userName":"x@example.com"}`,
		"attributes=emails.value":                          `{"emails":[{"value":"x@example.com"}],` + id + `,"schemas":["` + scimUserSchema + `"]}`,
		"attributes=" + scimUserSchema + ":active":         `{"active":true,` + id + `,"schemas":["` + scimUserSchema + `"]}`,
		"attributes=unknown":                               `{` + id + `,"schemas":["` + scimUserSchema + `"]}`,
		"excludedAttributes=id,emails,meta,name.formatted": `{"active":true,"displayName":"X Y","externalId":"1",` + id + `,"name":{"familyName":"Y","givenName":"X"},"schemas":["` + scimUserSchema + `"],"userName":"x@example.com"}`,
	} {
		if got := p.scim(get, "/Users/"+user.ID+"?"+query, "").wantStatus(http.StatusOK); got.body != want {
			t.Errorf("%s: %s, want %s", query, got.body, want)
		}
	}
	// A user has exactly what the schema describes.
	var schema scimSchema
	text := p.scim(get, "/Schemas/"+scimUserSchema, "").wantStatus(http.StatusOK).body
	if err := json.Unmarshal([]byte(text), &schema); err != nil {
		t.Fatal(err)
	}
	described := []string{"externalId", "id", "meta", "schemas"}
	for _, a := range schema.Attributes {
		described = append(described, a.Name)
	}
	var object map[string]any
	if err := json.Unmarshal([]byte(p.scim(get, "/Users/"+user.ID, "").body), &object); err != nil {
		t.Fatal(err)
	}
	for _, name := range described {
		if object[name] == nil {
			t.Errorf("the user has no %s", name)
		}
	}
	if len(object) != len(described) {
		t.Errorf("the user has %d attributes, %q are described", len(object), described)
	}
	p.scim(get, "/Schemas/urn:other", "").wantSCIMError(http.StatusNotFound, "", "could not find")
	p.scim(get, "/ResourceTypes/Group", "").wantSCIMError(http.StatusNotFound, "", "could not find")
	for path, holds := range map[string]string{
		"/ServiceProviderConfig": `"patch":{"supported":true},"bulk":{"supported":false,"maxOperations":0,"maxPayloadSize":0},"filter":{"supported":true,"maxResults":200}`,
		"/Schemas":               `"totalResults":1,"startIndex":1,"itemsPerPage":1,"Resources":[{"schemas":["` + scimSchemaSchema + `"],"id":"` + scimUserSchema + `"`,
		"/ResourceTypes":         `"Resources":[{"schemas":["` + scimResourceSchema + `"],"id":"User","name":"User","endpoint":"/Users"`,
		"/ResourceTypes/User":    `"schema":"` + scimUserSchema + `"`,
	} {
		if body := p.scim(get, path, "").wantStatus(http.StatusOK).body; !strings.Contains(body, holds) {
			t.Error(body)
		}
	}
}

func TestSCIMIsRepeatableAndLimited(t *testing.T) {
	h := limited(t)
	p := h.program(account.ScopeMembersRead, account.ScopeMembersWrite)
	body := newUser(`"userName":"x@example.com"`)
	first := p.scim(post, "/Users", body, "Idempotency-Key", "a").wantStatus(http.StatusCreated)
	again := p.scim(post, "/Users", body, "Idempotency-Key", "a").wantStatus(http.StatusCreated)
	if again.body != first.body || again.header.Get("Location") != first.header.Get("Location") || again.header.Get("Content-Type") != scimMediaType ||
		again.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("%v %s", again.header, again.body)
	}
	p.scim(post, "/Users", newUser(`"userName":"y@example.com"`), "Idempotency-Key", "a").wantSCIMError(http.StatusUnprocessableEntity, "", "Idempotency-Key")
	h.exec(`update rate_limits set hits = 600 where key like 'api writes %'`)
	if got := p.scim(post, "/Users", body).wantSCIMError(http.StatusTooManyRequests, "", "try again"); got.header.Get("Retry-After") == "" {
		t.Errorf("%v", got.header)
	}
}
