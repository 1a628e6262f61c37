package stripelocal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestArchivedTextsAreReadInAnyOrder(t *testing.T) {
	t.Parallel()
	a := &archive{}
	var kept []archived
	var want [][]byte
	for i := range 8000 { // some ten blocks
		text := []byte(fmt.Sprintf(`{"id":"in_%d","text":"%s"}`, i, strings.Repeat(string(rune('a'+i%26)), i%700)))
		kept, want = append(kept, a.add(text)), append(want, text)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		i := random.IntN(len(kept))
		if got := kept[i].text(); !bytes.Equal(got, want[i]) {
			t.Fatalf("text %d is %s, want %s", i, got, want[i])
		}
	}
	if len(a.unpacked) != archiveUnpacked {
		t.Errorf("%d blocks are unpacked, want %d", len(a.unpacked), archiveUnpacked)
	}
	twice := []byte("the same object in two events")
	if first, second := a.add(twice), a.add(twice); first != second {
		t.Error("the same slice is kept twice")
	}
	if empty := (archived{}); empty.text() != nil || !empty.isEmpty() {
		t.Error("the zero value is a text")
	}
}

// Every event and stored response is the same after a restart.
func TestEventsAndStoredResponsesSurviveARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stripe.json")
	s, err := New(Options{StatePath: path})
	if err != nil {
		t.Fatal(err)
	}
	subscribe(t, s, 60)
	events := s.AllEvents()
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	again, err := New(Options{StatePath: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = again.Close(t.Context()) })
	loaded := again.AllEvents()
	if len(loaded) != len(events) || len(events) < 60*10 {
		t.Fatalf("%d events, were %d", len(loaded), len(events))
	}
	for i := range events {
		if !bytes.Equal(events[i], loaded[i]) {
			t.Fatalf("event %d is %s, was %s", i, loaded[i], events[i])
		}
	}
	req := httptest.NewRequest(http.MethodPost, "/v1/customers", strings.NewReader("email=member3%40example.com"+
		"&invoice_settings%5Bdefault_payment_method%5D=pm_card_visa&payment_method=pm_card_visa"))
	req.SetBasicAuth("sk_test_123456789012", "")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Idempotency-Key", fmt.Sprintf("11111111-2222-3333-4444-c%011d", 3))
	w := httptest.NewRecorder()
	again.Handler().ServeHTTP(w, req)
	var o struct{ Email string }
	if err := json.Unmarshal(w.Body.Bytes(), &o); err != nil || w.Header().Get("Idempotent-Replayed") != "true" || o.Email != "member3@example.com" {
		t.Errorf("%v: %v %s", err, w.Header(), w.Body)
	}
}

func TestAStateFileOfFormat2IsLoaded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "stripe.json")
	file := `{"Format":2,"Starts":1,"Account":{"ID":"acct_old"},"IdempotentResponses":{"k":{"Body":"{\"id\":\"cus_1\"}","Status":200}},
		"Events":[{"ID":"evt_1","Created":4102444800,"Seq":1,"Type":"customer.created","Object":{"id":"cus_1","object":"customer"}},
			{"ID":"evt_2","Created":4102444800,"Seq":2,"Type":"customer.updated","Object":{"id":"cus_1"},"PreviousAttributes":{"name":"a"}}]}`
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // once in format 2, once in the format that it is written in
		s, err := New(Options{StatePath: path})
		if err != nil {
			t.Fatal(err)
		}
		events := s.AllEvents()
		if len(events) != 2 || !bytes.Contains(events[0], []byte(`"object":{"id":"cus_1","object":"customer"}`)) ||
			bytes.Contains(events[0], []byte("previous_attributes")) || !bytes.Contains(events[1], []byte(`"previous_attributes":{"name":"a"}`)) {
			t.Errorf("events %s", events)
		}
		if body := s.store.IdempotentResponses["k"].Body.text(); string(body) != `{"id":"cus_1"}` {
			t.Errorf("stored response %s", body)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBrokenBlocksOfAStateFileAreRefused(t *testing.T) {
	t.Parallel()
	for _, place := range []string{"[2,0]", "[1,1]", "[1,-1]"} {
		path := filepath.Join(t.TempDir(), "stripe.json")
		file := fmt.Sprintf(`{"Format":3,"Blocks":[{"Count":1,"Packed":""}],"Events":[{"ID":"evt_1","Seq":1,"Object":%s}]}`, place)
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := New(Options{StatePath: path}); err == nil || !strings.Contains(err.Error(), "block") {
			t.Errorf("%s: %v", place, err)
		}
	}
}
