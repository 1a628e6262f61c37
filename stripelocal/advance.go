package stripelocal

import "fmt"

// Advance puts the account's clock ahead by a span such as "3 days" or
// "1 month"; what becomes due on the way happens in order, each at its own
// time. The error says what a span looks like.
func (s *Server) Advance(by string) error {
	to, err := s.clockTarget("", by)
	if err != nil {
		return fmt.Errorf("advance the clock: %w", err)
	}
	s.AdvanceClock(to)
	return nil
}
