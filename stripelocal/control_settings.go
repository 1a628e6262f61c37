package stripelocal

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// The possible results for a subscription after its last payment retry (docs: smart retries, an
// account setting). That a new account starts with AfterDunningCancel is inferred.
const (
	AfterDunningCancel  = "cancel"
	AfterDunningUnpaid  = "unpaid"
	AfterDunningPastDue = "past_due"
)

// The moments at which the portal's limits are enforced. Stripe documents the limits (docs:
// customer management) but not the moment. The default is PortalRefusalCreate: a public report
// (cobuildwithus/murph, pull request 1258) says that Stripe rejected a configuration with two
// monthly prices of one product. Every value refuses in the end; a client must survive each.
const (
	PortalRefusalCreate  = "create"  // configurations and deep links are 400
	PortalRefusalSession = "session" // any configuration is accepted; sessions with it are 400
	PortalRefusalPage    = "page"    // the API accepts all; the hosted page refuses
)

// AfterDunning returns what happens to a subscription after the last retry, an AfterDunning value.
func (s *Server) AfterDunning() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.store.afterDunning()
}

// SetAfterDunning sets what happens to a subscription after the last retry. It returns an error for
// anything but the AfterDunning values.
func (s *Server) SetAfterDunning(what string) error {
	if err := checkAfterDunning(what); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store.AfterDunning = what
	s.stateWriter.markDirty()
	return nil
}

func checkAfterDunning(what string) error {
	switch what {
	case AfterDunningCancel, AfterDunningUnpaid, AfterDunningPastDue:
		return nil
	}
	return fmt.Errorf("after_dunning: %q is none of cancel, unpaid, past_due", what)
}

func checkPortalRefusal(when string) error {
	switch when {
	case PortalRefusalCreate, PortalRefusalSession, PortalRefusalPage:
		return nil
	}
	return fmt.Errorf("portal_refusal: %q is none of create, session, page", when)
}

// SetPortalRefusal sets when the portal's limits are enforced. It returns an error for anything but
// the PortalRefusal values.
func (s *Server) SetPortalRefusal(when string) error {
	if err := checkPortalRefusal(when); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store.PortalRefusal = when
	s.stateWriter.markDirty()
	return nil
}

// SetWithoutTerms sets whether the account lacks the URL of its terms of service. Then sessions
// that collect consent to them are refused.
func (s *Server) SetWithoutTerms(without bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store.WithoutTerms = without
	s.stateWriter.markDirty()
}

// SetWithoutStripeTax sets whether Stripe Tax is not activated. Then automatic tax is refused.
func (s *Server) SetWithoutStripeTax(without bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store.WithoutStripeTax = without
	s.stateWriter.markDirty()
}

// portalRefusal is the setting with its default.
func (st *store) portalRefusal() string {
	if st.PortalRefusal == "" {
		return PortalRefusalCreate
	}
	return st.PortalRefusal
}

func (st *store) afterDunning() string {
	if st.AfterDunning == "" {
		return AfterDunningCancel
	}
	return st.AfterDunning
}

// settingsView is the response of /_usher/settings.
type settingsView struct {
	AfterDunning  string  `json:"after_dunning"`
	PortalRefusal string  `json:"portal_refusal"`
	TermsURL      bool    `json:"terms_url"`
	StripeTax     bool    `json:"stripe_tax"`
	Speed         float64 `json:"speed"`
	OtherVersions string  `json:"other_versions"`
	// PortalConfiguration is the id of the portal's default configuration, or "".
	PortalConfiguration string `json:"portal_configuration"`
}

func (c control) showSettings(w http.ResponseWriter, _ *http.Request) {
	c.mu.Lock()
	view := settingsView{
		AfterDunning: c.store.afterDunning(), PortalRefusal: c.store.portalRefusal(),
		TermsURL: !c.store.WithoutTerms, StripeTax: !c.store.WithoutStripeTax, Speed: c.store.speed(), OtherVersions: c.store.otherVersions(),
	}
	if config, ok := c.store.defaultPortalConfiguration(); ok {
		view.PortalConfiguration = config.ID
	}
	c.mu.Unlock()
	writeJSON(w, http.StatusOK, view)
}

// changeSettings takes a form with any of the settings. It changes all of them or none.
func (c control) changeSettings(w http.ResponseWriter, req *http.Request) {
	req.Body = http.MaxBytesReader(w, req.Body, maxBodyBytes)
	if err := req.ParseForm(); err != nil {
		http.Error(w, "The form could not be read.", http.StatusBadRequest)
		return
	}
	values := map[string]string{}
	for name := range req.PostForm {
		values[name] = req.PostForm.Get(name)
	}
	if err := c.setAll(values); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.showSettings(w, req)
}

// settingNames are the settings in the order in which they are documented.
var settingNames = []string{"after_dunning", "portal_refusal", "terms_url", "stripe_tax", "speed", "other_versions", "portal_configuration"}

// setAll changes settings by name.
func (s *Server) setAll(values map[string]string) error {
	if len(values) == 0 {
		return fmt.Errorf("send one of %s", strings.Join(settingNames, ", "))
	}
	var changes []func() error
	for name, value := range values {
		change, err := s.setting(name, value)
		if err != nil {
			return err
		}
		changes = append(changes, change)
	}
	for _, change := range changes {
		if err := change(); err != nil {
			return err
		}
	}
	return nil
}

// setting checks a setting and returns the change.
func (s *Server) setting(name, value string) (func() error, error) {
	switch name {
	case "after_dunning":
		return func() error { return s.SetAfterDunning(value) }, checkAfterDunning(value)
	case "other_versions":
		return func() error { return s.SetOtherVersions(value) }, checkOtherVersions(value)
	case "portal_configuration":
		return func() error { return s.SetPortalConfiguration(value) }, s.checkPortalConfiguration(value)
	case "portal_refusal":
		return func() error { return s.SetPortalRefusal(value) }, checkPortalRefusal(value)
	case "terms_url", "stripe_tax":
		has, err := strconv.ParseBool(value)
		if err != nil {
			return nil, fmt.Errorf("%s: %q is neither true nor false", name, value)
		}
		set := map[string]func(bool){"terms_url": s.SetWithoutTerms, "stripe_tax": s.SetWithoutStripeTax}[name]
		return func() error { set(!has); return nil }, nil
	case "speed":
		speed, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return nil, fmt.Errorf("speed: %q is no number", value)
		}
		return func() error { return s.SetSpeed(speed) }, checkSpeed(speed)
	}
	return nil, fmt.Errorf("%s is none of the settings %s", name, strings.Join(settingNames, ", "))
}
