package handlers

import (
	"net/http"
	"testing"

	"usher/billing/account"
)

func TestEveryRouteHasAPolicy(t *testing.T) {
	seen := map[string]bool{}
	for _, rt := range newTestServer(t, func(o *Options) { o.Development = true }).routes() {
		key := rt.method + " " + rt.pattern
		if rt.policy == undeclared {
			t.Errorf("%s has no access policy", key)
		}
		if rt.handler == nil || seen[key] {
			t.Errorf("%s has no handler or is declared twice", key)
		}
		if withoutSession := rt.response == stateless || rt.response == asset; withoutSession && rt.policy != public && rt.policy != webhook && rt.policy != metricsToken {
			t.Errorf("the policy of %s needs a session, which its response type does not have", key)
		}
		seen[key] = true
	}
}

func TestUndeclaredPolicyAdmitsNoOne(t *testing.T) {
	s := newTestServer(t, nil)
	handler := func(http.ResponseWriter, *http.Request) error {
		t.Error("the handler ran")
		return nil
	}
	for _, rt := range []route{
		{response: page}, {response: api}, {response: stateless}, {response: asset}, {response: page, policy: webhook}, {response: stateless, policy: member}, {response: asset, policy: signedIn},
	} {
		rt.pattern, rt.handler = "/x", handler
		if w := serve(s.observe(s.serve(rt)), get, "/x", ""); w.Code != http.StatusInternalServerError {
			t.Errorf("response type %d: status %d", rt.response, w.Code)
		}
	}
}

func TestPolicies(t *testing.T) {
	memberWith := func(role account.Role) identity {
		return identity{userID: "usr_1", access: account.Access{
			Organization: account.Organization{ID: "org_1"}, Member: account.Member{Status: account.MemberActive, Role: role},
		}}
	}
	viewers := map[string]identity{
		"signed out": {}, "no organization": {userID: "usr_1"},
		"member": memberWith(account.Role{ID: account.RoleMember}), "custom role": memberWith(account.Role{ID: "role_1", CanManageBilling: true}),
		"operator":     {userID: "usr_2", operator: true},
		"member admin": memberWith(account.Role{ID: "role_2", CanManageMembers: true}), "admin": memberWith(account.Role{ID: account.RoleAdmin}),
	}
	for p, want := range map[policy]map[string]int{
		undeclared:        {"signed out": 500, "no organization": 500, "member": 500, "custom role": 500, "admin": 500},
		webhook:           {"signed out": 500, "no organization": 500, "member": 500, "custom role": 500, "admin": 500},
		operator:          {"signed out": 401, "no organization": 403, "member": 403, "admin": 403, "operator": 200},
		metricsToken:      {"signed out": 500, "admin": 500, "operator": 500},
		public:            {"signed out": 200, "no organization": 200, "member": 200, "custom role": 200, "admin": 200},
		signedIn:          {"signed out": 401, "no organization": 200, "member": 200, "custom role": 200, "admin": 200},
		member:            {"signed out": 401, "no organization": 404, "member": 200, "custom role": 200, "admin": 200},
		billingAdmin:      {"signed out": 401, "no organization": 404, "member": 403, "custom role": 200, "member admin": 403, "admin": 200},
		organizationAdmin: {"signed out": 401, "no organization": 404, "member": 403, "custom role": 403, "member admin": 403, "admin": 200},
		memberAdmin:       {"signed out": 401, "no organization": 404, "member": 403, "custom role": 403, "member admin": 200, "admin": 200},
	} {
		for who, status := range want {
			got := 200
			if err := p.authorize(viewers[who]); err != nil {
				got = problemOf(err).status
			}
			if got != status {
				t.Errorf("policy %d, %s: status %d, want %d", p, who, got, status)
			}
		}
	}
}
