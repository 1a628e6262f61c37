package stripelocal

import "slices"

// The store holds objects in the shapes of APIVersion. A newer version is a chain of steps: each
// step holds what its version changed, for the objects and parameters that this package has.
// Responses and events pass the steps from the oldest to the newest, parameters from the newest to
// the oldest. Each named version has a file: api_version_acacia.go, api_version_basil.go and so on.

// versionStep is what one API version changed.
type versionStep struct {
	version string                    // the first version with the change
	objects map[string][]objectChange // by object type
	params  map[string][]paramChange  // by the pattern of a route
	added   []string                  // patterns of routes that older versions lack
	removed []string                  // patterns of routes that this and newer versions lack
	events  []string                  // types of events that older versions lack
}

// versionSteps are all steps, from the oldest to the newest.
func versionSteps() []versionStep {
	return slices.Concat(acaciaSteps(), basilSteps(), cloverSteps(), dahliaSteps(), endiveSteps())
}

// APIVersions are the versions that calls and webhook endpoints may request, from APIVersion to the
// newest (types of stripe-node 23.1.0: WebhookEndpointCreateParams.ApiVersion).
func APIVersions() []string {
	return []string{
		APIVersion,
		"2024-09-30.acacia", "2024-10-28.acacia", "2024-11-20.acacia", "2024-12-18.acacia", "2025-01-27.acacia", "2025-02-24.acacia",
		"2025-03-31.basil", "2025-04-30.basil", "2025-05-28.basil", "2025-06-30.basil", "2025-07-30.basil", "2025-08-27.basil",
		"2025-09-30.clover", "2025-10-29.clover", "2025-11-17.clover", "2025-12-15.clover", "2026-01-28.clover", "2026-02-25.clover",
		"2026-03-25.dahlia", "2026-04-22.dahlia", "2026-05-27.dahlia", "2026-06-24.dahlia", "2026-07-29.dahlia", "2026-08-26.dahlia",
		"2026-09-30.endive", "2026-10-28.endive",
	}
}

// LatestAPIVersion is the newest version that responses and events can have.
func LatestAPIVersion() string {
	all := APIVersions()
	return all[len(all)-1]
}

func isAPIVersion(version string) bool { return slices.Contains(APIVersions(), version) }

// stepsTo returns the steps that lead from APIVersion to a version. The names of versions sort by
// date.
func (t apiTables) stepsTo(version string) []versionStep {
	upTo := slices.IndexFunc(t.steps, func(step versionStep) bool { return step.version > version })
	if upTo < 0 {
		return t.steps
	}
	return t.steps[:upTo]
}

// hasEvents reports whether endpoints of a version are sent a type of event.
func (t apiTables) hasEvents(kind, version string) bool {
	return !slices.ContainsFunc(t.steps, func(step versionStep) bool {
		return step.version > version && slices.Contains(step.events, kind)
	})
}

// hasRoute reports whether a version has a route.
func (t apiTables) hasRoute(pattern, version string) bool {
	for _, step := range t.steps {
		reached := step.version <= version
		if reached && slices.Contains(step.removed, pattern) || !reached && slices.Contains(step.added, pattern) {
			return false
		}
	}
	return true
}
