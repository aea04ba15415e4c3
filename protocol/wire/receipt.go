package wire

import (
	"fmt"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire/pb"
)

// SignedReceiptToPB converts a receipt.
func SignedReceiptToPB(s protocol.SignedReceipt) *pb.SignedReceipt {
	r := s.Receipt
	return &pb.SignedReceipt{
		Receipt: &pb.Receipt{
			Id: hashBytes(r.ID), Requester: r.Requester[:], Worker: r.Worker[:], Base: hashBytes(r.Base),
			Adapter: optionalHashBytes(r.Adapter), Datanet: r.Datanet, DatanetRoot: optionalHashBytes(r.DatanetRoot),
			PromptTokens: r.PromptTokens, OutputTokens: r.OutputTokens, Compute: amountBytes(r.Compute), Access: amountBytes(r.Access),
			Agent: r.Agent, AgentVersion: r.AgentVersion, Markup: amountBytes(r.Markup),
			OutputHash: hashBytes(r.OutputHash), AttributionRoot: optionalHashBytes(r.AttributionRoot), Evidence: hashBytes(r.Evidence),
			FinishedAt: uint64(r.FinishedAt),
		},
		NodeKey: s.NodeKey[:], Signature: s.Signature,
	}
}

// SignedReceiptFromPB is the strict inverse of SignedReceiptToPB; it does not
// verify the signature.
func SignedReceiptFromPB(m *pb.SignedReceipt) (protocol.SignedReceipt, error) {
	f := &fields{prefix: "receipt."}
	r := m.GetReceipt()
	s := protocol.SignedReceipt{
		Receipt: protocol.Receipt{
			ID:              f.hash("id", r.GetId()),
			Requester:       f.account("requester", r.GetRequester()),
			Worker:          f.account("worker", r.GetWorker()),
			Base:            f.hash("base", r.GetBase()),
			Adapter:         f.optionalHash("adapter", r.GetAdapter()),
			Datanet:         r.GetDatanet(),
			DatanetRoot:     f.optionalHash("datanet_root", r.GetDatanetRoot()),
			PromptTokens:    r.GetPromptTokens(),
			OutputTokens:    r.GetOutputTokens(),
			Compute:         f.amount("compute", r.GetCompute()),
			Access:          f.amount("access", r.GetAccess()),
			Agent:           r.GetAgent(),
			AgentVersion:    r.GetAgentVersion(),
			Markup:          f.amount("markup", r.GetMarkup()),
			OutputHash:      f.hash("output_hash", r.GetOutputHash()),
			AttributionRoot: f.optionalHash("attribution_root", r.GetAttributionRoot()),
			Evidence:        f.hash("evidence", r.GetEvidence()),
			FinishedAt:      f.time("finished_at", r.GetFinishedAt()),
		},
		NodeKey:   f.account("node_key", m.GetNodeKey()),
		Signature: f.signature(m.GetSignature()),
	}
	f.agent(s.Receipt.Agent, s.Receipt.AgentVersion, s.Receipt.Markup)
	if f.err != nil {
		return protocol.SignedReceipt{}, f.err
	}
	return s, nil
}

// SignedVoucherToPB converts a voucher.
func SignedVoucherToPB(s protocol.SignedVoucher) *pb.SignedVoucher {
	v := s.Voucher
	return &pb.SignedVoucher{
		Requester: v.Requester[:], Worker: v.Worker[:], Cumulative: amountBytes(v.Cumulative), Expires: uint64(v.Expires),
		Signer: s.Signer[:], Signature: s.Signature,
	}
}

// SignedVoucherFromPB is the strict inverse of SignedVoucherToPB; it does not
// verify the signature.
func SignedVoucherFromPB(m *pb.SignedVoucher) (protocol.SignedVoucher, error) {
	f := &fields{prefix: "voucher."}
	s := protocol.SignedVoucher{
		Voucher: protocol.Voucher{
			Requester:  f.account("requester", m.GetRequester()),
			Worker:     f.account("worker", m.GetWorker()),
			Cumulative: f.amount("cumulative", m.GetCumulative()),
			Expires:    f.time("expires", m.GetExpires()),
		},
		Signer:    f.account("signer", m.GetSigner()),
		Signature: f.signature(m.GetSignature()),
	}
	if f.err != nil {
		return protocol.SignedVoucher{}, f.err
	}
	return s, nil
}

func attributionToPB(a protocol.Attribution) *pb.Attribution {
	m := &pb.Attribution{Algorithm: a.Algorithm, Index: optionalHashBytes(a.Index), Root: optionalHashBytes(a.Root), Pool: a.Pool, Shares: sharesToPB(a.Shares)}
	for i := range a.Retrieved {
		r := &a.Retrieved[i]
		m.Retrieved = append(m.Retrieved, &pb.RetrievedShares{Algorithm: r.Algorithm, Datanet: r.Datanet, Root: hashBytes(r.Root), Price: amountBytes(r.Price),
			Shares: sharesToPB(r.Shares), Pool: r.Pool})
	}
	return m
}

func sharesToPB(in []protocol.RecordShare) (out []*pb.RecordShare) {
	for _, s := range in {
		share := &pb.RecordShare{Record: hashBytes(s.Record), Contributor: s.Contributor.Bytes(), Weight: s.Weight, Influence: s.Influence}
		for _, sp := range s.Spans {
			share.Spans = append(share.Spans, &pb.Span{Start: number32(sp.Start), Length: number32(sp.Length), Offset: number32(sp.Offset)})
		}
		out = append(out, share)
	}
	return out
}

// attribution decodes a whole attribution, or none at all (bare base).
func (f *fields) attribution(m *pb.Attribution) protocol.Attribution {
	a := protocol.Attribution{
		Algorithm: f.text("algorithm", m.GetAlgorithm(), protocol.MaxNameBytes),
		Index:     f.optionalHash("index", m.GetIndex()),
		Root:      f.optionalHash("root", m.GetRoot()),
		Pool:      m.GetPool(),
	}
	if len(m.GetShares()) > MaxShares {
		f.fail("shares", "has %d entries, more than %d", len(m.GetShares()), MaxShares)
		return a
	}
	var sum uint64
	a.Shares, sum = f.shares(m.GetShares())
	if f.err != nil {
		return a
	}
	if empty := a.Algorithm == "" && len(a.Shares) == 0 && a.Pool == 0; !empty && sum+a.Pool != protocol.WeightScale || a.Pool > protocol.WeightScale {
		f.fail("pool", "weights and pool add up to %d, not to %d", sum+a.Pool, uint64(protocol.WeightScale))
	}
	a.Retrieved = f.retrieved(m.GetRetrieved())
	return a
}

// shares decodes shares in their order, and adds up their weights.
func (f *fields) shares(in []*pb.RecordShare) (out []protocol.RecordShare, sum uint64) {
	seen := make(map[protocol.Hash]bool, len(in))
	for i, s := range in {
		f.in(fmt.Sprintf("shares[%d]", i), func() {
			share := protocol.RecordShare{
				Record:      f.hash("record", s.GetRecord()),
				Contributor: f.account("contributor", s.GetContributor()),
				Weight:      s.GetWeight(),
				Influence:   s.GetInfluence(),
			}
			if len(s.GetSpans()) > MaxSpans {
				f.fail("spans", "has %d entries, more than %d", len(s.GetSpans()), MaxSpans)
				return
			}
			for _, sp := range s.GetSpans() {
				share.Spans = append(share.Spans, protocol.Span{
					Start:  f.count("spans.start", sp.GetStart(), MaxTokens),
					Length: f.count("spans.length", sp.GetLength(), MaxTokens),
					Offset: f.count("spans.offset", sp.GetOffset(), 1<<24),
				})
			}
			if share.Weight > protocol.WeightScale {
				f.fail("weight", "%d is more than %d", share.Weight, uint64(protocol.WeightScale))
			}
			if seen[share.Record] {
				f.fail("record", "is listed twice")
			}
			seen[share.Record] = true
			if i > 0 {
				last := &out[i-1]
				if share.Weight > last.Weight || share.Weight == last.Weight && share.Record.Cmp(last.Record) < 0 {
					f.fail("weight", "is out of order: shares descend by weight, ties ascend by record")
				}
			}
			sum += min(share.Weight, protocol.WeightScale)
			out = append(out, share)
		})
		if f.err != nil {
			return out, sum
		}
	}
	return out, sum
}

func evidenceToPB(e protocol.Evidence) *pb.Evidence {
	job := e.Job
	job.Resume, job.Sources = nil, nil
	return &pb.Evidence{
		Job: InferenceJobToPB(job), Profile: e.Profile, Prompt: e.Prompt, Output: e.Output, Text: []byte(e.Text),
		FinishedBy: e.FinishedBy, Attribution: attributionToPB(e.Attribution), Resumed: number32(e.Resumed),
		Vectors: vectorBytes(e.Vectors),
	}
}

func evidenceFromPB(m *pb.Evidence) (protocol.Evidence, error) {
	f := &fields{prefix: "evidence."}
	var e protocol.Evidence
	f.in("job", func() { e.Job = f.inferenceJob(m.GetJob()) })
	if len(e.Job.Resume) != 0 || len(e.Job.Sources) != 0 {
		f.fail("job", "has resume or sources: leave them out of evidence")
	}
	e.Profile = f.text("profile", m.GetProfile(), maxProfile)
	e.Prompt = f.tokens("prompt", m.GetPrompt())
	e.Output = f.tokens("output", m.GetOutput())
	e.Resumed = f.count("resumed", m.GetResumed(), len(e.Output))
	e.Text = f.text("text", string(m.GetText()), MaxTextBytes)
	e.FinishedBy = f.text("finished_by", m.GetFinishedBy(), MaxRoleBytes)
	if m.GetAttribution() == nil { // the encoding of an empty one has it: one evidence, one digest
		f.fail("attribution", "is missing")
	}
	f.in("attribution", func() { e.Attribution = f.attribution(m.GetAttribution()) })
	if e.Vectors = f.vectors(m.GetVectors(), e.Job.Embedding); e.Vectors != nil && (len(e.Output) > 0 || e.Text != "") {
		f.fail("output", "goes with no vectors")
	}
	if f.err != nil {
		return protocol.Evidence{}, f.err
	}
	return e, nil
}
