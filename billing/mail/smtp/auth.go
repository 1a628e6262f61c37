package smtp

import (
	"errors"
	"net/url"
	"slices"

	"github.com/wneessen/go-mail/smtp"
)

var errNoMechanism = errors.New("the mail server offers none of the log-in mechanisms SCRAM-SHA-256, PLAIN and LOGIN")

// login authenticates one connection with the first of its mechanisms that the server offers. The
// choice of go-mail falls back to whatever the server offers, CRAM-MD5 and NTLM among it, whose
// hash functions are broken. PLAIN and LOGIN refuse an unencrypted connection to another machine.
type login struct {
	mechanisms []mechanism
	chosen     smtp.Auth
}

type mechanism struct {
	name string
	auth smtp.Auth
}

func newLogin(user *url.Userinfo, host string) *login {
	name := user.Username()
	password, _ := user.Password()
	return &login{mechanisms: []mechanism{
		{"SCRAM-SHA-256", smtp.ScramSHA256Auth(name, password)}, // does not reveal the password to the server
		{"PLAIN", smtp.PlainAuth("", name, password, host, false)},
		{"LOGIN", smtp.LoginAuth(name, password, host, false)},
	}}
}

// Start implements [smtp.Auth].
func (l *login) Start(server *smtp.ServerInfo) (string, []byte, error) {
	for _, m := range l.mechanisms {
		if slices.Contains(server.Auth, m.name) {
			l.chosen = m.auth
			return m.auth.Start(server)
		}
	}
	return "", nil, errNoMechanism
}

// Next implements [smtp.Auth].
func (l *login) Next(fromServer []byte, more bool) ([]byte, error) {
	return l.chosen.Next(fromServer, more)
}
