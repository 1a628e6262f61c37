package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
)

// result is what one project did.
type result struct {
	peer       peer
	versions   string
	calls      []call
	deliveries []delivery
}

// expected returns how many of c Stripe would refuse too.
func (r result) expected(c call) int {
	n := 0
	for _, refused := range r.peer.refused {
		if refused.call == c.call && refused.status == c.status {
			n++
		}
	}
	return n
}

// worked returns how many of c were answered as Stripe answers.
func (r result) worked(c call) int {
	if c.status < http.StatusBadRequest {
		return c.count
	}
	return min(c.count, r.expected(c))
}

// mostLost is how many webhooks that were not taken are named.
const mostLost = 5

// verify returns an error for everything that did not work.
func (r result) verify() error {
	var problems []error
	for _, c := range r.calls {
		if r.worked(c) < c.count {
			problems = append(problems, fmt.Errorf("%s: %d: %s", c.call, c.status, c.message))
		}
	}
	for _, refused := range r.peer.refused {
		made := slices.ContainsFunc(r.calls, func(c call) bool {
			return c.call == refused.call && c.status == refused.status && c.count >= r.expected(c)
		})
		if !made {
			problems = append(problems, fmt.Errorf("%s was not refused with %d", refused.call, refused.status))
		}
	}
	lost := slices.DeleteFunc(slices.Clone(r.deliveries), delivery.taken)
	for _, d := range lost[:min(len(lost), mostLost)] {
		problems = append(problems, fmt.Errorf("webhook %s: %s after %d attempts: %s", d.Type, d.Status, d.Attempts, d.LastError))
	}
	if len(lost) > mostLost {
		problems = append(problems, fmt.Errorf("%d more webhooks were not taken", len(lost)-mostLost))
	}
	if len(r.calls) == 0 {
		problems = append(problems, errors.New("no calls were made"))
	}
	return errors.Join(problems...)
}

func (d delivery) taken() bool { return d.Status == "succeeded" && d.Attempts == 1 }

// print prints a table of the calls, and the totals.
func (r result) print(out io.Writer) error {
	fmt.Fprintf(out, "%s (%s)\n\n", r.peer.title(), r.versions)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "  times\tstatus\tAPI version\tcall")
	made, worked := 0, 0
	for _, c := range r.calls {
		made, worked = made+c.count, worked+r.worked(c)
		note := ""
		if c.status >= http.StatusBadRequest && r.worked(c) == c.count {
			note = "  (as Stripe refuses it)"
		}
		fmt.Fprintf(table, "  %d\t%d\t%s\t%s%s\n", c.count, c.status, c.version, c.call, note)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	taken := len(r.deliveries) - len(slices.DeleteFunc(slices.Clone(r.deliveries), delivery.taken))
	_, err := fmt.Fprintf(out, "\n  %d of %d calls worked, %d of %d webhooks were taken\n\n", worked, made, taken, len(r.deliveries))
	return err
}

// title is the project's name, with the arguments of its script.
func (p peer) title() string { return strings.Join(append([]string{p.name}, p.args...), " ") }
