package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// promtool is Prometheus' own tool, which .ci/install puts beside the build.
func promtool(t *testing.T) string {
	t.Helper()
	if path, err := exec.LookPath("promtool"); err == nil {
		return path
	}
	path, err := filepath.Abs(filepath.Join(root, ".build", "promtool"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatal("promtool is missing: run .ci/install, as make test does")
	}
	return path
}

// Prometheus accepts the rules, and each alert fires for its fault and not before.
func TestAlertRules(t *testing.T) {
	tool := promtool(t)
	for _, args := range [][]string{{"check", "rules", "alerts.yml"}, {"test", "rules", "alerts_test.yml"}} {
		cmd := exec.Command(tool, args...)
		cmd.Dir = filepath.Join(root, "ops")
		out, err := cmd.CombinedOutput()
		t.Logf("promtool %s: %s", strings.Join(args, " "), out)
		if err != nil {
			t.Error(err)
		}
	}
}

// Each alert has a test and a section of the runbooks, and no section is without an alert.
func TestAlertsHaveRunbooks(t *testing.T) {
	named := func(file, pattern string) []string {
		var names []string
		for _, match := range regexp.MustCompile(pattern).FindAllSubmatch(readFile(t, file), -1) {
			names = append(names, string(match[1]))
		}
		slices.Sort(names)
		return slices.Compact(names)
	}
	alerts := named("ops/alerts.yml", `(?m)alert: (\w+)`)
	if sections := named("docs/runbooks.md", `(?m)^## (\w+)$`); !slices.Equal(alerts, sections) {
		t.Errorf("the runbooks are about\n%v\nand the alerts are\n%v", sections, alerts)
	}
	if tested := named("ops/alerts_test.yml", `(?m)- name: (Usher\w+)`); !slices.Equal(alerts, tested) {
		t.Errorf("the tests are about\n%v\nand the alerts are\n%v", tested, alerts)
	}
	var anchors []string
	for _, name := range alerts {
		anchors = append(anchors, strings.ToLower(name))
	}
	slices.Sort(anchors)
	if linked := named("ops/alerts.yml", `runbook: docs/runbooks\.md#(\w+)`); !slices.Equal(anchors, linked) {
		t.Errorf("the alerts link to\n%v, want\n%v", linked, anchors)
	}
}
