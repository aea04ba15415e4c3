package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
)

// SentencePiece-style BPE, as Llama 2 and Mistral have it: symbols are characters,
// spaces are spelled as space, and a character that is not in the vocabulary falls
// back to its bytes, spelled <0x00> to <0xFF>.
const space = "\u2581"

// bytePiece parses <0xXX>.
func bytePiece(s string) (byte, bool) {
	if len(s) != 6 || !strings.HasPrefix(s, "<0x") || s[5] != '>' {
		return 0, false
	}
	v := 0
	for _, c := range s[3:5] {
		i := strings.IndexRune("0123456789ABCDEF", c)
		if i < 0 {
			return 0, false
		}
		v = v<<4 | i
	}
	return byte(v), true
}

// loadCharacterPieces fills in what tokens decode to, and the byte tokens.
func (t *Tokenizer) loadCharacterPieces() {
	for b := range t.bytes {
		t.bytes[b] = none
	}
	for s, id := range t.vocab { // each id once: order does not matter
		if b, ok := bytePiece(s); ok {
			t.bytes[b] = id
			t.pieces[id].bytes = []byte{b}
			continue
		}
		t.pieces[id].bytes = []byte(strings.ReplaceAll(s, space, " "))
	}
}

// characters are the symbols that merging starts from.
func (t *Tokenizer) characters(out []uint32, word string) []uint32 {
	unknown := false
	for len(word) > 0 {
		_, n := utf8.DecodeRuneInString(word)
		c := word[:n]
		word = word[n:]
		if id, ok := t.vocab[c]; ok {
			out = append(out, id)
			unknown = false
			continue
		}
		start := len(out)
		for i := range len(c) {
			out = append(out, t.bytes[c[i]])
			if t.bytes[c[i]] == none {
				out = out[:start]
				break
			}
		}
		if len(out) > start {
			unknown = false
			continue
		}
		if t.hasUnk && (!unknown || !t.fuseUnk) {
			out = append(out, t.unk)
		}
		unknown = true
	}
	return out
}

// metaspace is the Metaspace pre-tokenizer.
type metaspace struct {
	on, always bool // prepend a space to every segment, else to the first only
	never      bool
}

func (m metaspace) apply(text string, first bool) string {
	text = strings.ReplaceAll(text, " ", space)
	if (m.always || first) && !m.never && !strings.HasPrefix(text, space) {
		return space + text
	}
	return text
}

func (t *Tokenizer) loadMetaspace(p *preJSON, field string, steps *[]splitter) error {
	if p.Replacement != "" && p.Replacement != space {
		return bad(field+".replacement", "%q is not supported; only %q is", p.Replacement, space)
	}
	switch p.PrependScheme {
	case "first":
	case "always":
		t.meta.always = true
	case "never":
		t.meta.never = true
	case "": // older files
		t.meta.never = p.AddPrefixSpace != nil && !*p.AddPrefixSpace
		t.meta.always = !t.meta.never
	default:
		return bad(field+".prepend_scheme", "%q is unknown (first, always, never)", p.PrependScheme)
	}
	t.meta.on = true
	if p.Split == nil || *p.Split {
		re, err := regexp2.Compile(space, regexp2.None)
		if err != nil {
			return bad(field, "%w", err)
		}
		*steps = append(*steps, regexSplitter(re, splitNext, false))
	}
	return nil
}

// loadReplacing reads the Prepend and Replace normalisers.
func loadReplacing(raw json.RawMessage, kind string) (func(string) string, error) {
	var n struct {
		Prepend string            `json:"prepend"`
		Pattern map[string]string `json:"pattern"`
		Content string            `json:"content"`
	}
	if err := json.Unmarshal(raw, &n); err != nil {
		return nil, bad("normalizer", "%w", err)
	}
	if kind == "Prepend" {
		return func(s string) string {
			if s == "" {
				return s
			}
			return n.Prepend + s
		}, nil
	}
	old, ok := n.Pattern["String"]
	if !ok || old == "" {
		return nil, bad("normalizer.pattern", "is not a String; other patterns are not supported")
	}
	return func(s string) string { return strings.ReplaceAll(s, old, n.Content) }, nil
}

// checkCharacterDecoder accepts the decoders of SentencePiece-style BPE.
func (t *Tokenizer) checkCharacterDecoder(raw json.RawMessage) error {
	var d struct {
		decoderJSON
		Decoders []decoderJSON `json:"decoders"`
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		return bad("decoder", "%w", err)
	}
	list := d.Decoders
	if d.Type != "Sequence" {
		list = []decoderJSON{d.decoderJSON}
	}
	for i, d := range list {
		field := fmt.Sprintf("decoder.decoders[%d]", i)
		switch d.Type {
		case "ByteFallback", "Fuse":
		case "Replace":
			if d.Pattern["String"] != space || !isString(d.Content, " ") {
				return bad(field, "only the replacement of %q by a space is supported", space)
			}
		case "Strip":
			if !isString(d.Content, " ") || d.Start > 1 || d.Stop != 0 {
				return bad(field, "only the removal of one leading space is supported")
			}
			t.strip = d.Start == 1
		case "Metaspace":
			t.strip = d.PrependScheme != "never" && (d.AddPrefixSpace == nil || *d.AddPrefixSpace)
		default:
			return bad(field+".type", "%q is not supported (Replace, ByteFallback, Fuse, Strip, Metaspace)", d.Type)
		}
	}
	return nil
}

type decoderJSON struct {
	Type           string            `json:"type"`
	Pattern        map[string]string `json:"pattern"`
	Content        json.RawMessage   `json:"content"`
	Start          int               `json:"start"`
	Stop           int               `json:"stop"`
	PrependScheme  string            `json:"prepend_scheme"`
	AddPrefixSpace *bool             `json:"add_prefix_space"`
}

func isString(raw json.RawMessage, want string) bool {
	var s string
	return json.Unmarshal(raw, &s) == nil && s == want
}
