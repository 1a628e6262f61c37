package stripelocal

import (
	"fmt"

	"usher/stripelocal/wire"
)

// The possible responses to a call that requests another version than APIVersion. Both have
// APIVersion in the header Stripe-Version, because nothing is translated.
const (
	OtherVersionsRefuse = "refuse" // 400
	OtherVersionsAnswer = "answer" // in the shapes of APIVersion
)

// SetOtherVersions sets what a call gets that requests another version than APIVersion. It returns
// an error for anything but the OtherVersions values.
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

// checkVersion refuses a version that the response would not have.
func (s *Server) checkVersion(version string) *wire.Error {
	if version == "" || version == APIVersion {
		return nil
	}
	if !versionPattern.MatchString(version) {
		return wire.Invalid("", "", "Invalid Stripe API version: "+version)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.store.otherVersions() == OtherVersionsAnswer {
		return nil
	}
	return wire.Invalid("", "", fmt.Sprintf("This local Stripe speaks API version %s and does not translate to %s. Set the version in the SDK, or use the SDK's release for it. To get the shapes of %s nevertheless: POST /_usher/settings with other_versions=answer.", APIVersion, version, APIVersion))
}
