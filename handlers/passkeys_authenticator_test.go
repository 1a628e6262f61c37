package handlers

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"usher/billing"
	"usher/billing/catalog"
	mailviews "usher/views/mail"
)

// passkeyOrigin is the public origin of the tests' passkeys: they need the name of a host.
const passkeyOrigin = "http://localhost:4312"

// softKey is a software authenticator with one passkey. Its fields can be changed to misbehave.
type softKey struct {
	t      testing.TB
	key    *ecdsa.PrivateKey
	id     []byte
	handle []byte
	origin string
	rpID   string
	flags  byte
	count  uint32 // of the last assertion
	step   uint32 // by which count grows; 0: synced passkeys do not count
}

// Flags of authenticator data (WebAuthn level 3, section 6.1).
const (
	flagPresent  = 0x01
	flagVerified = 0x04
	flagSyncable = 0x08
	flagSynced   = 0x10
	flagAttested = 0x40
)

func newSoftKey(t testing.TB) *softKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id := make([]byte, 32)
	rand.Read(id)
	return &softKey{t: t, key: key, id: id, origin: passkeyOrigin, rpID: "localhost", flags: flagPresent | flagVerified, step: 1}
}

// passkeyOptions are the options of both ceremonies, as far as the authenticator reads them.
type passkeyOptions struct {
	PublicKey struct {
		Challenge string `json:"challenge"`
		RPID      string `json:"rpId"`
		User      struct {
			ID string `json:"id"`
		} `json:"user"`
		UserVerification   string                `json:"userVerification"`
		Attestation        string                `json:"attestation"`
		AllowCredentials   []struct{ ID string } `json:"allowCredentials"`
		ExcludeCredentials []struct{ ID string } `json:"excludeCredentials"`
	} `json:"publicKey"`
}

func encode64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (k *softKey) decode64(text string) []byte {
	k.t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		k.t.Fatal(err)
	}
	return b
}

func (k *softKey) clientData(ceremony, challenge string) []byte {
	data, err := json.Marshal(map[string]any{"type": ceremony, "challenge": challenge, "origin": k.origin, "crossOrigin": false})
	if err != nil {
		k.t.Fatal(err)
	}
	return data
}

func (k *softKey) authData(flags byte) []byte {
	hash := sha256.Sum256([]byte(k.rpID))
	return binary.BigEndian.AppendUint32(append(hash[:], flags), k.count)
}

// create answers the options of a registration.
func (k *softKey) create(o passkeyOptions) string {
	k.t.Helper()
	k.handle = k.decode64(o.PublicKey.User.ID)
	public, err := k.key.PublicKey.Bytes() // 0x04, x, y
	if err != nil {
		k.t.Fatal(err)
	}
	// CBOR of {1: 2, 3: -7, -1: 1, -2: x, -3: y}, the COSE key of ES256.
	cose := append([]byte{0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20}, public[1:33]...)
	cose = append(append(cose, 0x22, 0x58, 0x20), public[33:]...)
	auth := append(k.authData(k.flags|flagAttested), make([]byte, 16)...)
	auth = append(binary.BigEndian.AppendUint16(auth, uint16(len(k.id))), k.id...)
	auth = append(auth, cose...)
	// CBOR of {"fmt": "none", "attStmt": {}, "authData": auth}.
	attestation := append([]byte{0xa3, 0x63}, "fmt"...)
	attestation = append(append(attestation, 0x64), "none"...)
	attestation = append(append(append(attestation, 0x67), "attStmt"...), 0xa0, 0x68)
	attestation = append(append(attestation, "authData"...), 0x59)
	attestation = append(binary.BigEndian.AppendUint16(attestation, uint16(len(auth))), auth...)
	return k.response(map[string]any{
		"clientDataJSON": encode64(k.clientData("webauthn.create", o.PublicKey.Challenge)), "attestationObject": encode64(attestation),
		"transports": []string{"internal", "future"},
	})
}

// get answers the options of an assertion.
func (k *softKey) get(o passkeyOptions) string {
	k.t.Helper()
	k.count += k.step
	client, auth := k.clientData("webauthn.get", o.PublicKey.Challenge), k.authData(k.flags)
	hash := sha256.Sum256(client)
	signed := sha256.Sum256(append(append([]byte{}, auth...), hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, k.key, signed[:])
	if err != nil {
		k.t.Fatal(err)
	}
	return k.response(map[string]any{
		"clientDataJSON": encode64(client), "authenticatorData": encode64(auth), "signature": encode64(signature), "userHandle": encode64(k.handle),
	})
}

func (k *softKey) response(response map[string]any) string {
	text, err := json.Marshal(map[string]any{"id": encode64(k.id), "rawId": encode64(k.id), "type": "public-key", "response": response})
	if err != nil {
		k.t.Fatal(err)
	}
	return string(text)
}

// usePasskeys makes passkeys possible: the test server's own origin is an IP address.
func (h *testEnv) usePasskeys() {
	h.t.Helper()
	passkeys := billing.New(billing.Options{
		WallClock: h.wallNow, Secrets: testKeyring(), Store: h.store, Catalog: catalog.BuiltInPlans(), Renderer: mailviews.Renderer{}, BaseURL: passkeyOrigin,
	}).Passkeys
	h.server.auth.passkeys, h.server.twoStep.passkeys, h.server.recent.passkeys = passkeys, passkeys, passkeys
}

// options fetches the options of a ceremony.
func (b *browser) options(path string) passkeyOptions {
	b.t.Helper()
	got := b.send(post, path+ceremonyOptions, "").wantStatus(http.StatusOK)
	var o passkeyOptions
	if err := json.Unmarshal([]byte(got.body), &o); err != nil {
		b.t.Fatal(err)
	}
	return o
}

// addPasskey adds a passkey on its page.
func (b *browser) addPasskey(k *softKey, name string) response {
	b.t.Helper()
	return b.post(passkeysPath, url.Values{"name": {name}, "response": {k.create(b.options(passkeysPath))}})
}

// usePasskey answers the ceremony of a path.
func (b *browser) usePasskey(k *softKey, path, next string) response {
	b.t.Helper()
	return b.post(path, url.Values{"next": {next}, "response": {k.get(b.options(path))}})
}
