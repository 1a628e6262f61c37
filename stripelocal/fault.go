package stripelocal

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// FaultKind is the kind of a fault.
type FaultKind string

// The faults of API calls come first, then those of webhook deliveries.
const (
	// RateLimited responds with 429. Nothing is executed or stored.
	RateLimited FaultKind = "rate_limit"
	// LockTimeout responds with 429 lock_timeout and Stripe-Should-Retry: true. Nothing is executed
	// or stored.
	LockTimeout FaultKind = "lock_timeout"
	// ServerError responds with 500, stored under the idempotency key. Nothing is executed.
	ServerError FaultKind = "server_error"
	// TimeoutBefore closes the connection. Nothing is executed or stored.
	TimeoutBefore FaultKind = "timeout_before"
	// TimeoutAfter executes and stores everything, then closes the connection.
	TimeoutAfter FaultKind = "timeout_after"
	// SlowCall waits Millis before the call. Its idempotency key is in use meanwhile.
	SlowCall FaultKind = "slow"

	// DropDelivery never delivers and never retries.
	DropDelivery FaultKind = "drop"
	// DuplicateDelivery delivers twice.
	DuplicateDelivery FaultKind = "duplicate"
	// ReorderDelivery swaps places with the next delivery, or waits Millis for one.
	ReorderDelivery FaultKind = "reorder"
	// DelayDelivery delivers Millis later.
	DelayDelivery FaultKind = "delay"
)

// Fault is a fault rule. It applies to calls or deliveries that match all fields that are set.
type Fault struct {
	ID     string    `json:"id"` // assigned by Add
	Kind   FaultKind `json:"kind"`
	Method string    `json:"method"` // of the call, such as POST
	// Path of the call, such as /v1/subscriptions/*. * is one segment, ** is the rest.
	Path  string `json:"path"`
	Event string `json:"event"` // type of the delivered event, such as invoice.*
	// Customer is the id of the customer whose object the delivered event is about.
	Customer string `json:"customer"`
	// Calls is how many more times the fault applies. 0 is once, or unlimited with a Chance; -1 is
	// unlimited.
	Calls  int     `json:"calls"`
	Chance float64 `json:"chance"` // probability per match, 0 to 1; 0 is always
	// Millis is the duration of slow, delay and reorder. For timeouts it is the wait before the
	// connection closes.
	Millis int `json:"millis"`
}

// Faults are a server's fault rules and rate limit. They are safe for concurrent use and never
// written to the state file.
type Faults struct {
	now func() time.Time

	mu     sync.Mutex
	rules  []*Fault
	seed   uint64
	random *rand.Rand
	last   int
	limit  int // calls per second; 0 is no limit
	second int64
	count  int
}

func newFaults(now func() time.Time) *Faults {
	f := &Faults{now: now}
	f.Seed(1)
	return f
}

// Faults returns the server's fault rules. A new server has none.
func (s *Server) Faults() *Faults { return s.faults }

// Seed restarts the random generator that Chance uses.
func (f *Faults) Seed(seed uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seed, f.random = seed, rand.New(rand.NewPCG(seed, 0))
}

// LimitRate responds with 429 to calls beyond a number per second of the injected clock; 0 removes
// the limit. Stripe's own limits are 100 in live mode and 25 in a sandbox (docs: rate limits).
func (f *Faults) LimitRate(perSecond int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.limit, f.count = max(0, perSecond), 0
}

// Add appends a rule and returns its id. The first matching rule applies; slow rules apply in
// addition.
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
	case r.isCallFault() && r.Event+r.Customer != "":
		return fmt.Errorf("kind %s is about calls, which have neither event nor customer", r.Kind)
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

// precedesIdempotency reports whether the fault occurs before anything is stored under the
// idempotency key.
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

// List returns the active rules, oldest first.
func (f *Faults) List() []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]Fault, len(f.rules))
	for i, r := range f.rules {
		out[i] = *r
	}
	return out
}

// Remove removes a rule. It reports whether the rule existed.
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

// Clear removes all rules and the rate limit.
func (f *Faults) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules, f.limit = nil, 0
}

// take returns the first matching rule and counts its use.
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

func (f *Faults) takeForDelivery(kind, customer string) (Fault, bool) {
	return f.take(func(r *Fault) bool {
		return r.isDeliveryFault() && (r.Event == "" || matchesEventType(kind, []string{r.Event})) &&
			(r.Customer == "" || r.Customer == customer)
	})
}

// matchesPath matches a path with a pattern, segment by segment.
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

// overLimit counts a call and reports whether it exceeds the rate limit.
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
