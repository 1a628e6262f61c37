// Package smtp sends e-mails to an SMTP server. It implements [mail.Sender] and is the only
// importer of go-mail.
//
// It contains no texts, no schedule and no retries; these belong to package mail. Passwords never
// appear in logs or errors. Start reading at [New] and [Mailer.Send]. Package cmd/usher imports it.
package smtp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/url"
	"slices"
	"strconv"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"usher/billing/mail"
)

// Options configure a [Mailer].
type Options struct {
	// URL is smtp://user:password@host:port or smtps://…. User and port are optional; the default
	// port is 465 for smtps, 587 with a user and 25 without.
	//   - smtps uses TLS from the first byte.
	//   - smtp with a user requires STARTTLS; without one it uses STARTTLS if offered.
	//   - smtp to a loopback address uses no TLS.
	//   - ?tls=starttls requires STARTTLS, ?tls=off disables it. off with a user is rejected unless
	//     the host is a loopback address.
	URL  *url.URL
	From *netmail.Address
	Now  func() time.Time // nil: time.Now
	TLS  *tls.Config      // nil: the system's certificates
	// Timeout bounds connecting with greeting and authentication, and sending, each; zero is ten
	// seconds.
	Timeout time.Duration
}

// Mailer sends each e-mail over a new connection. It implements [mail.Sender] and is safe for
// concurrent use.
type Mailer struct {
	host    string
	options []gomail.Option
	tls     bool // from the first byte
	config  *tls.Config
	user    *url.Userinfo // nil: no log-in
	from    *netmail.Address
	now     func() time.Time
}

const defaultTimeout = 10 * time.Second

// New validates the options without connecting. Its error never contains the URL's password.
func New(o Options) (*Mailer, error) {
	m := &Mailer{host: o.URL.Hostname(), tls: o.URL.Scheme == "smtps", config: o.TLS, user: o.URL.User, from: o.From, now: o.Now}
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
	m.options = []gomail.Option{
		gomail.WithPort(port), gomail.WithTimeout(o.Timeout), gomail.WithTLSConfig(m.config), gomail.WithTLSPolicy(policy),
		gomail.WithoutNoop(), gomail.WithoutRset(), // one e-mail per connection
	}
	if m.tls {
		m.options = append(m.options, gomail.WithSSL())
	}
	return m, nil
}

func tlsPolicy(u *url.URL) (gomail.TLSPolicy, error) {
	named := u.User.Username() != ""
	switch requested := u.Query().Get("tls"); {
	case requested == "starttls" && u.Scheme == "smtp":
		return gomail.TLSMandatory, nil
	case requested == "off" && u.Scheme == "smtp" && (!named || isLoopback(u.Hostname())):
		return gomail.NoTLS, nil
	case requested == "off" && u.Scheme == "smtp":
		return 0, errors.New("tls=off would send the password readable by everybody on the way")
	case requested != "":
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

// Send implements [mail.Sender].
func (m *Mailer) Send(ctx context.Context, out mail.Outgoing) error {
	message, err := m.message(out)
	if err != nil {
		return fmt.Errorf("%w: %w", mail.ErrRefused, err)
	}
	ctx, cancel := context.WithCancel(ctx) // closes the connection when Send returns
	defer cancel()
	client, connection, err := m.connect(ctx)
	if err != nil {
		return err
	}
	err = client.SendWithSMTPClient(connection, message)
	if message.IsDelivered() { // the server accepted it: later failures do not matter
		_ = client.CloseWithSMTPClient(connection)
		return nil
	}
	return refusal(err)
}

// message builds the e-mail. go-mail encodes non-ASCII text, folds long lines, and rejects invalid
// addresses; it escapes line breaks in the subject.
func (m *Mailer) message(out mail.Outgoing) (*gomail.Msg, error) {
	message := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	message.FromMailAddress(m.from)
	if err := message.To(out.To); err != nil {
		return nil, fmt.Errorf("recipient: %w", err)
	}
	message.Subject(out.Subject)
	message.SetDateWithValue(m.now())
	message.SetMessageIDWithValue(out.MessageID)
	// RFC 3834: prevents automatic replies.
	message.SetGenHeader("Auto-Submitted", "auto-generated")
	message.SetBodyString(gomail.TypeTextPlain, out.Text)
	message.AddAlternativeString(gomail.TypeTextHTML, out.HTML)
	return message, nil
}

// connect connects and authenticates. The end of ctx closes the connection.
func (m *Mailer) connect(ctx context.Context) (*gomail.Client, *smtp.Client, error) {
	options := append(slices.Clone(m.options), gomail.WithDialContextFunc(m.dialer(ctx)))
	if m.user.Username() != "" {
		options = append(options, gomail.WithSMTPAuthCustom(newLogin(m.user, m.host)))
	}
	client, err := gomail.NewClient(m.host, options...)
	if err != nil {
		return nil, nil, fmt.Errorf("smtp client: %w", err)
	}
	connection, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to mail server: %w", err)
	}
	return client, connection, nil
}

// Check connects and authenticates without sending.
func (m *Mailer) Check(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	client, connection, err := m.connect(ctx)
	if err != nil {
		return err
	}
	return client.CloseWithSMTPClient(connection)
}

// dialer returns a dial function whose connections are closed when ctx ends: go-mail observes its
// context only until it is connected.
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

// refusal wraps [mail.ErrRefused] if no later attempt can succeed: permanent replies about the
// recipient or the content. Replies about the sender or the credentials are configuration errors,
// which can be fixed.
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
