package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// clockTimeout limits one call to the local Stripe's clock. Advancing a demo by a year of renewals
// takes a few seconds.
const clockTimeout = time.Minute

// clockState is the local Stripe's clock, and the output of `usher clock advance --json`.
type clockState struct {
	Now int64 `json:"now"` // Unix seconds
}

func runClock(ctx context.Context, inv *invocation) error {
	inv.jsonFlag()
	args, err := inv.parse()
	if err != nil {
		return err
	}
	if len(args) < 2 || args[0] != "advance" {
		return usageError("takes advance and a span such as 1 month")
	}
	config, err := loadConfig(inv.getenv, dotenvFile)
	if err != nil {
		return err
	}
	apiBase, err := readAddressFile(localStripeFile(config))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no local Stripe runs on DATA_DIR=%s; start `usher` first", config.DataDir)
	}
	if err != nil {
		return err
	}
	body := url.Values{"by": {strings.Join(args[1:], " ")}}.Encode()
	state, err := callClock(ctx, http.MethodPost, apiBase, body)
	if err != nil {
		return err
	}
	now := time.Unix(state.Now, 0).UTC().Format("2 Jan 2006 15:04 MST")
	return inv.print(state, fmt.Sprintf("The local Stripe's clock is at %s.\n", now))
}

// callClock reads the local Stripe's clock with GET, or advances it with POST and a form.
func callClock(ctx context.Context, method, apiBase, form string) (state clockState, err error) {
	ctx, cancel := context.WithTimeout(ctx, clockTimeout)
	defer cancel()
	body := strings.NewReader(form)
	request, err := http.NewRequestWithContext(ctx, method, apiBase+"/_usher/clock", body)
	if err != nil {
		return state, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return state, fmt.Errorf("connect to the local Stripe: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		message, _ := io.ReadAll(io.LimitReader(response.Body, 500))
		return state, fmt.Errorf("local Stripe's clock: %s", strings.TrimSpace(string(message)))
	}
	if err := json.NewDecoder(response.Body).Decode(&state); err != nil {
		return state, fmt.Errorf("read the local Stripe's clock: %w", err)
	}
	return state, nil
}
