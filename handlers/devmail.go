package handlers

import (
	"net/http"

	"usher/billing"
	"usher/views"
)

// showMail shows the e-mails that are not sent, since no mail server is configured. It is on the map in development only.
func (s *server) showMail(w http.ResponseWriter, r *http.Request) error {
	kept, err := s.billing.KeptMail(r.Context())
	if err != nil {
		return err
	}
	props := views.MailboxPageProps{Layout: s.layout(r, views.SectionNone), Mails: make([]views.KeptMail, 0, len(kept))}
	for _, mail := range kept {
		props.Mails = append(props.Mails, keptMail(mail))
	}
	keepSecret(w) // the mails hold links with tokens
	return render(w, r, http.StatusOK, views.MailboxPage(props))
}

func keptMail(m billing.KeptMail) views.KeptMail {
	return views.KeptMail{ID: m.ID, To: m.To, QueuedAt: m.QueuedAt, Subject: m.Subject, Text: m.Text}
}
