package oidc

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"usher/billing/account"
)

// claims are the claims that Usher uses (OpenID Connect Core 1.0, sections 2 and 5.1).
type claims struct {
	AuthorizedParty string      `json:"azp"`
	AuthTime        json.Number `json:"auth_time"`
	Email           string      `json:"email"`
	EmailVerified   flexBool    `json:"email_verified"`
	Name            string      `json:"name"`
}

// flexBool is a boolean that some providers write as a string.
type flexBool bool

// UnmarshalJSON implements [json.Unmarshaler]. Anything but true is false.
func (b *flexBool) UnmarshalJSON(text []byte) error {
	*b = string(text) == "true" || string(text) == `"true"`
	return nil
}

func (c claims) authTime() time.Time {
	seconds, err := c.AuthTime.Float64()
	if err != nil || seconds <= 0 {
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0)
}

// checkClaims checks what go-oidc leaves to its caller: the nonce, the authorized party, and
// whether the authentication is as new as the flow asks.
func (p *Provider) checkClaims(token *gooidc.IDToken, f Flow) (claims, error) {
	var said claims
	if err := token.Claims(&said); err != nil {
		return said, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	switch {
	case f.Nonce == "" || subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(f.Nonce)) != 1:
		return said, fmt.Errorf("%w: another nonce", ErrRefused)
	case said.AuthorizedParty != "" && said.AuthorizedParty != p.ClientID, len(token.Audience) > 1 && said.AuthorizedParty == "":
		return said, fmt.Errorf("%w: issued to another client", ErrRefused)
	case !validSubject(token.Subject):
		return said, fmt.Errorf("%w: no valid subject", ErrRefused)
	case f.Fresh && said.authTime().Before(f.StartedAt.Add(-clockSkew)):
		return said, ErrNotFresh
	}
	return said, nil
}

// validSubject reports whether a subject is one: 1 to 255 ASCII characters (section 2).
func validSubject(subject string) bool {
	odd := func(r rune) bool { return r < ' ' || r > '~' }
	return subject != "" && len(subject) <= 255 && !strings.ContainsFunc(subject, odd)
}

// addUserInfo adds address and name from the UserInfo endpoint, where providers may put them
// (section 5.4). A failure leaves them empty.
func (m *metadata) addUserInfo(ctx context.Context, said *claims, subject string, token *oauth2.Token) {
	if said.Email != "" || m.provider.UserInfoEndpoint() == "" {
		return
	}
	info, err := m.provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil || info.Subject != subject { // section 5.3.2
		return
	}
	var more claims
	if err := info.Claims(&more); err == nil {
		said.Email, said.EmailVerified = more.Email, more.EmailVerified
		if said.Name == "" {
			said.Name = more.Name
		}
	}
}

func (c claims) assertion(issuer, subject string) account.Assertion {
	a := account.Assertion{
		Issuer: issuer, Subject: subject, Email: c.Email, EmailVerified: bool(c.EmailVerified) && c.Email != "", Name: c.Name,
		AuthenticatedAt: c.authTime(),
	}
	return a.Normalized()
}
