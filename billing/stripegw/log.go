package stripegw

import (
	"context"
	"fmt"
	"log/slog"
)

// debugLog writes stripe-go's messages to slog at debug level: the caller reports errors once.
type debugLog struct{ log *slog.Logger }

// Debugf discards the message: stripe-go writes whole responses here, with personal data.
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
