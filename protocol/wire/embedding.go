package wire

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire/pb"
)

func embeddingToPB(e *protocol.EmbeddingJob) *pb.EmbeddingJob {
	if e == nil {
		return nil
	}
	m := &pb.EmbeddingJob{Algorithm: e.Algorithm, Dimensions: number32(e.Dimensions)}
	for _, in := range e.Inputs {
		m.Inputs = append(m.Inputs, &pb.EmbeddingInput{Text: in.Text, Tokens: in.Tokens})
	}
	return m
}

// embedding decodes what is a job's own when it asks for vectors.
func (f *fields) embedding(m *pb.InferenceJob, j *protocol.InferenceJob) {
	if j.Adapter != "" || j.Agent != 0 || j.Prompt != "" || len(m.GetMessages()) > 0 || m.GetSampling() != nil || len(j.Resume) > 0 || j.Tools != "" || j.TemplateArgs != "" || len(m.GetRetrieval()) > 0 {
		f.fail("embedding", "goes with no adapter, agent, prompt, messages, retrieval, sampling, resume or tools")
	}
	f.in("embedding", func() {
		e := m.GetEmbedding()
		j.Embedding = &protocol.EmbeddingJob{
			Algorithm:  f.text("algorithm", e.GetAlgorithm(), protocol.MaxNameBytes),
			Dimensions: f.count("dimensions", e.GetDimensions(), protocol.MaxEmbeddingBytes/4),
		}
		if n := len(e.GetInputs()); n == 0 || n > protocol.MaxEmbeddingInputs {
			f.fail("inputs", "are %d, a job has 1 to %d", n, protocol.MaxEmbeddingInputs)
			return
		}
		bytes, tokens := 0, 0
		for i, in := range e.GetInputs() {
			if (in.GetText() == "") == (len(in.GetTokens()) == 0) {
				f.fail(fmt.Sprintf("inputs[%d]", i), "is text or tokens, and not empty")
			}
			bytes, tokens = bytes+len(in.GetText()), tokens+len(in.GetTokens())
			j.Embedding.Inputs = append(j.Embedding.Inputs, protocol.EmbeddingInput{Text: in.GetText(), Tokens: in.GetTokens()})
		}
		if bytes > protocol.MaxPromptBytes || tokens > MaxTokens {
			f.fail("inputs", "have %d bytes of text and %d tokens together, more than %d or %d", bytes, tokens, protocol.MaxPromptBytes, MaxTokens)
		}
	})
}

// VectorsHash is SHA2-256 of the numbers as little-endian float32: the output hash of an
// embedding.
func VectorsHash(vectors []float32) protocol.Hash { return sha256.Sum256(vectorBytes(vectors)) }

func vectorBytes(vectors []float32) []byte {
	if len(vectors) == 0 {
		return nil
	}
	b := make([]byte, 0, 4*len(vectors))
	for _, v := range vectors {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

// vectors are an evidence's, as many and as long as its job asks for.
func (f *fields) vectors(b []byte, job *protocol.EmbeddingJob) []float32 {
	if job == nil {
		if len(b) > 0 {
			f.fail("vectors", "are there, but the job asks for none")
		}
		return nil
	}
	n := len(job.Inputs)
	if len(b) == 0 || len(b) > protocol.MaxEmbeddingBytes || n == 0 || len(b)%(4*n) != 0 || job.Dimensions != 0 && len(b) != 4*n*job.Dimensions {
		f.fail("vectors", "have %d bytes, which are not %d vectors of float32 within %d", len(b), n, protocol.MaxEmbeddingBytes)
		return nil
	}
	out := make([]float32, len(b)/4)
	for i := range out {
		v := math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		if !(v >= -2 && v <= 2) { // NaN, too: a vector has length 1
			f.fail("vectors", "hold %v: their length is 1", v)
			return nil
		}
		out[i] = v
	}
	return out
}
