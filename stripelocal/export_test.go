package stripelocal

import (
	"crypto/sha256"
	"encoding/json"
	"net/url"

	"usher/stripelocal/wire"
)

// Digest is a hash of all objects, without events, deliveries and stored responses.
func (s *Server) Digest() [32]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	objects := *s.store
	objects.Events, objects.Deliveries, objects.IdempotentResponses = nil, nil, nil
	raw, err := json.Marshal(objects)
	if err != nil {
		panic(err)
	}
	return sha256.Sum256(raw)
}

// AllEvents returns all events as /v1/events renders them, oldest first.
func (s *Server) AllEvents() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out [][]byte
	for _, e := range s.store.Events.all {
		out = append(out, wire.Encode(s.newRequest(s.clock(), requestInfo{}).renderEvent(e, APIVersion)))
	}
	return out
}

// Param is a parameter of a route.
type Param struct {
	Name, Kind                string
	Choices                   []string
	Max                       int
	List, Required, Clearable bool
	Fields                    []Param
}

// RouteParams returns the parameters of every route by pattern.
func RouteParams() map[string][]Param {
	out := map[string][]Param{}
	for _, r := range resources() {
		for _, rt := range r.routes {
			sh, err := wire.ParseSchema(rt.params + " expand[]")
			if err != nil {
				panic(err)
			}
			out[rt.pattern] = paramsOf(sh)
		}
	}
	return out
}

func paramsOf(sh *wire.Schema) []Param {
	var out []Param
	for _, name := range sh.Order {
		f := sh.Fields[name]
		out = append(out, Param{f.Name, f.Kind, f.Choices, f.Max, f.List, f.Required, f.Clearable, paramsOf(f)})
	}
	return out
}

func tables() apiTables {
	t, err := loadTables()
	if err != nil {
		panic(err)
	}
	return t
}

// HasRoute reports whether a version has a route.
func HasRoute(pattern, version string) bool {
	return tables().hasRoute(pattern, version)
}

// RefusesParam reports whether a version refuses a parameter that APIVersion has.
func RefusesParam(pattern, version, name string) bool {
	form, err := wire.DecodeForm(url.QueryEscape(name) + "=x")
	if err != nil {
		panic(err)
	}
	c := apiCall{Server: &Server{apiTables: tables()}, route: route{pattern: pattern}, version: version}
	bad := c.toOwnParams(form)
	return bad != nil && bad.Code == "parameter_unknown" && bad.Param == name
}

// StepVersions are the versions of the steps, in their order.
func StepVersions() []string {
	var out []string
	for _, step := range tables().steps {
		out = append(out, step.version)
	}
	return out
}
