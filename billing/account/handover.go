package account

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"usher/billing/apperr"
	"usher/billing/mail"
	"usher/billing/secrets"
)

// Limits of hand-over tokens.
const (
	HandoverLifetime = time.Minute // from iat to exp, at most
	// handoverSkew is how far the clocks of the product and of Usher may be apart.
	handoverSkew       = 10 * time.Second
	maxHandoverToken   = 4096 // bytes
	minHandoverID      = 16   // characters
	maxHandoverID      = 128
	handoverDefinition = "usher-handover+jwt" // the header typ
)

// HandoverStore stores which hand-over tokens were used.
type HandoverStore interface {
	// Use records a token; false if it was used before, on whatever replica.
	Use(ctx context.Context, idHash []byte, expiresAt time.Time) (bool, error)
	// Prune deletes some of the tokens that were not valid any more at now.
	Prune(ctx context.Context, now time.Time) error
}

// Handovers sign a member in whom the adopter's product has authenticated, by a token that the
// product signs: a JWT (RFC 7519) with HS256 under one of the keys.
type Handovers struct {
	*base
	users         *Users
	organizations *Organizations
	keys          []secrets.Key
	audience      string // BASE_URL
}

// Handover is what a valid token says: a member of an organization.
type Handover struct {
	User         User
	Organization Organization
	id           []byte // hash of the token's id
	expiresAt    time.Time
}

// HandoverError says why a token is refused. Reason is for the log, not for people: it would help
// whoever forges tokens.
type HandoverError struct{ Reason string }

// Error implements error.
func (e *HandoverError) Error() string { return "hand-over token refused: " + e.Reason }

func refuseHandover(reason string) error { return &HandoverError{reason} }

// MessageHandoverMember is for people whom the product sends and who are no members.
const MessageHandoverMember = "There's no active member with your address in this organization. Ask an admin to invite you."

// MessageHandoverOperator is for operators: their rights reach further than the product's.
const MessageHandoverOperator = "Operators can't be signed in by another product. Sign in here instead."

// Enabled reports whether there is a key.
func (hs *Handovers) Enabled() bool { return len(hs.keys) > 0 }

// Read returns what a token says, and does not use it up. Errors: [HandoverError]; CodeForbidden
// for somebody who is no active member, and for operators.
func (hs *Handovers) Read(ctx context.Context, token string) (Handover, error) {
	claims, err := hs.verify(token)
	if err != nil {
		return Handover{}, err
	}
	user, found, err := apperr.Found(hs.store.Users().ByEmail(ctx, claims.Subject))
	if err != nil {
		return Handover{}, fmt.Errorf("read hand-over: %w", err)
	}
	if !found || !mail.SameAddress(user.Email, claims.Subject) {
		return Handover{}, apperr.Errorf(apperr.CodeForbidden, MessageHandoverMember)
	}
	if hs.users.IsOperator(user) {
		return Handover{}, apperr.Errorf(apperr.CodeForbidden, MessageHandoverOperator)
	}
	access, found, err := apperr.Found(hs.organizations.Access(ctx, user.ID, claims.Organization))
	if err != nil {
		return Handover{}, fmt.Errorf("read hand-over: %w", err)
	}
	if !found {
		return Handover{}, apperr.Errorf(apperr.CodeForbidden, MessageHandoverMember)
	}
	return Handover{User: user, Organization: access.Organization, id: hashToken(claims.ID), expiresAt: claims.Expiry.Time().Add(handoverSkew)}, nil
}

// Use uses a token up: it returns what [Handovers.Read] does, once.
func (hs *Handovers) Use(ctx context.Context, token string) (Handover, error) {
	handover, err := hs.Read(ctx, token)
	if err != nil {
		return handover, err
	}
	if err := hs.store.Handovers().Prune(ctx, hs.Wall().Add(-time.Hour)); err != nil {
		return handover, err
	}
	first, err := hs.store.Handovers().Use(ctx, handover.id, handover.expiresAt)
	if err == nil && !first {
		err = refuseHandover("used before")
	}
	return handover, err
}

// handoverClaims are the claims of a token: sub is the member's e-mail address.
type handoverClaims struct {
	jwt.Claims
	Organization string `json:"org"`
}

func (hs *Handovers) verify(token string) (handoverClaims, error) {
	claims, err := hs.open(token)
	if err != nil {
		return claims, err
	}
	now := hs.Wall()
	switch issued, expires := claims.IssuedAt, claims.Expiry; {
	case len(claims.Audience) != 1 || claims.Audience[0] != hs.audience:
		err = refuseHandover("for another audience")
	case issued == nil || expires == nil:
		err = refuseHandover("without iat or exp")
	case expires.Time().Sub(issued.Time()) > HandoverLifetime || !expires.Time().After(issued.Time()):
		err = refuseHandover("valid for longer than a minute")
	case !now.Before(expires.Time().Add(handoverSkew)):
		err = refuseHandover("expired")
	case issued.Time().After(now.Add(handoverSkew)) || claims.NotBefore != nil && claims.NotBefore.Time().After(now.Add(handoverSkew)):
		err = refuseHandover("issued in the future: compare the clocks")
	case utf8.RuneCountInString(claims.ID) < minHandoverID || len(claims.ID) > maxHandoverID:
		err = refuseHandover("without a jti of 16 to 128 characters")
	case !mail.ValidAddress(claims.Subject) || claims.Organization == "" || len(claims.Organization) > maxHandoverID:
		err = refuseHandover("without sub or org")
	}
	return claims, err
}

// open verifies the signature. HS256 alone is accepted, so that a token can't choose none or
// another algorithm, and only tokens made for this use: another JWT under the same key is none.
func (hs *Handovers) open(token string) (handoverClaims, error) {
	var claims handoverClaims
	if len(token) > maxHandoverToken {
		return claims, refuseHandover("too long")
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.HS256})
	if err != nil || len(parsed.Headers) != 1 {
		return claims, refuseHandover("no JWT with HS256")
	}
	if kind, _ := parsed.Headers[0].ExtraHeaders[jose.HeaderType].(string); kind != handoverDefinition {
		return claims, refuseHandover("its header typ is not " + handoverDefinition)
	}
	for _, key := range hs.keys {
		err = parsed.Claims(key[:], &claims)
		if err == nil {
			return claims, nil
		}
		if !errors.Is(err, jose.ErrCryptoFailure) {
			return claims, refuseHandover("unreadable claims")
		}
	}
	return claims, refuseHandover("signed with another key")
}
