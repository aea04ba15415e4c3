package wire

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire/pb"
)

func sampleMergeJob() (protocol.TrainingJob, error) {
	j, err := sampleTrainingJob()
	if err != nil {
		return j, err
	}
	j.Hyper = protocol.Hyper{Rank: 16, Seed: 7, MaxLength: 256, Merge: &protocol.Merge{
		Method: "dare_ties", Density: 0.4, Frequency: true,
		Parents:    []protocol.MergeParent{{Adapter: sampleCID, Weight: 0.5}, {Adapter: protocol.CID(sampleCID[:58] + "a"), Weight: -1.25}},
		Renderings: []protocol.Rendering{{Prompt: "{question}", Answer: "{answer}"}, {Prompt: "", Answer: "{lesson}"}},
	}}
	j.Order.HyperHash, err = HyperHash(j.Hyper)
	return j, err
}

func TestMergeComesBackAsItWent(t *testing.T) {
	want, err := sampleMergeJob()
	require.NoError(t, err)
	got, err := TrainingJobFromPB(travels(t, TrainingJobToPB(want), &pb.TrainingJob{}))
	require.NoError(t, err)
	require.Equal(t, want, got)

	plain, err := sampleTrainingJob()
	require.NoError(t, err)
	require.NotEqual(t, plain.Order.HyperHash, want.Order.HyperHash)
	want.Hyper.Merge.Parents[0].Weight++
	_, err = TrainingJobFromPB(TrainingJobToPB(want))
	requireField(t, "order.hyper_hash", err) // the owner's signature covers parents and weights
}

func TestMergeIsBounded(t *testing.T) {
	for field, change := range map[string]func(*protocol.Merge){
		"hyper.merge.parents":                       func(m *protocol.Merge) { m.Parents = nil },
		"hyper.merge.renderings":                    func(m *protocol.Merge) { m.Renderings = make([]protocol.Rendering, MaxParents+1) },
		"hyper.merge.parents[1].weight":             func(m *protocol.Merge) { m.Parents[1].Weight = math.Inf(1) },
		"hyper.merge.parents[0].adapter":            func(m *protocol.Merge) { m.Parents[0].Adapter = "" },
		"hyper.merge.density":                       func(m *protocol.Merge) { m.Density = math.NaN() },
		"hyper.merge.renderings[0].answer_template": func(m *protocol.Merge) { m.Renderings[0].Answer = string(make([]byte, MaxTemplate+1)) },
	} {
		j, err := sampleMergeJob()
		require.NoError(t, err)
		change(j.Hyper.Merge)
		_, err = TrainingJobFromPB(TrainingJobToPB(j))
		requireField(t, field, err)
	}
}
