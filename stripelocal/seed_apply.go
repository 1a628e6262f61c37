package stripelocal

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"usher/stripelocal/wire"
)

// take removes a member.
func (v *seedValue) take(key string) {
	delete(v.members, key)
	v.keys = slices.DeleteFunc(v.keys, func(k string) bool { return k == key })
}

// find is the member that a parameter such as items[0][price] names, or the nearest one around it.
func (v *seedValue) find(param string) *seedValue {
	for key := range strings.SplitSeq(strings.ReplaceAll(param, "]", ""), "[") {
		if v.members[key] == nil {
			return v
		}
		v = v.members[key]
	}
	return v
}

// form appends a value to a form.
func (v *seedValue) form(s *Seed, into url.Values, name string, ids map[string]string) error {
	switch {
	case v.isNull:
		return s.fail(v, "null is no parameter: leave the key out")
	case v.members == nil:
		value, err := s.resolve(v, ids)
		into.Set(name, value)
		return err
	}
	for _, key := range v.keys {
		member := name + "[" + key + "]"
		if name == "" {
			member = key
		}
		if err := v.members[key].form(s, into, member, ids); err != nil {
			return err
		}
	}
	return nil
}

var seedReference = regexp.MustCompile(`^\$\{(.*)\}$`)

func (s *Seed) resolve(v *seedValue, ids map[string]string) (string, error) {
	found := seedReference.FindStringSubmatch(v.scalar)
	if found == nil {
		return v.scalar, nil
	}
	id, ok := ids[found[1]]
	if !ok {
		return "", s.fail(v, "nothing before it is created as "+found[1])
	}
	return id, nil
}

// applySeed makes the calls of the seed in one transaction. The caller has the server's lock.
func (s *Server) applySeed() error {
	if s.seed == nil {
		return nil
	}
	r := s.newRequest(s.clock(), requestInfo{})
	r.seeding = true
	ids := map[string]string{}
	for _, e := range s.seed.entries {
		if err := r.applySeedEntry(s.seed, e, ids); err != nil {
			return fmt.Errorf("seed: %w", err)
		}
	}
	r.changed = true
	r.commit()
	return nil
}

// applySeedSettings sets the settings of the seed.
func (s *Server) applySeedSettings() error {
	if s.seed == nil || len(s.seed.settings) == 0 {
		return nil
	}
	return s.setAll(s.seed.settings)
}

func (r *request) applySeedEntry(s *Seed, e seedEntry, ids map[string]string) error {
	form := url.Values{}
	if err := e.params.form(s, form, "", ids); err != nil {
		return err
	}
	pattern := "POST /v1/" + e.collection
	if e.id != "" && r.routes[pattern].schema.Fields["id"] != nil {
		form.Set("id", e.id)
	} else {
		r.ids.forced = e.id
	}
	o, err := r.callAPI(pattern, "", form)
	if err != nil {
		refusal := wire.AsError(err)
		return s.fail(e.params.find(refusal.Param), refusal.Message)
	}
	return r.recordSeedEntry(s, e, o, ids)
}

func (r *request) recordSeedEntry(s *Seed, e seedEntry, o wire.Object, ids map[string]string) error {
	id, _ := o["id"].(string)
	_, twice := ids[e.as]
	kind, _ := o["object"].(string)
	if kind == "plan" {
		kind = "price" // the same object
	}
	_, known := ids[kind+" "+id]
	ids[kind+" "+id] = id
	switch {
	case known:
		return s.fail(e.params, "id: "+id+" is there twice")
	case e.id != "" && id != e.id:
		r.ids.forced = ""
		return s.fail(e.params, "id: "+e.id+" must begin like "+id)
	case e.as != "" && twice:
		return s.fail(e.params, "as: "+e.as+" is there twice")
	case e.as != "":
		ids[e.as] = id
	}
	if w, ok := r.store.WebhookEndpoints.get(id); ok && e.secret != "" {
		w.Secrets = []Secret{{Value: e.secret}}
	}
	return nil
}
