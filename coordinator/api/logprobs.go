package api

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/openledger/openledger/protocol"
)

// chatLogProbs is OpenAI's form of log-probabilities in chats.
type chatLogProbs struct {
	Content []chatLogProb `json:"content"`
	Refusal *struct{}     `json:"refusal"` // always null
}

type chatLogProb struct {
	tokenLogProb
	Top []tokenLogProb `json:"top_logprobs"`
}

type tokenLogProb struct {
	Token   string  `json:"token"`
	LogProb float32 `json:"logprob"`
	Bytes   []int   `json:"bytes"` // null for a token that spells nothing
}

func newTokenLogProb(p protocol.LogProb) tokenLogProb {
	t := tokenLogProb{Token: strings.ToValidUTF8(string(p.Bytes), "\uFFFD"), LogProb: p.LogProb}
	if len(p.Bytes) == 0 {
		t.Token = special(p)
	}
	for _, b := range p.Bytes {
		t.Bytes = append(t.Bytes, int(b))
	}
	return t
}

// special names a token that spells nothing, such as the one that ends an answer.
func special(p protocol.LogProb) string { return fmt.Sprintf("<token %d>", p.Token) }

func newChatLogProbs(all []protocol.TokenLogProbs) *chatLogProbs {
	out := &chatLogProbs{Content: []chatLogProb{}}
	for _, p := range all {
		c := chatLogProb{tokenLogProb: newTokenLogProb(p.Chosen), Top: []tokenLogProb{}}
		for _, t := range p.Top {
			c.Top = append(c.Top, newTokenLogProb(t))
		}
		out.Content = append(out.Content, c)
	}
	return out
}

// textLogProbs is OpenAI's form of log-probabilities in text completions.
type textLogProbs struct {
	Tokens        []string             `json:"tokens"`
	TokenLogProbs []float32            `json:"token_logprobs"`
	TopLogProbs   []map[string]float32 `json:"top_logprobs"`
	TextOffset    []int                `json:"text_offset"` // characters before the token
}

// newTextLogProbs starts at an offset and gives the offset after them.
func newTextLogProbs(all []protocol.TokenLogProbs, offset int) (out *textLogProbs, after int) {
	out = &textLogProbs{Tokens: []string{}, TokenLogProbs: []float32{}, TopLogProbs: []map[string]float32{}, TextOffset: []int{}}
	for _, p := range all {
		out.Tokens = append(out.Tokens, textToken(p.Chosen))
		out.TokenLogProbs = append(out.TokenLogProbs, p.Chosen.LogProb)
		top := map[string]float32{}
		for _, t := range p.Top {
			if name := textToken(t); top[name] == 0 { // the likelier of two that spell the same
				top[name] = t.LogProb
			}
		}
		out.TopLogProbs = append(out.TopLogProbs, top)
		out.TextOffset = append(out.TextOffset, offset)
		for _, b := range p.Chosen.Bytes { // a character counts where it begins
			if utf8.RuneStart(b) {
				offset++
			}
		}
	}
	return out, offset
}

// textToken is a token's text; bytes that are no text are written out, as OpenAI does.
func textToken(p protocol.LogProb) string {
	switch {
	case len(p.Bytes) == 0:
		return special(p)
	case utf8.Valid(p.Bytes):
		return string(p.Bytes)
	}
	var b strings.Builder
	b.WriteString("bytes:")
	for _, c := range p.Bytes {
		fmt.Fprintf(&b, `\x%02x`, c)
	}
	return b.String()
}
