package tokenizer

import (
	"encoding/json"
	"fmt"
	"sort"
	"unicode/utf8"
)

// GGUF is a tokenizer as GGUF files describe it, in their words.
type GGUF struct {
	// Model is "gpt2" (byte-level BPE) or "llama" (SentencePiece BPE).
	Model string
	// Pre names how a byte-level tokenizer cuts text into words.
	Pre    string
	Tokens []string
	// Scores order the merges of a SentencePiece tokenizer.
	Scores []float32
	// Types of the tokens, empty if all are ordinary.
	Types []int32
	// Merges of a byte-level tokenizer: two tokens separated by a space.
	Merges []string
	// Ids of special tokens; below 0 if there is none.
	BOS, EOS, Unknown, Pad int
	AddBOS, AddEOS         bool
	// SpacePrefix: a SentencePiece tokenizer puts a space before a text.
	SpacePrefix bool
	// ChatTemplate in Jinja, empty if there is none.
	ChatTemplate string
}

// Types of tokens in GGUF files.
const (
	typeNormal      = 1
	typeUnknown     = 2
	typeControl     = 3
	typeUserDefined = 4
	typeUnused      = 5
	typeByte        = 6
)

// maxPiece bounds a SentencePiece token, whose every way to be cut in two is tried.
const maxPiece = 512

// preTokenizer is a way to cut text into words before merging.
type preTokenizer struct {
	names        []string // in GGUF; the first is the one that is written
	patterns     []string // of Split steps, isolated
	gpt2         bool     // then ByteLevel's own pattern
	digits       bool     // single digits apart, first
	nfc          bool
	ignoreMerges bool
}

const patternTekken = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`

func preTokenizers() []preTokenizer {
	return []preTokenizer{
		{names: []string{"llama-bpe", "llama3", "llama-v3"}, patterns: []string{PatternLlama3}, ignoreMerges: true},
		{names: []string{"smaug-bpe", "dbrx"}, patterns: []string{PatternLlama3}},
		{names: []string{"qwen2", "deepseek-r1-qwen", "megrez"}, patterns: []string{PatternQwen2}, nfc: true},
		{names: []string{"stablelm2"}, patterns: []string{PatternQwen2}},
		{names: []string{"gpt-2", "phi-2", "mpt", "olmo"}, gpt2: true},
		{names: []string{"smollm", "starcoder", "command-r"}, digits: true, gpt2: true},
		{names: []string{"tekken"}, patterns: []string{patternTekken}, ignoreMerges: true},
	}
}

func badGGUF(field, format string, args ...any) error {
	return fmt.Errorf("tokenizer.ggml.%s: %w", field, fmt.Errorf(format, args...))
}

// JSON writes the tokenizer as the tokenizer.json that does the same; Load reads it.
func (g GGUF) JSON() ([]byte, error) {
	if len(g.Tokens) == 0 || len(g.Tokens) > maxVocab {
		return nil, badGGUF("tokens", "must have between 1 and %d tokens, has %d", maxVocab, len(g.Tokens))
	}
	if len(g.Types) != 0 && len(g.Types) != len(g.Tokens) {
		return nil, badGGUF("token_type", "has %d entries for %d tokens", len(g.Types), len(g.Tokens))
	}
	var doc map[string]any
	var err error
	switch g.Model {
	case "gpt2":
		doc, err = g.byteLevel()
	case "llama":
		doc, err = g.sentencePiece()
	default:
		err = badGGUF("model", "%q is not supported: use a model with a gpt2 or llama tokenizer, or a Hugging Face folder", g.Model)
	}
	if err != nil {
		return nil, err
	}
	doc["version"], doc["truncation"], doc["padding"] = "1.0", nil, nil
	if doc["added_tokens"], err = g.added(); err != nil {
		return nil, err
	}
	if doc["post_processor"], err = g.template(); err != nil {
		return nil, err
	}
	b, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	return b, nil
}

// vocab numbers the tokens. Of equal ones, which unused places of some files have,
// all but the first get a name of their own.
func (g GGUF) vocab() map[string]int {
	out := make(map[string]int, len(g.Tokens))
	for i, s := range g.Tokens {
		if _, dup := out[s]; dup || s == "" {
			s = fmt.Sprintf("<|unused %d|>", i)
		}
		out[s] = i
	}
	return out
}

func (g GGUF) typeOf(i int) int32 {
	if len(g.Types) == 0 {
		return typeNormal
	}
	return g.Types[i]
}

func (g GGUF) byteLevel() (map[string]any, error) {
	pre, ok := findPre(g.Pre)
	if !ok {
		return nil, badGGUF("pre", "%q is not supported: use a Hugging Face folder of this model", g.Pre)
	}
	if len(g.Merges) > maxMerges {
		return nil, badGGUF("merges", "has %d entries, more than the %d allowed", len(g.Merges), maxMerges)
	}
	var steps []any
	if pre.digits {
		steps = append(steps, map[string]any{"type": "Digits", "individual_digits": true})
	}
	for _, p := range pre.patterns {
		steps = append(steps, map[string]any{"type": "Split", "pattern": map[string]string{"Regex": p}, "behavior": "Isolated", "invert": false})
	}
	steps = append(steps, map[string]any{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": pre.gpt2})
	merges := g.Merges
	if merges == nil {
		merges = []string{}
	}
	doc := map[string]any{
		"normalizer":    nil,
		"pre_tokenizer": map[string]any{"type": "Sequence", "pretokenizers": steps},
		"decoder":       map[string]any{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
		"model": map[string]any{"type": "BPE", "dropout": nil, "unk_token": nil, "continuing_subword_prefix": "", "end_of_word_suffix": "",
			"fuse_unk": false, "byte_fallback": false, "ignore_merges": pre.ignoreMerges, "vocab": g.vocab(), "merges": merges},
	}
	if pre.nfc {
		doc["normalizer"] = map[string]any{"type": "NFC"}
	}
	return doc, nil
}

func findPre(name string) (preTokenizer, bool) {
	for _, p := range preTokenizers() {
		for _, n := range p.names {
			if n == name {
				return p, true
			}
		}
	}
	return preTokenizer{}, false
}

func (g GGUF) sentencePiece() (map[string]any, error) {
	if len(g.Scores) != len(g.Tokens) {
		return nil, badGGUF("scores", "has %d entries for %d tokens", len(g.Scores), len(g.Tokens))
	}
	merges, err := g.mergesByScore()
	if err != nil {
		return nil, err
	}
	var unk any
	if g.Unknown >= 0 {
		if g.Unknown >= len(g.Tokens) {
			return nil, badGGUF("unknown_token_id", "%d is not a token", g.Unknown)
		}
		unk = g.Tokens[g.Unknown]
	}
	replace := func(old, with string) map[string]any {
		return map[string]any{"type": "Replace", "pattern": map[string]string{"String": old}, "content": with}
	}
	normal := []any{replace(" ", space)}
	decode := []any{replace(space, " "), map[string]any{"type": "ByteFallback"}, map[string]any{"type": "Fuse"}}
	if g.SpacePrefix {
		normal = append([]any{map[string]any{"type": "Prepend", "prepend": space}}, normal...)
		decode = append(decode, map[string]any{"type": "Strip", "content": " ", "start": 1, "stop": 0})
	}
	return map[string]any{
		"normalizer":    map[string]any{"type": "Sequence", "normalizers": normal},
		"pre_tokenizer": nil,
		"decoder":       map[string]any{"type": "Sequence", "decoders": decode},
		"model": map[string]any{"type": "BPE", "dropout": nil, "unk_token": unk, "continuing_subword_prefix": nil, "end_of_word_suffix": nil,
			"fuse_unk": true, "byte_fallback": true, "ignore_merges": false, "vocab": g.vocab(), "merges": merges},
	}, nil
}

// mergesByScore lists every way to put a token together from two others, those of
// higher scores first: SentencePiece merges the pair that makes the best token.
func (g GGUF) mergesByScore() ([][2]string, error) {
	ids := make(map[string]int, len(g.Tokens))
	for i, s := range g.Tokens {
		if _, dup := ids[s]; !dup && g.typeOf(i) != typeByte && g.typeOf(i) != typeControl && g.typeOf(i) != typeUnknown {
			ids[s] = i
		}
	}
	order := make([]int, 0, len(ids))
	for i, s := range g.Tokens {
		if at, ok := ids[s]; ok && at == i {
			order = append(order, i)
		}
	}
	sort.SliceStable(order, func(a, b int) bool { return g.Scores[order[a]] > g.Scores[order[b]] })
	merges := [][2]string{}
	for _, i := range order {
		s := g.Tokens[i]
		if g.typeOf(i) != typeNormal || len(s) > maxPiece {
			continue // what users defined is found as a whole
		}
		for at := range s {
			if at == 0 || !utf8.RuneStart(s[at]) {
				continue
			}
			_, l := ids[s[:at]]
			_, r := ids[s[at:]]
			if l && r {
				merges = append(merges, [2]string{s[:at], s[at:]})
			}
		}
		if len(merges) > maxMerges {
			return nil, badGGUF("tokens", "give more than the %d merges allowed", maxMerges)
		}
	}
	return merges, nil
}

func (g GGUF) added() ([]addedJSON, error) {
	out := []addedJSON{}
	for i, s := range g.Tokens {
		switch g.typeOf(i) {
		case typeControl, typeUnknown:
			out = append(out, addedJSON{ID: uint32(i), Content: s, Special: true})
		case typeUserDefined:
			out = append(out, addedJSON{ID: uint32(i), Content: s})
		case typeNormal, typeUnused, typeByte:
		default:
			return nil, badGGUF("token_type", "token %d has type %d, which is unknown", i, g.typeOf(i))
		}
	}
	kept := out[:0]
	vocab := g.vocab()
	for _, a := range out { // a token that another one hides has no text to be found by
		if id, ok := vocab[a.Content]; ok && id == int(a.ID) {
			kept = append(kept, a)
		}
	}
	return kept, nil
}

// template is the post-processor that adds the beginning and the end of a text.
func (g GGUF) template() (any, error) {
	single := []any{}
	special := map[string]any{}
	add := func(id int, field string) error {
		if id < 0 || id >= len(g.Tokens) {
			return badGGUF(field, "%d is not a token, but is to be added to texts", id)
		}
		s := g.Tokens[id]
		single = append(single, map[string]any{"SpecialToken": map[string]any{"id": s, "type_id": 0}})
		special[s] = map[string]any{"id": s, "ids": []int{id}, "tokens": []string{s}}
		return nil
	}
	if g.AddBOS {
		if err := add(g.BOS, "bos_token_id"); err != nil {
			return nil, err
		}
	}
	single = append(single, map[string]any{"Sequence": map[string]any{"id": "A", "type_id": 0}})
	if g.AddEOS {
		if err := add(g.EOS, "eos_token_id"); err != nil {
			return nil, err
		}
	}
	if len(single) == 1 {
		return nil, nil
	}
	pair := append(append([]any{}, single...), map[string]any{"Sequence": map[string]any{"id": "B", "type_id": 1}})
	return map[string]any{"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": special}, nil
}

// BytesOnly is a SentencePiece tokenizer of bytes, filled up with unused tokens to a
// vocabulary of n, which must be at least 259. It is for models with random weights.
func BytesOnly(n int) GGUF {
	g := GGUF{Model: "llama", BOS: 1, EOS: 2, Unknown: 0, Pad: -1, AddBOS: true, SpacePrefix: false}
	add := func(s string, typ int32) {
		g.Tokens = append(g.Tokens, s)
		g.Types = append(g.Types, typ)
		g.Scores = append(g.Scores, -float32(len(g.Scores)))
	}
	add("<unk>", typeUnknown)
	add("<s>", typeControl)
	add("</s>", typeControl)
	for b := range 256 {
		add(fmt.Sprintf("<0x%02X>", b), typeByte)
	}
	for len(g.Tokens) < n {
		add(fmt.Sprintf("%sunused%d", space, len(g.Tokens)), typeUnused)
	}
	return g
}
