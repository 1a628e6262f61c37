package admin

import (
	"context"

	"usher/views/locale"
)

// plural formats a number with its noun: 1 job, 9 jobs. Operators' pages are in English.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return locale.Count(context.Background(), n) + " " + many
}
