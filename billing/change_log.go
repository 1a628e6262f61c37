package billing

import (
	"fmt"
	"slices"
)

// ChangeLog lists what the transactions of an event wrote, as text for operators.
type ChangeLog struct{ Lines []string }

// Record adds a line unless it is listed: a retried transaction records the same line again. A nil
// log records nothing.
func (l *ChangeLog) Record(format string, args ...any) {
	if l == nil {
		return
	}
	if line := fmt.Sprintf(format, args...); !slices.Contains(l.Lines, line) {
		l.Lines = append(l.Lines, line)
	}
}
