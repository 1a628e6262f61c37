package stripelocal

import (
	"crypto/sha256"
	"encoding/json"
)

// Digest stands for everything that API calls are about, but for the log of what happened.
func (s *Server) Digest() [32]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	objects := *s.state
	objects.Events, objects.Deliveries, objects.Answers = nil, nil, nil
	raw, err := json.Marshal(objects)
	if err != nil {
		panic(err)
	}
	return sha256.Sum256(raw)
}

// AllEvents are the events as /v1/events shows them, oldest first.
func (s *Server) AllEvents() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out [][]byte
	for _, e := range s.state.Events.all {
		out = append(out, encode(renderEvent(e, APIVersion)))
	}
	return out
}

// Param is one parameter of a route.
type Param struct {
	Name, Kind                string
	Choices                   []string
	Max                       int
	List, Required, Clearable bool
	Fields                    []Param
}

// RouteParams are the parameters of every route by its pattern.
func RouteParams() map[string][]Param {
	out := map[string][]Param{}
	for _, r := range resources() {
		for _, rt := range r.routes {
			sh, err := parseShape(rt.params + " expand[]")
			if err != nil {
				panic(err)
			}
			out[rt.pattern] = sh.params()
		}
	}
	return out
}

func (sh *shape) params() []Param {
	var out []Param
	for _, name := range sh.order {
		f := sh.fields[name]
		out = append(out, Param{f.name, f.kind, f.choices, f.max, f.list, f.required, f.clearable, f.params()})
	}
	return out
}
