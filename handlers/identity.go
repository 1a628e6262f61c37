package handlers

import (
	"context"
	"errors"
	"net/http"

	"usher/billing/account"
	"usher/billing/apperr"
)

// identity says who sent a request.
type identity struct {
	userID   string          // empty: not signed in
	key      *account.APIKey // nil: a person
	access   account.Access  // zero: not signed in, or not a member of any organization
	operator bool            // operates this installation
	// secondFactor: the user has set up two-step verification.
	secondFactor bool
}

func (v identity) signedIn() bool { return v.userID != "" }

func (v identity) isMember() bool { return v.access.Organization.ID != "" }

// identify returns who sent a request: the program with an API key or the session's user. Only
// routes of the API take keys.
func (s *server) identify(w http.ResponseWriter, r *http.Request, rt route) (identity, error) {
	secret, ok := bearerToken(r)
	if !ok || !rt.response.forPrograms() || rt.policy == public {
		return s.sessions.identify(r.Context())
	}
	v, err := s.identifyKey(r, rt, secret)
	if err != nil && apperr.CodeOf(err) != apperr.CodeForbidden {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	return v, err
}

func (s *server) identifyKey(r *http.Request, rt route, secret string) (identity, error) {
	if rt.policy == installation {
		key, err := s.apiKeys.AuthenticateInstallation(r.Context(), secret)
		return identity{key: &key}, err
	}
	key, access, err := s.apiKeys.Authenticate(r.Context(), secret, r.Header.Get("Usher-Organization"))
	return identity{key: &key, access: access}, err
}

func identityOf(r *http.Request) identity { return stateOf(r).identity }

// accessOf returns the viewer's access to the current organization. It is set only if the route's
// policy requires a member.
func accessOf(r *http.Request) account.Access { return identityOf(r).access }

// identify finds the signed-in user and the current organization. That is the session's
// organization or, if the user is no longer a member of it, their first one.
func (m *sessionManager) identify(ctx context.Context) (identity, error) {
	userID := m.userID(ctx)
	if userID == "" {
		return identity{}, nil
	}
	access, err := m.currentAccess(ctx, userID)
	if errors.Is(err, apperr.ErrNotFound) {
		return m.identityWithoutOrganization(ctx, userID)
	}
	return identity{userID: userID, access: access, operator: m.users.IsOperator(access.User), secondFactor: access.User.SecondFactorAt != nil}, err
}

func (m *sessionManager) identityWithoutOrganization(ctx context.Context, userID string) (identity, error) {
	user, err := m.users.Get(ctx, userID)
	if errors.Is(err, apperr.ErrNotFound) {
		return identity{userID: userID}, nil
	}
	return identity{userID: userID, access: account.Access{User: user}, operator: m.users.IsOperator(user), secondFactor: user.SecondFactorAt != nil}, err
}

func (m *sessionManager) currentAccess(ctx context.Context, userID string) (account.Access, error) {
	if current := m.GetString(ctx, sessionOrganization); current != "" {
		access, err := m.organizations.Access(ctx, userID, current)
		if !errors.Is(err, apperr.ErrNotFound) {
			return access, err
		}
	}
	return m.firstAccess(ctx, userID)
}

// firstAccess does not write to the session: a GET request that saves a session could restore one
// that is being signed out.
func (m *sessionManager) firstAccess(ctx context.Context, userID string) (account.Access, error) {
	first, err := m.firstOrganization(ctx, userID)
	if err != nil {
		return account.Access{}, err
	}
	if first == "" {
		return account.Access{}, apperr.ErrNotFound
	}
	return m.organizations.Access(ctx, userID, first)
}

// firstOrganization returns the id of the user's oldest membership; empty if there is none.
func (m *sessionManager) firstOrganization(ctx context.Context, userID string) (string, error) {
	organizations, err := m.organizations.OfUser(ctx, userID)
	if err != nil || len(organizations) == 0 {
		return "", err
	}
	return organizations[0].ID, nil
}
