package stripelocal

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
)

const idAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// idSource generates ids that look like Stripe's.
type idSource struct{ random *rand.ChaCha8 }

// newIDSource reads its seed once. The seed includes the number of starts, so that a fixed seed
// does not repeat the ids of a state file.
func newIDSource(random io.Reader, starts int) (*idSource, error) {
	seed := make([]byte, 32, 40)
	if _, err := io.ReadFull(random, seed); err != nil {
		return nil, fmt.Errorf("read randomness: %w", err)
	}
	seed = binary.BigEndian.AppendUint64(seed, uint64(starts))
	return &idSource{random: rand.NewChaCha8(sha256.Sum256(seed))}, nil
}

// token returns n base-62 characters.
func (s *idSource) token(n int) string {
	letters := rand.New(s.random)
	out := make([]byte, n)
	for i := range out {
		out[i] = idAlphabet[letters.IntN(len(idAlphabet))]
	}
	return string(out)
}

// shortID returns a legacy id: cus_, prod_, si_, req_.
func (s *idSource) shortID(prefix string) string { return prefix + s.token(14) }

// longID returns an id such as sub_1…, in_1… or evt_1….
func (s *idSource) longID(prefix string) string { return prefix + s.token(24-1) }

func (s *idSource) coinFlip() bool { return s.random.Uint64()&1 == 0 }
