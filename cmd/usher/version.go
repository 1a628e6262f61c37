package main

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"usher/billing/stripegw"
)

// versionInfo is the output of `usher version --json`.
type versionInfo struct {
	Version   string `json:"version"`
	Revision  string `json:"revision,omitempty"`
	Go        string `json:"go"`
	StripeAPI string `json:"stripeApi"`
}

// linkedVersion is the version of a build without a repository; the Dockerfile sets it by -ldflags.
var linkedVersion string

func runVersion(_ context.Context, inv *invocation) error {
	inv.jsonFlag()
	if err := inv.parseFlags(); err != nil {
		return err
	}
	info := readVersion()
	return inv.print(info, fmt.Sprintf("usher %s %s (%s, Stripe API %s)\n",
		info.Version, info.Revision, info.Go, info.StripeAPI))
}

func readVersion() versionInfo {
	info := versionInfo{Version: "unknown", Go: runtime.Version(), StripeAPI: stripegw.APIVersion}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return info
	}
	info.Version = cmp.Or(linkedVersion, build.Main.Version)
	for _, setting := range build.Settings {
		if setting.Key == "vcs.revision" {
			info.Revision = setting.Value
		}
	}
	return info
}
