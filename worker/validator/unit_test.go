package validator

import (
	"encoding/json"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

func ids(n int) (out []protocol.Hash) {
	for i := range n {
		out = append(out, protocol.Hash{byte(i), byte(i >> 8), 1})
	}
	return out
}

// A sample has the right size, named receipts in it, and depends on the secret.
func TestSample(t *testing.T) {
	for _, c := range []struct {
		n     int
		share float64
		most  int
		want  int
	}{{1, 0.01, 0, 1}, {100, 0.05, 0, 5}, {100, 0.051, 0, 6}, {100, 1, 0, 100}, {1000, 1, 32, 32}, {3, 1, 32, 3}} {
		got := Sample(protocol.Hash{1}, c.share, c.most)(ids(c.n))
		require.Len(t, got, c.want)
		seen := map[int]bool{}
		for _, i := range got {
			require.False(t, seen[i])
			require.Less(t, i, c.n)
			seen[i] = true
		}
	}
	all := ids(500)
	got := Sample(protocol.Hash{1}, 0.01, 0, all[77], all[300])(all)
	require.Len(t, got, 7)
	require.Contains(t, got, 77)
	require.Contains(t, got, 300)

	random, worker := protocol.Hash{5}, protocol.Account{6}
	same := Sample(seed([]byte("mine"), random, worker, 1), 0.1, 0)(all)
	require.Equal(t, same, Sample(seed([]byte("mine"), random, worker, 1), 0.1, 0)(all))
	for name, other := range map[string]protocol.Hash{
		"secret": seed([]byte("another"), random, worker, 1), "randomness": seed([]byte("mine"), protocol.Hash{6}, worker, 1),
		"worker": seed([]byte("mine"), random, protocol.Account{7}, 1), "nonce": seed([]byte("mine"), random, worker, 2),
	} {
		require.NotEqual(t, same, Sample(other, 0.1, 0)(all), name)
	}
}

// Once signed, a verdict stays.
func TestOneVerdictPerRound(t *testing.T) {
	db := openStore(t, vfs.NewMem())
	defer func() { require.NoError(t, db.Close()) }()
	j := NewJournal(db)
	v := VerdictState{Dispute: 3, Round: 1, Signed: &protocol.SignedVerdict{Verdict: protocol.Verdict{Dispute: 3, Guilty: true, Reason: output}}}
	require.NoError(t, j.putVerdict(v))
	v.Submitted = true
	require.NoError(t, j.putVerdict(v))
	other := v
	other.Signed = &protocol.SignedVerdict{Verdict: protocol.Verdict{Dispute: 3}}
	require.Equal(t, protocol.KindExists, protocol.KindOf(j.putVerdict(other)))
	other.Signed = nil
	require.Equal(t, protocol.KindExists, protocol.KindOf(j.putVerdict(other)))
	other.Round = 2
	require.NoError(t, j.putVerdict(other))
	list, err := j.Verdicts()
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.True(t, list[0].Submitted)
}

func TestSecretStays(t *testing.T) {
	db := openStore(t, vfs.NewMem())
	defer func() { require.NoError(t, db.Close()) }()
	a, err := NewJournal(db).secret()
	require.NoError(t, err)
	require.Len(t, a, 32)
	b, err := NewJournal(db).secret()
	require.NoError(t, err)
	require.Equal(t, a, b)
}

func FuzzParseChallenge(f *testing.F) {
	good, err := json.Marshal(&ChallengeDocument{Format: ChallengeFormat, Finding: Finding{Guilty: true, Reason: output, Detail: "x"}})
	require.NoError(f, err)
	f.Add(good)
	f.Add([]byte(`{"format":"openledger/challenge/1","finding":{"reason":9}}{}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := parseChallenge(b)
		if err == nil {
			require.Equal(t, ChallengeFormat, d.Format)
		}
	})
}
