package stripegw

import (
	"context"
	"fmt"
	"log/slog"
)

// debugLog takes stripe-go's messages to slog, all at debug level: what failed is reported once, by whoever receives the error.
type debugLog struct{ log *slog.Logger }

// Debugf is where stripe-go writes whole answers, people's names and addresses in them: it is left out.
func (debugLog) Debugf(string, ...any) {}

// Infof logs at debug level.
func (l debugLog) Infof(format string, args ...any) { l.write(format, args) }

// Warnf logs at debug level.
func (l debugLog) Warnf(format string, args ...any) { l.write(format, args) }

// Errorf logs at debug level.
func (l debugLog) Errorf(format string, args ...any) { l.write(format, args) }

func (l debugLog) write(format string, args []any) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.log.Debug("stripe: " + fmt.Sprintf(format, args...))
	}
}
