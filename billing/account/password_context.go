package account

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// passwordContext is what others know or guess of the person whose password is set: the words that
// must not make up a password.
type passwordContext struct {
	name, email   string
	organizations []string // names
}

// productWords are the names of this product and of its host, unless that is a loopback name of
// development.
func productWords(baseURL string) []string {
	_, host, _ := strings.Cut(baseURL, "://")
	host, _, _ = strings.Cut(host, "/")
	host, _, _ = strings.Cut(host, ":")
	if strings.HasSuffix(host, "localhost") {
		return []string{"usher"}
	}
	return append(wordsOf(host), "usher")
}

// words returns the folded words of the context and of the product.
func (c passwordContext) words(product []string) []string {
	words := append(slices.Clone(product), wordsOf(c.name)...)
	words = append(words, wordsOf(c.email)...)
	for _, organization := range c.organizations {
		words = append(words, wordsOf(organization)...)
	}
	return words
}

// wordsOf returns the parts of a name or an address that consist of letters, each of at least two.
func wordsOf(text string) []string {
	var words []string
	for _, word := range strings.FieldsFunc(foldPassword(text), func(r rune) bool { return !isWordPart(r) }) {
		if utf8.RuneCountInString(word) >= minWordLength {
			words = append(words, word)
		}
	}
	return words
}

const minWordLength = 2

func isWordPart(r rune) bool { return unicode.IsLetter(r) || unicode.IsMark(r) }

// isMadeOf reports whether the letters of a folded password are a sequence of the words, in any
// order and number, and little else is in it: a year, a date or an exclamation mark.
func isMadeOf(folded string, words []string) bool {
	letters := strings.Map(func(r rune) rune {
		if isWordPart(r) {
			return r
		}
		return -1
	}, folded)
	others := utf8.RuneCountInString(folded) - utf8.RuneCountInString(letters)
	return letters != "" && others <= maxDecoration && isSequenceOf(letters, words)
}

// maxDecoration is how many digits and signs beside known words make no good password; a date has
// eight digits.
const maxDecoration = 8

// isSequenceOf reports whether a text can be cut into words. reached[i] tells that the first i
// bytes can.
func isSequenceOf(text string, words []string) bool {
	reached := make([]bool, len(text)+1)
	reached[0] = true
	for i := range len(text) {
		if !reached[i] {
			continue
		}
		for _, word := range words {
			if strings.HasPrefix(text[i:], word) {
				reached[i+len(word)] = true
			}
		}
	}
	return reached[len(text)]
}
