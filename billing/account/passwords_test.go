package account

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"usher/billing/apperr"
)

// Behind a flood of log-ins a password waits two seconds, not until its request ends,
// and the answer says when to try again.
func TestPasswordDoesNotWaitLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ps := &Passwords{queue: newHashQueue(0)}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		_, err := ps.matches(ctx, "a password", dummyHash)
		if apperr.CodeOf(err) != apperr.CodeUnavailable || apperr.RetryAfterOf(err) != hashRetryAfter || time.Since(began) != hashWait {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		ps.queue.leave()
		if _, err := ps.matches(ctx, "a password", dummyHash); err != nil {
			t.Errorf("with a free slot: %v", err)
		}
	})
}

// Passwords of clients without failures come first, however many others wait. Those with the most
// failures are refused at once when very many wait.
func TestHashQueueOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newHashQueue(0)
		var lock sync.Mutex
		var order []int
		refused := 0
		enter := func(failures int) {
			err := q.enter(WithFailures(t.Context(), failures))
			lock.Lock()
			defer lock.Unlock()
			if err != nil {
				refused++
				return
			}
			order = append(order, failures)
		}
		for n := range maxWaiting + 20 {
			go enter(1 + n%50)
			synctest.Wait()
		}
		if refused != 20 {
			t.Errorf("%d refused", refused)
		}
		go enter(0)
		for range 5 {
			synctest.Wait()
			q.leave()
		}
		synctest.Wait()
		if !slices.Equal(order, []int{0, 1, 1, 1, 2}) {
			t.Errorf("admitted: %v", order)
		}
		time.Sleep(hashWait) // the others give up
		synctest.Wait()
		if len(q.waiting) != 0 || q.free != 0 || len(order) != 5 {
			t.Errorf("%d wait, %d free, admitted: %v", len(q.waiting), q.free, order)
		}
	})
}

// refusals has a password for each rule. An empty text: it is accepted, since there are no rules
// about the kinds of characters.
var refusals = map[string]string{
	"1234567":                 "at least 8",
	strings.Repeat("äb", 129): "at most 256 characters. This one has 258",
	"        ":                "only spaces",
	"\u2003\u200b\u00a0\u2003\u200b\u00a0\u2003\u200b": "only spaces",

	"password":  "first that attackers try",
	"PassWord1": "first that attackers try",
	"12345678":  "first that attackers try",
	"\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44": "first that attackers try", // full-width letters
	"zxcvbnmm": "first that attackers try",

	"aaaaaaaa":      "repeats or counts",
	"abcabcabcab":   "repeats or counts",
	"19871987":      "repeats or counts",
	"hijklmnop":     "repeats or counts",
	"9876543210987": "repeats or counts",

	"usherusher":            "made of your name",
	"Usher-2026!":           "made of your name",
	"AnaSofía1987":          "made of your name",
	"anasofi\u0301a":        "made of your name", // decomposed
	"castellanos":           "made of your name",
	"19 Nov 1987, lantern?": "",
	"ana.s.castellanos":     "", // the single letter is no word
	"lanterntheatre26":      "made of your name",
	"box-office@lantern":    "made of your name",
	"billing.acme":          "made of your name", // the site's host

	"usher-demo":                     "",
	"castellanos kite hedge":         "",
	"83920174":                       "",
	"пароль-мой":                     "",
	strings.Repeat("äb", 127) + "ba": "",
}

func TestNewPasswords(t *testing.T) {
	ps := &Passwords{product: productWords("https://billing.acme.test:4312/x")}
	about := passwordContext{name: "Ana Sofía Castellanos", email: "box-office@lantern.example", organizations: []string{"Acme", "The Lantern Theatre"}}
	for password, want := range refusals {
		err := ps.checkNew(password, about)
		if want == "" && err != nil || want != "" && (apperr.CodeOf(err) != apperr.CodeUnprocessable || !strings.Contains(apperr.MessageOf(err), want)) {
			t.Errorf("%.30q: %v, want %q", password, err, want)
		}
	}
}

// Every entry of the list is refused, the first and the last included.
func TestCommonPasswords(t *testing.T) {
	reader, err := gzip.NewReader(bytes.NewReader(commonPasswords))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	entries := strings.Fields(string(text))
	if len(entries) < 10_000 || !slices.IsSorted(entries) {
		t.Fatalf("%d entries, sorted: %t", len(entries), slices.IsSorted(entries))
	}
	for i := 0; i < len(entries); i += len(entries) / 50 {
		if common, err := isCommon(entries[i]); err != nil || !common {
			t.Errorf("%q: %t %v", entries[i], common, err)
		}
		if common, err := isCommon(entries[i] + "\x01"); err != nil || common {
			t.Errorf("%q and more: %t %v", entries[i], common, err)
		}
	}
	if last := entries[len(entries)-1]; utf8.RuneCountInString(last) < minPasswordLength {
		t.Errorf("%q is shorter than any password", last)
	}
}

func BenchmarkIsCommon(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if common, err := isCommon("~ the whole list is read"); err != nil || common {
			b.Fatal(common, err)
		}
	}
}
