package stripelocal

import (
	"net/http"

	"usher/stripelocal/websocket"
)

// Reset empties the account: objects, events, deliveries, idempotency keys, test clocks, faults and
// settings are gone, and its clock shows the real time again. The account's id, the endpoints of
// EnsureWebhookEndpoint with their secrets and the secrets of stripe listen stay, so that what is
// connected stays connected. The seed is applied again; an error is one of the seed.
func (s *Server) Reset() error {
	s.faults.Clear()
	s.mu.Lock()
	err := s.empty()
	s.mu.Unlock()
	if err == nil {
		err = s.applySeedSettings()
	}
	s.cli.drop(websocket.CloseServiceRestart, "the account was reset")
	return err
}

// empty replaces the data. Calls in progress hold no rows, because they have the lock while they
// use them.
func (s *Server) empty() error {
	old := s.store
	s.store = newStore()
	s.store.Starts, s.store.Account, s.store.CLISecrets = old.Starts, old.Account, old.CLISecrets
	for _, w := range old.WebhookEndpoints.all {
		if w.Configured {
			s.store.WebhookEndpoints.insert(w)
		}
	}
	s.timers, s.keysInFlight = timerQueues{}, map[string]*idempotentRequest{}
	s.webhooks.discard()
	s.setOptionSpeed()
	s.stateWriter.markDirty()
	return s.applySeed()
}

// discard forgets all deliveries and stops the queues of endpoints that are gone. One in progress
// ends without a trace. The caller has the server's lock.
func (wd *webhookDispatcher) discard() {
	wd.finished = nil
	for id, queue := range wd.queues {
		for _, d := range append(queue.due, queue.retry...) {
			d.signalFirstAttempt()
		}
		queue.due, queue.retry = nil, nil
		if _, kept := wd.server.store.WebhookEndpoints.get(id); !kept {
			queue.gone = true
			delete(wd.queues, id)
			queue.wakeUp()
		}
	}
}

// resetView is the response of /_usher/reset.
type resetView struct {
	Account          string `json:"account"`
	WebhookEndpoints int    `json:"webhook_endpoints"` // those that stay, and those of the seed
}

// reset empties the account of the key, or the default one. With all=true it empties the default
// account and removes the others.
func (c control) reset(w http.ResponseWriter, req *http.Request) {
	switch all := req.FormValue("all"); all {
	case "true":
		c.namedAccounts.removeAll()
	case "", "false":
	default:
		http.Error(w, "all: "+all+" is neither true nor false.", http.StatusBadRequest)
		return
	}
	if err := c.Reset(); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	c.mu.Lock()
	view := resetView{c.store.Account.ID, len(c.store.WebhookEndpoints.all)}
	c.mu.Unlock()
	writeJSON(w, http.StatusOK, view)
}

// cliSessionView is a session of Stripe's command line tool in /_usher/cli_sessions.
type cliSessionView struct {
	Device       string `json:"device"`
	Feature      string `json:"feature"`
	ForwardTo    string `json:"forward_to"`
	Connected    bool   `json:"connected"`
	Waiting      int    `json:"waiting"` // messages that are not sent or not acknowledged
	Acknowledged int    `json:"acknowledged"`
	LastStatus   int    `json:"last_status"` // of the endpoint that the tool forwarded to last
}

func (c control) showCLISessions(w http.ResponseWriter, _ *http.Request) {
	views := []cliSessionView{}
	c.mu.Lock()
	for _, s := range c.cli.sessions {
		views = append(views, cliSessionView{
			Device: s.device, Feature: s.feature, ForwardTo: s.forwardTo, Connected: s.conn != nil,
			Waiting: len(s.unsent) + len(s.unacked), Acknowledged: s.acknowledged, LastStatus: s.lastStatus,
		})
	}
	c.mu.Unlock()
	writeJSON(w, http.StatusOK, views)
}
