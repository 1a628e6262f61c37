package main

import (
	"encoding/json"
	"net/http"
	"regexp"
	"sync"
)

// sentMail is an e-mail as a replica reports it to the environment.
type sentMail struct{ ID, To, Text string }

// mailbox receives all e-mails of a batch.
type mailbox struct {
	mutex            sync.Mutex
	deliveries       map[string]int    // by Message-ID
	invitationTokens map[string]string // the newest, by address
}

func newMailbox() *mailbox {
	return &mailbox{deliveries: map[string]int{}, invitationTokens: map[string]string{}}
}

var invitationLink = regexp.MustCompile(`/invite/(\S+)`)

// ServeHTTP receives an e-mail.
func (m *mailbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var mail sentMail
	if err := json.NewDecoder(r.Body).Decode(&mail); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.deliveries[mail.ID]++
	if link := invitationLink.FindStringSubmatch(mail.Text); link != nil {
		m.invitationTokens[mail.To] = link[1]
	}
}

// invitationToken returns the token of the newest invitation sent to an address, or "".
func (m *mailbox) invitationToken(address string) string {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.invitationTokens[address]
}
