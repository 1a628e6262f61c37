package stripelocal

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// FaultKind says what goes wrong.
type FaultKind string

// The faults of API calls, then those of webhook deliveries.
const (
	RateLimited   FaultKind = "rate_limit"     // 429; nothing is done or stored
	LockTimeout   FaultKind = "lock_timeout"   // 409 lock_timeout; nothing is done or stored
	ServerError   FaultKind = "server_error"   // 500, stored under the idempotency key; nothing is done
	TimeoutBefore FaultKind = "timeout_before" // the connection is cut; nothing is done or stored
	TimeoutAfter  FaultKind = "timeout_after"  // all is done and stored, then the connection is cut
	SlowCall      FaultKind = "slow"           // Millis pass before anything is done; a key is in flight meanwhile

	DropDelivery      FaultKind = "drop"      // never arrives and is not tried again
	DuplicateDelivery FaultKind = "duplicate" // arrives twice
	ReorderDelivery   FaultKind = "reorder"   // changes places with the one after it, or waits Millis for one
	DelayDelivery     FaultKind = "delay"     // arrives Millis later
)

// Fault is one rule. It applies to what matches every field that is set.
type Fault struct {
	ID     string    `json:"id"` // given by Add
	Kind   FaultKind `json:"kind"`
	Method string    `json:"method"` // of the call: POST
	Path   string    `json:"path"`   // of the call: /v1/subscriptions/*, where * is one segment and ** is all the rest
	Event  string    `json:"event"`  // type of the event delivered: invoice.*
	Calls  int       `json:"calls"`  // how many more; 0 is one, or without end where Chance is set; -1 is without end
	Chance float64   `json:"chance"` // of each match, 0 to 1; 0 is always
	Millis int       `json:"millis"` // of slow, delay and reorder; of a time-out, how long the call hangs first
}

// Faults is everything that is to go wrong. It is safe for concurrent use and
// never written to the state file.
type Faults struct {
	now func() time.Time

	mu     sync.Mutex
	rules  []*Fault
	seed   uint64
	random *rand.Rand
	last   int
	limit  int // calls a second; 0 is no limit
	second int64
	count  int
}

func newFaults(now func() time.Time) *Faults {
	f := &Faults{now: now}
	f.Seed(1)
	return f
}

// Faults are the server's; none to begin with.
func (s *Server) Faults() *Faults { return s.faults }

// Seed restarts the randomness that decides about Chance.
func (f *Faults) Seed(seed uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seed, f.random = seed, rand.New(rand.NewPCG(seed, 0))
}

// LimitRate refuses with 429 what comes beyond so many calls in one second of
// the injected clock; 0 lifts the limit. Stripe's own are 100 in live mode and
// 25 in a sandbox (docs: rate limits).
func (f *Faults) LimitRate(perSecond int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.limit, f.count = max(0, perSecond), 0
}

// Add puts a rule behind those there are, and gives its id. Of several rules
// that match, the earliest applies; slow ones apply besides.
func (f *Faults) Add(rule Fault) (string, error) {
	if err := rule.validate(); err != nil {
		return "", fmt.Errorf("add fault: %w", err)
	}
	if rule.Calls == 0 {
		rule.Calls = 1
		if rule.Chance > 0 {
			rule.Calls = -1
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last++
	rule.ID = fmt.Sprintf("fault_%d", f.last)
	f.rules = append(f.rules, &rule)
	return rule.ID, nil
}

func (r Fault) validate() error {
	switch {
	case !r.isCallFault() && !r.isDeliveryFault():
		return fmt.Errorf("kind %q is unknown", r.Kind)
	case r.isCallFault() && r.Event != "":
		return fmt.Errorf("kind %s is about calls, which have no event", r.Kind)
	case r.isDeliveryFault() && (r.Method != "" || r.Path != ""):
		return fmt.Errorf("kind %s is about deliveries, which have neither method nor path", r.Kind)
	case r.Chance < 0 || r.Chance > 1:
		return fmt.Errorf("chance %v is not between 0 and 1", r.Chance)
	case r.Millis < 0 || r.Calls < -1:
		return fmt.Errorf("millis and calls cannot be negative, but for calls=-1, which is without end")
	}
	return nil
}

func (r Fault) isCallFault() bool {
	return r.precedesIdempotency() || r.followsIdempotency() || r.Kind == SlowCall
}

// precedesIdempotency are the faults that come before anything is stored under a key.
func (r Fault) precedesIdempotency() bool { return r.Kind == RateLimited || r.Kind == LockTimeout }

func (r Fault) followsIdempotency() bool {
	return r.Kind == ServerError || r.Kind == TimeoutBefore || r.Kind == TimeoutAfter
}

func (r Fault) isDeliveryFault() bool {
	switch r.Kind {
	case DropDelivery, DuplicateDelivery, ReorderDelivery, DelayDelivery:
		return true
	}
	return false
}

// List are the rules that still apply, earliest first.
func (f *Faults) List() []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]Fault, len(f.rules))
	for i, r := range f.rules {
		out[i] = *r
	}
	return out
}

// Remove takes one rule away; it says whether there was one.
func (f *Faults) Remove(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, r := range f.rules {
		if r.ID == id {
			f.rules = append(f.rules[:i:i], f.rules[i+1:]...)
			return true
		}
	}
	return false
}

// Clear takes every rule and the rate limit away.
func (f *Faults) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules, f.limit = nil, 0
}

// take uses up one turn of the earliest rule of a class that matches.
func (f *Faults) take(matches func(*Fault) bool) (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, r := range f.rules {
		if !matches(r) || r.Chance > 0 && f.random.Float64() >= r.Chance {
			continue
		}
		taken := *r
		if r.Calls > 0 {
			r.Calls--
		}
		if r.Calls == 0 {
			f.rules = append(f.rules[:i:i], f.rules[i+1:]...)
		}
		return taken, true
	}
	return Fault{}, false
}

func (f *Faults) takeForCall(req *http.Request, class func(Fault) bool) (Fault, bool) {
	return f.take(func(r *Fault) bool {
		return class(*r) && (r.Method == "" || strings.EqualFold(r.Method, req.Method)) && matchesPath(r.Path, req.URL.Path)
	})
}

func (f *Faults) takeForDelivery(kind string) (Fault, bool) {
	return f.take(func(r *Fault) bool {
		return r.isDeliveryFault() && (r.Event == "" || matchesEventType(kind, []string{r.Event}))
	})
}

// matchesPath holds a path against a pattern by segments.
func matchesPath(pattern, path string) bool {
	if pattern == "" {
		return true
	}
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	for i, segment := range want {
		if segment == "**" {
			return true
		}
		if i >= len(have) || segment != "*" && segment != have[i] {
			return false
		}
	}
	return len(want) == len(have)
}

// overLimit counts a call and says whether it is one too many.
func (f *Faults) overLimit() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.limit == 0 {
		return false
	}
	if now := f.now().Unix(); now != f.second {
		f.second, f.count = now, 0
	}
	f.count++
	return f.count > f.limit
}
