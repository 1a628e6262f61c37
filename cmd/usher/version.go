package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"

	"usher/billing/stripegw"
)

// versionInfo is what `usher version --json` prints.
type versionInfo struct {
	Version   string `json:"version"`
	Revision  string `json:"revision,omitempty"`
	Go        string `json:"go"`
	StripeAPI string `json:"stripeApi"`
}

func versionCommand() command {
	return command{
		name: "version", summary: "print the version", usage: "[--json]",
		prepare: func(set *flag.FlagSet) func(context.Context, program, []string) error {
			asJSON := set.Bool("json", false, "print JSON")
			return func(_ context.Context, p program, args []string) error {
				if err := noArguments(args); err != nil {
					return err
				}
				return printVersion(p, *asJSON)
			}
		},
	}
}

func printVersion(p program, asJSON bool) error {
	info := readVersion()
	if asJSON {
		return json.NewEncoder(p.stdout).Encode(info)
	}
	_, err := fmt.Fprintf(p.stdout, "usher %s %s (%s, Stripe API %s)\n", info.Version, info.Revision, info.Go, info.StripeAPI)
	return err
}

func readVersion() versionInfo {
	info := versionInfo{Version: "unknown", Go: runtime.Version(), StripeAPI: stripegw.APIVersion}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return info
	}
	info.Version = build.Main.Version
	for _, setting := range build.Settings {
		if setting.Key == "vcs.revision" {
			info.Revision = setting.Value
		}
	}
	return info
}
