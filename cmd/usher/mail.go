package main

import (
	"fmt"

	"usher/billing"
	"usher/billing/mail/smtp"
)

// mailer returns what sends e-mail; nil where no server is configured: then it is kept, and shown in development.
func (c Config) mailer() (billing.Mailer, error) {
	if c.SMTPURL == nil {
		return nil, nil
	}
	mailer, err := smtp.New(smtp.Options{URL: c.SMTPURL, From: c.MailFrom})
	if err != nil {
		return nil, fmt.Errorf("SMTP_URL: %w", err)
	}
	return mailer, nil
}

// showsMail tells whether e-mails are shown at /dev/mail instead of being sent.
func (c Config) showsMail() bool { return c.SMTPURL == nil && !c.Production }
