package main

import (
	"strings"
	"testing"
)

func TestMailer(t *testing.T) {
	for _, tc := range []struct {
		name          string
		environment   map[string]string
		sends, shows  bool
		wrong, secret string
	}{
		{name: "nothing configured", shows: true},
		{name: "a mail server", environment: map[string]string{"SMTP_URL": "smtp://user:pa55word@mail.example.com:587"}, sends: true},
		{name: "production without one", environment: map[string]string{"APP_ENV": "production", "BASE_URL": "https://billing.example.com"}},
		{name: "a password for everybody", environment: map[string]string{"SMTP_URL": "smtp://user:pa55word@mail.example.com?tls=off"},
			wrong: "SMTP_URL: tls=off would send the password", secret: "pa55word"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			config, err := loadConfig(func(variable string) string { return tc.environment[variable] }, noFile(t))
			if err != nil {
				t.Fatal(err)
			}
			mailer, err := config.mailer()
			if tc.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wrong) || strings.Contains(err.Error(), tc.secret) {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil || (mailer != nil) != tc.sends || config.hasOutboxPage() != tc.shows {
				t.Errorf("mailer %v, %v, shown %t", mailer, err, config.hasOutboxPage())
			}
		})
	}
}
