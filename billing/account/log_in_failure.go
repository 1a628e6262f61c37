package account

// LogInFailure is the cause of a refused log-in, for the security log. No page shows it.
type LogInFailure struct {
	Reason string // unknown_address or wrong_password
	UserID string // empty for an unknown address
}

// Error implements error.
func (f *LogInFailure) Error() string { return f.Reason }

// Unwrap returns [ErrWrongPassword]: rate limits count both reasons as a guess.
func (f *LogInFailure) Unwrap() error { return ErrWrongPassword }

// The reasons of [LogInFailure].
const (
	ReasonUnknownAddress = "unknown_address"
	ReasonWrongPassword  = "wrong_password"
)
