package main

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/client"
	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/devchain"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/worker/validator"
)

// judged is a chain in the test's process, whose clock the test moves, and whose parameters
// only governance changes; the voter has money. One validator is a committee there, and
// windows are long enough for a challenge on a slow machine.
func judged(dev **devchain.Chain, voter protocol.Account) ledger {
	return func(t *testing.T, home string, deployer protocol.Account) place {
		c, err := devchain.Open(devchain.Config{ChainID: 41455, Fund: map[protocol.Account]uint256.Int{
			deployer: node.Open(1_000_000), voter: node.Open(20_000),
		}})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, c.Close()) })
		*dev = c
		at := deployed(t, home, c.RPC(), func(params map[string]any) {
			params["settlement"].(map[string]any)["challenge_window_seconds"] = 3600
			params["epochs"].(map[string]any)["challenge_window_seconds"] = 3600
			params["epochs"].(map[string]any)["build_window_seconds"] = 3600
			params["disputes"].(map[string]any)["seats"] = 1
		})
		handOver(t, home, at)
		return at
	}
}

// handOver gives governance every right of a home's deployer.
func handOver(t *testing.T, home string, at place) {
	w, err := node.Home{Dir: home}.Wallet("", true)
	require.NoError(t, err)
	deployer, err := w.Key(deployerKey)
	require.NoError(t, err)
	contracts, err := devchain.ReadAddresses(at.Deployment)
	require.NoError(t, err)
	c, err := chain.Dial(t.Context(), chain.Config{RPC: at.RPC, Addresses: contracts})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	require.NoError(t, devchain.HandOver(t.Context(), c, deployer))
}

// validatorStatusView is what 'validator status --json' prints.
type validatorStatusView struct {
	Validator chain.Validator      `json:"validator"`
	Collect   uint256.Int          `json:"collect"`
	Balance   uint256.Int          `json:"balance"`
	Rules     chain.ValidatorRules `json:"rules"`
	Disputes  chain.DisputeRules   `json:"disputes"`
}

// From the command line: an account becomes a validator, judges a batch, sits alone in the
// committees about a batch that lies and about a baseless challenge, convicts the one and
// upholds the other, is paid for both, leaves, and gets its bond back after the unbonding
// period. The pages show the disputes, and governance changes how fees are split.
func TestValidatorFromTheCommandLine(t *testing.T) {
	var dev *devchain.Chain
	voter, err := keystore.Generate()
	require.NoError(t, err)
	s := newSeparate(t, 1, judged(&dev, voter.Account()))
	run(t, nil, s.initArgs(s.homes[0], "--settle-every", "300ms")...)
	s.startWorker(t, 0)
	s.awaitWorkers(t, 1)
	v := &validating{separate: s, home: filepath.Join(t.TempDir(), "validator")}
	v.key = light(t, v.home, validatorKey)[validatorKey]

	v.join(t)
	_, err = s.stream(t.Context(), rambling(1, 12), nil)
	require.NoError(t, err)
	eventually(t, time.Minute, "the answer is settled", func() error {
		open, err := s.unsettled(t.Context())
		if err == nil && open > 0 {
			err = fmt.Errorf("%d receipts are not", open)
		}
		return err
	})
	batch := s.audit(t).batches[0]
	v.check(t, batch.Worker, batch.Nonce)
	v.tryChallenges(t, batch.Worker, batch.Nonce)
	honest := chain.BatchRef{Worker: batch.Worker, Nonce: batch.Nonce}
	lie := v.lie(t, honest)
	proc := v.startValidator(t)
	v.convicted(t, lie, proc)
	v.judge(t, proc, batch.Worker, batch.Nonce)
	b := newBrowser(t, s.api)
	b.disputes(lie)
	v.lyingEpoch(t, dev, honest)
	v.leave(t, dev)
	b.governance(s.network, dev, voter)
}

type validating struct {
	*separate
	home string
	key  protocol.Account
}

func (v *validating) verb(args ...string) []string {
	return append(append([]string{"validator"}, args...), "--home", v.home, "--api", v.api)
}

func (v *validating) status(t *testing.T, more ...string) (out validatorStatusView) {
	t.Helper()
	run(t, &out, v.verb(append([]string{"status"}, more...)...)...)
	return out
}

func (v *validating) join(t *testing.T) {
	s := v.status(t)
	require.True(t, s.Validator.Bond.IsZero())
	require.Equal(t, node.Open(1000), s.Rules.MinBond)
	people, errs, code := verb(t, v.verb("status")...)
	require.Zero(t, code, errs)
	require.Contains(t, people, v.key.Hex()+" is no validator")

	refused(t, "bond: is 999.5 OPEN: at least 1000", v.verb("join", "--bond", "999.5")...)
	refused(t, fmt.Sprintf("bond: the validator %s has 0 OPEN and needs 2001", v.key.Hex()), v.verb("join")...)
	refused(t, "openledger wallet send "+v.key.Hex()+" 2001 --as FROM", v.verb("join")...)
	refused(t, "run 'openledger validator join' first", v.verb("run")...)
	refused(t, "not validator", v.verb("leave")...)
	refused(t, "not validator", v.verb("withdraw")...)
	refused(t, "nothing to collect", v.verb("collect")...)

	pay := func(open string) {
		run(t, nil, "wallet", "send", v.key.Hex(), open, "--as", "owner", "--home", v.user, "--api", v.api)
	}
	for _, name := range []string{"alice", "bob", "poor"} { // each has 500
		run(t, nil, "wallet", "send", v.accounts["owner"].Hex(), "350", "--as", name, "--home", v.user, "--api", v.api)
	}
	pay("1101")
	var joined struct {
		Home      string          `json:"home"`
		Validator chain.Validator `json:"validator"`
	}
	run(t, &joined, v.verb("join", "--bond", "1000", "--listen", "/ip4/127.0.0.1/tcp/0", "--metrics", "127.0.0.1:0", "--threads", "1")...)
	require.Equal(t, v.home, joined.Home)
	require.Equal(t, chain.Validator{Account: v.key, Bond: node.Open(1000)}, joined.Validator)
	pay("150")
	for range 2 { // to an amount: the second time nothing is left to add
		run(t, &joined, v.verb("join", "--bond", "1100", "--listen", "/ip4/127.0.0.1/tcp/0", "--metrics", "127.0.0.1:0", "--threads", "1", "--share", "1")...)
		require.Equal(t, node.Open(1100), joined.Validator.Bond)
	}
	var saved node.ValidatorSettings
	require.NoError(t, node.ReadJSON(filepath.Join(v.home, node.ValidatorFile), &saved))
	require.Equal(t, 1.0, saved.Share)
	require.Equal(t, v.info.Bootstrap, saved.Bootstrap)
	require.Equal(t, v.info.Contracts.Disputes, saved.Addresses.Disputes)
}

// check judges the batch of an honest worker, in a home without any key.
func (v *validating) check(t *testing.T, worker protocol.Account, nonce uint64) {
	var f validator.Finding
	args := func(more ...string) []string {
		return append([]string{"validator", "check", "--home", t.TempDir(), "--api", v.api}, more...)
	}
	run(t, &f, args(worker.Hex(), fmt.Sprint(nonce), "--share", "1")...)
	require.False(t, f.Guilty, f.Detail)
	require.Equal(t, worker, f.Worker)
	require.Equal(t, nonce, f.Nonce)
	require.Positive(t, f.Receipts)
	require.Equal(t, f.Receipts, f.Rerun)
	people, errs, code := verb(t, args(worker.Hex(), fmt.Sprint(nonce))...)
	require.Zero(t, code, errs)
	require.Contains(t, people, "holds")
	refused(t, "batch 77", args(worker.Hex(), "77")...)
}

func (v *validating) startValidator(t *testing.T) *service {
	t.Helper()
	var up struct {
		Validator protocol.Account `json:"validator"`
		Metrics   string           `json:"metrics"`
	}
	proc := start(t, &up, v.verb("run")...)
	require.Equal(t, v.key, up.Validator)
	eventually(t, time.Minute, "the validator is healthy", func() error {
		res, err := http.Get("http://" + up.Metrics + "/healthz")
		if err != nil {
			return err
		}
		defer func() { _ = res.Body.Close() }()
		body, err := io.ReadAll(res.Body)
		if err == nil && res.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s: %s", res.Status, body)
		}
		return err
	})
	return proc
}

// judge has somebody challenge an honest batch while the validator runs.
func (v *validating) judge(t *testing.T, proc *service, worker protocol.Account, nonce uint64) {
	var verdicts struct {
		Disputes []disputeView `json:"disputes"`
	}
	run(t, &verdicts, v.verb("verdicts")...)
	require.Len(t, verdicts.Disputes, 1, "the conviction")

	id := v.challenge(t, worker.Hex(), fmt.Sprint(nonce), "--force", "--reason", "output").Dispute
	eventually(t, 2*time.Minute, "the committee decides", func() error {
		d, err := v.chain.Dispute(t.Context(), id)
		if err == nil && d.Status.Open() {
			err = fmt.Errorf("%s; %s", d.Status, lastLines(proc.log.String(), 3))
		}
		return err
	})
	run(t, &verdicts, v.verb("verdicts")...)
	require.Len(t, verdicts.Disputes, 2)
	d := verdicts.Disputes[1]
	require.Equal(t, id, d.ID)
	require.Equal(t, chain.DisputeUpheld, d.Status)
	require.Equal(t, []chain.Seat{{Member: v.key, Vote: chain.VoteUpheld}}, d.Seats)
	people, errs, code := verb(t, v.verb("verdicts")...)
	require.Zero(t, code, errs)
	require.Contains(t, people, "upheld")
	run(t, &verdicts, v.verb("verdicts", "--from", "3")...)
	require.Empty(t, verdicts.Disputes)
	proc.kill()

	// The bond of the lost challenge: a governed part to the member, the rest to the worker.
	before := v.status(t)
	mine := bpsOf(d.Bond, before.Disputes.SignersBps)
	require.Equal(t, mine.Dec(), before.Collect.Dec())
	rest := new(uint256.Int).Sub(&d.Bond, &mine)
	of := v.status(t, worker.Hex())
	require.Equal(t, rest.Dec(), of.Collect.Dec())
	run(t, nil, v.verb("collect", worker.Hex())...)
	after := v.status(t, worker.Hex())
	require.Equal(t, new(uint256.Int).Add(&of.Balance, rest).Dec(), after.Balance.Dec(), "another paid the gas")
	run(t, nil, v.verb("collect")...)
	collected := v.status(t)
	require.True(t, collected.Collect.IsZero())
	require.True(t, collected.Balance.Gt(&before.Balance), "the share is far above the gas")
	refused(t, "nothing to collect", v.verb("collect")...)
}

// challenging are the words of a challenge by the requester.
func (v *validating) challenging(args ...string) []string {
	return append(append([]string{"disputes", "challenge"}, args...), "--home", v.user, "--api", v.api, "--as", requesterKey)
}

func (v *validating) challenge(t *testing.T, args ...string) (out challengeView) {
	t.Helper()
	run(t, &out, v.challenging(args...)...)
	return out
}

// tryChallenges finds nothing wrong with an honest batch, and challenges nothing.
func (v *validating) tryChallenges(t *testing.T, worker protocol.Account, nonce uint64) {
	batch := []string{worker.Hex(), fmt.Sprint(nonce)}
	with := func(more ...string) []string { return v.challenging(append(batch, more...)...) }
	tried := v.challenge(t, append(batch, "--dry-run", "--share", "1")...)
	require.False(t, tried.Finding.Guilty, tried.Finding.Detail)
	require.Equal(t, tried.Finding.Receipts, tried.Finding.Rerun)
	require.Positive(t, tried.Finding.Receipts)
	require.True(t, tried.Open)
	require.Equal(t, node.Open(100), tried.Bond)
	people, errs, code := verb(t, with("--dry-run")...)
	require.Zero(t, code, errs)
	require.Contains(t, people, "holds")
	refused(t, "fault: none was found", with()...)
	refused(t, "--force and --reason go together", with("--force")...)
	refused(t, "one of adapter, arithmetic, attribution", with("--force", "--reason", "spite")...)
	refused(t, "share: is 2", with("--share", "2")...)
	refused(t, "batch: name its worker", v.challenging(worker.Hex())...)
	refused(t, "epoch", v.challenging("--epoch", "1")...)
	refused(t, "no batch beside it", with("--epoch", "1")...)
	n, err := v.chain.DisputeCount(t.Context())
	require.NoError(t, err)
	require.Zero(t, n)
}

// lyingEpoch challenges an epoch whose root pays everything to its proposer.
func (v *validating) lyingEpoch(t *testing.T, dev *devchain.Chain, batch chain.BatchRef) {
	b, err := v.chain.Batch(t.Context(), batch.Worker, batch.Nonce)
	require.NoError(t, err)
	require.NoError(t, dev.AdvanceTime(time.Until(time.Unix(b.ClaimableAt, 0))+time.Hour))
	liar := v.chain.As(v.secret(t, "owner"))
	params, err := v.chain.EpochParams(t.Context())
	require.NoError(t, err)
	_, err = liar.OpenEpoch(t.Context(), params.Bond, []chain.BatchRef{batch})
	require.NoError(t, err)
	refused(t, "no root yet", v.challenging("--epoch", "1")...)
	_, err = liar.CommitEpoch(t.Context(), 1, protocol.Hash{1}, protocol.Hash{2})
	require.NoError(t, err)

	found := v.challenge(t, "--epoch", "1", "--dry-run")
	require.True(t, found.Finding.Guilty)
	require.Equal(t, protocol.ReasonArithmetic, found.Finding.Reason)
	require.NotEmpty(t, found.Finding.Detail)
	require.False(t, found.Sent)
	sent := v.challenge(t, "--epoch", "1")
	require.True(t, sent.Sent)
	require.NotZero(t, sent.Tx)
	d, err := v.chain.Dispute(t.Context(), sent.Dispute)
	require.NoError(t, err)
	require.Equal(t, protocol.ReasonArithmetic, d.Reason)
	require.Equal(t, uint32(1), d.Epoch)
	require.Equal(t, v.accounts[requesterKey], d.Challenger)
	// What it found is where the coordinator keeps it, for the committee.
	raw, err := client.Blocks{Client: v.cl}.Get(t.Context(), d.Evidence)
	require.NoError(t, err)
	require.Contains(t, string(raw), validator.ChallengeFormat)
	refused(t, "is disputed", v.challenging("--epoch", "1")...)
}

func (v *validating) leave(t *testing.T, dev *devchain.Chain) {
	run(t, nil, v.verb("leave")...)
	refused(t, "already leaving", v.verb("leave")...)
	s := v.status(t)
	require.NotZero(t, s.Validator.ReleaseAt)
	require.Equal(t, node.Open(1100), s.Validator.Bond)
	people, errs, code := verb(t, v.verb("status")...)
	require.Zero(t, code, errs)
	require.Contains(t, people, "left; its bond is free at ")
	refused(t, "bond locked", v.verb("withdraw")...)
	require.NoError(t, dev.AdvanceTime(time.Duration(s.Rules.UnbondingSeconds)*time.Second))
	run(t, nil, v.verb("withdraw")...)
	after := v.status(t)
	require.True(t, after.Validator.Bond.IsZero())
	got := new(uint256.Int).Sub(&after.Balance, &s.Balance)
	require.Equal(t, node.Open(1099), *new(uint256.Int).Mul(new(uint256.Int).Div(got, uint256.NewInt(1e18)), uint256.NewInt(1e18)), "1100 less gas")
	refused(t, "not validator", v.verb("withdraw")...)
}

// Every verb of validators says what is wrong with its input before it does anything.
func TestValidatorVerbs_NameBadInput(t *testing.T) {
	worker := protocol.Account{1}.Hex()
	for name, c := range map[string]struct {
		words string
		args  []string
	}{
		"bond, no number":        {`bond: "lots" is not an amount in OPEN, such as 12.5`, []string{"join", "--bond", "lots"}},
		"bond, below zero":       {`bond: "-5" is not an amount`, []string{"join", "--bond", "-5"}},
		"share, none":            {"share: is 0: above 0, at most 1", []string{"join", "--share", "0"}},
		"share, all and more":    {"share: is 1.5: above 0, at most 1", []string{"join", "--share", "1.5"}},
		"share, not a number":    {"share: is NaN: above 0, at most 1", []string{"join", "--share", "NaN"}},
		"patience, whole window": {"patience: is 1: above 0, below 1", []string{"join", "--patience", "1"}},
		"threads":                {"threads: is -1: 0 for all cores, or more", []string{"join", "--threads", "-1"}},
		"metrics":                {`metrics: "9310" is no host:port, such as 127.0.0.1:9310`, []string{"join", "--metrics", "9310"}},
		"listen":                 {`listen: "0.0.0.0:1" is no multiaddr, such as /ip4/`, []string{"join", "--listen", "0.0.0.0:1"}},
		"bootstrap":              {`bootstrap: "/ip4/127.0.0.1/tcp/1" is no multiaddr that ends in /p2p/<peer id>`, []string{"join", "--bootstrap", "/ip4/127.0.0.1/tcp/1"}},
		"nobody answers":         {"no coordinator answers", []string{"join"}},
		"run without join":       {"run 'openledger validator join' first", []string{"run"}},
		"status of nobody":       {`account: there is no account "validator" in this wallet: name one with --as, or give an address`, []string{"status"}},
		"verdicts from":          {"--from", []string{"verdicts", "--from", "-1"}},
		"check without batch":    {"accepts 2 arg(s)", []string{"check", worker}},
		"check, no worker":       {`account: there is no account "w1" in this wallet`, []string{"check", "w1", "0"}},
		"check, no batch":        {`nonce: "first" is no number of a batch: they count from 0`, []string{"check", worker, "first"}},
		"check, batch below 0":   {"nonce: -1 is below zero: 'openledger validator check --help'", []string{"check", worker, "-1"}},
		"check, share":           {"share: is 0: above 0, at most 1", []string{"check", worker, "0", "--share", "0"}},
		"collect of nobody":      {`account: there is no account "bob" in this wallet`, []string{"collect", "bob"}},
		"leave without a key":    {`account: there is no account "validator" in this wallet`, []string{"leave"}},
		"withdraw without a key": {`account: there is no account "validator" in this wallet`, []string{"withdraw"}},
	} {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			out, err := inHome(t, home, append([]string{"validator", "--api", "http://127.0.0.1:1", "--json"}, c.args...)...)
			require.ErrorContains(t, err, c.words)
			require.Empty(t, out, "nothing but the error")
			require.NoFileExists(t, filepath.Join(home, node.ValidatorFile))
		})
	}
}

// A number below zero is named as what it was meant to be, not taken for a flag.
func TestNumbersBelowZeroAreNamed(t *testing.T) {
	for _, c := range []struct {
		words string
		args  []string
	}{
		{"epoch: -1 is below zero: 'openledger epoch show --help' shows what it takes", []string{"epoch", "show", "-1"}},
		{"epoch: -3 is below zero", []string{"epoch", "verify", "-3"}},
		{"dispute: -1 is below zero", []string{"disputes", "show", "-1"}},
		{"unknown shorthand flag: 'x' in -x", []string{"epoch", "show", "-x"}},
		{"unknown flag: --nothing", []string{"epoch", "show", "--nothing"}},
	} {
		_, err := inProcess(t, c.args...)
		require.ErrorContains(t, err, c.words, strings.Join(c.args, " "))
	}
}

// A deployments file that is not there is named, with where such a file comes from.
func TestMissingDeploymentsFileIsNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "none.json")
	for _, args := range [][]string{
		{"chain", "verify", "--rpc", "http://127.0.0.1:1", "--deployment", file},
		{"coordinator", "run", "--rpc", "http://127.0.0.1:1", "--deployment", file},
	} {
		_, err := inProcess(t, args...)
		require.ErrorContains(t, err, "deployments: open "+file+": no such file or directory: name the file that deploying the contracts wrote")
	}
}
