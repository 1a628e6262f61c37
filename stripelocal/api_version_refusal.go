package stripelocal

import (
	"fmt"
	"regexp"

	"usher/stripelocal/wire"
)

// The possible responses to a call that requests a version which is none of APIVersions. Both have
// APIVersion in the header Stripe-Version.
const (
	OtherVersionsRefuse = "refuse" // 400
	OtherVersionsAnswer = "answer" // in the shapes of APIVersion
)

// SetOtherVersions sets what a call gets that requests a version which is none of APIVersions. It
// returns an error for anything but the OtherVersions values.
func (s *Server) SetOtherVersions(what string) error {
	if err := checkOtherVersions(what); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store.OtherVersions = what
	s.stateWriter.markDirty()
	return nil
}

func checkOtherVersions(what string) error {
	if what != OtherVersionsRefuse && what != OtherVersionsAnswer {
		return fmt.Errorf("other_versions: %q is none of refuse, answer", what)
	}
	return nil
}

func (st *store) otherVersions() string {
	if st.OtherVersions == "" {
		return OtherVersionsRefuse
	}
	return st.OtherVersions
}

var versionPattern = regexp.MustCompile(`^20\d\d-\d\d-\d\d(\.[a-z]+)?$`)

// responseVersion returns the version of the response to a call that requests a version. It refuses
// a version that the response would not have.
func (s *Server) responseVersion(requested string) (string, *wire.Error) {
	switch {
	case requested == "":
		return APIVersion, nil
	case isAPIVersion(requested):
		return requested, nil
	case !versionPattern.MatchString(requested):
		return "", wire.Invalid("", "", "Invalid Stripe API version: "+requested)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.store.otherVersions() == OtherVersionsAnswer {
		return APIVersion, nil
	}
	return "", wire.Invalid("", "", fmt.Sprintf("This local Stripe speaks the API versions from %s to %s, and not %s. Set another version in the SDK. To get the shapes of %s nevertheless: POST /_usher/settings with other_versions=answer.", APIVersion, LatestAPIVersion(), requested, APIVersion))
}
