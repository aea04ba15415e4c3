package wire

import (
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

// An authorization speaks for one job, as it is, to one worker, until its deadline.
func TestJobSigner_AnyOtherJob_IsNotAuthorised(t *testing.T) {
	key, err := crypto.GenerateKey()
	require.NoError(t, err)
	me := crypto.PubkeyToAddress(key.PublicKey)
	d := Domain{ChainID: 1, Contract: protocol.Account{2}}
	worker := protocol.Account{3}
	job, err := SignJob(d, sampleJob(), worker, key)
	require.NoError(t, err)

	signer, err := JobSigner(d, job, worker)
	require.NoError(t, err)
	require.Equal(t, me, signer)

	moved := job
	moved.Sources = append(moved.Sources, "/ip4/127.0.0.1/tcp/1/p2p/x") // where content is, not what is asked
	signer, err = JobSigner(d, moved, worker)
	require.NoError(t, err)
	require.Equal(t, me, signer)

	for name, change := range map[string]func(*protocol.InferenceJob, *protocol.Account, *Domain){
		"id":        func(j *protocol.InferenceJob, _ *protocol.Account, _ *Domain) { j.ID[0] ^= 1 },
		"requester": func(j *protocol.InferenceJob, _ *protocol.Account, _ *Domain) { j.Requester[0] ^= 1 },
		"deadline":  func(j *protocol.InferenceJob, _ *protocol.Account, _ *Domain) { j.Deadline++ },
		"price": func(j *protocol.InferenceJob, _ *protocol.Account, _ *Domain) {
			j.Price.Access.AddUint64(&j.Price.Access, 1)
		},
		"tokens": func(j *protocol.InferenceJob, _ *protocol.Account, _ *Domain) { j.Sampling.MaxTokens++ },
		"resume": func(j *protocol.InferenceJob, _ *protocol.Account, _ *Domain) {
			j.Resume = append([]uint32{9}, j.Resume...)
		},
		"worker": func(_ *protocol.InferenceJob, w *protocol.Account, _ *Domain) { w[0] ^= 1 },
		"chain":  func(_ *protocol.InferenceJob, _ *protocol.Account, d *Domain) { d.ChainID++ },
	} {
		j, w, d := job, worker, d
		change(&j, &w, &d)
		signer, err := JobSigner(d, j, w)
		require.True(t, err != nil || signer != me, name)
	}
}
