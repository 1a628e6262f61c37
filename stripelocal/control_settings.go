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
}

func (c control) showSettings(w http.ResponseWriter, _ *http.Request) {
	c.mu.Lock()
	view := settingsView{AfterDunning: c.store.afterDunning(), PortalRefusal: c.store.portalRefusal()}
	c.mu.Unlock()
	writeJSON(w, http.StatusOK, view)
}

// changeSettings takes after_dunning=cancel|unpaid|past_due and portal_refusal=create|session|page.
func (c control) changeSettings(w http.ResponseWriter, req *http.Request) {
	dunning, portal := req.PostFormValue("after_dunning"), req.PostFormValue("portal_refusal")
	var err error
	if dunning != "" || portal == "" {
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
