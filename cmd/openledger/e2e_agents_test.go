package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store/agent"
)

// agents registers an agent, changes it, hands it over and takes its stake off.
func (s *separate) agents(t *testing.T) {
	manifest := filepath.Join(t.TempDir(), "poet.json")
	write := func(instructions string) {
		raw := `{"name":"poet","instructions":"` + instructions + `","price":"5","base":"0x` + strings.Repeat("01", 32) + `"}`
		require.NoError(t, os.WriteFile(manifest, []byte(raw), 0o600))
	}
	require.NoError(t, os.WriteFile(manifest, []byte(`{"name":"poet","instructions":"x","price":"5","base":"0x`+strings.Repeat("01", 32)+`","servers":[{"url":"ftp://tools"}]}`), 0o600))
	refused(t, "servers[0].url", s.verb("agent", "register", manifest, "--as", "owner")...)
	write("")
	refused(t, "instructions", s.verb("agent", "register", manifest, "--as", "owner")...)
	write("Answer in <verse>.")
	refused(t, "no agent named", s.verb("agent", "update", manifest, "--as", "owner")...)
	var a struct {
		chain.Agent
		Tx      protocol.Hash   `json:"tx"`
		Content *agent.Manifest `json:"content"`
	}
	run(t, &a, s.verb("agent", "register", manifest, "--stake", "100", "--as", "owner")...)
	require.True(t, a.Active)
	require.Equal(t, node.Open(100), a.Stake)
	sent := a.Tx
	require.NotZero(t, sent)
	run(t, &a, s.verb("agent", "register", manifest, "--stake", "100", "--as", "owner")...)
	require.Zero(t, a.Tx, "the same again sends nothing")
	require.Equal(t, node.Open(100), a.Stake)
	run(t, &a, s.verb("agent", "show", "poet", "--as", "owner")...)
	require.Equal(t, "Answer in <verse>.", a.Content.Instructions)
	require.Equal(t, s.accounts["owner"], a.Content.Owner)
	write("Answer in prose.")
	run(t, &a, s.verb("agent", "update", manifest, "--as", "owner")...)
	require.Equal(t, uint32(2), a.Version)
	run(t, &a, s.verb("agent", "show", "1")...)
	require.Equal(t, "Answer in prose.", a.Content.Instructions)

	run(t, nil, s.verb("agent", "transfer", "poet", "bob", "--as", "owner")...)
	refused(t, "not pending owner", s.verb("agent", "accept", "1", "--as", "alice")...)
	run(t, &a, s.verb("agent", "accept", "1", "--as", "bob")...)
	require.Equal(t, s.accounts["bob"], a.Owner)
	run(t, nil, s.verb("agent", "stake", "poet", "1", "--as", "bob")...)
	refused(t, "below minimum stake", s.verb("agent", "unstake", "poet", "50", "--as", "bob")...)
	run(t, nil, s.verb("agent", "retire", "poet", "--as", "bob")...)
	run(t, &a, s.verb("agent", "unstake", "poet", "50", "--as", "bob")...)
	require.Equal(t, node.Open(50), a.Leaving)
	refused(t, "still unbonding", s.verb("agent", "withdraw", "poet", "--as", "bob")...)
	refused(t, "below minimum stake", s.verb("agent", "activate", "poet", "--as", "bob")...)
	var list struct {
		Agents []chain.Agent `json:"agents"`
	}
	run(t, &list, s.verb("agent", "list")...)
	require.Len(t, list.Agents, 1)
	require.False(t, list.Agents[0].Active)

	require.Equal(t, []string{"AgentRegistered", "VersionPublished", "Staked", "ActiveChanged", "VersionPublished",
		"OwnershipOffered", "OwnershipTransferred", "Staked", "ActiveChanged", "Unbonded"}, s.reported(t, "agent", "history", "poet", "--as", "bob"))
	refused(t, "agent", s.verb("agent", "history", "7")...)
	require.Equal(t, []string{"OwnershipOffered", "OwnershipTransferred", "Staked"},
		s.reported(t, "chain", "events", "--contract", "agents", "--about", "bob"))
	require.Empty(t, s.reported(t, "chain", "events", "--contract", "agents", "--about", "0x"+strings.Repeat("07", 32)))
	refused(t, "no contract", s.verb("chain", "events", "--contract", "agent")...)
	refused(t, "no number, no hash and no account", s.verb("chain", "events", "--about", "nobody")...)
}

// reported are the names of the events that a verb lists.
func (s *separate) reported(t *testing.T, verb ...string) (names []string) {
	t.Helper()
	var out struct {
		Events []chain.Report `json:"events"`
	}
	run(t, &out, s.verb(verb...)...)
	for _, e := range out.Events {
		names = append(names, e.Name)
	}
	return names
}

// contributorStakes has a datanet ask for a stake, and an abusive contribution cost a part
// of it.
func (s *separate) contributorStakes(t *testing.T) {
	var d protocol.Datanet
	run(t, &d, s.verb("datanet", "create", "staked", "--license", "CC0-1.0", "--as", "owner")...)
	id := decimal(d.ID)
	refused(t, "not datanet owner", s.verb("datanet", "require", id, "2", "--as", "bob")...)
	refused(t, "invalid requirement", s.verb("datanet", "require", id, "0.5", "--as", "owner")...)
	run(t, nil, s.verb("datanet", "require", id, "2", "--as", "owner")...)
	file := filepath.Join(t.TempDir(), "spam.md")
	require.NoError(t, os.WriteFile(file, []byte("# Buy\n\nBuy my watches.\n"), 0o600))
	refused(t, "asks contributors for a stake", s.verb("datanet", "contribute", id, file, "--as", "bob")...)
	var stake chain.ContributorStake
	run(t, &stake, s.verb("datanet", "stake", id, "--as", "bob")...)
	require.Equal(t, node.Open(2), stake.Staked)
	refused(t, "asks for no more", s.verb("datanet", "stake", id, "--as", "bob")...)
	var out struct {
		Records []contributed `json:"contributions"`
	}
	run(t, &out, s.verb("datanet", "contribute", id, file, "--as", "bob")...)
	require.Len(t, out.Records, 1)
	cid := string(out.Records[0].CID)
	var done struct {
		Rejected []rejected `json:"rejected"`
	}
	refused(t, "was not contributed", s.verb("datanet", "reject", id, "bafy", "--reason", "x", "--as", "owner")...)
	run(t, &done, s.verb("datanet", "reject", id, cid, "--abusive", "--reason", "an advertisement", "--as", "owner")...)
	require.Len(t, done.Rejected, 1)
	require.Equal(t, protocol.ReviewAbusive, done.Rejected[0].Status)
	k := done.Rejected[0].Case
	require.NotNil(t, k)
	require.Equal(t, node.Open(1), k.Amount)
	number := decimal(k.ID)
	refused(t, "still waiting", s.verb("datanet", "resolve", number, "--as", "owner")...)
	refused(t, "not contributor", s.verb("datanet", "appeal", number, "--reason", "x", "--as", "alice")...)
	run(t, k, s.verb("datanet", "appeal", number, "--reason", "they are good watches", "--as", "bob")...)
	require.Equal(t, chain.CaseAppealed, k.State)
	var cases struct {
		Cases []chain.AbuseCase `json:"cases"`
	}
	run(t, &cases, s.verb("datanet", "cases", id)...)
	require.Equal(t, []chain.AbuseCase{*k}, cases.Cases)
	run(t, &stake, s.verb("datanet", "unstake", id, "--as", "bob")...)
	require.Equal(t, node.Open(1), stake.Leaving)
	refused(t, "still unstaking", s.verb("datanet", "withdraw", id, "--as", "bob")...)
	refused(t, "asks contributors for a stake", s.verb("datanet", "contribute", id, file, "--as", "alice")...)
	require.Equal(t, []string{"DatanetCreated", "RequirementChanged", "Staked", "Accused", "Appealed", "Unstaked"}, s.reported(t, "datanet", "history", id))
	refused(t, "datanet", s.verb("datanet", "history", "99")...)
}

func decimal(n uint64) string { return strconv.FormatUint(n, 10) }

// askAgent has an agent asked on the command line and by OpenAI's API, and its owner claim
// what it earned, to the wei.
func (s *separate) askAgent(t *testing.T) {
	info, err := s.cl.Network(t.Context())
	require.NoError(t, err)
	manifest := filepath.Join(t.TempDir(), "bard.json")
	raw := `{"name":"bard","instructions":"Answer in verse.","price":"1000000000000003","base":"` + info.Base.Hex() + `"}`
	require.NoError(t, os.WriteFile(manifest, []byte(raw), 0o600))
	var a chain.Agent
	run(t, &a, s.verb("agent", "register", manifest, "--stake", "100", "--as", "alice")...)
	s.awaitWorkers(t, 2)
	var said answer
	run(t, &said, s.verb("agent", "ask", "bard", "A wolf", "--max-tokens", "4")...)
	run(t, &said, s.verb("infer", "agent/"+a.Owner.Hex()+"/bard@1", "A lamb", "--max-tokens", "4")...)
	view, err := s.cl.Receipt(t.Context(), said.Receipt)
	require.NoError(t, err)
	require.Equal(t, a.ID, view.Receipt.Agent)
	require.Equal(t, "1000000000000003", view.Receipt.Markup.Dec())
	require.Equal(t, "Answer in verse.", view.Evidence.Job.Messages[0].Content)
	refused(t, "there is no agent", s.verb("agent", "ask", "nobody", "A wolf")...)
	refused(t, "is not on offer", s.verb("agent", "ask", "poet", "A wolf")...)

	for i := range s.workers { // they settle when they start
		s.workers[i].kill()
		s.again(t, i)
	}
	var earned struct {
		Batches []agentEarned `json:"batches"`
		Earned  string        `json:"earned"`
	}
	// A tenth of the price is 100000000000000.3: the platform has the smaller remainder.
	eventually(t, time.Minute, "both answers are settled", func() error {
		run(t, &earned, s.verb("agent", "earnings", "bard", "--as", "alice")...)
		if earned.Earned != "1800000000000006" {
			return fmt.Errorf("earned %s", earned.Earned)
		}
		return nil
	})
	eventually(t, time.Minute, "the challenge window is over", func() error {
		run(t, nil, s.verb("rewards", "claim", "--as", "alice")...)
		run(t, &earned, s.verb("agent", "earnings", "bard", "--as", "alice")...)
		for _, b := range earned.Batches {
			if b.Status != "claimed" {
				return fmt.Errorf("batch %d of %s: %s", b.Batch, b.Worker, b.Status)
			}
		}
		return nil
	})
}
