package finetune

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/optim"
)

// Example is one record turned into tokens.
type Example struct {
	Prompt []uint32
	Answer []uint32
	End    []uint32 // what ends the answer: it is learned, but not attributed
	Record [32]byte // the record's digest; only carried along
}

// Progress is told after every optimiser step.
type Progress struct {
	Step, Steps int
	Epoch       int     // from 0
	Loss        float64 // mean over the answer tokens of this step
	LR          float64
	GradNorm    float64
	TokensSec   float64 // tokens of prompts and answers per second
	ETA         time.Duration
}

// Summary is how a training ended.
type Summary struct {
	Steps     int
	Resumed   int // step that a checkpoint brought it to, 0 when it started afresh
	LossFirst float64
	LossLast  float64 // mean over the last epoch
	Tokens    int     // trained on in this process
	Examples  int
	Elapsed   time.Duration
}

// CheckpointStore keeps the one latest checkpoint of a training. Save must be
// atomic: after a crash Load gives either the old or the new one.
type CheckpointStore interface {
	Save(state []byte) error
	Load() ([]byte, error) // nil without an error when there is none
}

// trainer is one run.
type trainer struct {
	cfg      Config
	examples []llama.Example
	sizes    []int // trained tokens of each
	model    *llama.Trainer
	adapter  *lora.Adapter
	grads    *lora.Grads
	opt      *optim.AdamW
	store    CheckpointStore
	identity [32]byte // of all that the result depends on

	step, steps, perEpoch int
	order                 []int // of the current epoch
	batch                 []llama.Example
	lossFirst             float64
	epochLoss             float64 // sums of the current epoch so far
	epochTokens           int
}

// Train trains an adapter on the examples. With a store it starts from the
// store's checkpoint, if that is of the same training, and saves there; store and
// progress may be nil. When ctx ends it saves and returns ctx's error.
func Train(ctx context.Context, model *llama.Model, examples []Example, cfg Config, store CheckpointStore, progress func(Progress)) (*lora.Adapter, Summary, error) {
	cfg.EnsureDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, Summary{}, err
	}
	t, err := newTrainer(model, examples, cfg, store)
	if err != nil {
		return nil, Summary{}, err
	}
	if progress == nil {
		progress = func(Progress) {}
	}
	s, err := t.run(ctx, progress)
	if err != nil {
		return nil, s, err
	}
	return t.adapter, s, nil
}

func newTrainer(model *llama.Model, examples []Example, cfg Config, store CheckpointStore) (*trainer, error) {
	t := &trainer{cfg: cfg, store: store}
	limit := min(cfg.MaxLength, model.Config().MaxPositions)
	vocab := uint32(model.Config().VocabSize)
	if len(examples) == 0 {
		return nil, errors.New("there are no examples to train on: publish a version of the datanet with at least one record")
	}
	for i, e := range examples {
		ex, err := cut(e, limit, vocab)
		if err != nil {
			return nil, fmt.Errorf("example %d (record %x): %w", i, e.Record, err)
		}
		t.examples = append(t.examples, ex)
		t.sizes = append(t.sizes, len(ex.Tokens))
	}
	targets := make([]lora.Module, len(cfg.Targets))
	for i, name := range cfg.Targets {
		var err error
		if targets[i], err = lora.ParseModule(name); err != nil {
			return nil, &FieldError{Field: "targets", Message: err.Error()}
		}
	}
	var err error
	t.adapter, err = lora.New(model.Config().Geometry(), lora.Config{Rank: cfg.Rank, Alpha: float64(cfg.Alpha), Targets: targets}, cfg.Seed)
	if err != nil {
		return nil, err
	}
	t.grads = lora.NewGrads(t.adapter)
	t.perEpoch = (len(examples) + cfg.BatchSize - 1) / cfg.BatchSize
	t.steps = t.perEpoch * cfg.Epochs
	params := make([]optim.Param, 0, len(t.adapter.Pairs)*2)
	for _, p := range t.adapter.Params(t.grads) {
		params = append(params, optim.Param{Name: p.Name, W: p.Data, G: p.Grad, Decay: true})
	}
	t.opt, err = optim.New(optim.Config{
		LR: float64(cfg.LearningRate), WeightDecay: float64(cfg.WeightDecay), ClipNorm: float64(cfg.ClipNorm), Beta2: 0.99,
		Warmup: min(int(cfg.WarmupRatio*float32(t.steps)), t.steps-1), Steps: t.steps,
	}, params)
	if err != nil {
		return nil, err
	}
	t.identity = identify(model, t.adapter, t.examples, cfg)
	if t.model, err = model.NewTrainer(); err != nil {
		return nil, err
	}
	return t, nil
}

// cut makes a training sequence of at most limit tokens with the loss on the
// answer and what ends it.
func cut(e Example, limit int, vocab uint32) (llama.Example, error) {
	if len(e.Prompt) == 0 {
		return llama.Example{}, errors.New("its prompt is empty")
	}
	if len(e.Answer) == 0 {
		return llama.Example{}, errors.New("its answer is empty")
	}
	if len(e.Prompt) >= limit {
		return llama.Example{}, fmt.Errorf("its prompt alone has %d tokens, which leaves no room for the answer in max_length %d", len(e.Prompt), limit)
	}
	ex := llama.Example{Tokens: make([]uint32, 0, len(e.Prompt)+len(e.Answer)+len(e.End))}
	for _, part := range [][]uint32{e.Prompt, e.Answer, e.End} {
		ex.Tokens = append(ex.Tokens, part...)
	}
	ex.Tokens = ex.Tokens[:min(len(ex.Tokens), limit)]
	ex.Mask = make([]bool, len(ex.Tokens))
	for i := len(e.Prompt); i < len(ex.Mask); i++ {
		ex.Mask[i] = true
	}
	for i, id := range ex.Tokens {
		if id >= vocab {
			return llama.Example{}, fmt.Errorf("token %d is %d, the model knows %d: it was made with another tokenizer", i, id, vocab)
		}
	}
	return ex, nil
}

func (t *trainer) run(ctx context.Context, progress func(Progress)) (s Summary, err error) {
	start := time.Now()
	s = Summary{Steps: t.steps, Examples: len(t.examples)}
	if err := t.restore(); err != nil {
		return s, err
	}
	s.Resumed = t.step
	if t.step > 0 {
		t.cfg.Logger.Info("training goes on from a checkpoint", "step", t.step, "steps", t.steps)
	}
	saved, savedAt := t.step, start
	for t.step < t.steps {
		if ctx.Err() != nil {
			if t.step > saved {
				err = t.save()
			}
			return s, errors.Join(context.Cause(ctx), err)
		}
		loss, stats, tokens, err := t.once()
		if err != nil {
			return s, fmt.Errorf("step %d: %w", t.step, err)
		}
		s.Tokens += tokens
		if n := t.cfg.CheckpointSteps; t.store != nil && t.step < t.steps &&
			((n > 0 && t.step-saved >= n) || (t.cfg.CheckpointEvery > 0 && time.Since(savedAt) >= t.cfg.CheckpointEvery)) {
			if err := t.save(); err != nil {
				return s, err
			}
			saved, savedAt = t.step, time.Now()
		}
		took := time.Since(start)
		progress(Progress{
			Step: t.step, Steps: t.steps, Epoch: (t.step - 1) / t.perEpoch, Loss: loss, LR: stats.LR, GradNorm: stats.GradNorm,
			TokensSec: float64(s.Tokens) / took.Seconds(),
			ETA:       took / time.Duration(t.step-s.Resumed) * time.Duration(t.steps-t.step),
		})
	}
	s.LossFirst, s.Elapsed = t.lossFirst, time.Since(start)
	if t.epochTokens > 0 {
		s.LossLast = t.epochLoss / float64(t.epochTokens)
	}
	return s, nil
}

// once does one optimiser step.
func (t *trainer) once() (loss float64, stats optim.Stats, tokens int, err error) {
	epoch, at := t.step/t.perEpoch, t.step%t.perEpoch
	if at == 0 {
		t.epochLoss, t.epochTokens = 0, 0
	}
	if at == 0 || t.order == nil {
		t.order = shuffled(len(t.examples), t.cfg.Seed, uint64(epoch))
	}
	first := at * t.cfg.BatchSize
	t.batch = t.batch[:0]
	for _, i := range t.order[first:min(first+t.cfg.BatchSize, len(t.order))] {
		t.batch = append(t.batch, t.examples[i])
		tokens += t.sizes[i]
	}
	clear(t.grads.Flat)
	l, err := t.model.LossGrad(t.batch, llama.GradOptions{Adapter: t.adapter, AdapterGrads: t.grads})
	if err != nil {
		return 0, stats, 0, err
	}
	if stats, err = t.opt.Step(); err != nil {
		if errors.Is(err, optim.ErrDiverged) {
			err = &FieldError{Field: "learning_rate", Message: "the training diverged: choose a smaller one"}
		}
		return 0, stats, 0, err
	}
	if t.step == 0 {
		t.lossFirst = l.Mean()
	}
	t.epochLoss += l.Sum
	t.epochTokens += l.Tokens
	t.step++
	return l.Mean(), stats, tokens, nil
}

// shuffled is a permutation that is a function of (n, seed, epoch) alone.
func shuffled(n int, seed, epoch uint64) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	state := mix(seed) ^ mix(epoch+1)
	for i := n - 1; i > 0; i-- {
		state += 0x9e3779b97f4a7c15
		j := int(mix(state) % uint64(i+1))
		order[i], order[j] = order[j], order[i]
	}
	return order
}

// mix is the finaliser of SplitMix64.
func mix(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}
