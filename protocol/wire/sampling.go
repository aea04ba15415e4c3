package wire

import (
	"fmt"
	"math"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire/pb"
)

// maxTokenBytes bounds what one token spells.
const maxTokenBytes = 1 << 10

func samplingToPB(s protocol.Sampling) *pb.Sampling {
	m := &pb.Sampling{
		Temperature: s.Temperature, TopK: number32(s.TopK), TopP: s.TopP, MinP: s.MinP, RepetitionPenalty: s.RepetitionPenalty,
		PresencePenalty: s.PresencePenalty, FrequencyPenalty: s.FrequencyPenalty, Seed: s.Seed, MaxTokens: number32(s.MaxTokens),
		Stop: s.Stop, IgnoreEos: s.IgnoreEOS, Format: string(s.Format), Schema: s.Schema, Logprobs: s.LogProbs, TopLogprobs: number32(s.TopLogProbs),
	}
	for _, b := range s.LogitBias {
		m.LogitBias = append(m.LogitBias, &pb.TokenBias{Token: b.Token, Bias: b.Bias})
	}
	return m
}

func (f *fields) sampling(m *pb.Sampling) protocol.Sampling {
	s := protocol.Sampling{
		Temperature:       f.float("temperature", m.GetTemperature()),
		TopK:              f.count("top_k", m.GetTopK(), 1<<20),
		TopP:              f.float("top_p", m.GetTopP()),
		MinP:              f.float("min_p", m.GetMinP()),
		RepetitionPenalty: f.float("repetition_penalty", m.GetRepetitionPenalty()),
		PresencePenalty:   f.between("presence_penalty", m.GetPresencePenalty(), 100),
		FrequencyPenalty:  f.between("frequency_penalty", m.GetFrequencyPenalty(), 100),
		Seed:              m.GetSeed(),
		MaxTokens:         f.count("max_tokens", m.GetMaxTokens(), MaxTokens),
		Stop:              f.texts("stop", m.GetStop(), MaxStops, MaxStopBytes),
		IgnoreEOS:         m.GetIgnoreEos(),
		Format:            protocol.Format(m.GetFormat()),
		Schema:            f.text("schema", m.GetSchema(), protocol.MaxSchemaBytes),
		LogProbs:          m.GetLogprobs(),
		TopLogProbs:       f.count("top_logprobs", m.GetTopLogprobs(), protocol.MaxTopLogProbs),
	}
	if len(m.GetLogitBias()) > protocol.MaxLogitBias {
		f.fail("logit_bias", "names %d tokens, more than %d", len(m.GetLogitBias()), protocol.MaxLogitBias)
		return s
	}
	for i, b := range m.GetLogitBias() {
		if i > 0 && b.GetToken() <= s.LogitBias[i-1].Token {
			f.fail("logit_bias", "is not in ascending order of tokens, each once")
		}
		s.LogitBias = append(s.LogitBias, protocol.TokenBias{Token: b.GetToken(), Bias: f.between("logit_bias", b.GetBias(), 1000)})
	}
	switch {
	case s.MaxTokens == 0:
		f.fail("max_tokens", "is 0: ask for at least one token")
	case s.TopP > 1:
		f.fail("top_p", "%v is more than 1", s.TopP)
	case s.MinP > 1:
		f.fail("min_p", "%v is more than 1", s.MinP)
	case s.Format != protocol.FormatText && s.Format != protocol.FormatJSONObject && s.Format != protocol.FormatJSONSchema:
		f.fail("format", "%q is unknown: use %q, %q, or leave it out", s.Format, protocol.FormatJSONObject, protocol.FormatJSONSchema)
	case (s.Schema != "") != (s.Format == protocol.FormatJSONSchema):
		f.fail("schema", "goes with the format %q, and only with it", protocol.FormatJSONSchema)
	case s.TopLogProbs > 0 && !s.LogProbs:
		f.fail("top_logprobs", "needs logprobs")
	}
	return s
}

// between is a number from -limit to limit.
func (f *fields) between(name string, v, limit float32) float32 {
	if !(v >= -limit && v <= limit) { // NaN, too
		f.fail(name, "%v does not lie between %v and %v", v, -limit, limit)
		return 0
	}
	return v
}

// LogProbsToPB converts the log-probabilities of a chunk of tokens.
func LogProbsToPB(all []protocol.TokenLogProbs) []*pb.TokenLogProbs {
	var out []*pb.TokenLogProbs
	for _, t := range all {
		m := &pb.TokenLogProbs{Chosen: logProbToPB(t.Chosen)}
		for _, p := range t.Top {
			m.Top = append(m.Top, logProbToPB(p))
		}
		out = append(out, m)
	}
	return out
}

func logProbToPB(p protocol.LogProb) *pb.LogProb {
	return &pb.LogProb{Token: p.Token, Bytes: p.Bytes, Logprob: p.LogProb}
}

// LogProbsFromPB is the strict inverse of LogProbsToPB for a chunk of these ids: there
// are none, or one for each.
func LogProbsFromPB(all []*pb.TokenLogProbs, ids []uint32) ([]protocol.TokenLogProbs, error) {
	f := &fields{prefix: "logprobs."}
	if len(all) == 0 {
		return nil, nil
	}
	if len(all) != len(ids) {
		f.fail("chosen", "are of %d tokens, the chunk has %d", len(all), len(ids))
		return nil, f.err
	}
	out := make([]protocol.TokenLogProbs, len(all))
	for i, m := range all {
		out[i].Chosen = f.logProb("chosen", m.GetChosen())
		if out[i].Chosen.Token != ids[i] {
			f.fail("chosen", "is of token %d, the chunk has %d", out[i].Chosen.Token, ids[i])
		}
		if len(m.GetTop()) > protocol.MaxTopLogProbs {
			f.fail("top", "has %d entries, more than %d", len(m.GetTop()), protocol.MaxTopLogProbs)
			return nil, f.err
		}
		for k, p := range m.GetTop() {
			out[i].Top = append(out[i].Top, f.logProb(fmt.Sprintf("top[%d]", k), p))
		}
	}
	return out, f.err
}

func (f *fields) logProb(name string, m *pb.LogProb) protocol.LogProb {
	p := protocol.LogProb{Token: m.GetToken(), Bytes: m.GetBytes(), LogProb: m.GetLogprob()}
	if len(p.Bytes) > maxTokenBytes {
		f.fail(name, "has %d bytes, more than %d", len(p.Bytes), maxTokenBytes)
	}
	if !(p.LogProb <= 0) || math.IsInf(float64(p.LogProb), 0) {
		f.fail(name, "%v is not the logarithm of a probability", p.LogProb)
	}
	return p
}
