package account

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"testing"

	"usher/billing/apperr"
)

// Where browsers allow passkeys (WebAuthn level 3, section 5.1: secure contexts whose host is a
// domain).
func TestOriginsOfPasskeys(t *testing.T) {
	for origin, possible := range map[string]bool{
		"https://billing.example.com": true, "https://billing.example.com:8443": true, "http://localhost:4312": true, "http://usher.localhost": true,
		"http://billing.example.com": false, "http://127.0.0.1:4312": false, "https://192.0.2.7": false, "https://[2001:db8::7]": false, "": false, "://": false,
	} {
		if got := newRelyingParty(origin, "") != nil; got != possible {
			t.Errorf("%q: passkeys possible: %t", origin, got)
		}
	}
}

// FuzzPasskeyResponse checks that a response of any bytes is refused as such, in both ceremonies
// and at every depth: as JSON, as authenticator data and as an attestation.
func FuzzPasskeyResponse(f *testing.F) {
	rp := newRelyingParty("https://usher.test", "")
	owner := passkeyOwner{user: User{ID: "usr_1", Email: "ana@example.com"}, handle: make([]byte, userHandleLength)}
	owner.passkeys = []Passkey{{ID: "pky_1", UserID: "usr_1", CredentialID: []byte{1}, PublicKey: []byte{0xa0}, AAGUID: make([]byte, 16)}}
	creation, err := rp.creation(owner)
	if err != nil {
		f.Fatal(err)
	}
	request, err := rp.requestDiscoverable()
	if err != nil {
		f.Fatal(err)
	}
	attestation, err := hex.DecodeString("a363666d74646e6f6e656761747453746d74a068617574684461746141ff")
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{}`), attestation, []byte{0xa0})
	f.Add([]byte(`{"type":"webauthn.create"}`), []byte{0xbf, 0xff}, make([]byte, 37))
	f.Add([]byte("\xff"), []byte{0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, make([]byte, 120))
	f.Fuzz(func(t *testing.T, client, attested, data []byte) {
		encode := base64.RawURLEncoding.EncodeToString
		nested, err := json.Marshal(map[string]any{"id": "AQ", "rawId": "AQ", "type": "public-key", "response": map[string]string{
			"clientDataJSON": encode(client), "attestationObject": encode(attested), "authenticatorData": encode(data),
			"signature": encode(attested), "userHandle": encode(owner.handle),
		}})
		if err != nil {
			t.Fatal(err)
		}
		for _, response := range [][]byte{client, nested} {
			_, err := rp.create(owner, creation.State, response)
			wantRefused(t, err)
			_, _, err = rp.checkDiscoverable(request.State, response, func([]byte) (passkeyOwner, error) { return owner, nil })
			wantRefused(t, err)
		}
	})
}

func wantRefused(t *testing.T, err error) {
	t.Helper()
	var failure *PasskeyFailure
	if !errors.As(err, &failure) || apperr.MessageOf(err) != messagePasskeyRefused {
		t.Errorf("not refused: %v", err)
	}
}
