package account

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"io"
	"strings"
)

// RecoveryCodes is the number of recovery codes that a person gets.
const RecoveryCodes = 10

// A recovery code has 120 random bits in 24 characters. From 112 bits on, ASVS 5.0 item 6.5.2
// allows a plain hash: nobody can guess that many.
const (
	recoveryCodeBytes = 15
	recoveryCodeGroup = 6 // characters between hyphens
)

// newRecoveryCodes returns codes such as k3vqzn-7xw2ab-m4cdfe-p5hjrt, and the hashes to store.
func (sf *SecondFactors) newRecoveryCodes(userID string) (codes []string, hashes [][]byte, err error) {
	for range RecoveryCodes {
		var random [recoveryCodeBytes]byte
		if _, err := io.ReadFull(sf.Rand, random[:]); err != nil {
			return nil, nil, fmt.Errorf("generate recovery codes: %w", err)
		}
		code := strings.ToLower(base32.StdEncoding.EncodeToString(random[:]))
		codes = append(codes, grouped(code))
		hashes = append(hashes, hashRecoveryCode(userID, code))
	}
	return codes, hashes, nil
}

func grouped(code string) string {
	var groups []string
	for ; len(code) > recoveryCodeGroup; code = code[recoveryCodeGroup:] {
		groups = append(groups, code[:recoveryCodeGroup])
	}
	return strings.Join(append(groups, code), "-")
}

// hashRecoveryCode hashes a code as [normalizeCode] returns it. The alphabet has neither 0 nor 1,
// so they are read as the letters that look like them.
func hashRecoveryCode(userID, code string) []byte {
	code = strings.NewReplacer("0", "o", "1", "l").Replace(code)
	sum := sha256.Sum256([]byte("recovery code\x00" + userID + "\x00" + code))
	return sum[:]
}
