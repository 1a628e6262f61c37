package handlers

import (
	"net/http"

	"usher/billing/mail"
	devviews "usher/views/dev"
	"usher/views/layout"
)

// showMail shows the e-mails that are not sent, since no mail server is configured. It is on the map in development only.
func (s *server) showMail(w http.ResponseWriter, r *http.Request) error {
	kept, err := s.billing.Worker.UnsentMail(r.Context())
	if err != nil {
		return err
	}
	props := devviews.MailboxPageProps{Layout: s.layout(r, layout.SectionNone), Mails: make([]devviews.Message, 0, len(kept))}
	for _, mail := range kept {
		props.Mails = append(props.Mails, mailMessage(mail))
	}
	protectTokenPage(w) // the mails hold links with tokens
	return render(w, r, http.StatusOK, devviews.MailboxPage(props))
}

func mailMessage(m mail.Unsent) devviews.Message {
	return devviews.Message{ID: m.ID, To: m.To, QueuedAt: m.QueuedAt, Subject: m.Subject, Text: m.Text}
}
