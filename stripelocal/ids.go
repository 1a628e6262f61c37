package stripelocal

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
)

const idAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// idSource generates ids that look like Stripe's.
type idSource struct {
	random *rand.ChaCha8
	forced string // what the next id of its type is; empty is a random one
}

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
func (s *idSource) shortID(prefix string) string { return s.id(prefix, 14) }

// longID returns an id such as sub_1…, in_1… or evt_1….
func (s *idSource) longID(prefix string) string { return s.id(prefix, 24-1) }

func (s *idSource) id(prefix string, n int) string {
	kind := prefix[:strings.LastIndexByte(prefix, '_')+1]
	if s.forced != "" && kind != "" && strings.HasPrefix(s.forced, kind) {
		id := s.forced
		s.forced = ""
		return id
	}
	return prefix + s.token(n)
}

func (s *idSource) coinFlip() bool { return s.random.Uint64()&1 == 0 }
