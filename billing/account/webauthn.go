package account

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"usher/billing/apperr"
)

// relyingParty makes the requests to authenticators and verifies their responses, as WebAuthn
// level 3 defines them. Nothing else uses the library.
type relyingParty struct {
	library *webauthn.WebAuthn
}

// newRelyingParty returns the relying party of a public origin and a product, which browsers show
// by its name. It is nil where browsers allow no passkeys: under an IP address, or without https on
// another host than this machine.
func newRelyingParty(baseURL, product string) *relyingParty {
	base, err := url.Parse(baseURL)
	if err != nil || base.Scheme != "https" && base.Hostname() != "localhost" && !strings.HasSuffix(base.Hostname(), ".localhost") {
		return nil
	}
	timeout := webauthn.TimeoutConfig{Timeout: PasskeyCeremonyLifetime, TimeoutUVD: PasskeyCeremonyLifetime}
	library, err := webauthn.New(&webauthn.Config{
		RPID: base.Hostname(), RPDisplayName: siteName(product, baseURL), RPOrigins: []string{base.Scheme + "://" + base.Host},
		AttestationPreference: protocol.PreferNoAttestation,
		// A key without storage or PIN is a second factor all the same.
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementPreferred, UserVerification: protocol.VerificationPreferred,
		},
		Timeouts: webauthn.TimeoutsConfig{Login: timeout, Registration: timeout},
	})
	if err != nil { // an IP address
		return nil
	}
	return &relyingParty{library}
}

// PasskeyCeremony is a request to an authenticator.
type PasskeyCeremony struct {
	Options []byte // JSON for navigator.credentials
	// State has to be kept until the response arrives, where its sender can't change it. It is to
	// be used once, within [PasskeyCeremonyLifetime].
	State string
}

func newCeremony(options any, state *webauthn.SessionData, err error) (PasskeyCeremony, error) {
	if err != nil {
		return PasskeyCeremony{}, fmt.Errorf("begin passkey ceremony: %w", err)
	}
	forBrowser, err := json.Marshal(options)
	if err != nil {
		return PasskeyCeremony{}, fmt.Errorf("begin passkey ceremony: %w", err)
	}
	kept, err := json.Marshal(state)
	if err != nil {
		return PasskeyCeremony{}, fmt.Errorf("begin passkey ceremony: %w", err)
	}
	return PasskeyCeremony{Options: forBrowser, State: string(kept)}, nil
}

// passkeyOwner is a user with their passkeys. It implements [webauthn.User].
type passkeyOwner struct {
	user     User
	handle   []byte
	passkeys []Passkey
}

// WebAuthnID implements [webauthn.User].
func (o passkeyOwner) WebAuthnID() []byte { return o.handle }

// WebAuthnName implements [webauthn.User].
func (o passkeyOwner) WebAuthnName() string { return o.user.Email }

// WebAuthnDisplayName implements [webauthn.User].
func (o passkeyOwner) WebAuthnDisplayName() string { return o.user.Name }

// WebAuthnCredentials implements [webauthn.User].
func (o passkeyOwner) WebAuthnCredentials() []webauthn.Credential {
	credentials := make([]webauthn.Credential, 0, len(o.passkeys))
	for _, p := range o.passkeys {
		credential := webauthn.Credential{
			ID: p.CredentialID, PublicKey: p.PublicKey, Flags: webauthn.CredentialFlags{BackupEligible: p.BackupEligible, BackupState: p.BackedUp},
			Authenticator: webauthn.Authenticator{AAGUID: p.AAGUID, SignCount: uint32(p.SignCount)}, // #nosec G115 -- written from a uint32
		}
		for _, transport := range strings.Fields(p.Transports) {
			credential.Transport = append(credential.Transport, protocol.AuthenticatorTransport(transport))
		}
		credentials = append(credentials, credential)
	}
	return credentials
}

// creation requests a new passkey, from an authenticator that has none of the owner yet.
func (rp *relyingParty) creation(owner passkeyOwner) (PasskeyCeremony, error) {
	existing := webauthn.Credentials(owner.WebAuthnCredentials()).CredentialDescriptors()
	options, state, err := rp.library.BeginRegistration(owner,
		webauthn.WithExclusions(existing), webauthn.WithCredentialParameters(webauthn.CredentialParametersRecommendedL3()))
	return newCeremony(options, state, err)
}

// handleOf returns the user handle of a creation.
func handleOf(state string) ([]byte, error) {
	var kept webauthn.SessionData
	if err := json.Unmarshal([]byte(state), &kept); err != nil {
		return nil, fmt.Errorf("read passkey ceremony: %w", err)
	}
	return kept.UserID, nil
}

// create verifies the response to a creation. Error: a [PasskeyFailure].
func (rp *relyingParty) create(owner passkeyOwner, state string, response []byte) (Passkey, error) {
	var kept webauthn.SessionData
	if err := json.Unmarshal([]byte(state), &kept); err != nil {
		return Passkey{}, fmt.Errorf("read passkey ceremony: %w", err)
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(response)
	if err != nil {
		return Passkey{}, invalidPasskey(owner.user, err)
	}
	// The statements of manufacturers are not requested, so their parsers are not reached either.
	// Self attestation is packed.
	format := protocol.AttestationFormat(parsed.Response.AttestationObject.Format)
	if format != protocol.AttestationFormatNone && format != protocol.AttestationFormatPacked {
		return Passkey{}, invalidPasskey(owner.user, errors.New("unrequested attestation"))
	}
	credential, err := rp.library.CreateCredential(owner, kept, parsed)
	if err != nil {
		return Passkey{}, invalidPasskey(owner.user, err)
	}
	return Passkey{
		UserID: owner.user.ID, CredentialID: credential.ID, PublicKey: credential.PublicKey, AAGUID: credential.Authenticator.AAGUID,
		SignCount: int64(credential.Authenticator.SignCount), Transports: transportsOf(credential),
		BackupEligible: credential.Flags.BackupEligible, BackedUp: credential.Flags.BackupState,
	}, nil
}

// knownTransports are the transports of WebAuthn level 3. Others are not stored: browsers ignore
// them.
var knownTransports = []string{"ble", "hybrid", "internal", "nfc", "smart-card", "usb"}

func transportsOf(credential *webauthn.Credential) string {
	var known []string
	for _, transport := range credential.Transport {
		if name := string(transport); slices.Contains(knownTransports, name) && !slices.Contains(known, name) {
			known = append(known, name)
		}
	}
	return strings.Join(known, " ")
}

// assertion is a verified response of a passkey.
type assertion struct {
	passkey   Passkey // as it was read
	signCount int64
	backedUp  bool
	challenge []byte // SHA-256
}

// request requests an assertion of one of the owner's passkeys. alone: it counts as both factors,
// so the authenticator has to verify the person.
func (rp *relyingParty) request(owner passkeyOwner, alone bool) (PasskeyCeremony, error) {
	verification := protocol.VerificationPreferred
	if alone {
		verification = protocol.VerificationRequired
	}
	options, state, err := rp.library.BeginLogin(owner, webauthn.WithUserVerification(verification))
	return newCeremony(options, state, err)
}

// requestDiscoverable requests an assertion of any passkey, whose owner is not known yet. It
// counts as both factors.
func (rp *relyingParty) requestDiscoverable() (PasskeyCeremony, error) {
	options, state, err := rp.library.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	return newCeremony(options, state, err)
}

// check verifies an assertion of one of the owner's passkeys. Error: a [PasskeyFailure].
func (rp *relyingParty) check(owner passkeyOwner, state string, response []byte) (assertion, error) {
	kept, parsed, err := parseAssertion(state, response)
	if err != nil {
		return assertion{}, err
	}
	if _, err := rp.library.ValidateLogin(owner, kept, parsed); err != nil {
		return assertion{}, invalidPasskey(owner.user, err)
	}
	return newAssertion(owner, kept, parsed), nil
}

// checkDiscoverable verifies an assertion of any passkey. find returns the owner of a user handle,
// or [apperr.ErrNotFound]. Errors: a [PasskeyFailure]; other errors of find.
func (rp *relyingParty) checkDiscoverable(state string, response []byte, find func(handle []byte) (passkeyOwner, error)) (passkeyOwner, assertion, error) {
	kept, parsed, err := parseAssertion(state, response)
	if err != nil {
		return passkeyOwner{}, assertion{}, err
	}
	var owner passkeyOwner
	var findErr error
	_, _, err = rp.library.ValidatePasskeyLogin(func(_, handle []byte) (webauthn.User, error) {
		owner, findErr = find(handle)
		return owner, findErr
	}, kept, parsed)
	switch {
	case errors.Is(findErr, apperr.ErrNotFound):
		return owner, assertion{}, refusedPasskey(ReasonUnknownPasskey, User{}, "")
	case findErr != nil:
		return owner, assertion{}, findErr
	case err != nil:
		return owner, assertion{}, invalidPasskey(owner.user, err)
	}
	return owner, newAssertion(owner, kept, parsed), nil
}

func parseAssertion(state string, response []byte) (webauthn.SessionData, *protocol.ParsedCredentialAssertionData, error) {
	var kept webauthn.SessionData
	if err := json.Unmarshal([]byte(state), &kept); err != nil {
		return kept, nil, fmt.Errorf("read passkey ceremony: %w", err)
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(response)
	if err != nil {
		return kept, nil, invalidPasskey(User{}, err)
	}
	return kept, parsed, nil
}

// newAssertion returns the assertion of a response that the library has verified.
func newAssertion(owner passkeyOwner, kept webauthn.SessionData, parsed *protocol.ParsedCredentialAssertionData) assertion {
	challenge := sha256.Sum256([]byte(kept.Challenge))
	data := parsed.Response.AuthenticatorData
	a := assertion{signCount: int64(data.Counter), backedUp: data.Flags.HasBackupState(), challenge: challenge[:]}
	for _, p := range owner.passkeys {
		if bytes.Equal(p.CredentialID, parsed.RawID) {
			a.passkey = p
		}
	}
	return a
}

// PasskeyFailure is why a response of an authenticator was refused, for the security log. No page
// shows it.
type PasskeyFailure struct {
	Reason string
	UserID string // empty: not known
	Detail string // what the verification found
}

// The reasons of [PasskeyFailure].
const (
	ReasonInvalidPasskey  = "invalid_passkey"  // origin, challenge, signature or flags are wrong
	ReasonUnknownPasskey  = "unknown_passkey"  // nobody has it, or it was removed
	ReasonReplayedPasskey = "replayed_passkey" // its challenge was used before
	ReasonCopiedPasskey   = "copied_passkey"   // its counter went back: there may be a copy of the key
)

// Error implements error.
func (f *PasskeyFailure) Error() string { return f.Reason + ": " + f.Detail }

// messagePasskeyRefused is the same for every reason.
const messagePasskeyRefused = "This passkey wasn't accepted. Try again, or continue without it."

func refusedPasskey(reason string, user User, detail string) error {
	return &apperr.Error{Code: apperr.CodeUnprocessable, Message: messagePasskeyRefused, Err: &PasskeyFailure{Reason: reason, UserID: user.ID, Detail: detail}}
}

// invalidPasskey wraps an error of the library. Its text has neither challenge nor key.
func invalidPasskey(user User, err error) error {
	return refusedPasskey(ReasonInvalidPasskey, user, err.Error())
}
