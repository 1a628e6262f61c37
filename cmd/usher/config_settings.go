package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/joho/godotenv"
)

// settings reads variables and notes what is wrong with them instead of stopping.
type settings struct {
	getenv     func(string) string
	file       map[string]string // of .env
	production bool
	given      map[string]bool
	mistakes   mistakes
}

// newSettings decides first whether this is production, because .env is read in development only.
func newSettings(getenv func(string) string, dotenv string) *settings {
	s := &settings{getenv: getenv, given: map[string]bool{}}
	s.production = s.choice("APP_ENV", "development", "development", "production") == "production"
	if !s.production {
		s.readFile(dotenv)
	}
	return s
}

// readFile reads .env; one that does not exist is none. Nothing of a broken one is told but its line: it holds secrets.
func (s *settings) readFile(name string) {
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		s.mistakes.missing(name, "it cannot be read: "+err.Error(), "Make it a file you may read, or remove it")
		return
	}
	values, err := godotenv.UnmarshalBytes(text)
	if err != nil {
		s.mistakes.missing(fmt.Sprintf("%s, line %d", name, brokenLine(string(text))), "it cannot be read as NAME=value", "Write one NAME=value a line, values with spaces or # in quotes")
		return
	}
	if values["APP_ENV"] != "" && s.getenv("APP_ENV") == "" && values["APP_ENV"] != "development" {
		s.mistakes.missing("APP_ENV", name+" sets it, but that file is read in development only", "Set it in the environment itself")
	}
	s.file = values
}

// brokenLine is the line where the statement begins that keeps the text from being read.
func brokenLine(text string) int {
	lines := strings.SplitAfter(text, "\n")
	for n := len(lines) - 1; n > 0; n-- {
		if _, err := godotenv.Unmarshal(strings.Join(lines[:n], "")); err == nil {
			return n + 1
		}
	}
	return 1
}

// value looks a variable up, the environment before the file. Space around it never means anything.
func (s *settings) value(variable string) (string, bool) {
	value := strings.TrimSpace(s.getenv(variable))
	if value == "" {
		value = strings.TrimSpace(s.file[variable])
	}
	if value != "" {
		s.given[variable] = true
	}
	return value, value != ""
}

// text reads a variable that may hold anything.
func (s *settings) text(variable, fallback string) string {
	if value, ok := s.value(variable); ok {
		return value
	}
	return fallback
}

// choice reads a variable that holds one of a few words.
func (s *settings) choice(variable, fallback string, words ...string) string {
	value, ok := s.value(variable)
	if !ok {
		return fallback
	}
	for _, word := range words {
		if strings.EqualFold(value, word) {
			return word
		}
	}
	s.mistakes.add(variable, value, "it is not known", "Set it to "+strings.Join(words, " or ")+", or leave it out for "+fallback)
	return fallback
}

// list reads a comma-separated variable without its empty items. One that holds nothing else is a mistake.
func (s *settings) list(variable string) []string {
	value, ok := s.value(variable)
	if !ok {
		return nil
	}
	var items []string
	for item := range strings.SplitSeq(value, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	if len(items) == 0 {
		s.mistakes.add(variable, value, "the list holds only commas", "Write its items between the commas, or leave it out")
	}
	return items
}
