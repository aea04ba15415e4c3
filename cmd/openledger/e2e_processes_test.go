package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
)

// separate is a network whose parts are processes of their own.
type separate struct {
	*network
	user     string // home of the people
	accounts map[string]protocol.Account
	coord    *service
	homes    []string // of workers
	workers  []*service
}

// newSeparate starts chain and coordinator and prepares people and workers.
func newSeparate(t *testing.T, workers int, on ledger) *separate {
	dir := t.TempDir()
	s := &separate{user: filepath.Join(dir, "user")}
	chainHome := filepath.Join(dir, "chain")
	ch := on(t, chainHome, light(t, chainHome, deployerKey)[deployerKey])
	var coord struct {
		API string `json:"api"`
	}
	light(t, filepath.Join(dir, "coord"), sessionKey)
	s.coord = start(t, &coord, "coordinator", "run", "--home", filepath.Join(dir, "coord"), "--rpc", ch.RPC, "--deployment", ch.Deployment,
		"--listen", "127.0.0.1:0", "--p2p", "/ip4/127.0.0.1/tcp/0,/ip4/127.0.0.1/udp/0/quic-v1")
	pay := func(to protocol.Account, open string) {
		run(t, nil, "wallet", "send", to.Hex(), open, "--as", deployerKey, "--home", chainHome, "--api", coord.API)
	}
	s.accounts = light(t, s.user, "owner", "alice", "bob", "requester", "poor")
	for _, name := range []string{"owner", "alice", "bob", "requester", "poor"} {
		pay(s.accounts[name], "500")
	}
	user := func(args ...string) []string { return append(args, "--home", s.user, "--api", coord.API) }
	run(t, nil, user("wallet", "deposit", "100", "--as", "requester")...)
	var key struct {
		Key string `json:"key"`
	}
	run(t, &key, user("coordinator", "key", "--as", "requester")...)
	writeFile(t, s.user, "api.key", key.Key+"\n")
	s.network = connect(t, coord.API, key.Key)
	for i := range workers {
		home := filepath.Join(dir, "worker"+strconv.Itoa(i))
		owner := light(t, home, ownerKey, nodeKey)[ownerKey]
		if i == 0 {
			refused(t, "openledger wallet send "+owner.Hex(), s.initArgs(home)...)
		}
		pay(owner, "1100")
		run(t, nil, s.initArgs(home)...)
		s.homes = append(s.homes, home)
	}
	return s
}

// initArgs is 'worker init' for a worker that settles when it starts and then hardly
// ever, unless more flags say otherwise.
func (s *separate) initArgs(home string, more ...string) []string {
	api := s.api
	return append([]string{"worker", "init", "--home", home, "--api", api, "--stake", "1000", "--threads", "1", "--settle-every", "1h",
		"--checkpoint-every", "50ms", "--listen", "/ip4/127.0.0.1/tcp/0,/ip4/127.0.0.1/udp/0/quic-v1"}, more...)
}

func (s *separate) startWorker(t *testing.T, i int) {
	t.Helper()
	w := start(t, nil, "worker", "run", "--home", s.homes[i])
	s.workers = append(s.workers[:i], append([]*service{w}, s.workers[min(i+1, len(s.workers)):]...)...)
}

// again starts a killed worker once more.
func (s *separate) again(t *testing.T, i int) {
	t.Helper()
	s.workers[i].start(nil)
}

// verb completes a user's command line.
func (s *separate) verb(args ...string) []string {
	return append(args, "--home", s.user, "--api", s.api)
}

// lessons are the records of two contributors.
func lessons(from, to int) string {
	animals := []string{"Fox", "Crow", "Lion", "Mouse", "Ant", "Dove", "Wolf", "Lamb", "Hare", "Tortoise", "Frog", "Ox", "Bear", "Bee", "Owl"}
	var b strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, "{\"title\":\"The %s and the %s\",\"lesson\":\"Patience number %d is rewarded.\"}\n", animals[i], animals[i+1], i)
	}
	return b.String()
}

// publishLessons makes datanet 1 with twelve accepted records.
func (s *separate) publishLessons(t *testing.T) {
	dir := t.TempDir()
	var made protocol.Datanet
	run(t, &made, s.verb("datanet", "create", "lessons", "--license", "CC0-1.0", "--as", "owner")...)
	require.EqualValues(t, 1, made.ID)
	run(t, nil, s.verb("datanet", "contribute", "1", writeFile(t, dir, "alice.jsonl", lessons(0, 6)), "--as", "alice")...)
	run(t, nil, s.verb("datanet", "contribute", "1", writeFile(t, dir, "bob.jsonl", lessons(6, 12)), "--as", "bob")...)
	var review struct {
		Reviewed []api.ContributionStatus `json:"reviewed"`
	}
	run(t, &review, s.verb("datanet", "review", "1", "--accept-all", "--as", "owner")...)
	require.Len(t, review.Reviewed, 12)
	var v protocol.Version
	run(t, &v, s.verb("datanet", "publish", "1", "--as", "owner")...)
	require.Equal(t, 12, v.Records)
}

// train starts 'adapter train' beside the test and gives its job and its end.
func (s *separate) train(t *testing.T, name string, epochs int) (job protocol.Hash, end func() (string, int)) {
	t.Helper()
	known := len(s.trainings(t))
	cmd := programCommand(context.Background(), t, s.verb("adapter", "train", name, "--datanet", "1", "--prompt", `What is the lesson of "{title}"?`,
		"--answer", "{lesson}", "--access", "0.01", "--rank", "4", "--epochs", strconv.Itoa(epochs), "--as", "owner")...)
	var log logText
	cmd.Stdout, cmd.Stderr = &log, &log
	require.NoError(t, cmd.Start())
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait() // its exit code is read below
		close(done)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-done
	})
	eventually(t, time.Minute, "the job is known", func() error {
		list := s.trainings(t)
		if len(list) == known {
			return fmt.Errorf("no new job: %s", &log)
		}
		job = list[0].ID
		return nil
	})
	return job, func() (string, int) {
		select {
		case <-done:
		case <-time.After(3 * time.Minute):
			require.FailNow(t, "the training does not end", "%s", &log)
		}
		return log.String(), cmd.ProcessState.ExitCode()
	}
}

func (s *separate) trainings(t *testing.T) []api.TrainingStatus {
	t.Helper()
	var out struct {
		Jobs []api.TrainingStatus `json:"training_jobs"`
	}
	require.NoError(t, s.cl.Call(t.Context(), http.MethodGet, "/api/v1/training_jobs", nil, &out))
	return out.Jobs
}

func (s *separate) models(t *testing.T) []api.Model {
	t.Helper()
	list, err := s.cl.Models(t.Context())
	require.NoError(t, err)
	return list
}

// The whole story with every part a process of its own, each of which is killed by
// SIGKILL at the worst moment.
func TestSeparateProcesses(t *testing.T) { separateProcesses(t, chosenLedger()) }

func separateProcesses(t *testing.T, on ledger) {
	s := newSeparate(t, 2, on)
	s.startWorker(t, 0)
	s.awaitWorkers(t, 1)
	s.publishLessons(t)
	ok := t.Run("a killed worker goes on training from its checkpoint", s.killInTraining) &&
		t.Run("a cancelled training ends as cancelled", s.cancelTraining)
	require.True(t, ok)
	s.startWorker(t, 1)
	s.awaitWorkers(t, 2)
	ok = t.Run("a stream survives its worker", s.killInStreams) &&
		t.Run("an answer can be verified", s.verifyAnswer) &&
		t.Run("unsettled receipts are settled once", s.settleAfterKill)
	require.True(t, ok)
	t.Run("stake, escrow, prices and votes", s.holders)
	t.Run("bad input", s.badInput)
	t.Run("agents", s.agents)
	t.Run("an agent is asked and paid", s.askAgent)
	t.Run("contributors' stakes", s.contributorStakes)
}

var stepOf = regexp.MustCompile(` step=(\d+) `)

func (s *separate) killInTraining(t *testing.T) {
	w := s.workers[0]
	_, end := s.train(t, "lessons", 60)
	eventually(t, time.Minute, "a few checkpoints are saved", func() error {
		if n := len(w.log.lines("checkpoint saved")); n < 3 {
			return fmt.Errorf("%d so far; the worker says %s", n, lastLines(w.log.String(), 5))
		}
		return nil
	})
	w.kill()
	require.Empty(t, w.log.lines("settled"))
	s.again(t, 0)
	out, code := end()
	require.Zero(t, code, "%s\n%s", out, w.log)
	resumed := w.log.lines("training goes on from a checkpoint")
	require.Len(t, resumed, 1, "%s", w.log)
	m := stepOf.FindStringSubmatch(resumed[0])
	require.NotNil(t, m, resumed[0])
	step, err := strconv.Atoi(m[1])
	require.NoError(t, err)
	require.Greater(t, step, 1, "not from the beginning")
	status := s.trainings(t)[0]
	require.Equal(t, "succeeded", status.State)
	require.Equal(t, 60, status.Result.Steps)
	require.Less(t, status.Result.LossLast, status.Result.LossFirst)
	t.Logf("resumed at step %d of %d", step, status.Result.Steps)
	models := s.models(t)
	require.Len(t, models, 2, "the base and the adapter")
	require.Equal(t, status.Result.Adapter, models[1].CID)
	a, err := s.chain.AdapterByName(t.Context(), s.accounts["owner"], "lessons")
	require.NoError(t, err)
	require.EqualValues(t, 1, a.Datanet)
}

func (s *separate) cancelTraining(t *testing.T) {
	before := s.models(t)
	job, end := s.train(t, "endless", 1000)
	eventually(t, time.Minute, "it trains", func() error {
		status, err := s.cl.Training(t.Context(), job)
		if err == nil && status.Progress.Step < 2 {
			err = fmt.Errorf("%s at %+v %s", status.State, status.Progress, status.Error)
		}
		return err
	})
	refused(t, "it is not by", s.verb("adapter", "cancel", job.Hex(), "--as", "bob")...)
	status, err := s.cl.Training(t.Context(), job)
	require.NoError(t, err)
	require.Equal(t, "running", status.State, "only its owner cancels it")
	run(t, &status, s.verb("adapter", "cancel", job.Hex(), "--as", "owner")...)
	require.Equal(t, "cancelled", status.State)
	out, code := end()
	require.Equal(t, 1, code)
	require.Contains(t, out, "cancelled")
	eventually(t, time.Minute, "the worker trains again", func() error {
		list, err := s.cl.Workers(t.Context())
		if err == nil && (len(list) != 1 || !list[0].Trains) {
			err = fmt.Errorf("%+v", list)
		}
		return err
	})
	status, err = s.cl.Training(t.Context(), job)
	require.NoError(t, err)
	require.Equal(t, "cancelled", status.State, "it stays cancelled")
	require.Equal(t, before, s.models(t), "nothing was registered")
}

// wanted are requests with long answers, as an undisturbed network gives them.
func (s *separate) wanted(t *testing.T) (requests []map[string]any, answers []said) {
	for seed := 1; len(requests) < 6; seed++ {
		require.Less(t, seed, 40, "the base model's answers are too short for this test")
		r := rambling(seed, 400)
		a, err := s.stream(t.Context(), r, nil)
		require.NoError(t, err)
		if a.output >= 60 {
			requests, answers = append(requests, r), append(answers, a)
		}
	}
	return requests, answers
}

// killInStreams kills a worker in the middle of its streams, until a stream that was
// under way has moved: its requester must not notice.
func (s *separate) killInStreams(t *testing.T) {
	requests, want := s.wanted(t)
	moved := regexp.MustCompile(`job moves to another worker.* delivered=(\d+)`)
	survived, least := 0, 0
	for attempt := 0; survived == 0; attempt++ {
		require.Less(t, attempt, 10, "no stream was hit")
		s.awaitWorkers(t, 2)
		before := len(s.coord.log.lines("job moves to another worker"))
		victim := s.workers[attempt%2]
		var once sync.Once
		var wg sync.WaitGroup
		var texts atomic.Int64
		got, errs := make([]said, len(requests)), make([]error, len(requests))
		for i := range requests {
			wg.Go(func() {
				got[i], errs[i] = s.stream(t.Context(), requests[i], func(chunks int) {
					if texts.Add(1); chunks == 16 {
						once.Do(victim.kill)
					}
				})
			})
		}
		wg.Wait()
		require.NotZero(t, texts.Load())
		for i := range requests {
			require.NoError(t, errs[i], "stream %d; the coordinator says %s", i, lastLines(s.coord.log.String(), 20))
			require.Equal(t, want[i].text, got[i].text, "stream %d", i)
			require.Equal(t, want[i].finish, got[i].finish)
			require.Equal(t, s.tokens(t, want[i].receipt), s.tokens(t, got[i].receipt), "stream %d", i)
			require.Equal(t, want[i].fee, got[i].fee, "what was generated twice is paid once")
		}
		for _, line := range s.coord.log.lines("job moves to another worker")[before:] {
			if m := moved.FindStringSubmatch(line); m != nil {
				if n, err := strconv.Atoi(m[1]); err == nil && n >= 5 {
					survived++
					least = max(least, n)
				}
			}
		}
		s.again(t, attempt%2)
		t.Logf("attempt %d: %d streams moved in the middle, the longest after %d tokens", attempt, survived, least)
	}
}

func (s *separate) verifyAnswer(t *testing.T) {
	var a answer
	run(t, &a, s.verb("infer", "lessons", `What is the lesson of "The Fox and the Crow"?`, "--max-tokens", "24")...)
	require.NotEmpty(t, a.Text)
	var report struct {
		OK bool `json:"ok"`
	}
	run(t, &report, s.verb("receipts", "verify", a.Receipt.Hex())...)
	require.True(t, report.OK)
	var explained json.RawMessage
	run(t, &explained, s.verb("attribution", "explain", a.Receipt.Hex())...)
}

// settleAfterKill kills both workers, each with receipts that it has not settled, and
// starts them again so that they settle.
func (s *separate) settleAfterKill(t *testing.T) {
	escrowBefore, err := s.chain.EscrowOf(t.Context(), s.accounts["requester"])
	require.NoError(t, err)
	drawnBefore := s.audit(t).totals
	for seed := range 6 {
		_, err := s.stream(t.Context(), rambling(seed, 20), nil)
		require.NoError(t, err)
	}
	open, err := s.unsettled(t.Context())
	require.NoError(t, err)
	require.GreaterOrEqual(t, open, 6, "they wait for the hour to pass")
	for i, w := range s.workers {
		w.kill()
		run(t, nil, s.initArgs(s.homes[i], "--settle-every", "500ms")...)
		w.start(nil)
	}
	eventually(t, time.Minute, "all receipts are settled", func() error {
		open, err := s.unsettled(t.Context())
		if err == nil && open > 0 {
			err = fmt.Errorf("%d are not; %s", open, lastLines(s.workers[0].log.String(), 4))
		}
		return err
	})
	b := s.audit(t)
	require.NotEmpty(t, b.batches)
	s.requireAddUp(t, b)
	escrow, err := s.chain.EscrowOf(t.Context(), s.accounts["requester"])
	require.NoError(t, err)
	gone, drawn := escrowBefore, b.totals
	gone.Sub(&gone, &escrow)
	drawn.Sub(&drawn, &drawnBefore)
	require.Equal(t, drawn.Dec(), gone.Dec(), "the escrow lost what the batches drew")
	time.Sleep(2 * time.Second) // a few more rounds of settlement
	require.Equal(t, len(b.batches), len(s.audit(t).batches), "nothing is settled again")
	s.claimEverything(t, b)
}

// claimEverything claims after the challenge window, twice.
func (s *separate) claimEverything(t *testing.T, b books) {
	eventually(t, time.Minute, "the challenge windows end", func() error {
		now, err := s.chain.Now(t.Context())
		require.NoError(t, err)
		for _, e := range b.batches {
			if e.ClaimableAt > now {
				return fmt.Errorf("batch %d opens at %d", e.Nonce, e.ClaimableAt)
			}
		}
		return nil
	})
	balance := func(name string) string {
		v, err := s.chain.Balance(t.Context(), s.accounts[name])
		require.NoError(t, err)
		return v.Dec()
	}
	alice := balance("alice")
	sum := s.claimAll(t, b, s.user, "requester")
	require.Equal(t, b.totals.Dec(), sum.Dec(), "everything was claimed")
	if earned := b.payouts[s.accounts["alice"]]; earned != nil {
		require.NotEqual(t, alice, balance("alice"))
	}
	alice = balance("alice")
	sum = s.claimAll(t, b, s.user, "requester")
	require.True(t, sum.IsZero(), "claiming again pays nothing")
	require.Equal(t, alice, balance("alice"))
	left, err := s.chain.Balance(t.Context(), s.info.Contracts.Settlement)
	require.NoError(t, err)
	require.True(t, left.IsZero(), "the contract keeps %s wei", left.Dec())
}
