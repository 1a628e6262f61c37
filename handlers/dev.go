package handlers

import (
	"io"
	"net/http"
	"slices"

	"usher/billing"
	"usher/billing/apperr"
	"usher/billing/mail"
	devviews "usher/views/dev"
	"usher/views/gallery"
	"usher/views/layout"
)

// devPages are the pages that exist in development only.
type devPages struct {
	*site
	clock     Clock     // nil: there is no clock to advance
	scenarios Scenarios // nil: there is no scenario board
	worker    *billing.Worker
	mailPage  bool // e-mails are not sent but shown
}

// clockSteps are the spans that the page offers to advance the clock by.
var clockSteps = []string{"1 day", "1 week", "1 month", "1 year"}

// showClock shows the local Stripe's clock.
func (p *devPages) showClock(w http.ResponseWriter, r *http.Request) error {
	return render(w, r, http.StatusOK, devviews.ClockPage(devviews.ClockPageProps{
		Layout: p.layout(r, layout.SectionNone), Now: p.clock.Now(), Steps: clockSteps,
	}))
}

// advanceClock advances the local Stripe's clock. Renewals, retries and trial ends on the way
// happen and send events.
func (p *devPages) advanceClock(w http.ResponseWriter, r *http.Request) error {
	if err := p.clock.Advance(r.PostFormValue("by")); err != nil {
		return &apperr.Error{Code: apperr.CodeInvalid, Message: "The clock can be put ahead by spans such as 3 days or 1 month.", Err: err}
	}
	redirect(w, r, "/dev/clock")
	return nil
}

// showGallery shows every component in every state, with sample data.
func showGallery(w http.ResponseWriter, r *http.Request) error {
	gallery.Handler().ServeHTTP(w, r)
	return nil
}

// mailPolicy is the Content-Security-Policy of the HTML part of an e-mail, which has style
// attributes and nothing else that a policy allows.
const mailPolicy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// showMail shows the e-mails that are not sent because no mail server is configured, or the HTML
// part of the one that the query names.
func (p *devPages) showMail(w http.ResponseWriter, r *http.Request) error {
	kept, err := p.worker.UnsentMail(r.Context())
	if err != nil {
		return err
	}
	protectTokenPage(w) // the e-mails contain links with tokens
	if id := r.URL.Query().Get("html"); id != "" {
		return showMailHTML(w, kept, id)
	}
	props := devviews.MailboxPageProps{Layout: p.layout(r, layout.SectionNone), Mails: make([]devviews.Message, 0, len(kept))}
	for _, mail := range kept {
		props.Mails = append(props.Mails, mailMessage(mail))
	}
	return render(w, r, http.StatusOK, devviews.MailboxPage(props))
}

func showMailHTML(w http.ResponseWriter, kept []mail.Unsent, id string) error {
	i := slices.IndexFunc(kept, func(m mail.Unsent) bool { return m.ID == id })
	if i < 0 {
		return errPageNotFound
	}
	w.Header().Set("Content-Security-Policy", mailPolicy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, err := io.WriteString(w, kept[i].HTML)
	return err
}

func mailMessage(m mail.Unsent) devviews.Message {
	return devviews.Message{ID: m.ID, To: m.To, QueuedAt: m.QueuedAt, Subject: m.Subject, Text: m.Text}
}

// mailHref returns the address of the page with unsent e-mails; empty if there is none.
func (p *devPages) mailHref() string {
	if !p.mailPage {
		return ""
	}
	return "/dev/mail"
}
