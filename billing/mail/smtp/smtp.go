// Package smtp hands e-mails to an SMTP server: the only importer of go-mail.
//
// Kept out: what a mail says, when it is sent, and whether again. Passwords never reach a log or an error.
package smtp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/url"
	"strconv"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"usher/billing/mail"
)

// Options are what a [Mailer] is made of.
type Options struct {
	// URL is smtp://user:password@host:port or smtps://…; user and port may be left out (587 with a user and 25 without, smtps 465).
	//   - smtps speaks TLS from the first byte.
	//   - smtp with a user insists on STARTTLS; without one it takes STARTTLS where it is offered.
	//   - smtp to this machine itself speaks plainly: nobody is in between.
	//   - ?tls=starttls insists on STARTTLS, ?tls=off never uses it; off is refused with a user elsewhere than on this machine.
	URL  *url.URL
	From *netmail.Address
	Now  func() time.Time // nil: time.Now
	TLS  *tls.Config      // nil: the system's certificates
	// Timeout bounds connecting with the greeting and log-in, and sending, each; zero is ten seconds.
	Timeout time.Duration
}

// Mailer sends each mail over a connection of its own. It implements [billing.Mailer] and is safe for concurrent use.
type Mailer struct {
	host    string
	options []gomail.Option
	tls     bool // from the first byte
	config  *tls.Config
	from    *netmail.Address
	now     func() time.Time
}

const defaultTimeout = 10 * time.Second

// New reads the options. It does not speak to the server yet. Its error names what is wrong with the URL, never its password.
func New(o Options) (*Mailer, error) {
	m := &Mailer{host: o.URL.Hostname(), tls: o.URL.Scheme == "smtps", config: o.TLS, from: o.From, now: o.Now}
	if m.now == nil {
		m.now = time.Now
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if m.config == nil {
		m.config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if m.config.ServerName == "" {
		m.config = m.config.Clone()
		m.config.ServerName = m.host
	}
	policy, err := tlsPolicy(o.URL)
	if err != nil {
		return nil, err
	}
	port, err := portOf(o.URL)
	if err != nil {
		return nil, err
	}
	m.options = append(credentials(o.URL),
		gomail.WithPort(port), gomail.WithTimeout(o.Timeout), gomail.WithTLSConfig(m.config), gomail.WithTLSPolicy(policy),
		gomail.WithoutNoop(), gomail.WithoutRset()) // one mail a connection: nothing to probe, nothing to clear
	if m.tls {
		m.options = append(m.options, gomail.WithSSL())
	}
	return m, nil
}

func tlsPolicy(u *url.URL) (gomail.TLSPolicy, error) {
	named := u.User.Username() != ""
	switch asked := u.Query().Get("tls"); {
	case asked == "starttls" && u.Scheme == "smtp":
		return gomail.TLSMandatory, nil
	case asked == "off" && u.Scheme == "smtp" && (!named || isLoopback(u.Hostname())):
		return gomail.NoTLS, nil
	case asked == "off" && u.Scheme == "smtp":
		return 0, errors.New("tls=off would send the password readable by everybody on the way")
	case asked != "":
		return 0, errors.New("tls is starttls or off, and only with smtp://")
	case isLoopback(u.Hostname()):
		return gomail.NoTLS, nil
	case named:
		return gomail.TLSMandatory, nil
	}
	return gomail.TLSOpportunistic, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func portOf(u *url.URL) (int, error) {
	if given := u.Port(); given != "" {
		port, err := strconv.Atoi(given)
		if err != nil || port < 1 || port > 65535 {
			return 0, errors.New("the port is no port")
		}
		return port, nil
	}
	switch {
	case u.Scheme == "smtps":
		return 465, nil
	case u.User.Username() != "":
		return 587, nil
	}
	return 25, nil
}

// credentials prefers what does not show the password to the server. PLAIN and LOGIN refuse by themselves to speak over an open line to
// another machine.
func credentials(u *url.URL) []gomail.Option {
	if u.User.Username() == "" {
		return nil
	}
	password, _ := u.User.Password()
	return []gomail.Option{
		gomail.WithUsername(u.User.Username()), gomail.WithPassword(password),
		gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin, gomail.SMTPAuthCramMD5),
	}
}

// Send implements [billing.Mailer].
func (m *Mailer) Send(ctx context.Context, out mail.Outgoing) error {
	message, err := m.message(out)
	if err != nil {
		return fmt.Errorf("%w: %w", mail.ErrRefused, err)
	}
	ctx, cancel := context.WithCancel(ctx) // ends the connection with this call, however it goes
	defer cancel()
	client, connection, err := m.connect(ctx)
	if err != nil {
		return err
	}
	err = client.SendWithSMTPClient(connection, message)
	if message.IsDelivered() { // the server has answered for it: how the conversation ends does not matter any more
		_ = client.CloseWithSMTPClient(connection)
		return nil
	}
	return refusal(err)
}

// message builds the mail. go-mail encodes what is no plain ASCII and folds long lines; line ends in the subject would have no place in
// it, and an address that is none is refused here.
func (m *Mailer) message(out mail.Outgoing) (*gomail.Msg, error) {
	message := gomail.NewMsg()
	message.FromMailAddress(m.from)
	if err := message.To(out.To); err != nil {
		return nil, fmt.Errorf("recipient: %w", err)
	}
	message.Subject(out.Subject)
	message.SetDateWithValue(m.now())
	message.SetMessageIDWithValue(out.MessageID)
	// RFC 3834: whoever answers mail by a machine leaves this one alone.
	message.SetGenHeader("Auto-Submitted", "auto-generated")
	message.SetBodyString(gomail.TypeTextPlain, out.Text)
	message.AddAlternativeString(gomail.TypeTextHTML, out.HTML)
	return message, nil
}

// connect reaches the server and signs in there. The end of ctx ends the connection.
func (m *Mailer) connect(ctx context.Context) (*gomail.Client, *smtp.Client, error) {
	client, err := gomail.NewClient(m.host, append(m.options, gomail.WithDialContextFunc(m.dialer(ctx)))...)
	if err != nil {
		return nil, nil, fmt.Errorf("smtp client: %w", err)
	}
	connection, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to mail server: %w", err)
	}
	return client, connection, nil
}

// Check reaches the server and signs in, and sends nothing.
func (m *Mailer) Check(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	client, connection, err := m.connect(ctx)
	if err != nil {
		return err
	}
	return client.CloseWithSMTPClient(connection)
}

// dialer connects so that the end of ctx cuts the conversation: go-mail heeds its context only until the connection stands.
func (m *Mailer) dialer(ctx context.Context) gomail.DialContextFunc {
	return func(dialing context.Context, network, address string) (net.Conn, error) {
		var dialer interface {
			DialContext(context.Context, string, string) (net.Conn, error)
		} = &net.Dialer{}
		if m.tls {
			dialer = &tls.Dialer{Config: m.config}
		}
		connection, err := dialer.DialContext(dialing, network, address)
		if err != nil {
			return nil, err
		}
		context.AfterFunc(ctx, func() { _ = connection.Close() })
		return connection, nil
	}
}

// refusal tells what another attempt can't change: a definite answer about this recipient or this content. One about the sender or the
// log-in is the configuration's, which somebody will mend.
func refusal(err error) error {
	var failed *gomail.SendError
	if errors.As(err, &failed) && !failed.IsTemp() && failed.ErrorCode() >= 500 {
		switch failed.Reason {
		case gomail.ErrSMTPRcptTo, gomail.ErrSMTPData, gomail.ErrSMTPDataClose:
			return fmt.Errorf("%w: %w", mail.ErrRefused, err)
		}
	}
	return fmt.Errorf("mail server: %w", err)
}
