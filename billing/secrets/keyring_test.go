package secrets

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// key returns a key that looks random.
func key(seed byte) Key {
	var k Key
	for i := range k {
		k[i] = seed + byte(i)*7
	}
	return k
}

func mustSeal(t *testing.T, keyring *Keyring, value, purpose, owner string) []byte {
	t.Helper()
	sealed, err := keyring.Seal([]byte(value), purpose, owner)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestSealedValueOpensForItsPurposeAndOwnerOnly(t *testing.T) {
	keyring := NewKeyring(key(1))
	sealed := mustSeal(t, keyring, "the seed", "totp", "usr_1")
	if value, outdated, err := keyring.Open(sealed, "totp", "usr_1"); string(value) != "the seed" || outdated || err != nil {
		t.Errorf("opened %q, outdated %t, %v", value, outdated, err)
	}
	if bytes.Contains(sealed, []byte("seed")) {
		t.Error("the sealed value contains the value")
	}
	if bytes.Equal(sealed, mustSeal(t, keyring, "the seed", "totp", "usr_1")) {
		t.Error("two sealed values are equal, so the nonce is not random")
	}
	for _, other := range [][2]string{{"totp", "usr_2"}, {"webhook", "usr_1"}, {"totpu", "sr_1"}, {"", "totpusr_1"}} {
		if _, _, err := keyring.Open(sealed, other[0], other[1]); !errors.Is(err, ErrTampered) {
			t.Errorf("%q: %v, want %v", other, err, ErrTampered)
		}
	}
}

// Every changed bit and every truncation is refused.
func TestTamperedValueDoesNotOpen(t *testing.T) {
	keyring := NewKeyring(key(1), key(2))
	sealed := mustSeal(t, keyring, "the seed", "totp", "usr_1")
	for bit := range 8 * len(sealed) {
		changed := bytes.Clone(sealed)
		changed[bit/8] ^= 1 << (bit % 8)
		if value, _, err := keyring.Open(changed, "totp", "usr_1"); err == nil {
			t.Fatalf("bit %d changed: opened %q", bit, value)
		}
	}
	for length := range len(sealed) {
		if _, _, err := keyring.Open(sealed[:length], "totp", "usr_1"); err == nil {
			t.Fatalf("opened the first %d bytes", length)
		}
	}
}

// A key is rolled in three steps: (old, new), (new, old), (new). Values stay readable in each, and
// each program opens what one in the step before or after has sealed.
func TestKeysAreRolled(t *testing.T) {
	before, prepared, rolled, after := NewKeyring(key(1)), NewKeyring(key(1), key(2)), NewKeyring(key(2), key(1)), NewKeyring(key(2))
	old := mustSeal(t, before, "v", "totp", "usr_1")
	for name, keyring := range map[string]*Keyring{"before": before, "prepared": prepared, "rolled": rolled} {
		_, outdated, err := keyring.Open(old, "totp", "usr_1")
		if err != nil || outdated != (name == "rolled") {
			t.Errorf("%s: outdated %t, %v", name, outdated, err)
		}
	}
	renewed := mustSeal(t, rolled, "v", "totp", "usr_1")
	for _, keyring := range []*Keyring{prepared, rolled, after} {
		if _, _, err := keyring.Open(renewed, "totp", "usr_1"); err != nil {
			t.Error(err)
		}
	}
	if _, _, err := after.Open(old, "totp", "usr_1"); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("without the old key: %v, want %v", err, ErrUnknownKey)
	}
	if !bytes.HasPrefix(renewed, rolled.Prefix()) || bytes.HasPrefix(old, rolled.Prefix()) {
		t.Error("the prefix does not tell the values of the newest key")
	}
}

func TestWithoutAKeyNothingIsSealed(t *testing.T) {
	for _, keyring := range []*Keyring{nil, NewKeyring()} {
		if _, err := keyring.Seal([]byte("v"), "totp", "usr_1"); !errors.Is(err, ErrNoKey) {
			t.Errorf("sealed: %v", err)
		}
		if _, _, err := keyring.Open(mustSeal(t, NewKeyring(key(1)), "v", "totp", "usr_1"), "totp", "usr_1"); !errors.Is(err, ErrUnknownKey) {
			t.Errorf("opened: %v", err)
		}
	}
}

func TestKeyIsNotPrinted(t *testing.T) {
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s", "%q", "%d"} {
		if got := fmt.Sprintf(verb, struct{ Keys []Key }{[]Key{key(1)}}); !strings.Contains(got, "…") || strings.ContainsAny(got, "0123456789") {
			t.Errorf("%s prints %s", verb, got)
		}
	}
}

func TestParseKey(t *testing.T) {
	k := key(3)
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if got, err := ParseKey(encoding.EncodeToString(k[:])); got != k || err != nil {
			t.Errorf("%v, %v", got, err)
		}
	}
	short, zeros := base64.StdEncoding.EncodeToString(k[:31]), base64.StdEncoding.EncodeToString(make([]byte, 32))
	for text, want := range map[string]string{
		short: "31 bytes, not 32", zeros: "not random", "correct horse battery staple": "not base64", "": "0 bytes", strings.Repeat("ab", 32): "48 bytes",
	} {
		if _, err := ParseKey(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
