package stripelocal

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
)

const (
	// archiveBlockBytes is the size of a block before it is compressed. Compression finds repeated
	// text within 32 KiB, which is the events of a few subscriptions.
	archiveBlockBytes = 256 << 10
	// archiveUnpacked is how many compressed blocks are also kept as text, for those who read
	// events one after another.
	archiveUnpacked = 4
	// archiveLevel halves what BestSpeed leaves, for a tenth of a millisecond a subscription.
	archiveLevel = 6
)

// archive keeps texts that are seldom read, in compressed blocks: the objects of events, and the
// responses under idempotency keys. A block is freed with the last archived text that is in use.
// The server's lock guards it.
type archive struct {
	open     *archiveBlock
	unpacked []*archiveBlock
	last     archived
	lastText []byte
}

// archiveBlock is texts one after another. An open block has no packed form, a closed one has texts
// only while it is among archive.unpacked.
type archiveBlock struct {
	archive *archive
	texts   [][]byte
	size    int
	packed  []byte
	count   int // of texts
	number  int // in the state file that is being written, from 1
}

// archived is a text in an archive. The zero value is no text. While a state file is read, block is
// nil and number is the block's, from 1.
type archived struct {
	block  *archiveBlock
	at     int32
	number int32
}

// add keeps a text, which must not change afterwards. The same slice twice in a row is kept once.
func (a *archive) add(text []byte) archived {
	if len(text) > 0 && len(text) == len(a.lastText) && &text[0] == &a.lastText[0] && a.last.block == a.open {
		return a.last
	}
	if a.open == nil {
		a.open = &archiveBlock{archive: a}
	}
	b := a.open
	b.texts, b.size, b.count = append(b.texts, text), b.size+len(text), b.count+1
	a.last, a.lastText = archived{block: b, at: int32(len(b.texts) - 1)}, text
	if b.size >= archiveBlockBytes {
		b.packed = packTexts(b.texts)
		a.open, a.lastText = nil, nil
		a.remember(b)
	}
	return archived{block: b, at: int32(len(b.texts) - 1)}
}

// remember keeps the texts of a closed block, instead of those of the one that was read longest
// ago.
func (a *archive) remember(b *archiveBlock) {
	if len(a.unpacked) == archiveUnpacked {
		a.unpacked[0].texts = nil
		a.unpacked = a.unpacked[1:]
	}
	a.unpacked = append(a.unpacked, b)
}

func (x archived) isEmpty() bool { return x.block == nil }

// text returns the text, which must not be changed. It is empty for the zero value. The caller has
// the server's lock.
func (x archived) text() []byte {
	if x.block == nil {
		return nil
	}
	if x.block.texts == nil {
		texts, err := unpackTexts(x.block.packed)
		if err != nil {
			panic(fmt.Sprintf("stripelocal: an archived block cannot be read: %v", err))
		}
		x.block.texts = texts
		x.block.archive.remember(x.block)
	}
	return x.block.texts[x.at]
}

var packers = sync.Pool{New: func() any {
	w, err := flate.NewWriter(nil, archiveLevel)
	if err != nil {
		panic(err) // the level is a constant
	}
	return w
}}

// packTexts compresses texts as a JSON list of numbers, their lengths, and themselves.
func packTexts(texts [][]byte) []byte {
	lengths := make([]int, len(texts))
	for i, text := range texts {
		lengths[i] = len(text)
	}
	var out bytes.Buffer
	w := packers.Get().(*flate.Writer)
	defer packers.Put(w)
	w.Reset(&out)
	// A buffer's writes do not fail.
	_ = json.NewEncoder(w).Encode(lengths)
	for _, text := range texts {
		_, _ = w.Write(text)
	}
	_ = w.Close()
	return bytes.Clone(out.Bytes())
}

func unpackTexts(packed []byte) ([][]byte, error) {
	raw, err := io.ReadAll(flate.NewReader(bytes.NewReader(packed)))
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	head, rest, _ := bytes.Cut(raw, []byte("\n"))
	var lengths []int
	if err := json.Unmarshal(head, &lengths); err != nil {
		return nil, fmt.Errorf("read lengths: %w", err)
	}
	texts := make([][]byte, len(lengths))
	for i, n := range lengths {
		if n < 0 || n > len(rest) {
			return nil, fmt.Errorf("text %d has %d bytes, and %d are left", i, n, len(rest))
		}
		texts[i], rest = rest[:n:n], rest[n:]
	}
	return texts, nil
}

// blockList is the blocks of a state file.
type blockList []*archiveBlock

// storedBlock is a block in the state file.
type storedBlock struct {
	Count  int
	Packed []byte
}

// MarshalJSON writes the blocks as base64. An open one is compressed for that, and stays open.
func (l blockList) MarshalJSON() ([]byte, error) {
	stored := make([]storedBlock, len(l))
	for i, b := range l {
		stored[i] = storedBlock{b.count, b.packed}
		if b.packed == nil {
			stored[i].Packed = packTexts(b.texts)
		}
	}
	return json.Marshal(stored)
}

func (l *blockList) UnmarshalJSON(raw []byte) error {
	var stored []storedBlock
	if err := json.Unmarshal(raw, &stored); err != nil {
		return err
	}
	for _, b := range stored {
		*l = append(*l, &archiveBlock{packed: b.Packed, count: b.Count})
	}
	return nil
}

// MarshalJSON writes the block's number and the position in it, or null.
func (x archived) MarshalJSON() ([]byte, error) {
	if x.block == nil {
		return []byte("null"), nil
	}
	return json.Marshal([2]int{x.block.number, int(x.at)})
}

// UnmarshalJSON reads a place in a block, or the text itself, which a state file of format 2 has:
// an object, or a string with the text.
func (x *archived) UnmarshalJSON(raw []byte) error {
	switch raw[0] {
	case 'n':
		return nil
	case '[':
		var place [2]int32
		if err := json.Unmarshal(raw, &place); err != nil {
			return err
		}
		x.number, x.at = place[0], place[1]
		return nil
	}
	text := bytes.Clone(raw)
	if raw[0] == '"' {
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return err
		}
		text = []byte(s)
	}
	x.block = &archiveBlock{texts: [][]byte{text}}
	x.number = -1 // in no block of the file
	return nil
}

// archivedTexts returns all archived texts that are in use, always in the same order.
func (st *store) archivedTexts() []*archived {
	var out []*archived
	for _, e := range st.Events.all {
		out = append(out, &e.Object, &e.PreviousAttributes)
	}
	for _, key := range slices.Sorted(maps.Keys(st.IdempotentResponses)) {
		out = append(out, &st.IdempotentResponses[key].Body)
	}
	return out
}

// numberBlocks lists the blocks in use for a state file.
func (st *store) numberBlocks() {
	st.Blocks = blockList{}
	listed := map[*archiveBlock]bool{}
	for _, x := range st.archivedTexts() {
		if b := x.block; b != nil && !listed[b] {
			st.Blocks = append(st.Blocks, b)
			listed[b], b.number = true, len(st.Blocks)
		}
	}
}

// linkBlocks connects the texts of a state file with its blocks.
func (st *store) linkBlocks(a *archive) error {
	for _, b := range st.Blocks {
		b.archive = a
	}
	st.shareStrings()
	for _, x := range st.archivedTexts() {
		if err := st.linkText(a, x); err != nil {
			return err
		}
	}
	st.Blocks = nil
	return nil
}

// shareStrings makes the events of one call share their strings, as they do when they are emitted.
func (st *store) shareStrings() {
	types := map[string]string{}
	last := &Event{}
	for _, e := range st.Events.all {
		if _, known := types[e.Type]; !known {
			types[e.Type] = e.Type
		}
		e.Type = types[e.Type]
		if e.RequestID == last.RequestID && e.IdempotencyKey == last.IdempotencyKey {
			e.RequestID, e.IdempotencyKey = last.RequestID, last.IdempotencyKey
		}
		last = e
	}
}

func (st *store) linkText(a *archive, x *archived) error {
	switch {
	case x.number < 0: // format 2
		*x = a.add(x.block.texts[0])
		return nil
	case x.number == 0:
		return nil
	case int(x.number) > len(st.Blocks):
		return fmt.Errorf("there is no block %d", x.number)
	}
	x.block = st.Blocks[x.number-1]
	if x.at < 0 || int(x.at) >= x.block.count {
		return fmt.Errorf("block %d has no text %d", x.number, x.at)
	}
	return nil
}
