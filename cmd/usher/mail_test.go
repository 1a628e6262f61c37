package main

import (
	"strings"
	"testing"
)

func TestMailer(t *testing.T) {
	tests := map[string]struct {
		environment        environment
		mailer, outboxPage bool
	}{
		"development": {outboxPage: true},
		"mail server": {
			environment: environment{"SMTP_URL": "smtp://u:p@mail.example.com:587"}, mailer: true,
		},
		"production without mail server": {
			environment: environment{"APP_ENV": "production", "BASE_URL": "https://billing.example.com"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			config, err := loadConfig(test.environment.get, noFile(t))
			if err != nil {
				t.Fatal(err)
			}
			mailer, err := config.mailer()
			if err != nil || (mailer != nil) != test.mailer || config.hasOutboxPage() != test.outboxPage {
				t.Errorf("mailer %v, %v, outbox page %t", mailer, err, config.hasOutboxPage())
			}
		})
	}
}

func TestMailerRefusesUnencryptedPassword(t *testing.T) {
	env := environment{"SMTP_URL": "smtp://user:pa55word@mail.example.com?tls=off"}
	config, err := loadConfig(env.get, noFile(t))
	if err != nil {
		t.Fatal(err)
	}
	_, err = config.mailer()
	if err == nil || !strings.Contains(err.Error(), "SMTP_URL: tls=off would send the password") ||
		strings.Contains(err.Error(), "pa55word") {
		t.Errorf("error %v", err)
	}
}
