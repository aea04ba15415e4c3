package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Limits of what Load accepts.
const (
	MaxFileSize = 64 << 20
	maxVocab    = 1 << 20
	maxMerges   = 1 << 21
	maxDepth    = 8 // nesting of pre-tokenizer sequences
)

type fileJSON struct {
	AddedTokens   []addedJSON     `json:"added_tokens"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Decoder       json.RawMessage `json:"decoder"`
	Model         modelJSON       `json:"model"`
}

type addedJSON struct {
	ID         uint32 `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`
}

type modelJSON struct {
	Type         string            `json:"type"`
	Dropout      *float64          `json:"dropout"`
	UnkToken     *string           `json:"unk_token"`
	Prefix       *string           `json:"continuing_subword_prefix"`
	Suffix       *string           `json:"end_of_word_suffix"`
	ByteFallback bool              `json:"byte_fallback"`
	IgnoreMerges bool              `json:"ignore_merges"`
	FuseUnk      bool              `json:"fuse_unk"`
	Vocab        map[string]uint32 `json:"vocab"`
	Merges       []json.RawMessage `json:"merges"`
}

func bad(field, format string, args ...any) error {
	return fmt.Errorf("tokenizer.json: %s: %w", field, fmt.Errorf(format, args...))
}

// Load parses a tokenizer.json.
func Load(data []byte) (*Tokenizer, error) {
	if len(data) > MaxFileSize {
		return nil, fmt.Errorf("tokenizer.json: %d bytes are more than the %d allowed", len(data), MaxFileSize)
	}
	var f fileJSON
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	t := &Tokenizer{}
	limit := uint32(min(maxVocab, 1<<12+4*(len(f.Model.Vocab)+len(f.AddedTokens)))) // ids may have gaps, within reason
	if err := t.loadModel(&f.Model, limit); err != nil {
		return nil, err
	}
	if err := t.loadAdded(f.AddedTokens, limit); err != nil {
		return nil, err
	}
	if err := t.loadNormalizer(f.Normalizer, 0); err != nil {
		return nil, err
	}
	var steps []splitter
	byteLevel := false
	if err := t.loadPreTokenizer(f.PreTokenizer, "pre_tokenizer", 0, &steps, &byteLevel); err != nil {
		return nil, err
	}
	if !byteLevel && !t.characterLevel {
		return nil, bad("pre_tokenizer", "there is no ByteLevel step; only byte-level and byte-fallback BPE tokenizers are supported")
	}
	if byteLevel && t.characterLevel {
		return nil, bad("pre_tokenizer", "ByteLevel does not go with model.byte_fallback")
	}
	t.split = chain(steps)
	if err := t.loadPostProcessor(f.PostProcessor, 0); err != nil {
		return nil, err
	}
	check := checkDecoder
	if t.characterLevel {
		check = func(raw json.RawMessage, _ int) error { return t.checkCharacterDecoder(raw) }
	}
	if err := check(f.Decoder, 0); err != nil {
		return nil, err
	}
	t.chat = detectChat(t)
	return t, nil
}

func (t *Tokenizer) loadModel(m *modelJSON, limit uint32) error {
	if m.Type != "BPE" && (m.Type != "" || len(m.Merges) == 0) {
		return bad("model.type", "%q is not supported; use a byte-level BPE tokenizer", m.Type)
	}
	if (m.Prefix != nil && *m.Prefix != "") || (m.Suffix != nil && *m.Suffix != "") {
		return bad("model", "continuing_subword_prefix and end_of_word_suffix are not supported")
	}
	if len(m.Vocab) == 0 || len(m.Vocab) > maxVocab {
		return bad("model.vocab", "must have between 1 and %d tokens, has %d", maxVocab, len(m.Vocab))
	}
	if len(m.Merges) > maxMerges {
		return bad("model.merges", "has %d entries, more than the %d allowed", len(m.Merges), maxMerges)
	}
	t.ignoreMerges, t.characterLevel, t.fuseUnk = m.IgnoreMerges, m.ByteFallback, m.FuseUnk
	t.vocab = m.Vocab
	top := uint32(0)
	for _, id := range m.Vocab { // order does not matter: a maximum
		top = max(top, id)
	}
	if top >= limit {
		return bad("model.vocab", "token id %d is beyond the limit of %d", top, limit)
	}
	t.pieces = make([]piece, top+1)
	for s, id := range m.Vocab { // ids are checked to be distinct: order does not matter
		if t.pieces[id].ok {
			return bad("model.vocab", "two tokens have id %d", id)
		}
		b, ok := unspell(s)
		if !ok {
			b = []byte(s)
		}
		t.pieces[id] = piece{bytes: b, ok: true}
	}
	for b := range 256 {
		t.bytes[b] = none
		if id, ok := m.Vocab[string(byteToRune[b])]; ok {
			t.bytes[b] = id
		}
	}
	if t.characterLevel {
		t.loadCharacterPieces()
	}
	if m.UnkToken != nil {
		id, ok := m.Vocab[*m.UnkToken]
		if !ok {
			return bad("model.unk_token", "%q is not in the vocabulary", *m.UnkToken)
		}
		t.unk, t.hasUnk = id, true
	}
	return t.loadMerges(m.Merges)
}

func (t *Tokenizer) loadMerges(merges []json.RawMessage) error {
	t.merges = make(map[pair]merge, len(merges))
	for i, raw := range merges {
		field := fmt.Sprintf("model.merges[%d]", i)
		a, b, err := parseMerge(raw)
		if err != nil {
			return bad(field, "%w", err)
		}
		ia, oka := t.vocab[a]
		ib, okb := t.vocab[b]
		to, okc := t.vocab[a+b]
		if !oka || !okb || !okc {
			return bad(field, "%q + %q: not all of the three tokens are in the vocabulary", a, b)
		}
		p := pair{ia, ib}
		if _, dup := t.merges[p]; dup {
			continue // the first rank stands
		}
		t.merges[p] = merge{rank: uint32(i), id: to}
	}
	return nil
}

func parseMerge(raw json.RawMessage) (a, b string, err error) {
	if len(raw) > 0 && raw[0] == '[' {
		var two []string
		if err := json.Unmarshal(raw, &two); err != nil {
			return "", "", err
		}
		if len(two) != 2 {
			return "", "", fmt.Errorf("has %d parts, want 2", len(two))
		}
		return two[0], two[1], nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", "", err
	}
	a, b, ok := strings.Cut(s, " ")
	if !ok || a == "" || b == "" || strings.Contains(b, " ") {
		return "", "", fmt.Errorf("%q is not two tokens separated by a space", s)
	}
	return a, b, nil
}

func (t *Tokenizer) loadAdded(list []addedJSON, limit uint32) error {
	var all, plain []addedToken
	if len(list) > maxVocab {
		return bad("added_tokens", "has %d entries, more than the %d allowed", len(list), maxVocab)
	}
	for i, a := range list {
		field := fmt.Sprintf("added_tokens[%d]", i)
		if a.Content == "" {
			return bad(field, "content is empty")
		}
		if a.ID >= limit {
			return bad(field, "id %d is beyond the limit of %d", a.ID, limit)
		}
		if id, ok := t.vocab[a.Content]; ok && id != a.ID {
			return bad(field, "%q has id %d here but %d in the vocabulary", a.Content, a.ID, id)
		}
		for int(a.ID) >= len(t.pieces) {
			t.pieces = append(t.pieces, piece{})
		}
		p := &t.pieces[a.ID]
		if _, known := t.vocab[a.Content]; p.ok && !known {
			return bad(field, "id %d is taken by another token", a.ID)
		}
		*p = piece{bytes: []byte(a.Content), ok: true, special: a.Special}
		t.vocab[a.Content] = a.ID
		tok := addedToken{text: a.Content, id: a.ID, lstrip: a.LStrip, rstrip: a.RStrip, singleWord: a.SingleWord}
		all = append(all, tok)
		if !a.Special {
			plain = append(plain, tok)
		}
	}
	t.added, t.plain = newMatcher(all), newMatcher(plain)
	return nil
}

func absent(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

func (t *Tokenizer) loadNormalizer(raw json.RawMessage, depth int) error {
	if absent(raw) {
		return nil
	}
	var n struct {
		Type        string            `json:"type"`
		Normalizers []json.RawMessage `json:"normalizers"`
	}
	if err := json.Unmarshal(raw, &n); err != nil {
		return bad("normalizer", "%w", err)
	}
	var f func(string) string
	switch n.Type {
	case "NFC":
		f = norm.NFC.String
	case "NFD":
		f = norm.NFD.String
	case "NFKC":
		f = norm.NFKC.String
	case "NFKD":
		f = norm.NFKD.String
	case "Lowercase":
		f = lowercase
	case "Strip":
		var err error
		if f, err = loadStrip(raw); err != nil {
			return err
		}
	case "Prepend", "Replace":
		var err error
		if f, err = loadReplacing(raw, n.Type); err != nil {
			return err
		}
	case "Sequence":
		if depth >= maxDepth {
			return bad("normalizer", "is nested too deeply")
		}
		for _, r := range n.Normalizers {
			if err := t.loadNormalizer(r, depth+1); err != nil {
				return err
			}
		}
		return nil
	default:
		return bad("normalizer.type", "%q is not supported (NFC, NFD, NFKC, NFKD, Lowercase, Strip, Prepend, Replace, Sequence)", n.Type)
	}
	if before := t.normalise; before != nil {
		t.normalise = func(s string) string { return f(before(s)) }
	} else {
		t.normalise = f
	}
	return nil
}

type preJSON struct {
	Type             string            `json:"type"`
	PreTokenizers    []json.RawMessage `json:"pretokenizers"`
	AddPrefixSpace   *bool             `json:"add_prefix_space"`
	UseRegex         *bool             `json:"use_regex"`
	Pattern          map[string]string `json:"pattern"`
	Behavior         string            `json:"behavior"`
	Invert           bool              `json:"invert"`
	IndividualDigits bool              `json:"individual_digits"`
	Replacement      string            `json:"replacement"`
	PrependScheme    string            `json:"prepend_scheme"`
	Split            *bool             `json:"split"`
}

func (t *Tokenizer) loadPreTokenizer(raw json.RawMessage, field string, depth int, steps *[]splitter, byteLevel *bool) error {
	if absent(raw) {
		return nil
	}
	var p preJSON
	if err := json.Unmarshal(raw, &p); err != nil {
		return bad(field, "%w", err)
	}
	if *byteLevel {
		return bad(field, "a step after ByteLevel is not supported")
	}
	switch p.Type {
	case "Sequence":
		if depth >= maxDepth {
			return bad(field, "is nested too deeply")
		}
		for i, r := range p.PreTokenizers {
			if err := t.loadPreTokenizer(r, fmt.Sprintf("%s.pretokenizers[%d]", field, i), depth+1, steps, byteLevel); err != nil {
				return err
			}
		}
	case "ByteLevel":
		*byteLevel = true
		if p.AddPrefixSpace == nil || *p.AddPrefixSpace {
			if len(*steps) > 0 {
				return bad(field, "add_prefix_space after another step is not supported")
			}
			t.prefixSpace = true
		}
		if p.UseRegex == nil || *p.UseRegex {
			re, err := compile(PatternGPT2)
			if err != nil {
				return bad(field, "%w", err)
			}
			*steps = append(*steps, regexSplitter(re, splitIsolated, false))
		}
	case "Metaspace":
		if len(*steps) > 0 || t.meta.on || !t.characterLevel {
			return bad(field, "Metaspace must be the first step, of a byte-fallback BPE")
		}
		return t.loadMetaspace(&p, field, steps)
	case "Split":
		return p.addSplit(field, steps)
	case "Digits":
		pattern := `\p{N}+`
		if p.IndividualDigits {
			pattern = `\p{N}`
		}
		re, err := compile(pattern)
		if err != nil {
			return bad(field, "%w", err)
		}
		*steps = append(*steps, regexSplitter(re, splitIsolated, false))
	default:
		return bad(field+".type", "%q is not supported (ByteLevel, Metaspace, Split, Digits, Sequence)", p.Type)
	}
	return nil
}

func (p *preJSON) addSplit(field string, steps *[]splitter) error {
	pattern, ok := p.Pattern["Regex"]
	if !ok {
		s, ok := p.Pattern["String"]
		if !ok || s == "" {
			return bad(field+".pattern", "is neither a Regex nor a String")
		}
		pattern = escape(s)
	}
	how, ok := map[string]splitBehaviour{
		"Isolated": splitIsolated, "Removed": splitRemoved, "MergedWithPrevious": splitPrevious,
		"MergedWithNext": splitNext, "Contiguous": splitContiguous,
	}[p.Behavior]
	if !ok {
		return bad(field+".behavior", "%q is unknown", p.Behavior)
	}
	re, err := compile(pattern)
	if err != nil {
		return bad(field, "%w", err)
	}
	*steps = append(*steps, regexSplitter(re, how, p.Invert))
	return nil
}

func escape(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune(`\*+?|{}[]()^$.# `, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func (t *Tokenizer) loadPostProcessor(raw json.RawMessage, depth int) error {
	if absent(raw) {
		return nil
	}
	var p struct {
		Type       string            `json:"type"`
		Processors []json.RawMessage `json:"processors"`
		Single     []struct {
			SpecialToken *struct {
				ID string `json:"id"`
			} `json:"SpecialToken"`
			Sequence *struct{} `json:"Sequence"`
		} `json:"single"`
		SpecialTokens map[string]struct {
			IDs []uint32 `json:"ids"`
		} `json:"special_tokens"`
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return bad("post_processor", "%w", err)
	}
	switch p.Type {
	case "ByteLevel": // affects offsets only
	case "Sequence":
		if depth >= maxDepth {
			return bad("post_processor", "is nested too deeply")
		}
		for _, r := range p.Processors {
			if err := t.loadPostProcessor(r, depth+1); err != nil {
				return err
			}
		}
	case "TemplateProcessing":
		if len(t.template) > 0 {
			return bad("post_processor", "has two templates")
		}
		for _, it := range p.Single {
			if it.SpecialToken == nil {
				t.template = append(t.template, templateItem{seq: true})
				continue
			}
			st, ok := p.SpecialTokens[it.SpecialToken.ID]
			if !ok || len(st.IDs) == 0 {
				return bad("post_processor.special_tokens", "%q is missing", it.SpecialToken.ID)
			}
			for _, id := range st.IDs {
				if err := t.checkID(id, "post_processor"); err != nil {
					return err
				}
				t.template = append(t.template, templateItem{id: id})
			}
		}
	default:
		return bad("post_processor.type", "%q is not supported (ByteLevel, TemplateProcessing, Sequence)", p.Type)
	}
	return nil
}

func checkDecoder(raw json.RawMessage, depth int) error {
	if absent(raw) {
		return errors.New("tokenizer.json: decoder: is missing; only ByteLevel is supported")
	}
	var d struct {
		Type     string            `json:"type"`
		Decoders []json.RawMessage `json:"decoders"`
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		return bad("decoder", "%w", err)
	}
	if d.Type == "Sequence" && len(d.Decoders) == 1 && depth < maxDepth {
		return checkDecoder(d.Decoders[0], depth+1)
	}
	if d.Type != "ByteLevel" {
		return bad("decoder.type", "%q is not supported; only ByteLevel is", d.Type)
	}
	return nil
}
