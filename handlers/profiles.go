package handlers

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"runtime/pprof"
	"runtime/trace"
	"time"

	"usher/billing/apperr"
)

// Bounds of a recording, in seconds. The longest leaves time to send it before the request
// times out.
const (
	defaultRecording = 10
	maxRecording     = 15
)

// showProfile sends a profile of the running program as a file for `go tool pprof`: cpu and trace
// record for ?seconds=, the others (heap, goroutine, allocs, mutex, block, threadcreate) are
// snapshots. Profiles name functions and lines of code, and hold no data of customers.
func (p *adminPages) showProfile(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("id")
	seconds, err := queryNumber(r, "seconds", defaultRecording, 1, maxRecording)
	if err != nil {
		return err
	}
	var profile bytes.Buffer
	if err := writeProfile(r.Context(), &profile, name, seconds); err != nil {
		return err
	}
	header := w.Header()
	header.Set("Content-Type", "application/octet-stream")
	header.Set("Content-Disposition", `attachment; filename="usher-`+name+`"`)
	_, err = profile.WriteTo(w)
	return err
}

func writeProfile(ctx context.Context, to io.Writer, name string, seconds int) error {
	switch name {
	case "cpu":
		return record(ctx, seconds, func() error { return pprof.StartCPUProfile(to) }, pprof.StopCPUProfile)
	case "trace":
		return record(ctx, seconds, func() error { return trace.Start(to) }, trace.Stop)
	}
	profile := pprof.Lookup(name)
	if profile == nil {
		return apperr.ErrNotFound
	}
	return profile.WriteTo(to, 0)
}

// record records for a time, or until the request ends. Error: CodeConflict if such a recording
// runs already.
func record(ctx context.Context, seconds int, start func() error, stop func()) error {
	if err := start(); err != nil {
		return &apperr.Error{Code: apperr.CodeConflict, Message: "Such a profile is being recorded already. Try again when it is done."}
	}
	defer stop()
	timer := time.NewTimer(time.Duration(seconds) * time.Second)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
