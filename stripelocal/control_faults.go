package stripelocal

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// faultsView is the response of /_usher/faults.
type faultsView struct {
	Seed      uint64  `json:"seed"`
	RateLimit int     `json:"rate_limit"` // calls per second; 0 is no limit
	Faults    []Fault `json:"faults"`
}

// faultsRequest is the body of a POST to /_usher/faults: a fault rule, a seed, a rate limit, or
// several of them.
type faultsRequest struct {
	Fault
	Seed      *uint64 `json:"seed"`
	RateLimit *int    `json:"rate_limit"`
}

func (c control) mountFaults(mux *http.ServeMux) {
	mux.HandleFunc("GET /_usher/faults", c.showFaults)
	mux.HandleFunc("POST /_usher/faults", c.addFault)
	mux.HandleFunc("DELETE /_usher/faults", func(w http.ResponseWriter, req *http.Request) {
		c.faults.Clear()
		c.showFaults(w, req)
	})
	mux.HandleFunc("DELETE /_usher/faults/{id}", c.removeFault)
}

func (c control) showFaults(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, c.faults.view())
}

func (f *Faults) view() faultsView {
	view := faultsView{Faults: f.List()}
	f.mu.Lock()
	defer f.mu.Unlock()
	view.Seed, view.RateLimit = f.seed, f.limit
	return view
}

// addFault takes JSON or a form with the same field names.
func (c control) addFault(w http.ResponseWriter, req *http.Request) {
	order, err := readFaults(req)
	if err == nil {
		err = c.faults.apply(order)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.showFaults(w, req)
}

func readFaults(req *http.Request) (faultsRequest, error) {
	var order faultsRequest
	body := http.MaxBytesReader(nil, req.Body, maxBodyBytes)
	if !strings.HasPrefix(req.Header.Get("Content-Type"), "application/json") {
		raw, err := io.ReadAll(body)
		if err != nil {
			return order, fmt.Errorf("read fault: %w", err)
		}
		form, err := url.ParseQuery(string(raw))
		if err != nil {
			return order, fmt.Errorf("read fault: %w", err)
		}
		return faultsFromForm(form)
	}
	decoder := json.NewDecoder(body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&order); err != nil {
		return order, fmt.Errorf("read fault: %w", err)
	}
	return order, nil
}

func faultsFromForm(form url.Values) (faultsRequest, error) {
	order := faultsRequest{Fault: Fault{
		Kind: FaultKind(form.Get("kind")), Method: form.Get("method"), Path: form.Get("path"), Event: form.Get("event"), Customer: form.Get("customer"),
	}}
	read := formNumbers{form: form}
	order.Calls, order.Millis = int(read.number("calls")), int(read.number("millis"))
	if text := form.Get("chance"); text != "" {
		var err error
		if order.Chance, err = strconv.ParseFloat(text, 64); err != nil {
			return order, fmt.Errorf("chance: %q is no number", text)
		}
	}
	if form.Get("seed") != "" {
		seed := uint64(read.number("seed"))
		order.Seed = &seed
	}
	if form.Get("rate_limit") != "" {
		limit := int(read.number("rate_limit"))
		order.RateLimit = &limit
	}
	return order, read.err
}

// formNumbers reads integers from a form and keeps the first error.
type formNumbers struct {
	form url.Values
	err  error
}

func (f *formNumbers) number(name string) int64 {
	text := f.form.Get(name)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil && f.err == nil {
		f.err = fmt.Errorf("%s: %q is no number", name, text)
	}
	return n
}

func (f *Faults) apply(order faultsRequest) error {
	if order.Kind == "" && order.Seed == nil && order.RateLimit == nil {
		return fmt.Errorf("send a kind, a seed or a rate_limit")
	}
	if order.Kind != "" {
		if _, err := f.Add(order.Fault); err != nil {
			return err
		}
	}
	if order.Seed != nil {
		f.Seed(*order.Seed)
	}
	if order.RateLimit != nil {
		f.LimitRate(*order.RateLimit)
	}
	return nil
}

func (c control) removeFault(w http.ResponseWriter, req *http.Request) {
	if !c.faults.Remove(req.PathValue("id")) {
		http.Error(w, "There is no such fault.", http.StatusNotFound)
		return
	}
	c.showFaults(w, req)
}
