package main

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// variablesRead lists every variable that the configuration asks for.
func variablesRead(t *testing.T) []string {
	t.Helper()
	asked := map[string]bool{}
	_, err := loadConfig(func(variable string) string { asked[variable] = true; return "" }, noFile(t))
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(asked))
}

// TestVariablesAreDocumented holds the README's tables and .env.example against what is read.
func TestVariablesAreDocumented(t *testing.T) {
	read := variablesRead(t)
	places := map[string]*regexp.Regexp{
		"README.md":    regexp.MustCompile("(?m)^\\| `([A-Z_]+)` \\|"),
		".env.example": regexp.MustCompile(`(?m)^# ([A-Z_]+)=`),
	}
	for name, pattern := range places {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		documented := map[string]bool{}
		for _, match := range pattern.FindAllSubmatch(text, -1) {
			documented[string(match[1])] = true
		}
		if got := slices.Sorted(maps.Keys(documented)); !slices.Equal(got, read) {
			t.Errorf("%s documents\n%v\nbut read are\n%v", name, got, read)
		}
	}
}
