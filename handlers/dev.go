package handlers

import (
	"net/http"

	"usher/billing/apperr"
	devviews "usher/views/dev"
	"usher/views/layout"
)

// clockSteps are how far the local Stripe's clock can be put ahead at once.
var clockSteps = []string{"1 day", "1 week", "1 month", "1 year"}

// showClock is the page of the local Stripe's clock.
func (s *server) showClock(w http.ResponseWriter, r *http.Request) error {
	return render(w, r, http.StatusOK, devviews.ClockPage(devviews.ClockPageProps{
		Layout: s.layout(r, layout.SectionNone), Now: s.clock.Now(), Steps: clockSteps,
	}))
}

// advanceClock puts the local Stripe's clock ahead: renewals, retries and trial ends on the way happen, and Stripe tells of them.
func (s *server) advanceClock(w http.ResponseWriter, r *http.Request) error {
	if err := s.clock.Advance(r.PostFormValue("by")); err != nil {
		return &apperr.Error{Code: apperr.CodeInvalid, Message: "The clock can be put ahead by spans such as 3 days or 1 month.", Err: err}
	}
	s.redirect(w, r, "/dev/clock")
	return nil
}
