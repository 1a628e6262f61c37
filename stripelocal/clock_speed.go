package stripelocal

import (
	"fmt"
	"math"
	"time"
)

const (
	// speedStep is how often a fast clock is advanced.
	speedStep = 100 * time.Millisecond
	// maxSpeed is a week a second.
	maxSpeed = 7 * 24 * 60 * 60
)

// SetSpeed sets how many times as fast as the real time the account's clock runs, from 1 to 604800.
// Everything that becomes due on the way runs at its own time, as with AdvanceClock.
func (s *Server) SetSpeed(speed float64) error {
	if err := checkSpeed(speed); err != nil {
		return err
	}
	s.speedUp() // with the speed so far
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store.Speed = speed
	s.stateWriter.markDirty()
	return nil
}

func checkSpeed(speed float64) error {
	if !(speed >= 1 && speed <= maxSpeed) { // not a number is neither
		return fmt.Errorf("speed: %v is not between 1 and %d", speed, maxSpeed)
	}
	return nil
}

// setOptionSpeed applies Options.Speed. The caller has the server's lock, or is New.
func (s *Server) setOptionSpeed() {
	if s.optionSpeed != 0 {
		s.store.Speed = s.optionSpeed
	}
}

// speed is the setting with its default.
func (st *store) speed() float64 { return max(1, st.Speed) }

// speedUp advances the clock by what it is to gain since the last step.
func (s *Server) speedUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.wallClock()
	elapsed := now.Sub(s.speedAt).Seconds()
	s.speedAt = now
	if s.store.speed() == 1 || elapsed <= 0 {
		return
	}
	gained, carry := math.Modf(s.speedCarry + elapsed*(s.store.speed()-1))
	s.speedCarry = carry
	if gained > 0 {
		s.advanceBy(int64(gained))
	}
}
