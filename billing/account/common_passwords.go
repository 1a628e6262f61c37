package account

import (
	"bufio"
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// commonPasswords is a gzipped list of passwords of 8 characters or more that attackers try first:
// in lower case, sorted, one a line. passwords/README.md names its source.
//
//go:embed passwords/common.txt.gz
var commonPasswords []byte

// isCommon reports whether a folded password is in the list. It reads the compressed list each
// time, which takes less than the hash of the password and keeps nothing in memory.
func isCommon(folded string) (bool, error) {
	list, err := gzip.NewReader(bytes.NewReader(commonPasswords))
	if err != nil {
		return false, fmt.Errorf("read common passwords: %w", err)
	}
	lines, searched := bufio.NewScanner(list), []byte(folded)
	for lines.Scan() {
		switch bytes.Compare(lines.Bytes(), searched) {
		case 0:
			return true, nil
		case 1:
			return false, nil
		}
	}
	if err := lines.Err(); err != nil {
		return false, fmt.Errorf("read common passwords: %w", err)
	}
	return false, nil
}

// foldPassword returns the form in which passwords and words are compared: in lower case, with one
// form for characters that look alike (NFKC), such as full-width letters. A password itself is
// hashed as it was typed.
func foldPassword(password string) string {
	return norm.NFKC.String(strings.ToLower(norm.NFKC.String(password)))
}

// isPattern reports whether a folded password repeats up to four characters (abcabcabc), or only
// counts up or down (abcdefgh, 87654321).
func isPattern(folded string) bool {
	runes := []rune(folded)
	for period := 1; period <= maxPatternPeriod; period++ {
		if repeats(runes, period) {
			return true
		}
	}
	return counts(runes, 1) || counts(runes, -1)
}

const maxPatternPeriod = 4

func repeats(runes []rune, period int) bool {
	if len(runes) < 2*period {
		return false
	}
	for i := period; i < len(runes); i++ {
		if runes[i] != runes[i-period] {
			return false
		}
	}
	return true
}

// counts reports whether each character follows the one before; after 9 comes 0.
func counts(runes []rune, step rune) bool {
	for i := 1; i < len(runes); i++ {
		next := runes[i-1] + step
		if unicode.IsDigit(runes[i-1]) {
			next = '0' + (runes[i-1]-'0'+step+10)%10
		}
		if runes[i] != next {
			return false
		}
	}
	return len(runes) > 1
}
