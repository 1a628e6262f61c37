package billing_test

import (
	"context"
	"strings"
	"testing"

	"usher/billing"
	"usher/billing/catalog"
)

// portalGateway records the requests for portal sessions.
type portalGateway struct {
	billing.Gateway
	requests []billing.PortalRequest
	session  billing.PortalSession // replaces the answer if it has a problem
}

func (g *portalGateway) CreatePortalSession(ctx context.Context, request billing.PortalRequest) (billing.PortalSession, error) {
	g.requests = append(g.requests, request)
	session, err := g.Gateway.CreatePortalSession(ctx, request)
	if g.session.SwitchProblem != "" {
		session.SwitchProblem = g.session.SwitchProblem
	}
	return session, err
}

// The portal offers plan switches only where the plan can be changed, and always opens for the
// card.
func TestPortalOffersPlanSwitchesWhereTheyArePossible(t *testing.T) {
	env := newTestEnv(t)
	gateway := &portalGateway{Gateway: env.gateway()}
	options := env.options(env.store)
	options.Gateway = gateway
	env.useService(env.startService(options))
	open := func(flow billing.PortalFlow) billing.PortalRequest {
		t.Helper()
		url, err := env.service.Portal.Open(t.Context(), env.access, flow, "")
		if err != nil || url == "" {
			t.Fatalf("%q: %v", flow, err)
		}
		return gateway.requests[len(gateway.requests)-1]
	}
	current := env.subscribe("pro")
	request := open(billing.PortalChangePlan)
	if request.Switch == nil || request.Switch.PriceID != current.PriceID || !request.Switch.PerSeat || request.SubscriptionID != current.ID {
		t.Fatalf("request %+v", request)
	}
	env.changePlan("starter", catalog.Monthly)
	for _, flow := range []billing.PortalFlow{billing.PortalHome, billing.PortalPaymentMethod, billing.PortalCancel, billing.PortalChangePlan} {
		request = open(flow)
		if wants := flow == billing.PortalPaymentMethod; request.Switch != nil || (request.Flow == billing.PortalPaymentMethod) != wants || !wants && request.Flow != billing.PortalHome {
			t.Errorf("%q with a schedule: %+v", flow, request)
		}
	}
}

// Why the portal offers fewer plan switches is stored for `usher doctor`, and removed when it is
// over.
func TestPortalProblemIsRemembered(t *testing.T) {
	env := newTestEnv(t)
	gateway := &portalGateway{Gateway: env.gateway(), session: billing.PortalSession{SwitchProblem: "Stripe refused the plan switches: unfit"}}
	options := env.options(env.store)
	options.Gateway = gateway
	env.useService(env.startService(options))
	env.subscribe("pro")
	stored := func() string {
		t.Helper()
		acct, err := env.gateway().Account(t.Context())
		env.must(err)
		problem, err := env.store.Stripe().PortalProblem(t.Context(), acct)
		env.must(err)
		return problem
	}
	for _, want := range []string{"unfit", ""} {
		_, err := env.service.Portal.Open(t.Context(), env.access, billing.PortalHome, "")
		env.must(err)
		if got := stored(); want == "" && strings.Contains(got, "unfit") || !strings.Contains(got, want) {
			t.Errorf("stored problem %q, want %q", got, want)
		}
		gateway.session = billing.PortalSession{}
	}
}
