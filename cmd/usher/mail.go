package main

import (
	"fmt"

	"usher/billing/mail"
	"usher/billing/mail/smtp"
)

// mailer returns the SMTP client, or nil if SMTP_URL is unset: then e-mails stay in the outbox.
func (c Config) mailer() (mail.Sender, error) {
	if c.SMTPURL == nil {
		return nil, nil
	}
	mailer, err := smtp.New(smtp.Options{URL: c.SMTPURL, From: c.MailFrom})
	if err != nil {
		return nil, fmt.Errorf("SMTP_URL: %w", err)
	}
	return mailer, nil
}

// hasOutboxPage reports whether /dev/mail shows e-mails instead of a mail server receiving them.
func (c Config) hasOutboxPage() bool { return c.SMTPURL == nil && !c.Production }
