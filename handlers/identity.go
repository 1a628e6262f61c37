package handlers

import (
	"context"
	"errors"
	"net/http"

	"usher/billing/account"
	"usher/billing/apperr"
)

// identity is who asks.
type identity struct {
	userID   string         // empty: nobody is signed in
	access   account.Access // zero: nobody is signed in, or they are in no organization
	operator bool           // runs this installation
}

func (v identity) signedIn() bool { return v.userID != "" }

func (v identity) isMember() bool { return v.access.Organization.ID != "" }

func identityOf(r *http.Request) identity { return stateOf(r).identity }

// accessOf returns who acts on which organization. Only routes that need a member may ask.
func accessOf(r *http.Request) account.Access { return identityOf(r).access }

// identify finds who is signed in, and the organization they work in: the session's, or where they left that, their first.
func (s *server) identify(ctx context.Context) (identity, error) {
	userID := s.sessions.GetString(ctx, sessionUser)
	if userID == "" {
		return identity{}, nil
	}
	access, err := s.currentAccess(ctx, userID)
	if errors.Is(err, apperr.ErrNotFound) {
		return s.identityWithoutOrganization(ctx, userID)
	}
	return identity{userID: userID, access: access, operator: s.billing.Users.IsOperator(access.User)}, err
}

func (s *server) identityWithoutOrganization(ctx context.Context, userID string) (identity, error) {
	user, err := s.billing.Users.Get(ctx, userID)
	if errors.Is(err, apperr.ErrNotFound) {
		return identity{userID: userID}, nil
	}
	return identity{userID: userID, operator: s.billing.Users.IsOperator(user)}, err
}

func (s *server) currentAccess(ctx context.Context, userID string) (account.Access, error) {
	if current := s.sessions.GetString(ctx, sessionOrganization); current != "" {
		access, err := s.billing.Organizations.Access(ctx, userID, current)
		if !errors.Is(err, apperr.ErrNotFound) {
			return access, err
		}
	}
	return s.firstAccess(ctx, userID)
}

// firstAccess is not written to the session: a GET that saves a session could bring one back that is being signed out.
func (s *server) firstAccess(ctx context.Context, userID string) (account.Access, error) {
	first, err := s.firstOrganization(ctx, userID)
	if err != nil {
		return account.Access{}, err
	}
	if first == "" {
		return account.Access{}, apperr.ErrNotFound
	}
	return s.billing.Organizations.Access(ctx, userID, first)
}

// firstOrganization returns the id of the user's oldest membership, and nothing where they have none.
func (s *server) firstOrganization(ctx context.Context, userID string) (string, error) {
	organizations, err := s.billing.Organizations.OfUser(ctx, userID)
	if err != nil || len(organizations) == 0 {
		return "", err
	}
	return organizations[0].ID, nil
}
