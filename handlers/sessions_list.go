package handlers

import (
	"context"
	"fmt"
	"net/http"

	"usher/billing/account"
	authviews "usher/views/auth"
)

// sessionList returns the viewer's sessions.
func (s *site) sessionList(r *http.Request) (authviews.SessionListProps, error) {
	ctx := r.Context()
	open, err := s.sessions.store.UserSessions(ctx, identityOf(r).userID, s.sessions.Token(ctx))
	if err != nil {
		return authviews.SessionListProps{}, err
	}
	var props authviews.SessionListProps
	for _, session := range open {
		props.Sessions = append(props.Sessions, sessionRow(ctx, session))
	}
	return props, nil
}

func sessionRow(ctx context.Context, session account.Session) authviews.SessionRow {
	return authviews.SessionRow{
		ID: session.ID, Device: authviews.DeviceName(ctx, session.UserAgent), Address: session.ClientAddress,
		StartedAt: session.StartedAt, LastUsedAt: timeOrZero(session.LastUsedAt), Current: session.Current,
	}
}

// endSession ends one of the viewer's sessions. One that has ended already, and one of somebody
// else, get the same answer.
func (p *settingsPages) endSession(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	if id == stateOf(r).session.ID {
		if err := p.sessions.Destroy(r.Context()); err != nil {
			return fmt.Errorf("end session: %w", err)
		}
		redirect(w, r, "/login?notice="+noticeSignedOut)
		return nil
	}
	if err := p.sessions.store.EndSession(r.Context(), identityOf(r).userID, id); err != nil {
		return err
	}
	redirect(w, r, "/settings?notice="+noticeSessionEnded+"#sessions")
	return nil
}
