package billing

import (
	"fmt"
	"slices"
)

// ChangeLog lists what the transactions of an event wrote, as text for operators.
type ChangeLog struct{ Lines []string }

// Len returns the number of lines, 0 for a nil log.
func (l *ChangeLog) Len() int {
	if l == nil {
		return 0
	}
	return len(l.Lines)
}

// Truncate removes the lines after the first n: those of a transaction that is retried.
func (l *ChangeLog) Truncate(n int) {
	if l != nil {
		l.Lines = l.Lines[:n]
	}
}

// Record adds a line unless it is listed: several transactions of an event may write the same
// thing. A nil log records nothing.
func (l *ChangeLog) Record(format string, args ...any) {
	if l == nil {
		return
	}
	if line := fmt.Sprintf(format, args...); !slices.Contains(l.Lines, line) {
		l.Lines = append(l.Lines, line)
	}
}
