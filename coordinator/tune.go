package coordinator

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
	"github.com/openledger/openledger/store/datanet"
)

// Statuses of fine-tuning jobs, as OpenAI's.
const (
	tuneValidating = "validating_files"
	tuneQueued     = "queued"
	tuneRunning    = "running"
	tunePaused     = "paused"
	tuneSucceeded  = "succeeded"
	tuneFailed     = "failed"
	tuneCancelled  = "cancelled"
)

// maxLiveTunes bounds the jobs of one account that are not over.
const maxLiveTunes = 8

// tuneState is what a restart needs of a fine-tuning job. Each step notes what it made, so
// that it is made once.
type tuneState struct {
	Request  api.FineTuneRequest    `json:"request"`
	Digest   protocol.Hash          `json:"digest"` // of the request as it came
	Status   string                 `json:"status"`
	Error    *api.TuneError         `json:"error,omitempty"`
	Hyper    api.TuneHyper          `json:"hyper"`
	Seed     uint64                 `json:"seed"`
	Version  protocol.Version       `json:"version"`           // trained on; set when it is published
	Datanet  uint64                 `json:"datanet,omitempty"` // set when it is there
	Held     int                    `json:"held,omitempty"`    // of the version's records, from the validation file
	Training *protocol.TrainingJob  `json:"training,omitempty"`
	Model    string                 `json:"model,omitempty"`
	Results  []string               `json:"results,omitempty"`
	Tokens   int64                  `json:"tokens,omitempty"`
	Steps    int                    `json:"steps,omitempty"`
	Loss     float64                `json:"loss,omitempty"`
	Eval     *protocol.TrainingEval `json:"eval,omitempty"`
	Finished int64                  `json:"finished,omitempty"` // Unix ms
	Cancel   bool                   `json:"cancel,omitempty"`   // asked for
	Events   uint64                 `json:"events"`             // how many there are
	// Noted is the last step whose metrics are stored, Evaluated the last evaluation's step and 1.
	Noted     int `json:"noted,omitempty"`
	Evaluated int `json:"evaluated,omitempty"`
}

func (s *tuneState) over() bool {
	return s.Status == tuneSucceeded || s.Status == tuneFailed || s.Status == tuneCancelled
}

// tunes are the fine-tuning jobs under way.
type tunes struct {
	mu   sync.Mutex // guards live; held while a job is created or a file deleted
	live map[protocol.Hash]*liveTune
}

// liveTune is a job that is not over.
type liveTune struct {
	key     protocol.Hash
	owner   protocol.Account
	created int64
	ctx     context.Context
	cancel  context.CancelFunc

	mu    sync.Mutex // guards what follows
	state tuneState
	end   int64 // estimated, Unix ms; 0: not known
}

func (t *liveTune) over() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.state.over()
}

// current is the state as it is now. The job's run writes it, its owner's cancel does too.
func (t *liveTune) current() tuneState {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.state
}

func (t *liveTune) id() string { return tuneID(t.key) }

func tuneID(key protocol.Hash) string { return "ftjob-" + hex.EncodeToString(key[:idBytes]) }

// needs says whether the job still has to read a file.
func (t *liveTune) needs(file string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := &t.state.Request
	return (r.TrainingFile == file || r.ValidationFile == file) && t.state.Version.Root == ""
}

func (t *liveTune) snapshot() api.FineTune {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := viewOf(t.key, t.owner, t.created, t.state)
	if t.end != 0 {
		out.EstimatedEnd = time.UnixMilli(t.end)
	}
	return out
}

func viewOf(key protocol.Hash, owner protocol.Account, created int64, s tuneState) api.FineTune {
	out := api.FineTune{ID: tuneID(key), Owner: owner, Request: s.Request, Hyper: s.Hyper, Seed: s.Seed, Status: s.Status, Error: s.Error,
		FineTunedModel: s.Model, ResultFiles: s.Results, TrainedTokens: s.Tokens, Datanet: s.Datanet, Version: s.Version.Number,
		Steps: s.Steps, Loss: s.Loss, Eval: s.Eval, CreatedAt: time.UnixMilli(created)}
	if s.Training != nil {
		out.Training = s.Training.ID
	}
	if s.Finished != 0 {
		out.FinishedAt = time.UnixMilli(s.Finished)
	}
	return out
}

// CreateFineTune checks what can be checked at once, writes the job down and starts it. The
// same request under the same ID is the same job.
func (c *Coordinator) CreateFineTune(ctx context.Context, owner protocol.Account, r api.FineTuneRequest) (api.FineTune, error) {
	running, err := c.started()
	if err != nil {
		return api.FineTune{}, err
	}
	raw, err := json.Marshal(&r)
	if err != nil {
		return api.FineTune{}, fmt.Errorf("fine-tuning job: %w", err)
	}
	key, digest := shortID(r.ID), protocol.Hash(sha256.Sum256(raw))
	if r.ID == (protocol.Hash{}) {
		if _, err := rand.Read(key[:idBytes]); err != nil {
			return api.FineTune{}, err
		}
	}
	c.tunes.mu.Lock()
	defer c.tunes.mu.Unlock()
	if rec, err := c.book.Tune(key); err == nil {
		s, err := stateOf(rec)
		if err == nil && (rec.Owner != owner || s.Digest != digest) {
			err = protocol.Errorf(protocol.KindExists, "Idempotency-Key", "another fine-tuning job was made under it")
		}
		if err != nil {
			return api.FineTune{}, err
		}
		return c.tuneNow(rec, s), nil
	}
	mine := 0
	for _, t := range c.tunes.live {
		if t.owner == owner {
			mine++
		}
	}
	if mine >= maxLiveTunes {
		return api.FineTune{}, protocol.Errorf(protocol.KindBusy, "", "%d of your fine-tuning jobs are not over: wait for one, or cancel one", mine)
	}
	s := tuneState{Request: r, Digest: digest, Status: tuneValidating, Hyper: r.Hyper}
	if err := c.checkTune(ctx, owner, key, &s); err != nil {
		return api.FineTune{}, err
	}
	t := newTune(running, key, owner, now(), s)
	if err := c.putTune(t, nil, "Created fine-tuning job: "+t.id(), "Validating training file: "+r.TrainingFile); err != nil {
		return api.FineTune{}, err
	}
	c.startTune(t)
	return t.snapshot(), nil
}

func newTune(running context.Context, key protocol.Hash, owner protocol.Account, created int64, s tuneState) *liveTune {
	ctx, cancel := context.WithCancel(running)
	return &liveTune{key: key, owner: owner, created: created, ctx: ctx, cancel: cancel, state: s}
}

// startTune runs a job beside everything else; c.tunes.mu is held.
func (c *Coordinator) startTune(t *liveTune) {
	c.tunes.live[t.key] = t
	c.tasks.Go(func() error {
		c.runTune(t)
		return nil
	})
}

// resumeTunes goes on with the jobs that a restart interrupted.
func (c *Coordinator) resumeTunes(ctx context.Context) error {
	recs, err := c.book.UnfinishedTunes()
	if err != nil {
		return err
	}
	c.tunes.mu.Lock()
	defer c.tunes.mu.Unlock()
	for _, rec := range recs {
		s, err := stateOf(rec)
		if err != nil {
			return err
		}
		c.startTune(newTune(ctx, rec.ID, rec.Owner, rec.CreatedAt, s))
	}
	return nil
}

func stateOf(rec store.TuneRecord) (s tuneState, err error) {
	if err := json.Unmarshal(rec.Detail, &s); err != nil {
		return s, protocol.Errorf(protocol.KindCorrupt, "detail", "fine-tuning job %s: %w", tuneID(rec.ID), err)
	}
	return s, nil
}

// putTune changes a job's state and writes it down with what there is to tell of it. A job
// that is over stays as it is: whoever still works at it is told that it was cancelled.
func (c *Coordinator) putTune(t *liveTune, change func(*tuneState), messages ...string) error {
	return c.putTuneWith(t, change, "info", nil, messages...)
}

func (c *Coordinator) putTuneWith(t *liveTune, change func(*tuneState), level string, metrics []store.TuneMetric, messages ...string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state.over() {
		return protocol.Errorf(protocol.KindCancelled, "", "the job is over")
	}
	next := t.state
	if change != nil {
		change(&next)
	}
	events := make([]store.TuneEvent, len(messages))
	for i, m := range messages {
		events[i] = store.TuneEvent{Seq: next.Events, At: now(), Level: level, Message: m}
		next.Events++
	}
	detail, err := json.Marshal(&next)
	if err != nil {
		return fmt.Errorf("store a fine-tuning job: %w", err)
	}
	rec := store.TuneRecord{ID: t.key, Owner: t.owner, CreatedAt: t.created, Finished: next.over(), Detail: detail}
	if err := c.book.PutTune(rec, events, metrics); err != nil {
		return err
	}
	t.state = next
	return nil
}

// tuneNow is a stored job as it is now.
func (c *Coordinator) tuneNow(rec store.TuneRecord, s tuneState) api.FineTune {
	if live := c.tunes.live[rec.ID]; live != nil {
		return live.snapshot()
	}
	return viewOf(rec.ID, rec.Owner, rec.CreatedAt, s)
}

// FineTunes lists an account's jobs from the oldest.
func (c *Coordinator) FineTunes(_ context.Context, owner protocol.Account) ([]api.FineTune, error) {
	c.tunes.mu.Lock()
	defer c.tunes.mu.Unlock()
	recs, err := c.book.TunesOf(owner)
	if err != nil {
		return nil, err
	}
	out := make([]api.FineTune, 0, len(recs))
	for _, rec := range recs {
		s, err := stateOf(rec)
		if err != nil {
			return nil, err
		}
		out = append(out, c.tuneNow(rec, s))
	}
	return out, nil
}

// FineTune gives one of an account's jobs with its events from the oldest.
func (c *Coordinator) FineTune(_ context.Context, owner protocol.Account, id string) (api.FineTune, []api.TuneEvent, error) {
	c.tunes.mu.Lock()
	defer c.tunes.mu.Unlock()
	rec, s, err := c.tune(owner, id)
	if err != nil {
		return api.FineTune{}, nil, err
	}
	events, err := c.book.TuneEvents(rec.ID)
	if err != nil {
		return api.FineTune{}, nil, err
	}
	out := make([]api.TuneEvent, len(events))
	for i, e := range events {
		out[i] = api.TuneEvent{ID: fmt.Sprintf("ftevent-%s-%d", hex.EncodeToString(rec.ID[:idBytes]), e.Seq), At: time.UnixMilli(e.At), Level: e.Level, Message: e.Message}
	}
	return c.tuneNow(rec, s), out, nil
}

// tune finds a job of an account; others' jobs are not there for it.
func (c *Coordinator) tune(owner protocol.Account, id string) (store.TuneRecord, tuneState, error) {
	missing := protocol.Errorf(protocol.KindNotFound, "fine_tuning_job_id", "you have no fine-tuning job %q; GET /v1/fine_tuning/jobs lists them", id)
	key, ok := parseID("ftjob-", id)
	if !ok {
		return store.TuneRecord{}, tuneState{}, missing
	}
	rec, err := c.book.Tune(key)
	if protocol.KindOf(err) == protocol.KindNotFound || err == nil && rec.Owner != owner {
		return store.TuneRecord{}, tuneState{}, missing
	}
	if err != nil {
		return rec, tuneState{}, err
	}
	s, err := stateOf(rec)
	return rec, s, err
}

// CancelFineTune stops a job. What it made so far, such as a datanet, stays; a job that is
// over stays as it is.
func (c *Coordinator) CancelFineTune(_ context.Context, owner protocol.Account, id string) (api.FineTune, error) {
	c.tunes.mu.Lock()
	rec, s, err := c.tune(owner, id)
	live := c.tunes.live[rec.ID]
	c.tunes.mu.Unlock()
	if err != nil || live == nil {
		return viewOf(rec.ID, rec.Owner, rec.CreatedAt, s), err
	}
	if err := c.putTune(live, func(s *tuneState) { s.Cancel = true }); err != nil && !live.over() {
		return api.FineTune{}, err
	}
	live.cancel()
	c.endTune(live, protocol.Errorf(protocol.KindCancelled, "", "cancelled by its owner"))
	return live.snapshot(), nil
}

// Bounds and defaults of what "auto" chooses.
const (
	autoSteps     = 120 // optimiser steps that a small file gets
	autoMaxEpochs = 40
	autoMinEpochs = 3
)

// autoTune fills in what the request leaves to us, for so many examples: batches of up to
// 8, and as many epochs as make 120 steps, but 3 at least and 40 at most.
func autoTune(h api.TuneHyper, examples int) api.TuneHyper {
	if h.BatchSize == 0 {
		h.BatchSize = api.TuneNumber(min(8, max(1, examples/8)))
	}
	if h.Epochs == 0 {
		perEpoch := math.Ceil(float64(examples) / float64(h.BatchSize))
		h.Epochs = api.TuneNumber(min(autoMaxEpochs, max(autoMinEpochs, math.Ceil(autoSteps/perEpoch))))
	}
	if h.LearningRate == 0 {
		h.LearningRate = 1
	}
	return h
}

// hyperOf are the hyper-parameters of a training. The multiplier is of the trainer's
// default rate.
func hyperOf(s *tuneState) protocol.Hyper {
	x := s.Request.OpenLedger
	h := protocol.Hyper{
		Rank: x.Rank, Alpha: x.Alpha, Targets: slices.Clone(x.Targets), Schedule: x.Schedule, MaxLength: x.MaxLength, EvalRatio: x.ValidationShare, Patience: x.Patience,
		Epochs: int(s.Hyper.Epochs), BatchSize: int(s.Hyper.BatchSize), LearningRate: float32(float64(s.Hyper.LearningRate) * protocol.DefaultLearningRate),
		WarmupRatio: protocol.DefaultWarmupRatio, Seed: s.Seed, PromptTemplate: protocol.ChatPromptTemplate, AnswerTemplate: protocol.ChatAnswerTemplate,
	}
	if x.PromptTemplate != "" {
		h.PromptTemplate, h.AnswerTemplate = x.PromptTemplate, x.AnswerTemplate
	}
	if h.HeldOut = x.HeldOut; s.Request.ValidationFile != "" {
		h.HeldOut = splitField
	}
	if h.Rank == 0 {
		h.Rank = protocol.DefaultRank
	}
	if h.Alpha == 0 {
		h.Alpha = 4 * float32(h.Rank)
	}
	if len(h.Targets) == 0 {
		h.Targets = slices.Clone(protocol.HyperTargets)
	}
	if h.MaxLength == 0 {
		h.MaxLength = protocol.DefaultMaxLength
	}
	return h
}

// checkTune refuses at once what could not succeed, and chooses the seed.
func (c *Coordinator) checkTune(ctx context.Context, owner protocol.Account, key protocol.Hash, s *tuneState) error {
	r := &s.Request
	bad := func(field, format string, args ...any) error {
		return protocol.Errorf(protocol.KindInvalid, field, format, args...)
	}
	whole := func(n api.TuneNumber) bool { return n == 0 || float64(n) == math.Trunc(float64(n)) && n < 1e6 }
	switch {
	case r.Model != c.cfg.BaseName && r.Model != c.cfg.Base.Hex():
		return bad("model", "%q cannot be trained here: the base is %q", r.Model, c.cfg.BaseName)
	case r.TrainingFile == "":
		return bad("training_file", "it is missing: name a file of yours, or a published version as datanet:ID@VERSION")
	case r.ValidationFile != "" && strings.HasPrefix(r.TrainingFile, "datanet:"):
		return bad("validation_file", "it goes with a training file: of a published version's records, openledger.held_out names the field that holds them out, or openledger.validation_share a share")
	case r.ValidationFile != "" && (r.OpenLedger.ValidationShare != 0 || r.OpenLedger.HeldOut != ""):
		return bad("validation_file", "it says what is held out: leave openledger.validation_share and held_out out")
	case r.OpenLedger.HeldOut != "" && !strings.HasPrefix(r.TrainingFile, "datanet:"):
		return bad("openledger.held_out", "it is for records of a datanet: beside a file, name a validation_file")
	case !whole(r.Hyper.Epochs) || !whole(r.Hyper.BatchSize):
		return bad("hyperparameters", "n_epochs and batch_size are whole numbers")
	case r.Hyper.LearningRate > 100:
		return bad("hyperparameters.learning_rate_multiplier", "it is %v, at most 100 is possible", float64(r.Hyper.LearningRate))
	case (r.OpenLedger.PromptTemplate == "") != (r.OpenLedger.AnswerTemplate == ""):
		return bad("openledger.prompt_template", "it goes with answer_template: give both or none")
	case len(r.Suffix) > 40:
		return bad("suffix", "it is longer than 40 characters")
	case len(r.Metadata) > 16:
		return bad("metadata", "it has %d entries, at most 16 are possible", len(r.Metadata))
	}
	for k, v := range r.Metadata {
		if len(k) > 64 || len(v) > 512 {
			return bad("metadata", "names have at most 64 bytes, values 512")
		}
	}
	if r.Seed != nil {
		s.Seed = *r.Seed
	} else {
		s.Seed = uint64(key[0])<<24 | uint64(key[1])<<16 | uint64(key[2])<<8 | uint64(key[3])
	}
	if err := hyperOf(s).Validate(); err != nil {
		return err
	}
	scopes, err := c.checkSource(ctx, owner, s)
	if err != nil {
		return err
	}
	return c.checkDelegated(ctx, owner, scopes)
}

// checkSource looks at what to train on, and says what the coordinator has to do for it in
// the owner's name.
func (c *Coordinator) checkSource(ctx context.Context, owner protocol.Account, s *tuneState) (protocol.DelegateScopes, error) {
	r := &s.Request
	if source, ok := strings.CutPrefix(r.TrainingFile, "datanet:"); ok {
		v, err := c.namedVersion(ctx, source)
		if err == nil {
			s.Datanet, s.Version = v.Datanet, v
		}
		return protocol.ScopeTrain, err
	}
	for _, f := range tuneFiles(r) {
		rec, err := c.file(owner, f.ID, f.Param)
		if err != nil {
			return 0, err
		}
		if rec.Purpose != api.PurposeFineTune {
			return 0, protocol.Errorf(protocol.KindInvalid, f.Param, "%s was not uploaded for %q", f.ID, api.PurposeFineTune)
		}
	}
	if r.OpenLedger.PromptTemplate != "" {
		return 0, protocol.Errorf(protocol.KindInvalid, "openledger.prompt_template", "it is for records of a datanet: a file has chats already")
	}
	if r.OpenLedger.License == "" {
		r.OpenLedger.License = r.Metadata["license"]
	}
	if r.OpenLedger.License == "" {
		return 0, protocol.Errorf(protocol.KindInvalid, "metadata.license", "the file becomes a public datanet that is yours, under the licence that you name: give its SPDX expression as metadata.license (or openledger.license), such as CC-BY-4.0")
	}
	if err := datanet.CheckLicense(r.OpenLedger.License); err != nil {
		return 0, err
	}
	return protocol.ScopeTrain | protocol.ScopePublish | protocol.ScopeContribute, nil
}

// namedVersion finds the version that ID@VERSION names.
func (c *Coordinator) namedVersion(ctx context.Context, source string) (protocol.Version, error) {
	left, right, ok := strings.Cut(source, "@")
	id, err := strconv.ParseUint(left, 10, 64)
	number, nerr := strconv.ParseUint(right, 10, 32)
	if !ok || err != nil || nerr != nil {
		return protocol.Version{}, protocol.Errorf(protocol.KindInvalid, "training_file", "%.60q does not name a version as datanet:ID@VERSION, such as datanet:3@1", source)
	}
	v, err := c.chain.Version(ctx, id, uint32(number))
	if protocol.KindOf(err) == protocol.KindNotFound {
		return v, protocol.Errorf(protocol.KindNotFound, "training_file", "datanet %d has no published version %d", id, number)
	}
	return v, err
}

// checkDelegated refuses when the owner has not let this coordinator act in its name.
func (c *Coordinator) checkDelegated(ctx context.Context, owner protocol.Account, scopes protocol.DelegateScopes) error {
	err := c.chain.SpeaksFor(ctx, c.SessionAccount(), owner, scopes)
	if protocol.KindOf(err) == protocol.KindUnauthorized {
		return protocol.Errorf(protocol.KindForbidden, "", "%s has not let this coordinator's key %s act in its name for %q: 'openledger delegate authorize' does", owner.Hex(), c.SessionAccount().Hex(), scopes)
	}
	return err
}
