package gguf

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/openledger/openledger/worker/engine/lora"
)

// Names of tensors outside the layers.
const (
	nameEmbed = "token_embd.weight"
	nameNorm  = "output_norm.weight"
	nameHead  = "output.weight"
	nameRope  = "rope_freqs.weight" // divisors of the rotary frequencies, not a parameter
)

// outer pairs names outside the layers: Hugging Face's, then GGUF's.
var outer = [][2]string{
	{"model.embed_tokens", "token_embd"}, {"model.norm", "output_norm"}, {"lm_head", "output"},
}

// inner pairs names within a layer.
var inner = [][2]string{
	{"input_layernorm", "attn_norm"}, {"post_attention_layernorm", "ffn_norm"},
	{"self_attn.q_norm", "attn_q_norm"}, {"self_attn.k_norm", "attn_k_norm"},
	{"self_attn.q_proj", "attn_q"}, {"self_attn.k_proj", "attn_k"}, {"self_attn.v_proj", "attn_v"}, {"self_attn.o_proj", "attn_output"},
	{"mlp.gate_proj", "ffn_gate"}, {"mlp.up_proj", "ffn_up"}, {"mlp.down_proj", "ffn_down"},
}

// cutSuffix splits ".weight" or ".bias" off.
func cutSuffix(name string) (stem, suffix string, ok bool) {
	i := strings.LastIndexByte(name, '.')
	if i < 0 || (name[i:] != ".weight" && name[i:] != ".bias") {
		return "", "", false
	}
	return name[:i], name[i:], true
}

// toGGUF turns a Hugging Face name into GGUF's.
func toGGUF(name string) (string, bool) { return rename(name, "model.layers.", "blk.", 0, 1) }

// toHF turns a GGUF name into Hugging Face's.
func toHF(name string) (string, bool) { return rename(name, "blk.", "model.layers.", 1, 0) }

func rename(name, prefix, newPrefix string, from, to int) (string, bool) {
	stem, suffix, ok := cutSuffix(name)
	if !ok {
		return "", false
	}
	rest, inLayer := strings.CutPrefix(stem, prefix)
	if !inLayer {
		for _, p := range outer {
			if p[from] == stem {
				return p[to] + suffix, true
			}
		}
		return "", false
	}
	number, rest, _ := strings.Cut(rest, ".")
	if n, err := strconv.Atoi(number); err != nil || strconv.Itoa(n) != number || n < 0 {
		return "", false
	}
	for _, p := range inner {
		if p[from] == rest {
			return newPrefix + number + "." + p[to] + suffix, true
		}
	}
	return "", false
}

// turned says whether a tensor, by its Hugging Face name, has its rows in another
// order in files of the llama architecture.
func turned(name string) (m lora.Module, ok bool) {
	stem, _, _ := cutSuffix(name)
	switch {
	case strings.HasSuffix(stem, ".self_attn.q_proj"):
		return lora.QProj, true
	case strings.HasSuffix(stem, ".self_attn.k_proj"):
		return lora.KProj, true
	}
	return 0, false
}

// turnRows reorders the rows of a query or key map, of rowBytes bytes each. llama
// files have the two coordinates of each rotation side by side; Hugging Face has all
// first ones of a head, then all second ones.
func turnRows(raw []byte, heads, headDim, rowBytes int, toFile bool) ([]byte, error) {
	if len(raw) != heads*headDim*rowBytes {
		return nil, fmt.Errorf("has %d bytes, %d heads of %d rows of %d bytes are wanted", len(raw), heads, headDim, rowBytes)
	}
	out := make([]byte, len(raw))
	half := headDim / 2
	for h := range heads {
		for i := range headDim {
			file, hf := h*headDim+i, h*headDim+i%2*half+i/2
			from, to := file, hf
			if toFile {
				from, to = hf, file
			}
			copy(out[to*rowBytes:(to+1)*rowBytes], raw[from*rowBytes:(from+1)*rowBytes])
		}
	}
	return out, nil
}
