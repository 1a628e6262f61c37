package handlers

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"time"

	"usher/billing/account"
	"usher/billing/account/oidc"
)

// methodOIDC is an authentication at the identity provider. It is one factor, whatever the provider
// says about its own (amr, acr): who has set up two-step verification here is asked for it.
const methodOIDC = "oidc"

// Keys of the session data about the identity provider.
const (
	sessionFlows     = "oidc.flows"    // JSON, see pendingFlow
	sessionAssertion = "oidc.identity" // JSON, see pendingAssertion
	// The first step of an authentication that a signed-in person repeats: who passed it at the
	// provider, and when. See recentPages.
	sessionConfirmedBy = "oidc.confirmed.by"
	sessionConfirmedAt = "oidc.confirmed.at" // Unix seconds
)

const (
	// flowLifetime is how long a round to the provider may take, and how long an unknown identity
	// waits for its account.
	flowLifetime = 10 * time.Minute
	maxFlows     = 5 // in one browser: tabs
)

// flowPurpose says what a round to the provider is for.
type flowPurpose string

const (
	flowSignIn  flowPurpose = ""
	flowConfirm flowPurpose = "confirm" // the signed-in person authenticates again
	flowLink    flowPurpose = "link"    // links an identity to the signed-in person's account
)

// pendingFlow is a round to the provider that was begun in this session. Each of several tabs has
// its own.
type pendingFlow struct {
	oidc.Flow
	Purpose flowPurpose `json:"purpose,omitempty"`
	UserID  string      `json:"userId,omitempty"` // of the person who confirms or links
	Next    string      `json:"next,omitempty"`
}

// keepFlow stores a flow. The oldest ones are forgotten.
func (m *sessionManager) keepFlow(ctx context.Context, f pendingFlow) error {
	flows := append(m.flows(ctx), f)
	return m.putFlows(ctx, flows[max(0, len(flows)-maxFlows):])
}

// takeFlow returns the flow of a state and forgets it, so that it counts once; false if it was not
// begun in this session, was used, or took too long.
func (m *sessionManager) takeFlow(ctx context.Context, state string) (pendingFlow, bool, error) {
	var taken pendingFlow
	found := false
	var left []pendingFlow
	for _, f := range m.flows(ctx) {
		if subtle.ConstantTimeCompare([]byte(f.State), []byte(state)) == 1 {
			taken, found = f, true
			continue
		}
		left = append(left, f)
	}
	if !found {
		return taken, false, nil
	}
	return taken, m.now().Sub(taken.StartedAt) < flowLifetime, m.putFlows(ctx, left)
}

func (m *sessionManager) flows(ctx context.Context) []pendingFlow {
	var flows []pendingFlow
	if err := json.Unmarshal([]byte(m.GetString(ctx, sessionFlows)), &flows); err != nil {
		return nil
	}
	return flows
}

func (m *sessionManager) putFlows(ctx context.Context, flows []pendingFlow) error {
	if len(flows) == 0 {
		m.Remove(ctx, sessionFlows)
		return nil
	}
	text, err := json.Marshal(flows)
	if err != nil {
		return err
	}
	m.Put(ctx, sessionFlows, string(text))
	return nil
}

// pendingAssertion is an identity without an account: the person signs up with it, or signs in to
// their account to link it.
type pendingAssertion struct {
	account.Assertion
	Until time.Time
}

func (m *sessionManager) keepAssertion(ctx context.Context, a account.Assertion) error {
	text, err := json.Marshal(pendingAssertion{a, m.now().Add(flowLifetime)})
	if err != nil {
		return err
	}
	m.Put(ctx, sessionAssertion, string(text))
	return nil
}

// assertion returns the identity that waits for an account; false if there is none, or it took too
// long.
func (m *sessionManager) assertion(ctx context.Context) (account.Assertion, bool) {
	var pending pendingAssertion
	err := json.Unmarshal([]byte(m.GetString(ctx, sessionAssertion)), &pending)
	return pending.Assertion, err == nil && pending.Subject != "" && m.now().Before(pending.Until)
}

func (m *sessionManager) forgetAssertion(ctx context.Context) { m.Remove(ctx, sessionAssertion) }

func (m *sessionManager) confirmAtProvider(ctx context.Context, userID string) {
	m.Put(ctx, sessionConfirmedBy, userID)
	m.Put(ctx, sessionConfirmedAt, m.now().Unix())
}

// confirmedAtProvider reports whether the signed-in person has passed the first step of another
// authentication at the provider.
func (m *sessionManager) confirmedAtProvider(ctx context.Context, userID string) bool {
	at := m.GetInt64(ctx, sessionConfirmedAt)
	return m.GetString(ctx, sessionConfirmedBy) == userID && m.now().Sub(time.Unix(at, 0)) < flowLifetime
}
