// Package tokenizer reads BPE tokenizers in the Hugging Face tokenizer.json format
// (byte-level, and SentencePiece style with byte fallback), trains byte-level ones,
// and renders chats into tokens.
//
// Invariants: Decode(Encode(s)) == s for any valid UTF-8 s and a byte-level
// tokenizer without a normaliser;
// text given to Encode never becomes a special token, so that a user cannot forge a
// turn of the chat; a Stream never emits half a UTF-8 sequence. A Tokenizer is
// immutable after loading and safe for concurrent use.
//
// A chat is rendered by the model's own template (package chat), or by one of the
// formats listed in chat.go if the model has none. It does
// not read WordPiece or Unigram models, nor SentencePiece's own files, and says so.
package tokenizer

import (
	"fmt"
	"sort"
	"strings"
	"sync"
	"unicode/utf8"
)

// Tokenizer is a loaded BPE.
type Tokenizer struct {
	vocab        map[string]uint32 // token in byte-level spelling -> id
	pieces       []piece           // by id
	merges       map[pair]merge
	bytes        [256]uint32 // id of each single byte, or none
	ignoreMerges bool
	split        splitter
	normalise    func(string) string
	prefixSpace  bool
	added        *matcher // all added tokens
	plain        *matcher // added tokens that are not special
	template     []templateItem
	hasUnk       bool
	fuseUnk      bool
	unk          uint32
	chat         chatFormat
	jinja        *jinjaChat // nil: the model has no template

	characterLevel bool // SentencePiece style; see sentencepiece.go
	meta           metaspace
	strip          bool // a text loses one leading space when decoded

	once  sync.Once
	texts []string // by id, of tokens that are text by themselves; see wholeTexts
}

const none = ^uint32(0)

type piece struct {
	bytes   []byte // what the token decodes to
	ok      bool   // the id exists
	special bool
}

type pair struct{ a, b uint32 }

type merge struct {
	rank uint32
	id   uint32
}

type templateItem struct {
	seq bool // the text itself
	id  uint32
}

// VocabSize is one more than the largest id.
func (t *Tokenizer) VocabSize() int { return len(t.pieces) }

// ID is the id of a token by its spelling (an added token's content, or the
// byte-level spelling of an ordinary one).
func (t *Tokenizer) ID(token string) (uint32, bool) {
	id, ok := t.vocab[token]
	return id, ok
}

// IsSpecial says whether the id is a special token, which Decode leaves out.
func (t *Tokenizer) IsSpecial(id uint32) bool {
	return int(id) < len(t.pieces) && t.pieces[id].special
}

// Encode turns text into tokens. Text that spells a special token is taken
// literally. No beginning-of-text token is added: see WithTemplate.
func (t *Tokenizer) Encode(text string) []uint32 {
	return t.encode(nil, text, t.plain)
}

// EncodeSpecial also recognises special tokens in the text. Never use it on text
// from a user.
func (t *Tokenizer) EncodeSpecial(text string) []uint32 {
	return t.encode(nil, text, t.added)
}

// WithTemplate adds what the tokenizer's post-processor adds around one text: a
// beginning-of-text token, say.
func (t *Tokenizer) WithTemplate(ids []uint32) []uint32 {
	if len(t.template) == 0 {
		return ids
	}
	out := make([]uint32, 0, len(ids)+len(t.template))
	for _, it := range t.template {
		if it.seq {
			out = append(out, ids...)
		} else {
			out = append(out, it.id)
		}
	}
	return out
}

func (t *Tokenizer) encode(out []uint32, text string, m *matcher) []uint32 {
	return t.encodeWhere(out, text, m, nil)
}

// encodeWhere takes an added token only where allow, if it is not nil, says so; start
// and end are its place in text.
func (t *Tokenizer) encodeWhere(out []uint32, text string, m *matcher, allow func(start, end int, id uint32) bool) []uint32 {
	at := 0
	for first := true; at < len(text); first = false {
		start, end, id, ok := m.find(text, at, allow)
		if !ok {
			return t.encodeText(out, text[at:], first)
		}
		out = t.encodeText(out, text[at:start], first)
		out = append(out, id)
		at = end
	}
	return out
}

func (t *Tokenizer) encodeText(out []uint32, text string, first bool) []uint32 {
	if text == "" {
		return out
	}
	if t.normalise != nil {
		text = t.normalise(text)
	}
	if t.prefixSpace && !strings.HasPrefix(text, " ") {
		text = " " + text
	}
	if t.meta.on {
		text = t.meta.apply(text, first)
	}
	t.split(text, func(word string) {
		out = t.encodeWord(out, word)
	})
	return out
}

// Decode turns tokens into text, leaving special tokens out. Invalid UTF-8 becomes
// U+FFFD.
func (t *Tokenizer) Decode(ids []uint32) string {
	var b []byte
	for _, id := range ids {
		b = append(b, t.Bytes(id)...)
	}
	return t.trim(lossy(b))
}

// trim takes off the leading space that encoding put there.
func (t *Tokenizer) trim(s string) string {
	if t.strip {
		return strings.TrimPrefix(s, " ")
	}
	return s
}

// Bytes is what one token decodes to: nil for a special or unknown id. The slice
// must not be changed.
func (t *Tokenizer) Bytes(id uint32) []byte {
	if int(id) >= len(t.pieces) || t.pieces[id].special {
		return nil
	}
	return t.pieces[id].bytes
}

// Stream decodes tokens as they come.
type Stream struct {
	t       *Tokenizer
	held    []byte
	started bool // some text has been returned
}

// NewStream starts an incremental decoding.
func (t *Tokenizer) NewStream() *Stream { return &Stream{t: t} }

// Push takes one token and returns the text that is certain now; it may be empty.
func (s *Stream) Push(id uint32) string {
	if len(s.held) == 0 && s.started {
		if texts := s.t.wholeTexts(); int(id) < len(texts) && texts[id] != "" {
			return texts[id]
		}
	}
	s.held = append(s.held, s.t.Bytes(id)...)
	n := len(s.held)
	// Keep back a trailing sequence that more bytes may complete.
	for i := 1; i <= utf8.UTFMax-1 && i <= n; i++ {
		if tail := s.held[n-i:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				n -= i
			}
			break
		}
	}
	out := lossy(s.held[:n])
	s.held = append(s.held[:0], s.held[n:]...)
	if !s.started && out != "" {
		s.started = true
		out = s.t.trim(out)
	}
	return out
}

// wholeTexts has the text of every token that is text by itself, so that decoding
// makes no new string for it. Made at first use.
func (t *Tokenizer) wholeTexts() []string {
	t.once.Do(func() {
		var all strings.Builder
		ends := make([]int, len(t.pieces))
		for id := range t.pieces {
			if b := t.Bytes(uint32(id)); utf8.Valid(b) {
				_, _ = all.Write(b) // never fails
			}
			ends[id] = all.Len()
		}
		text, start := all.String(), 0
		t.texts = make([]string, len(ends))
		for id, end := range ends {
			t.texts[id] = text[start:end]
			start = end
		}
	})
	return t.texts
}

// Flush returns what is held back at the end of the output, U+FFFD for half a rune.
func (s *Stream) Flush() string {
	out := lossy(s.held)
	s.held = s.held[:0]
	return out
}

// matcher finds added tokens in text: the leftmost, then the longest.
type matcher struct {
	byFirst [256][]addedToken // sorted by length, longest first
	any     bool
}

type addedToken struct {
	text                       string
	id                         uint32
	lstrip, rstrip, singleWord bool
}

func newMatcher(tokens []addedToken) *matcher {
	m := &matcher{}
	for _, a := range tokens {
		if a.text != "" {
			m.byFirst[a.text[0]] = append(m.byFirst[a.text[0]], a)
			m.any = true
		}
	}
	for i := range m.byFirst {
		l := m.byFirst[i]
		sort.SliceStable(l, func(x, y int) bool { return len(l[x].text) > len(l[y].text) })
	}
	return m
}

// find looks for the next added token in text[from:].
func (m *matcher) find(text string, from int, allow func(start, end int, id uint32) bool) (start, end int, id uint32, ok bool) {
	if !m.any {
		return 0, 0, 0, false
	}
	for i := from; i < len(text); i++ {
		for _, a := range m.byFirst[text[i]] {
			if !strings.HasPrefix(text[i:], a.text) {
				continue
			}
			start, end = i, i+len(a.text)
			if a.singleWord && !wordBounded(text, start, end) || allow != nil && !allow(start, end, a.id) {
				continue
			}
			if a.lstrip {
				start = from + len(strings.TrimRight(text[from:start], whitespace))
			}
			if a.rstrip {
				end = len(text) - len(strings.TrimLeft(text[end:], whitespace))
			}
			return start, end, a.id, true
		}
	}
	return 0, 0, 0, false
}

const whitespace = " \t\n\v\f\r\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"

func wordBounded(text string, start, end int) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:start])
	after, _ := utf8.DecodeRuneInString(text[end:])
	return (start == 0 || !isWord(before)) && (end == len(text) || !isWord(after))
}

func (t *Tokenizer) checkID(id uint32, what string) error {
	if int(id) >= len(t.pieces) || !t.pieces[id].ok {
		return fmt.Errorf("tokenizer: %s: token id %d does not exist", what, id)
	}
	return nil
}
