package payout

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

func readCases[T any](t *testing.T, path string) []T {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	var f struct {
		Count int `json:"count"`
		Cases []T `json:"cases"`
	}
	require.NoError(t, json.Unmarshal(b, &f))
	require.Len(t, f.Cases, f.Count)
	return f.Cases
}

func TestSplitGolden(t *testing.T) {
	type vector struct {
		Name    string      `json:"name"`
		Compute uint256.Int `json:"compute"`
		Access  uint256.Int `json:"access"`
		Markup  uint256.Int `json:"markup"`
		Params
		Treasury       protocol.Account   `json:"treasury"`
		WorkerPayout   protocol.Account   `json:"worker_payout"`
		AgentOwner     protocol.Account   `json:"agent_owner"`
		ModelOwner     protocol.Account   `json:"model_owner"`
		Pool           protocol.Account   `json:"pool"`
		StakerAccounts []protocol.Account `json:"staker_accounts"`
		StakerAmounts  []uint256.Int      `json:"staker_amounts"`
		Records        []protocol.Hash    `json:"records"`
		Contributors   []protocol.Account `json:"contributors"`
		Weights        []uint64           `json:"weights"`
		PoolWeight     uint64             `json:"pool_weight"`

		OutRoles       []Role             `json:"out_roles"`
		OutAccounts    []protocol.Account `json:"out_accounts"`
		OutAmounts     []uint256.Int      `json:"out_amounts"`
		OutRecords     []protocol.Hash    `json:"out_records"`
		PayoutAccounts []protocol.Account `json:"payout_accounts"`
		PayoutAmounts  []uint256.Int      `json:"payout_amounts"`
	}
	for _, v := range readCases[vector](t, "testdata/splits.json") {
		t.Run(v.Name, func(t *testing.T) {
			parties := Parties{Treasury: v.Treasury, WorkerPayout: v.WorkerPayout, AgentOwner: v.AgentOwner, ModelOwner: v.ModelOwner, Pool: v.Pool}
			for i := range v.StakerAccounts {
				parties.Stakers = append(parties.Stakers, Stake{v.StakerAccounts[i], v.StakerAmounts[i]})
			}
			att := protocol.Attribution{Pool: v.PoolWeight}
			for i := range v.Records {
				att.Shares = append(att.Shares, protocol.RecordShare{Record: v.Records[i], Contributor: v.Contributors[i], Weight: v.Weights[i]})
			}
			got, err := Split(protocol.Fee{Compute: v.Compute, Access: v.Access, Markup: v.Markup}, v.Params, parties, att)
			require.NoError(t, err)
			var want []Share
			for i := range v.OutRoles {
				want = append(want, Share{Account: v.OutAccounts[i], Amount: v.OutAmounts[i], Role: v.OutRoles[i], Record: v.OutRecords[i]})
			}
			require.Equal(t, want, got)

			var payouts []Payout
			for i := range v.PayoutAccounts {
				payouts = append(payouts, Payout{v.PayoutAccounts[i], v.PayoutAmounts[i]})
			}
			agg, err := Aggregate(got)
			require.NoError(t, err)
			require.Equal(t, payouts, agg)
		})
	}
}

// Prices of datanets that were read are divided beside the adapter's, each by itself.
func TestRetrievalGolden(t *testing.T) {
	type read struct {
		Datanet      uint64             `json:"datanet"`
		Price        uint256.Int        `json:"price"`
		Owner        protocol.Account   `json:"owner"`
		Pool         protocol.Account   `json:"pool"`
		Records      []protocol.Hash    `json:"records"`
		Contributors []protocol.Account `json:"contributors"`
		Weights      []uint64           `json:"weights"`
		PoolWeight   uint64             `json:"pool_weight"`
	}
	type vector struct {
		Name    string      `json:"name"`
		Compute uint256.Int `json:"compute"`
		Access  uint256.Int `json:"access_total"`
		Markup  uint256.Int `json:"markup"`
		Params
		Treasury       protocol.Account   `json:"treasury"`
		WorkerPayout   protocol.Account   `json:"worker_payout"`
		AgentOwner     protocol.Account   `json:"agent_owner"`
		ModelOwner     protocol.Account   `json:"model_owner"`
		Pool           protocol.Account   `json:"pool"`
		StakerAccounts []protocol.Account `json:"staker_accounts"`
		StakerAmounts  []uint256.Int      `json:"staker_amounts"`
		Records        []protocol.Hash    `json:"records"`
		Contributors   []protocol.Account `json:"contributors"`
		Weights        []uint64           `json:"weights"`
		PoolWeight     uint64             `json:"pool_weight"`
		Retrieved      []read             `json:"retrieved"`

		OutRoles    []Role             `json:"out_roles"`
		OutAccounts []protocol.Account `json:"out_accounts"`
		OutAmounts  []uint256.Int      `json:"out_amounts"`
		OutRecords  []protocol.Hash    `json:"out_records"`
	}
	shares := func(records []protocol.Hash, contributors []protocol.Account, weights []uint64) (out []protocol.RecordShare) {
		for i := range records {
			out = append(out, protocol.RecordShare{Record: records[i], Contributor: contributors[i], Weight: weights[i]})
		}
		return out
	}
	for _, v := range readCases[vector](t, "testdata/retrieval.json") {
		t.Run(v.Name, func(t *testing.T) {
			parties := Parties{Treasury: v.Treasury, WorkerPayout: v.WorkerPayout, AgentOwner: v.AgentOwner, ModelOwner: v.ModelOwner, Pool: v.Pool}
			for i := range v.StakerAccounts {
				parties.Stakers = append(parties.Stakers, Stake{v.StakerAccounts[i], v.StakerAmounts[i]})
			}
			att := protocol.Attribution{Shares: shares(v.Records, v.Contributors, v.Weights), Pool: v.PoolWeight}
			for _, r := range v.Retrieved {
				parties.Datanets = append(parties.Datanets, DatanetParty{r.Datanet, r.Owner, r.Pool})
				att.Retrieved = append(att.Retrieved, protocol.RetrievedShares{Algorithm: "x", Datanet: r.Datanet, Price: r.Price,
					Shares: shares(r.Records, r.Contributors, r.Weights), Pool: r.PoolWeight})
			}
			fee := protocol.Fee{Compute: v.Compute, Access: v.Access, Markup: v.Markup}
			got, err := Split(fee, v.Params, parties, att)
			require.NoError(t, err)
			var want []Share
			for i := range v.OutRoles {
				want = append(want, Share{Account: v.OutAccounts[i], Amount: v.OutAmounts[i], Role: v.OutRoles[i], Record: v.OutRecords[i]})
			}
			parts := map[uint64]*uint256.Int{} // of each datanet's price
			for i := range got {
				if id := got[i].Datanet; id != 0 {
					if parts[id] == nil {
						parts[id] = new(uint256.Int)
					}
					parts[id].Add(parts[id], &got[i].Amount)
					got[i].Datanet = 0
				}
			}
			require.Equal(t, want, got)
			var contributors []Share
			for _, s := range want {
				if s.Role == RoleContributor {
					contributors = append(contributors, s)
				}
			}
			alone, err := Contributors(v.Access, v.Params, att)
			require.NoError(t, err)
			for i := range alone {
				alone[i].Datanet = 0
			}
			require.Equal(t, contributors, alone, "contributors earn the same whoever the others are")
			for _, r := range att.Retrieved {
				if fee.Access.IsZero() || r.Price.IsZero() {
					continue
				}
				var split apportioner
				var platform [2]uint256.Int
				require.NoError(t, split.apportion(platform[:], &r.Price, []uint256.Int{*uint256.NewInt(v.PlatformBps), *uint256.NewInt(10_000 - v.PlatformBps)}))
				have := parts[r.Datanet]
				if have == nil {
					have = new(uint256.Int)
				}
				require.Equal(t, platform[1].Dec(), have.Dec(), "a datanet's shares are its price less the platform's part")
			}

			dear := att
			dear.Retrieved = append([]protocol.RetrievedShares(nil), att.Retrieved...)
			dear.Retrieved[0].Price.AddUint64(&v.Access, 1)
			if !v.Access.IsZero() {
				_, err = Split(fee, v.Params, parties, dear)
				require.ErrorContains(t, err, "more than the access fee")
			}
		})
	}
}

// Along a lineage, whole fees: what the owner and its parents' owners have adds up to
// what the owner would have without parents.
func TestRoyaltiesGolden(t *testing.T) {
	type vector struct {
		Name    string      `json:"name"`
		Compute uint256.Int `json:"compute"`
		Access  uint256.Int `json:"access"`
		Params
		Owner    protocol.Account   `json:"owner"`
		Accounts []protocol.Account `json:"accounts"`
		Adapters []protocol.Hash    `json:"adapters"`
		From     []uint16           `json:"from"`
		Bps      []uint16           `json:"bps"`

		OutBefore  uint256.Int   `json:"out_before"`
		OutOwner   uint256.Int   `json:"out_owner"`
		OutAmounts []uint256.Int `json:"out_amounts"`
	}
	for _, v := range readCases[vector](t, "testdata/royalties.json") {
		t.Run(v.Name, func(t *testing.T) {
			p := Parties{Treasury: account(250), WorkerPayout: account(251), ModelOwner: v.Owner, Pool: account(253)}
			for i := range v.Accounts {
				p.Royalties = append(p.Royalties, Royalty{Adapter: v.Adapters[i], Account: v.Accounts[i], From: v.From[i], Bps: v.Bps[i]})
			}
			owed, err := Royalties(&v.OutBefore, p.Royalties)
			require.NoError(t, err)
			require.Equal(t, append([]uint256.Int{v.OutOwner}, v.OutAmounts...), owed)

			got, err := Split(protocol.Fee{Compute: v.Compute, Access: v.Access}, v.Params, p, protocol.Attribution{Pool: protocol.WeightScale})
			require.NoError(t, err)
			var want, have []Share
			if !v.OutOwner.IsZero() {
				want = append(want, Share{Account: v.Owner, Amount: v.OutOwner, Role: RoleOwner})
			}
			for i, amount := range v.OutAmounts {
				if !amount.IsZero() {
					want = append(want, Share{Account: v.Accounts[i], Amount: amount, Role: RoleRoyalty})
				}
			}
			for _, s := range got {
				if s.Role == RoleOwner || s.Role == RoleRoyalty {
					have = append(have, s)
				}
			}
			require.Equal(t, want, have)
		})
	}
}

func TestTreeGolden(t *testing.T) {
	type vector struct {
		Name     string             `json:"name"`
		Count    uint64             `json:"count"`
		Accounts []protocol.Account `json:"accounts"`
		Amounts  []uint256.Int      `json:"amounts"`
		Leaves   []protocol.Hash    `json:"leaves"`
		Root     protocol.Hash      `json:"root"`
		Total    uint256.Int        `json:"total"`
		Proofs   []struct {
			Index  uint64          `json:"index"`
			Hashes []protocol.Hash `json:"hashes"`
			Sums   []uint256.Int   `json:"sums"`
		} `json:"proofs"`
	}
	for _, v := range readCases[vector](t, "testdata/merkle.json") {
		t.Run(v.Name, func(t *testing.T) {
			var payouts []Payout
			for i := range v.Accounts {
				payouts = append(payouts, Payout{v.Accounts[i], v.Amounts[i]})
			}
			tree, err := NewTree(payouts)
			require.NoError(t, err)
			require.Equal(t, Node{v.Root, v.Total}, tree.Root())
			require.Equal(t, v.Count, tree.Count())
			for i, want := range v.Proofs {
				require.Equal(t, v.Leaves[i], tree.levels[0][i].Hash)
				p, err := tree.Proof(want.Index)
				require.NoError(t, err)
				var siblings []Node
				for j := range want.Hashes {
					siblings = append(siblings, Node{want.Hashes[j], want.Sums[j]})
				}
				require.Equal(t, Proof{Index: want.Index, Count: v.Count, Siblings: siblings}, p)
				require.NoError(t, p.Verify(tree.Root(), payouts[i]))
			}
		})
	}
}

func TestCumulativeTreeGolden(t *testing.T) {
	type vector struct {
		Name     string             `json:"name"`
		Accounts []protocol.Account `json:"accounts"`
		Amounts  []uint256.Int      `json:"amounts"`
		Leaves   []protocol.Hash    `json:"leaves"`
		Root     protocol.Hash      `json:"root"`
		Total    uint256.Int        `json:"total"`
		Proofs   []struct {
			Hashes []protocol.Hash `json:"hashes"`
		} `json:"proofs"`
	}
	for _, v := range readCases[vector](t, "testdata/cumulative.json") {
		t.Run(v.Name, func(t *testing.T) {
			var payouts []Payout
			for i := range v.Accounts {
				payouts = append(payouts, Payout{v.Accounts[i], v.Amounts[i]})
			}
			tree, err := NewCumulativeTree(payouts)
			require.NoError(t, err)
			require.Equal(t, v.Root, tree.Root())
			require.Equal(t, v.Total, tree.Total())
			for i, p := range payouts {
				require.Equal(t, v.Leaves[i], cumulativeLeaf(&p))
				amount, proof, ok := tree.Proof(p.Account)
				require.True(t, ok)
				require.Equal(t, p.Amount, amount)
				require.Equal(t, v.Proofs[i].Hashes, append([]protocol.Hash{}, proof...))
				require.NoError(t, VerifyCumulative(v.Root, p, v.Proofs[i].Hashes))
				require.NoError(t, VerifyCumulative(v.Root, p, proof))
			}
		})
	}
}
