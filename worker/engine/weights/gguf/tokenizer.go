package gguf

import (
	"fmt"

	"github.com/openledger/openledger/worker/engine/tokenizer"
)

const tokPrefix = "tokenizer.ggml."

// Tokenizer reads the tokenizer's description.
func (f *File) Tokenizer() (tokenizer.GGUF, error) {
	g, err := f.tokenizer()
	if err != nil {
		return g, fmt.Errorf("%s: %w", f.name, err)
	}
	return g, nil
}

func (f *File) tokenizer() (g tokenizer.GGUF, err error) {
	m := &f.meta
	str := func(dst *string, key string) {
		if err == nil {
			*dst, err = m.String(key)
		}
	}
	num := func(dst *int, key string) {
		if err == nil {
			*dst, err = m.Int(tokPrefix+key, -1)
		}
	}
	flag := func(dst *bool, key string, def bool) {
		if err == nil {
			*dst, err = m.Bool(tokPrefix+key, def)
		}
	}
	str(&g.Model, tokPrefix+"model")
	if err == nil && g.Model == "" {
		return g, fmt.Errorf("metadata %q is missing: the file has no tokenizer", tokPrefix+"model")
	}
	str(&g.Pre, tokPrefix+"pre")
	str(&g.ChatTemplate, "tokenizer.chat_template")
	num(&g.BOS, "bos_token_id")
	num(&g.EOS, "eos_token_id")
	num(&g.Unknown, "unknown_token_id")
	num(&g.Pad, "padding_token_id")
	spm := g.Model == "llama"
	flag(&g.AddBOS, "add_bos_token", spm || g.Pre == "llama-bpe" || g.Pre == "llama3" || g.Pre == "llama-v3" || g.Pre == "tekken")
	flag(&g.AddEOS, "add_eos_token", false)
	flag(&g.SpacePrefix, "add_space_prefix", spm)
	if err != nil {
		return g, err
	}
	if spm && g.Unknown < 0 {
		g.Unknown = 0
	}
	if g.Tokens, err = array[string](m, tokPrefix+"tokens"); err != nil {
		return g, err
	}
	if g.Scores, err = array[float32](m, tokPrefix+"scores"); err != nil {
		return g, err
	}
	if g.Merges, err = array[string](m, tokPrefix+"merges"); err != nil {
		return g, err
	}
	g.Types, err = array[int32](m, tokPrefix+"token_type")
	return g, err
}

// TokenizerKV writes a tokenizer's description as metadata.
func TokenizerKV(g tokenizer.GGUF) []KV {
	var out []KV
	kv := func(key string, v any) { out = append(out, KV{tokPrefix + key, v}) }
	kv("model", g.Model)
	if g.Pre == "" {
		g.Pre = "default"
	}
	kv("pre", g.Pre)
	kv("tokens", g.Tokens)
	if len(g.Scores) > 0 {
		kv("scores", g.Scores)
	}
	if len(g.Types) > 0 {
		kv("token_type", g.Types)
	}
	if g.Model == "gpt2" {
		kv("merges", append([]string{}, g.Merges...))
	}
	for _, id := range []struct {
		key string
		id  int
	}{{"bos_token_id", g.BOS}, {"eos_token_id", g.EOS}, {"unknown_token_id", g.Unknown}, {"padding_token_id", g.Pad}} {
		if id.id >= 0 {
			kv(id.key, uint32(id.id))
		}
	}
	kv("add_bos_token", g.AddBOS)
	kv("add_eos_token", g.AddEOS)
	if g.Model == "llama" {
		kv("add_space_prefix", g.SpacePrefix)
	}
	if g.ChatTemplate != "" {
		out = append(out, KV{"tokenizer.chat_template", g.ChatTemplate})
	}
	return out
}
