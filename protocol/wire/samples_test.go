package wire

import (
	"strings"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

const sampleCID = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"

func sampleJob() protocol.InferenceJob {
	return protocol.InferenceJob{
		ID: protocol.Hash{1}, Requester: protocol.Account{2}, Base: protocol.Hash{3}, Adapter: sampleCID,
		Messages: []protocol.Message{{Role: "system", Content: "Be brief."}, {Role: "user", Content: "Why? 你好"}},
		Sampling: protocol.Sampling{Temperature: 0.7, TopK: 40, TopP: 0.9, Seed: 1 << 60, MaxTokens: 128, Stop: []string{"\n\n"}, IgnoreEOS: true},
		Resume:   []uint32{1, 2, 300000},
		Price:    protocol.Price{InputPer1K: *uint256.NewInt(1e12), OutputPer1K: *uint256.NewInt(3e12), Access: *uint256.NewInt(5e15)},
		Deadline: 1_700_000_000_000, Sources: []string{"/ip4/127.0.0.1/tcp/4001/p2p/12D3KooWBvcvRTjZ9QkEEhTbqBsHD4Y1RzmzuLFGQvX3kqEbGL9R"},
	}
}

func sampleAttribution() protocol.Attribution {
	return protocol.Attribution{
		Algorithm: "infinigram+grad-v1", Index: protocol.Hash{7}, Root: protocol.Hash{8},
		Shares: []protocol.RecordShare{
			{Record: protocol.Hash{5}, Contributor: protocol.Account{1}, Weight: 600_000_000, Influence: -5, Spans: []protocol.Span{{Start: 1, Length: 2, Offset: 3}}},
			{Record: protocol.Hash{1}, Contributor: protocol.Account{2}, Weight: 100_000_000, Influence: 1 << 40},
			{Record: protocol.Hash{2}, Contributor: protocol.Account{2}, Weight: 100_000_000},
		},
		Pool: 200_000_000,
	}
}

func sampleEvidence() protocol.Evidence {
	e := protocol.Evidence{
		Job: sampleJob(), Profile: "cpu-f32-v1", Prompt: []uint32{9, 8, 7}, Output: []uint32{1, 2, 300000, 4}, Text: "Because\xff of it.", FinishedBy: "stop",
		Attribution: sampleAttribution(),
	}
	e.Job.Resume, e.Job.Deadline, e.Job.Sources = nil, 0, nil
	return e
}

func sampleReceipt() (protocol.SignedReceipt, error) {
	e := sampleEvidence()
	digest, err := EvidenceDigest(e)
	if err != nil {
		return protocol.SignedReceipt{}, err
	}
	root, err := AttributionRoot(e.Attribution)
	if err != nil {
		return protocol.SignedReceipt{}, err
	}
	fee := e.Job.Price.FeeFor(len(e.Prompt), len(e.Output))
	return protocol.SignedReceipt{
		Receipt: protocol.Receipt{
			ID: e.Job.ID, Requester: e.Job.Requester, Worker: protocol.Account{4}, Base: e.Job.Base, Adapter: protocol.Hash{6}, Datanet: 1,
			DatanetRoot: e.Attribution.Root, PromptTokens: 3, OutputTokens: 4, Compute: fee.Compute, Access: fee.Access,
			OutputHash: OutputHash(e.Output), AttributionRoot: root, Evidence: digest, FinishedAt: 1_700_000_000_000,
		},
		NodeKey: protocol.Account{9}, Signature: make([]byte, 65),
	}, nil
}

func sampleAnnouncement(adapters int) (protocol.Announcement, protocol.SignedBinding) {
	a := protocol.Announcement{
		Peer: "12D3KooWBvcvRTjZ9QkEEhTbqBsHD4Y1RzmzuLFGQvX3kqEbGL9R", Worker: protocol.Account{1}, Sequence: 1 << 40,
		IssuedAt: 1_700_000_000_000, ExpiresAt: 1_700_000_090_000, Base: protocol.Hash{2}, Profile: "cuda-bf16-sm90-v1",
		Slots: 64, Running: 63, Waiting: 10_000, FreeKV: 1 << 30, TotalKV: 1 << 30, Trains: true, DecodeTPS: 1234.5, Hardware: strings.Repeat("é", protocol.MaxHardware/2),
		Price: protocol.Price{InputPer1K: *uint256.NewInt(1e18), OutputPer1K: *uint256.NewInt(1e18)},
	}
	for i := range adapters {
		a.Adapters = append(a.Adapters, protocol.ResidentAdapter{Tag: ^uint64(i), Tier: protocol.Tier(i % 3)})
	}
	return a, protocol.SignedBinding{
		Binding:   protocol.Binding{Peer: a.Peer, NodeKey: protocol.Account{3}, Owner: a.Worker, Payout: protocol.Account{4}, IssuedAt: 1_700_000_000_000, Expires: 1_800_000_000_000},
		Signature: make([]byte, 65),
	}
}

func sampleTrainingJob() (protocol.TrainingJob, error) {
	j := protocol.TrainingJob{
		ID: protocol.Hash{1}, Signature: make([]byte, 65), Sources: []string{"/ip4/1.2.3.4/tcp/1"},
		Hyper: protocol.Hyper{
			Rank: 8, Alpha: 16, Targets: []string{"q_proj", "v_proj"}, LearningRate: 1e-4, WeightDecay: 0.01, Epochs: 3, BatchSize: 8, MaxLength: 512,
			WarmupRatio: 0.03, Seed: 42, PromptTemplate: "{question}", AnswerTemplate: "{answer}",
			Schedule: "linear", Accumulation: 2, ClipNorm: 0.5, RSLoRA: true, EvalRatio: 0.125, EvalSteps: 10, Patience: 3, HeldOut: "split",
		},
		Order: protocol.TrainingOrder{
			Owner: protocol.Account{1}, Name: "fables", Base: protocol.Hash{2}, Datanet: 3, Version: 4, Root: sampleCID,
			Access: *uint256.NewInt(7), Nonce: protocol.Hash{8}, Deadline: 1_700_000_000,
			RoyaltyBps: 1500, Revision: 2, Parents: []protocol.Hash{{9}, {10}},
		},
	}
	var err error
	j.Order.HyperHash, err = HyperHash(j.Hyper)
	return j, err
}
