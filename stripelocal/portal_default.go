package stripelocal

import "fmt"

// SetPortalConfiguration makes a configuration of the customer portal the account's default, as
// saving the portal's settings in Stripe's dashboard does: sessions that name no configuration have
// it. It returns an error unless the configuration exists and is active.
func (s *Server) SetPortalConfiguration(id string) error {
	if err := s.checkPortalConfiguration(id); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.store.PortalConfigurations.all {
		x.IsDefault = x.ID == id
	}
	s.stateWriter.markDirty()
	return nil
}

// checkPortalConfiguration accepts every id of a seed, which is read before anything is created.
func (s *Server) checkPortalConfiguration(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.store == nil {
		return nil
	}
	if x, ok := s.store.PortalConfigurations.get(id); !ok || !x.Active {
		return fmt.Errorf("portal_configuration: %q is no active configuration of the portal", id)
	}
	return nil
}

func (st *store) defaultPortalConfiguration() (*PortalConfiguration, bool) {
	for _, x := range st.PortalConfigurations.all {
		if x.IsDefault && x.Active {
			return x, true
		}
	}
	return nil, false
}
