package stripelocal

import (
	"fmt"
	"net/http"
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

// SetAfterDunning sets what happens to a subscription after the last retry. It returns an error for
// anything but the AfterDunning values.
func (s *Server) SetAfterDunning(what string) error {
	switch what {
	case AfterDunningCancel, AfterDunningUnpaid, AfterDunningPastDue:
	default:
		return fmt.Errorf("after_dunning: %q is none of cancel, unpaid, past_due", what)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store.AfterDunning = what
	s.stateWriter.markDirty()
	return nil
}

// SetPortalRefusal sets when the portal's limits are enforced. It returns an error for anything but
// the PortalRefusal values.
func (s *Server) SetPortalRefusal(when string) error {
	switch when {
	case PortalRefusalCreate, PortalRefusalSession, PortalRefusalPage:
	default:
		return fmt.Errorf("portal_refusal: %q is none of create, session, page", when)
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
	AfterDunning  string `json:"after_dunning"`
	PortalRefusal string `json:"portal_refusal"`
	TermsURL      bool   `json:"terms_url"`
	StripeTax     bool   `json:"stripe_tax"`
}

func (c control) showSettings(w http.ResponseWriter, _ *http.Request) {
	c.mu.Lock()
	view := settingsView{AfterDunning: c.store.afterDunning(), PortalRefusal: c.store.portalRefusal(), TermsURL: !c.store.WithoutTerms, StripeTax: !c.store.WithoutStripeTax}
	c.mu.Unlock()
	writeJSON(w, http.StatusOK, view)
}

// changeSettings takes after_dunning=cancel|unpaid|past_due, portal_refusal=create|session|page,
// and terms_url and stripe_tax=true|false, what the account has.
func (c control) changeSettings(w http.ResponseWriter, req *http.Request) {
	dunning, portal := req.PostFormValue("after_dunning"), req.PostFormValue("portal_refusal")
	var err error
	terms, tax := req.PostFormValue("terms_url"), req.PostFormValue("stripe_tax")
	if terms != "" {
		c.SetWithoutTerms(terms == "false")
	}
	if tax != "" {
		c.SetWithoutStripeTax(tax == "false")
	}
	if dunning != "" || portal+terms+tax == "" {
		err = c.SetAfterDunning(dunning)
	}
	if err == nil && portal != "" {
		err = c.SetPortalRefusal(portal)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.showSettings(w, req)
}
