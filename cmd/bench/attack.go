package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The attack: wrong log-ins from many networks. Half of them guess the password of one account, as
// many as may fail before it is locked; the others try an address each, as with stolen passwords.
const (
	attackRate      = 200 // log-ins a second
	attackNetworks  = 100
	attackInFlight  = 2_000
	logInInterval   = 500 * time.Millisecond // of each kind of legitimate log-in
	pageInterval    = 100 * time.Millisecond
	people          = 20 // who log in with new browsers, each from a network of their own
	ownerNetwork    = "203.0.113.250"
	attackTimeout   = 30 * time.Second // of one request
	attackPassword  = "correct horse battery"
	attackMaxMemory = 256 << 20 // bytes
)

// attack is a run of [benchAttack].
type attack struct {
	*environment
	transport *http.Transport
	owner     *http.Client // a browser that has logged in before
	reader    *http.Client // a browser with a session, of somebody else
	lock      sync.Mutex
	results   map[string][]time.Duration // response times by kind
	statuses  map[string]map[int]int     // number of responses by kind and status; 0: none
	inFlight  chan struct{}
	group     sync.WaitGroup
}

// Kinds of requests of an attack.
const (
	kindAttack     = "wrong log-ins"
	kindKnown      = "log-ins of the attacked owner, known browser"
	kindNewBrowser = "log-ins of others, new browsers"
	kindPage       = "pages (billing tab)"
)

// benchAttack attacks the log-in for a duration, while people log in and request pages. It fails if
// one of them does not succeed, or the memory is not bounded.
func benchAttack(ctx context.Context, o options) error {
	o.variables = []string{"RATE_LIMITS=on", "TRUSTED_PROXIES=127.0.0.0/8"}
	e, err := openEnvironment(ctx, o)
	defer e.close()
	if err != nil {
		return err
	}
	a := &attack{
		environment: e, transport: &http.Transport{MaxIdleConnsPerHost: attackInFlight}, results: map[string][]time.Duration{},
		statuses: map[string]map[int]int{}, inFlight: make(chan struct{}, attackInFlight),
	}
	if err := a.signUpPeople(ctx); err != nil {
		return err
	}
	fmt.Printf("%d wrong log-ins a second from %d networks for %s\n", attackRate, attackNetworks, o.duration)
	a.run(ctx)
	return a.report()
}

// signUpPeople creates the owner's account and those of the others.
func (a *attack) signUpPeople(ctx context.Context) error {
	for n := range people + 1 {
		browser, network := a.newBrowser(), ownerNetwork
		if n > 0 {
			network = personNetwork(n)
		}
		status, err := a.post(ctx, browser, "/signup", network, url.Values{
			"name": {"Visitor"}, "email": {personEmail(n)}, "password": {attackPassword}, "organization": {"Visited"},
		})
		if err != nil || status != http.StatusSeeOther {
			return fmt.Errorf("sign up: status %d: %w", status, err)
		}
		switch n {
		case 0:
			a.owner = browser
		case 1:
			a.reader = browser
		}
	}
	return nil
}

func personEmail(n int) string { return fmt.Sprintf("person%d@example.com", n) }

func personNetwork(n int) string { return fmt.Sprintf("203.0.113.%d", n) }

func (a *attack) newBrowser() *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic("bench: " + err.Error()) // only wrong options can fail
	}
	return &http.Client{
		Jar: jar, Transport: a.transport, Timeout: attackTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// run sends all requests at their rates, whether or not earlier ones were answered.
func (a *attack) run(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, a.duration)
	defer cancel()
	var senders sync.WaitGroup
	for interval, send := range map[time.Duration]func(context.Context, int){
		time.Second / attackRate: a.guess, logInInterval: a.logIn, pageInterval: a.page,
	} {
		senders.Go(func() { a.every(ctx, interval, send) })
	}
	senders.Wait()
	a.group.Wait()
}

// every calls send at an interval until ctx ends. The requests themselves are not canceled.
func (a *attack) every(ctx context.Context, interval time.Duration, send func(context.Context, int)) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			a.inFlight <- struct{}{}
			a.group.Go(func() {
				defer func() { <-a.inFlight }()
				send(context.WithoutCancel(ctx), n)
			})
		}
	}
}

func (a *attack) guess(ctx context.Context, n int) {
	target := personEmail(0)
	if n%2 == 1 {
		target = fmt.Sprintf("stolen%d@example.com", n)
	}
	form := url.Values{"email": {target}, "password": {fmt.Sprintf("guess number %d", n)}}
	a.measureLogIn(ctx, kindAttack, a.newBrowser(), fmt.Sprintf("198.51.100.%d", n%attackNetworks), form)
}

// logIn logs the owner in, and somebody else with a new browser.
func (a *attack) logIn(ctx context.Context, n int) {
	a.measureLogIn(ctx, kindKnown, a.owner, ownerNetwork, url.Values{"email": {personEmail(0)}, "password": {attackPassword}})
	person := 1 + n%people
	a.measureLogIn(ctx, kindNewBrowser, a.newBrowser(), personNetwork(person), url.Values{"email": {personEmail(person)}, "password": {attackPassword}})
}

func (a *attack) measureLogIn(ctx context.Context, kind string, browser *http.Client, network string, form url.Values) {
	start := time.Now()
	status, err := a.post(ctx, browser, "/login", network, form)
	if err != nil {
		status = 0
	}
	a.record(kind, status, time.Since(start))
}

func (a *attack) page(ctx context.Context, _ int) {
	start, status := time.Now(), 0
	if request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.site+pagePath, nil); err == nil {
		status, _ = a.send(a.reader, request)
	}
	a.record(kindPage, status, time.Since(start))
}

func (a *attack) post(ctx context.Context, browser *http.Client, path, network string, form url.Values) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.site+path, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("X-Forwarded-For", network)
	return a.send(browser, request)
}

func (a *attack) send(browser *http.Client, request *http.Request) (status int, err error) {
	response, err := browser.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}

func (a *attack) record(kind string, status int, took time.Duration) {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.results[kind] = append(a.results[kind], took)
	if a.statuses[kind] == nil {
		a.statuses[kind] = map[int]int{}
	}
	a.statuses[kind][status]++
}

// report prints what was measured and returns an error for each bar that was missed.
func (a *attack) report() error {
	var missed []error
	for _, kind := range []string{kindAttack, kindKnown, kindNewBrowser, kindPage} {
		took := a.results[kind]
		slices.Sort(took)
		if len(took) == 0 {
			missed = append(missed, fmt.Errorf("no %s", kind))
			continue
		}
		fmt.Printf("%-45s %6d   p50 %-8s p99 %-8s %s\n", kind, len(took), took[len(took)/2].Round(time.Millisecond),
			took[len(took)*99/100].Round(time.Millisecond), statusList(a.statuses[kind]))
		success := http.StatusSeeOther
		if kind == kindPage {
			success = http.StatusOK
		}
		succeeded := a.statuses[kind][success]
		if kind != kindAttack && succeeded < len(took) {
			missed = append(missed, fmt.Errorf("%d of %d %s failed", len(took)-succeeded, len(took), kind))
		}
		if kind == kindAttack && succeeded > 0 {
			missed = append(missed, fmt.Errorf("%d %s succeeded", succeeded, kind))
		}
	}
	peak, err := processMemory(a.usherProcess.Process.Pid, "VmHWM")
	fmt.Printf("peak memory of Usher: %d MiB\n", peak>>20)
	if peak > attackMaxMemory {
		missed = append(missed, fmt.Errorf("more than %d MiB of memory", attackMaxMemory>>20))
	}
	return errors.Join(append(missed, err)...)
}

func statusList(counts map[int]int) string {
	var parts []string
	for _, status := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d: %d", status, counts[status]))
	}
	return strings.Join(parts, ", ")
}

// processMemory returns a field of a process's status in bytes: VmRSS is its resident memory, VmHWM
// the peak of it (Linux, proc(5)).
func processMemory(pid int, field string) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(status), field+":")
	kilobytes, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, err := strconv.ParseInt(kilobytes, 10, 64)
	return n << 10, err
}
