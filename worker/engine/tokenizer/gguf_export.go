package tokenizer

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// ToGGUF describes a tokenizer.json in GGUF's words, with n tokens: a model may have
// room for more than the tokenizer uses. bos and eos are the spellings of these tokens,
// empty for none.
func ToGGUF(data []byte, n int, bos, eos string) (GGUF, error) {
	g := GGUF{BOS: -1, EOS: -1, Unknown: -1, Pad: -1}
	t, err := Load(data)
	if err != nil {
		return g, err
	}
	var f fileJSON
	if err := json.Unmarshal(data, &f); err != nil {
		return g, bad("file", "%w", err)
	}
	if t.VocabSize() > n {
		return g, fmt.Errorf("tokenizer.json: has %d tokens, the model only %d", t.VocabSize(), n)
	}
	g.Tokens, g.Types = make([]string, n), make([]int32, n)
	for i := range g.Tokens {
		g.Tokens[i], g.Types[i] = fmt.Sprintf("[PAD%d]", i), typeUnused
	}
	for s, id := range t.vocab { // each id once: order does not matter
		if !t.pieces[id].ok {
			continue
		}
		g.Tokens[id], g.Types[id] = s, typeNormal
		if _, isByte := bytePiece(s); isByte && t.characterLevel {
			g.Types[id] = typeByte
		}
	}
	for _, a := range f.AddedTokens {
		g.Types[a.ID] = typeUserDefined
		if a.Special {
			g.Types[a.ID] = typeControl
		}
	}
	if t.hasUnk {
		g.Unknown = int(t.unk)
		g.Types[t.unk] = typeUnknown
	}
	for _, x := range []struct {
		name string
		id   *int
	}{{bos, &g.BOS}, {eos, &g.EOS}} {
		if id, ok := t.vocab[x.name]; ok && x.name != "" {
			*x.id = int(id)
		}
	}
	if err := g.exportTemplate(t); err != nil {
		return g, err
	}
	if t.characterLevel {
		return g, g.exportSentencePiece(t)
	}
	return g, g.exportByteLevel(t, &f)
}

func (g *GGUF) exportTemplate(t *Tokenizer) error {
	seen := false
	for _, it := range t.template {
		switch {
		case it.seq:
			seen = true
		case !seen && !g.AddBOS && (g.BOS < 0 || g.BOS == int(it.id)):
			g.BOS, g.AddBOS = int(it.id), true
		case seen && !g.AddEOS && (g.EOS < 0 || g.EOS == int(it.id)):
			g.EOS, g.AddEOS = int(it.id), true
		default:
			return bad("post_processor", "adds more to a text than GGUF can say: one token before it and one after")
		}
	}
	return nil
}

// exportSentencePiece gives each token the rank of the first merge that makes it: the
// best are merged first in both.
func (g *GGUF) exportSentencePiece(t *Tokenizer) error {
	g.Model, g.Pre = "llama", "default"
	g.SpacePrefix = t.meta.on && !t.meta.never
	if t.normalise != nil { // as it spells a space shows what it does
		switch t.normalise("a b") {
		case space + "a" + space + "b":
			g.SpacePrefix = true
		case "a" + space + "b":
		default:
			return bad("normalizer", "cannot be said in GGUF")
		}
	}
	g.Scores = make([]float32, len(g.Tokens))
	for i := range g.Scores {
		g.Scores[i] = -math.MaxInt32
	}
	for _, m := range t.merges { // a maximum for each: order does not matter
		g.Scores[m.id] = max(g.Scores[m.id], -float32(m.rank))
	}
	return nil
}

func (g *GGUF) exportByteLevel(t *Tokenizer, f *fileJSON) error {
	g.Model = "gpt2"
	if t.prefixSpace {
		return bad("pre_tokenizer", "add_prefix_space cannot be said in GGUF")
	}
	pre, err := recognisePre(f)
	if err != nil {
		return err
	}
	g.Pre = pre.names[0]
	g.Merges = make([]string, 0, len(f.Model.Merges))
	for i, raw := range f.Model.Merges {
		a, b, err := parseMerge(raw)
		if err != nil {
			return bad(fmt.Sprintf("model.merges[%d]", i), "%w", err)
		}
		g.Merges = append(g.Merges, a+" "+b)
	}
	return nil
}

// recognisePre finds GGUF's name for the way a tokenizer.json cuts text.
func recognisePre(f *fileJSON) (preTokenizer, error) {
	var found preTokenizer
	var steps []preJSON
	var top preJSON
	if err := json.Unmarshal(f.PreTokenizer, &top); err != nil {
		return found, bad("pre_tokenizer", "%w", err)
	}
	if top.Type != "Sequence" {
		steps = []preJSON{top}
	}
	for _, raw := range top.PreTokenizers {
		var p preJSON
		if err := json.Unmarshal(raw, &p); err != nil {
			return found, bad("pre_tokenizer", "%w", err)
		}
		steps = append(steps, p)
	}
	for _, p := range steps {
		switch {
		case p.Type == "Split" && p.Behavior == "Isolated" && !p.Invert:
			found.patterns = append(found.patterns, p.Pattern["Regex"])
		case p.Type == "Digits" && p.IndividualDigits && len(found.patterns) == 0:
			found.digits = true
		case p.Type == "ByteLevel":
			found.gpt2 = p.UseRegex == nil || *p.UseRegex
		default:
			return found, bad("pre_tokenizer", "%s has no name in GGUF: keep the Hugging Face folder", p.Type)
		}
	}
	found.nfc = !absent(f.Normalizer)
	best, bestScore := preTokenizer{}, -1
	for _, p := range preTokenizers() {
		if !slices.Equal(p.patterns, found.patterns) || p.gpt2 != found.gpt2 || p.digits != found.digits {
			continue
		}
		score := 0
		if p.ignoreMerges == f.Model.IgnoreMerges {
			score += 2
		}
		if p.nfc == found.nfc {
			score++
		}
		if score > bestScore {
			best, bestScore = p, score
		}
	}
	if bestScore < 0 {
		return found, bad("pre_tokenizer", "its patterns have no name in GGUF: keep the Hugging Face folder")
	}
	return best, nil
}
