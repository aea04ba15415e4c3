package devchain

import (
	"slices"
	"testing"
	"time"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
)

func openCoins(n uint64) uint256.Int {
	return *new(uint256.Int).Mul(uint256.NewInt(n), uint256.NewInt(1e18))
}

// After the hand-over every governed parameter is changed by a proposal: proposed,
// voted for, queued and executed on a real chain whose time is moved.
func TestEveryParameterIsChangedByAProposal(t *testing.T) {
	ctx := t.Context()
	d := Deployment{Params: params(t), Key: testKey(0)}
	c := start(t, Config{ChainID: d.Params.ChainID, Fund: funds(2), MaxAhead: 100 * 365 * 24 * time.Hour})
	client := dial(t, c.RPC())
	at, err := Deploy(ctx, client, d)
	require.NoError(t, err)
	client = client.With(at)
	jail, err := chain.Settings()[slices.IndexFunc(chain.Settings(), func(s chain.Setting) bool { return s.Name == "staking.jail" })].Action(at, []uint256.Int{*uint256.NewInt(1)})
	require.NoError(t, err)
	trial, err := client.Try(ctx, jail)
	require.NoError(t, err)
	require.True(t, trial.Denied, "the timelock may not yet: %+v", trial)
	require.NoError(t, HandOver(ctx, client, d.Key))

	voter := client.As(testKey(1))
	_, _, err = voter.Propose(ctx, []chain.Action{chain.GrantAction(at, voter.Account(), openCoins(1), "mine")}, "too poor")
	require.ErrorContains(t, err, "insufficient proposer votes")
	_, err = voter.WrapVotes(ctx, openCoins(20_000))
	require.NoError(t, err)
	_, err = voter.DelegateVotes(ctx, voter.Account())
	require.NoError(t, err)
	voice, err := client.VoiceOf(ctx, voter.Account())
	require.NoError(t, err)
	require.Equal(t, chain.Voice{Balance: openCoins(20_000), Delegate: voter.Account(), Votes: openCoins(20_000)}, voice)
	require.NoError(t, c.AdvanceTime(2*time.Second))

	decide := func(title string, actions ...chain.Action) chain.Proposal {
		rules, err := client.VotingRules(ctx)
		require.NoError(t, err)
		id, _, err := voter.Propose(ctx, actions, title)
		require.NoError(t, err)
		require.NoError(t, c.AdvanceTime(time.Duration(rules.VotingDelay+2)*time.Second))
		_, err = voter.Vote(ctx, id, chain.VoteFor, "good")
		require.NoError(t, err)
		_, err = voter.QueueProposal(ctx, id)
		require.Error(t, err, "the vote goes on")
		require.NoError(t, c.AdvanceTime(time.Duration(rules.VotingPeriod+1)*time.Second))
		_, err = voter.QueueProposal(ctx, id)
		require.NoError(t, err)
		_, err = voter.ExecuteProposal(ctx, id)
		require.Error(t, err, "it is not due")
		require.NoError(t, c.AdvanceTime(time.Duration(rules.TimelockDelay+1)*time.Second))
		_, err = voter.ExecuteProposal(ctx, id)
		require.NoError(t, err)
		all, err := client.Proposals(ctx)
		require.NoError(t, err)
		last := all[len(all)-1]
		require.Equal(t, id, last.ID)
		return last
	}

	settingsSayWhatContractsTake(t, client)
	for _, s := range chain.Settings() {
		before, err := s.Values(ctx, client)
		require.NoError(t, err, s.Name)
		next := make([]uint256.Int, len(before))
		for i := range before {
			next[i].AddUint64(&before[i], 1)
		}
		switch s.Name {
		case "fees.shares": // must add up
			next = []uint256.Int{*uint256.NewInt(500), *uint256.NewInt(4000), *uint256.NewInt(500), *uint256.NewInt(5000)}
		case "settlement.cover":
			next[0].SetUint64(5000)
		}
		action, err := s.Action(at, next)
		require.NoError(t, err, s.Name)
		p := decide("change "+s.Name, action)
		require.Equal(t, chain.ProposalState("executed"), p.State)
		require.Equal(t, openCoins(20_000), p.For)
		percent := uint64(5)
		if s.Name == "governance.timelock" { // decided under the quorum that was raised before
			percent = 6
		}
		require.Equal(t, openCoins(200*percent), p.Quorum)
		after, err := s.Values(ctx, client)
		require.NoError(t, err)
		require.Equal(t, next, after, s.Name)
	}

	_, err = voter.Send(ctx, at.Treasury, openCoins(5))
	require.NoError(t, err)
	decide("a grant", chain.GrantAction(at, protocol.Account{0xee}, openCoins(4), "for the docs"))
	paid, err := client.Balance(ctx, protocol.Account{0xee})
	require.NoError(t, err)
	require.Equal(t, openCoins(4), paid)

	_, err = voter.UnwrapVotes(ctx, openCoins(20_000))
	require.NoError(t, err)
	voice, err = client.VoiceOf(ctx, voter.Account())
	require.NoError(t, err)
	require.True(t, voice.Votes.IsZero())
}

// settingsSayWhatContractsTake tries, of every setting, what it is now and each value just
// outside of its bounds.
func settingsSayWhatContractsTake(t *testing.T, client *chain.Client) {
	ctx, at := t.Context(), client.Addresses()
	for _, s := range chain.Settings() {
		words := s.Words()
		require.NotEmpty(t, words.About, s.Name)
		require.Len(t, words.Fields, len(s.Fields), s.Name)
		values, err := s.Values(ctx, client)
		require.NoError(t, err, s.Name)
		action, err := s.Action(at, values)
		require.NoError(t, err, s.Name)
		trial, err := client.Try(ctx, action)
		require.NoError(t, err, s.Name)
		require.Equal(t, chain.Trial{Tried: s.On(at) != at.Governor}, trial, s.Name)
		require.Len(t, action.Data, 4+32*len(values), "%s: one word for each value", s.Name)
		for i, f := range words.Fields {
			require.NotEmpty(t, f.About, s.Name)
			outside := map[string]uint256.Int{}
			if !f.Min.IsZero() {
				outside["below"] = *new(uint256.Int).SubUint64(&f.Min, 1)
			}
			if over, overflow := new(uint256.Int).AddOverflow(&f.Max, uint256.NewInt(1)); !overflow {
				outside["above"] = *over
			}
			for where, v := range outside {
				bad := slices.Clone(values)
				bad[i] = v
				_, err := s.Action(at, bad)
				require.Error(t, err, "%s %s of %s", s.Name, where, s.Fields[i].Name)
				if !trial.Tried {
					continue
				}
				word := v.Bytes32()
				raw := action
				raw.Data = slices.Clone(action.Data)
				copy(raw.Data[4+32*i:], word[:])
				trial, err := client.Try(ctx, raw)
				require.NoError(t, err, s.Name)
				require.NotEmpty(t, trial.Refused, "%s: the contract takes %s=%s", s.Name, s.Fields[i].Name, v.Dec())
				require.False(t, trial.Denied, s.Name)
			}
		}
	}
}

// Values that no contract would take together are refused before anybody votes on them.
func TestSettingsCheckTheirValuesTogether(t *testing.T) {
	for name, values := range map[string][]uint64{
		"fees.shares":        {500, 4000, 500, 5001},
		"contributors.rules": {2, 1, 1, 1, 1, 1},
		"disputes.penalties": {1, 6000, 4001, 1},
		"models.lineage":     {2, 1, 1, 1},
	} {
		for _, s := range chain.Settings() {
			if s.Name != name {
				continue
			}
			list := make([]uint256.Int, len(values))
			for i := range values {
				list[i].SetUint64(values[i])
			}
			_, err := s.Action(chain.Addresses{}, list)
			require.ErrorContains(t, err, s.Words().Together)
		}
	}
}

func TestSettingsCheckTheirValues(t *testing.T) {
	for _, s := range chain.Settings() {
		_, err := s.Action(chain.Addresses{}, nil)
		require.ErrorContains(t, err, s.Name)
		big := make([]uint256.Int, len(s.Fields))
		for i := range big {
			big[i].SetAllOne()
		}
		if s.Fields[0].Bits < 256 {
			_, err = s.Action(chain.Addresses{}, big)
			require.ErrorContains(t, err, "bits")
		}
	}
}
