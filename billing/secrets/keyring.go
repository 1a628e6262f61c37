// Package secrets seals values that are stored and have to be read back, such as the seeds of
// authenticator apps, so that a copy of the database does not reveal them.
//
// A value is sealed with AES-256-GCM under the newest key, and opened with whichever key sealed it.
// Purpose and owner are authenticated: a value that was copied to another row does not open.
package secrets

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// KeySize is the length of a key in bytes.
const KeySize = 32

// The layout of a sealed value: version, key id, nonce, ciphertext with tag. The nonce is random;
// NIST SP 800-38D section 8.3 allows 2^32 values under one key.
const (
	sealVersion = 1
	keyIDSize   = 8
	headerSize  = 1 + keyIDSize
)

// Errors of [Keyring.Open] and [Keyring.Seal].
var (
	ErrNoKey      = errors.New("no key to seal secrets with: SECRETS_KEY is unset")
	ErrUnknownKey = errors.New("sealed with a key that SECRETS_KEY does not have")
	ErrTampered   = errors.New("not a sealed value of this purpose and owner")
)

// Key is 32 random bytes.
type Key [KeySize]byte

// ParseKey reads a key from base64, standard or URL-safe, padded or not. Its errors do not contain
// the text.
func ParseKey(text string) (Key, error) {
	var key Key
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		raw, err := encoding.DecodeString(text)
		if err != nil {
			continue
		}
		if len(raw) != KeySize {
			return key, fmt.Errorf("%d bytes, not %d", len(raw), KeySize)
		}
		if isRepetitive(raw) {
			return key, errors.New("not random")
		}
		return Key(raw), nil
	}
	return key, errors.New("not base64")
}

// isRepetitive reports whether a key has fewer different bytes than a random one ever has.
func isRepetitive(raw []byte) bool {
	sorted := slices.Sorted(slices.Values(raw))
	return len(slices.Compact(sorted)) < KeySize/2
}

// Format writes a placeholder for every verb, so that no log or error shows a key.
func (k Key) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte("…")) }

// ID identifies the key in sealed values and reveals nothing about it.
func (k Key) ID() [keyIDSize]byte { return [keyIDSize]byte(k.derive("usher key id", keyIDSize)) }

// derive returns a value that depends on the key, for one use.
func (k Key) derive(use string, length int) []byte {
	derived, err := hkdf.Key(sha256.New, k[:], nil, use, length)
	if err != nil {
		panic("secrets: derive: " + err.Error()) // the length is a constant
	}
	return derived
}

// Keyring seals with its first key and opens with all of them. A nil Keyring has none.
type Keyring struct {
	keys []sealingKey
}

type sealingKey struct {
	id   [keyIDSize]byte
	aead cipher.AEAD
}

// NewKeyring returns a Keyring. The first key is the newest: new values are sealed with it.
func NewKeyring(keys ...Key) *Keyring {
	keyring := &Keyring{}
	for _, key := range keys {
		block, err := aes.NewCipher(key.derive("usher seal", KeySize))
		if err != nil {
			panic("secrets: " + err.Error()) // the length is a constant
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			panic("secrets: " + err.Error())
		}
		keyring.keys = append(keyring.keys, sealingKey{key.ID(), aead})
	}
	return keyring
}

// Seal encrypts a value for one purpose and owner, such as "totp seed" and a user id. Error:
// [ErrNoKey].
func (r *Keyring) Seal(value []byte, purpose, owner string) ([]byte, error) {
	if r == nil || len(r.keys) == 0 {
		return nil, ErrNoKey
	}
	newest := r.keys[0]
	header := append([]byte{sealVersion}, newest.id[:]...)
	// #nosec G407 -- the AEAD makes a random nonce
	return newest.aead.Seal(header, nil, value, associatedData(header, purpose, owner)), nil
}

// Open decrypts a sealed value. It reports whether the value should be sealed again, because its
// key is not the newest one. Errors: [ErrUnknownKey]; [ErrTampered], also for another purpose or
// owner.
func (r *Keyring) Open(sealed []byte, purpose, owner string) (value []byte, outdated bool, err error) {
	if len(sealed) < headerSize || sealed[0] != sealVersion {
		return nil, false, ErrTampered
	}
	header, body := sealed[:headerSize], sealed[headerSize:]
	n := r.indexOf(header[1:])
	if n < 0 {
		return nil, false, ErrUnknownKey
	}
	if value, err = r.keys[n].aead.Open(nil, nil, body, associatedData(header, purpose, owner)); err != nil {
		return nil, false, ErrTampered
	}
	return value, n > 0, nil
}

func (r *Keyring) indexOf(id []byte) int {
	if r == nil {
		return -1
	}
	return slices.IndexFunc(r.keys, func(k sealingKey) bool { return bytes.Equal(k.id[:], id) })
}

// Prefix returns the first bytes of every value that is sealed with the newest key; nil if there is
// none. Values that begin otherwise are to be sealed again.
func (r *Keyring) Prefix() []byte {
	if r == nil || len(r.keys) == 0 {
		return nil
	}
	return append([]byte{sealVersion}, r.keys[0].id[:]...)
}

// associatedData joins the parts unambiguously, each after its length.
func associatedData(header []byte, purpose, owner string) []byte {
	data := slices.Clone(header)
	for _, part := range []string{purpose, owner} {
		data = binary.BigEndian.AppendUint32(data, uint32(len(part))) // #nosec G115 -- a purpose or an id
		data = append(data, part...)
	}
	return data
}
