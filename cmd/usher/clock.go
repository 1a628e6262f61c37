package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// clockTimeout bounds an advance: a year of renewals of a demo takes a moment.
const clockTimeout = time.Minute

func clockCommand() command {
	return command{
		name: "clock", summary: "put the running local Stripe's clock ahead", usage: "advance SPAN [--json]   (SPAN: 3 days, 1 month, 1 year …)",
		prepare: func(set *flag.FlagSet) func(context.Context, program, []string) error {
			asJSON := set.Bool("json", false, "print JSON")
			return func(ctx context.Context, p program, args []string) error {
				if len(args) < 2 || args[0] != "advance" {
					return usageError{"takes advance and a span such as 1 month"}
				}
				return advanceClock(ctx, p, strings.Join(args[1:], " "), *asJSON)
			}
		},
	}
}

// clockState is what `usher clock advance --json` prints.
type clockState struct {
	Now int64 `json:"now"` // Unix seconds
}

func advanceClock(ctx context.Context, p program, by string, asJSON bool) error {
	config, err := loadConfig(p.getenv, dotenvFile)
	if err != nil {
		return err
	}
	base, err := os.ReadFile(addressFile(config))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no local Stripe runs on DATA_DIR=%s; start `usher` first", config.DataDir)
	}
	if err != nil {
		return err
	}
	state, err := postClock(ctx, strings.TrimSpace(string(base)), by)
	if err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(p.stdout).Encode(state)
	}
	_, err = fmt.Fprintf(p.stdout, "The local Stripe's clock is at %s.\n", time.Unix(state.Now, 0).UTC().Format("2 Jan 2006 15:04 MST"))
	return err
}

func postClock(ctx context.Context, base, by string) (clockState, error) {
	ctx, cancel := context.WithTimeout(ctx, clockTimeout)
	defer cancel()
	body := strings.NewReader(url.Values{"by": {by}}.Encode())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/_usher/clock", body)
	if err != nil {
		return clockState{}, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return clockState{}, fmt.Errorf("reach the local Stripe: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		sentence, _ := io.ReadAll(io.LimitReader(answer.Body, 500))
		return clockState{}, fmt.Errorf("advance the clock: %s", strings.TrimSpace(string(sentence)))
	}
	var state clockState
	if err := json.NewDecoder(answer.Body).Decode(&state); err != nil {
		return clockState{}, fmt.Errorf("advance the clock: %w", err)
	}
	return state, nil
}
