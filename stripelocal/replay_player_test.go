package stripelocal_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"usher/stripelocal"
)

// player replays stories on a server whose clock shows the time of each recorded call. It keeps
// which id of the server stands for which recorded one.
type player struct {
	t       *testing.T
	server  *stripelocal.Server
	version string // of the calls
	time    atomic.Int64
	local   map[string]string // by recorded id
	taken   map[string]string // the recorded id, by local one
}

func newPlayer(t *testing.T, at int64) *player {
	t.Helper()
	p := &player{t: t, version: stripelocal.APIVersion, local: map[string]string{}, taken: map[string]string{}}
	p.time.Store(at)
	server, err := stripelocal.New(stripelocal.Options{Now: func() time.Time { return time.Unix(p.time.Load(), 0) }, Origin: "http://local.test"})
	if err != nil {
		t.Fatal(err)
	}
	p.server = server
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = server.Close(ctx)
	})
	return p
}

// replay replays a story and returns its differences by call. A call that names an object from
// before the story is skipped, and so are those that need what it made.
func (p *player) replay(s recordedStory) []callResult {
	p.prepare(s)
	p.version = spokenVersion(s.Version)
	var out []callResult
	for _, c := range s.Calls {
		out = append(out, p.call(c, s))
	}
	return out
}

// spokenVersion is the version in which the calls of a story are replayed: its own if the server
// speaks it, else the account's. onetimesecret recorded a placeholder: its stripe-ruby 17.2.0 sends
// that of clover which pay-rails/pay recorded of stripe-ruby 17.1.0.
func spokenVersion(recorded string) string {
	if recorded == "<STRIPE_VERSION>" {
		recorded = "2025-10-29.clover"
	}
	if slices.Contains(stripelocal.APIVersions(), recorded) {
		return recorded
	}
	return stripelocal.APIVersion
}

// callResult is the outcome of one replayed call.
type callResult struct {
	call        recordedCall
	story       string
	skipped     string // the unknown id, if the call was not replayed
	status      int
	body        map[string]any
	differences []difference
}

func (p *player) call(c recordedCall, s recordedStory) callResult {
	result := callResult{call: c, story: s.Name}
	path, form := p.translatePath(c.Path), p.translateForm(c.Form)
	if unknown := p.unknownID(path, form); unknown != "" && !strings.Contains(fmt.Sprint(c.Response["error"]), "No such") {
		result.skipped = unknown
		return result
	}
	p.time.Store(max(p.time.Load(), c.At))
	result.status, result.body = p.send(c.Method, path, form)
	compare := comparison{player: p, version: s.Version, partial: s.Partial, at: c.At, status: c.Status}
	result.differences = compare.call(c, result.status, result.body)
	return result
}

func (p *player) send(method, path, form string) (int, map[string]any) {
	p.t.Helper()
	target, body := path, ""
	if method == http.MethodPost {
		body = form
	} else if form != "" {
		target += "?" + form
	}
	req := httptest.NewRequest(method, target, strings.NewReader(body))
	req.Header.Set("Authorization", "Bearer "+testKey)
	req.Header.Set("Stripe-Version", p.version)
	if body != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	w := httptest.NewRecorder()
	p.server.Handler().ServeHTTP(w, req)
	if got := w.Header().Get("Stripe-Version"); got != p.version {
		p.t.Errorf("%s %s is of version %s, want %s", method, path, got, p.version)
	}
	var answer map[string]any
	decode(p.t, w.Body.Bytes(), &answer)
	return w.Code, answer
}

func (p *player) translatePath(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if to, ok := p.local[s]; ok {
			segments[i] = to
		}
	}
	return strings.Join(segments, "/")
}

func (p *player) translateForm(form string) string {
	if form == "" {
		return ""
	}
	var out []string
	for pair := range strings.SplitSeq(form, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if to, ok := p.local[value]; ok {
			value = to
		}
		out = append(out, name+"="+value)
	}
	return strings.Join(out, "&")
}

// unknownID is a recorded id that stands for nothing on the server.
func (p *player) unknownID(path, form string) string {
	values := strings.Split(path, "/")
	for pair := range strings.SplitSeq(form, "&") {
		_, value, _ := strings.Cut(pair, "=")
		values = append(values, value)
	}
	for _, v := range values {
		if isID(v) && p.taken[v] == "" {
			return v
		}
	}
	return ""
}

// learn notes that a local id stands for a recorded one. It reports false if another does.
func (p *player) learn(recorded, local string) bool {
	if known, ok := p.local[recorded]; ok {
		return known == local
	}
	if p.taken[local] != "" {
		return false
	}
	p.local[recorded], p.taken[local] = local, recorded
	return true
}

// prepare makes what a story's account had before.
func (p *player) prepare(s recordedStory) {
	p.t.Helper()
	for _, c := range s.Before {
		p.time.Store(c.At)
		status, made := p.send(http.MethodPost, p.translatePath(c.Path), p.translateForm(c.Form))
		if status != http.StatusOK {
			p.t.Fatalf("prepare %s: %s %s: %v", s.Name, c.Path, c.Form, made)
		}
		if c.ID != "" {
			p.learn(c.ID, fmt.Sprint(made["id"]))
		}
	}
	p.time.Store(s.Calls[0].At)
}
