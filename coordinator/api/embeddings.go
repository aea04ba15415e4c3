package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net/http"

	"github.com/holiman/uint256"
	"golang.org/x/sync/errgroup"

	"github.com/openledger/openledger/protocol"
)

const (
	maxEmbeddingInputs = 2048 // of one request, as OpenAI's
	inputsPerJob       = 32   // vectors of 4,096 numbers still fit into a job
	jobsAtOnce         = 4    // of one request
)

// embeddingRequest is OpenAI's.
type embeddingRequest struct {
	Model          string          `json:"model"`
	Input          json.RawMessage `json:"input"`
	EncodingFormat string          `json:"encoding_format"`
	Dimensions     *int            `json:"dimensions"`
}

type embeddingResponse struct {
	Object string          `json:"object"`
	Data   []embeddingData `json:"data"`
	Model  string          `json:"model"`
	Usage  embeddingUsage  `json:"usage"`
	Ours   embeddingMethod `json:"openledger"`
}

type embeddingData struct {
	Object    string `json:"object"`
	Index     int    `json:"index"`
	Embedding any    `json:"embedding"` // []float32, or base64 of their little-endian bytes
}

// embeddingUsage is OpenAI's with the fee and the receipts: one for each job that the
// inputs were cut into.
type embeddingUsage struct {
	PromptTokens uint32          `json:"prompt_tokens"`
	TotalTokens  uint32          `json:"total_tokens"`
	Fee          uint256.Int     `json:"fee"` // wei
	Receipt      protocol.Hash   `json:"receipt"`
	Receipts     []protocol.Hash `json:"receipts"`
}

type embeddingMethod struct {
	Algorithm string `json:"algorithm"`
}

func (s *Server) embeddings(w http.ResponseWriter, r *http.Request, by Caller) error {
	var in embeddingRequest
	if err := readJSON(r, &in); err != nil {
		return err
	}
	switch {
	case in.Model == "":
		return invalid("model", "name the base model; GET /v1/models lists it first")
	case in.EncodingFormat != "" && in.EncodingFormat != "float" && in.EncodingFormat != "base64":
		return invalid("encoding_format", "%q is unknown: use float or base64", in.EncodingFormat)
	case in.Dimensions != nil && (*in.Dimensions < 1 || *in.Dimensions > protocol.MaxEmbeddingBytes/4):
		return invalid("dimensions", "%d is not a number of dimensions: leave it out", *in.Dimensions)
	}
	inputs, err := embeddingInputs(in.Input)
	if err != nil {
		return err
	}
	id, err := requestID(r, &by)
	if err != nil {
		return err
	}
	jobs := embeddingJobs(id, &in, inputs)
	if err := s.pay(r, &by, jobs...); err != nil {
		return err
	}
	answers := make([]Answer, len(jobs))
	g, ctx := errgroup.WithContext(r.Context())
	g.SetLimit(jobsAtOnce)
	if by.Paid { // what the last job reserved of the payment is free again before the next begins
		g.SetLimit(1)
	}
	for i, job := range jobs {
		g.Go(func() (err error) {
			answers[i], err = s.cfg.Inference.Infer(ctx, by, job, func(Delta) error { return nil })
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	out, err := newEmbeddingResponse(&in, jobs, answers)
	if err != nil {
		return err
	}
	if err := s.settled(w.Header(), &by); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, out)
}

// embeddingInputs reads a string, a list of strings, tokens, or a list of lists of tokens.
func embeddingInputs(raw json.RawMessage) ([]protocol.EmbeddingInput, error) {
	var one string
	var texts []string
	var tokens []uint32
	var lists [][]uint32
	var out []protocol.EmbeddingInput
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return nil, invalid("input", "it is missing: send a text or a list of texts")
	case json.Unmarshal(raw, &one) == nil:
		out = append(out, protocol.EmbeddingInput{Text: one})
	case json.Unmarshal(raw, &texts) == nil:
		for _, t := range texts {
			out = append(out, protocol.EmbeddingInput{Text: t})
		}
	case json.Unmarshal(raw, &tokens) == nil:
		out = append(out, protocol.EmbeddingInput{Tokens: tokens})
	case json.Unmarshal(raw, &lists) == nil:
		for _, t := range lists {
			out = append(out, protocol.EmbeddingInput{Tokens: t})
		}
	default:
		return nil, invalid("input", "it must be a string, a list of strings, a list of token ids, or a list of such lists")
	}
	if n := len(out); n == 0 || n > maxEmbeddingInputs {
		return nil, invalid("input", "it has %d entries: send 1 to %d", n, maxEmbeddingInputs)
	}
	for i, in := range out {
		switch {
		case in.Text == "" && len(in.Tokens) == 0:
			return nil, invalid("input", "entry %d is empty", i)
		case len(in.Text) > protocol.MaxPromptBytes || len(in.Tokens) > protocol.MaxPromptBytes/4:
			return nil, invalid("input", "entry %d is longer than %d bytes of text or %d tokens: cut it into pieces", i, protocol.MaxPromptBytes, protocol.MaxPromptBytes/4)
		}
	}
	return out, nil
}

// embeddingJobs cuts inputs into jobs, each with an ID that follows from the request's.
func embeddingJobs(id protocol.Hash, in *embeddingRequest, inputs []protocol.EmbeddingInput) []Request {
	var out []Request
	size := 0
	for _, input := range inputs {
		more := len(input.Text) + 4*len(input.Tokens)
		var last *protocol.EmbeddingJob
		if len(out) > 0 {
			last = out[len(out)-1].Embedding
		}
		if last == nil || len(last.Inputs) == inputsPerJob || size+more > protocol.MaxPromptBytes {
			last, size = &protocol.EmbeddingJob{Algorithm: protocol.EmbeddingAlgorithm}, 0
			if in.Dimensions != nil {
				last.Dimensions = *in.Dimensions
			}
			of := id
			if n := len(out); n > 0 {
				of = sha256.Sum256(fmt.Appendf(id[:], "/%d", n))
			}
			out = append(out, Request{ID: of, Model: in.Model, Embedding: last})
		}
		last.Inputs = append(last.Inputs, input)
		size += more
	}
	return out
}

func newEmbeddingResponse(in *embeddingRequest, jobs []Request, answers []Answer) (embeddingResponse, error) {
	out := embeddingResponse{Object: "list", Model: in.Model, Ours: embeddingMethod{Algorithm: protocol.EmbeddingAlgorithm}}
	for i, a := range answers {
		r := a.Receipt.Receipt
		fee := r.Fee().Total()
		out.Usage.PromptTokens += r.PromptTokens
		out.Usage.Fee.Add(&out.Usage.Fee, &fee)
		out.Usage.Receipts = append(out.Usage.Receipts, r.ID)
		n := len(jobs[i].Embedding.Inputs)
		width := len(a.Vectors) / n
		if width == 0 || len(a.Vectors) != n*width {
			return out, protocol.Errorf(protocol.KindInternal, "vectors", "%d numbers came for %d inputs", len(a.Vectors), n)
		}
		for k := range n {
			vector := a.Vectors[k*width : (k+1)*width]
			d := embeddingData{Object: "embedding", Index: len(out.Data), Embedding: vector}
			if in.EncodingFormat == "base64" {
				b := make([]byte, 0, 4*width)
				for _, v := range vector {
					b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
				}
				d.Embedding = base64.StdEncoding.EncodeToString(b)
			}
			out.Data = append(out.Data, d)
		}
	}
	out.Usage.TotalTokens, out.Usage.Receipt = out.Usage.PromptTokens, out.Usage.Receipts[0]
	return out, nil
}
