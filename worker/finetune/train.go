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
	Held   bool     // says of itself that it is held out; see Config.HeldOut
}

// Progress is told after every optimiser step, and again after an evaluation.
type Progress struct {
	Step, Steps int
	Epoch       int     // from 0
	Loss        float64 // mean over the answer tokens of this step
	LR          float64
	GradNorm    float64
	TokensSec   float64 // tokens of prompts and answers per second
	ETA         time.Duration
	Eval        *Evaluation // the newest; nil when there is none yet
	Evaluated   bool        // Eval is new
}

// Summary is how a training ended.
type Summary struct {
	Steps     int // done; fewer than planned after an early stop
	Resumed   int // step that a checkpoint brought it to, 0 when it started afresh
	LossFirst float64
	LossLast  float64      // mean over the last epoch
	Tokens    int          // trained on in this process
	AllTokens int64        // trained on in all steps, those before a checkpoint too
	Examples  int          // trained on; not those held out
	Best      *Evaluation  // of the adapter that is the result; nil without held-out examples
	Curve     []Evaluation // from the base's on, at most MaxCurve; nil without held-out examples
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
	examples []llama.Example // trained on
	held     []llama.Example // held out
	answers  []int           // predicted tokens of each of examples
	model    *llama.Trainer
	adapter  *lora.Adapter
	grads    *lora.Grads
	opt      *optim.AdamW
	store    CheckpointStore
	identity [32]byte // of all that the result depends on

	perStep    int // examples
	passTokens int
	evalSteps  int
	judge      judge

	step, steps, perEpoch int
	order                 []int // of the epoch ordered
	ordered               int
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
	if len(examples) == 0 {
		return nil, errors.New("there are no examples to train on: publish a version of the datanet with at least one record")
	}
	if cfg.HeldOut {
		if trained, held := Marked(examples); len(trained) == 0 || len(held) == 0 {
			return nil, &FieldError{Field: "held_out", Message: fmt.Sprintf("holds out %d of %d records: some must be held out, and some trained on", len(held), len(examples))}
		}
	}
	if cfg.EvalRatio > 0 && len(examples) < 2 {
		return nil, &FieldError{Field: "eval_ratio", Message: "holds records out, but there is only one"}
	}
	if err := t.cut(examples, min(cfg.MaxLength, model.Config().MaxPositions), uint32(model.Config().VocabSize)); err != nil {
		return nil, err
	}
	targets := make([]lora.Module, len(cfg.Targets))
	for i, name := range cfg.Targets {
		var err error
		if targets[i], err = lora.ParseModule(name); err != nil {
			return nil, &FieldError{Field: "targets", Message: err.Error()}
		}
	}
	var err error
	t.adapter, err = lora.New(model.Config().Geometry(), lora.Config{Rank: cfg.Rank, Alpha: float64(cfg.Alpha), RSLoRA: cfg.RSLoRA, Targets: targets}, cfg.Seed)
	if err != nil {
		return nil, err
	}
	t.grads = lora.NewGrads(t.adapter)
	t.perStep = cfg.BatchSize * cfg.Accumulation
	t.perEpoch = (len(t.examples) + t.perStep - 1) / t.perStep
	t.steps = t.perEpoch * cfg.Epochs
	if t.evalSteps = cfg.EvalSteps; t.evalSteps == 0 {
		t.evalSteps = t.perEpoch
	}
	if t.passTokens = cfg.PassTokens; t.passTokens == 0 {
		t.passTokens = PassBytes / model.ActivationBytes(cfg.Rank)
	}
	params := make([]optim.Param, 0, len(t.adapter.Pairs)*2)
	for _, p := range t.adapter.Params(t.grads) {
		params = append(params, optim.Param{Name: p.Name, W: p.Data, G: p.Grad, Decay: true})
	}
	t.opt, err = optim.New(optim.Config{
		LR: float64(cfg.LearningRate), WeightDecay: float64(cfg.WeightDecay), ClipNorm: float64(cfg.ClipNorm), Beta2: 0.99,
		Schedule: optim.Schedule(cfg.Schedule), Warmup: min(int(cfg.WarmupRatio*float32(t.steps)), t.steps-1), Steps: t.steps,
	}, params)
	if err != nil {
		return nil, err
	}
	t.identity = identify(model, t.adapter, t.examples, t.held, cfg)
	if t.model, err = model.NewTrainer(); err != nil {
		return nil, err
	}
	return t, nil
}

// cut turns the examples into sequences, those that are trained on and those that are held out.
func (t *trainer) cut(examples []Example, limit int, vocab uint32) error {
	trained, held := t.cfg.split(examples)
	for _, side := range []struct {
		from []int
		to   *[]llama.Example
	}{{trained, &t.examples}, {held, &t.held}} {
		for _, i := range side.from {
			ex, err := cut(examples[i], limit, vocab)
			if err != nil {
				return fmt.Errorf("example %d (record %x): %w", i, examples[i].Record, err)
			}
			*side.to = append(*side.to, ex)
		}
	}
	for _, e := range t.examples {
		n := 0
		for _, m := range e.Mask {
			if m {
				n++
			}
		}
		t.answers = append(t.answers, n)
	}
	return nil
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
	s = Summary{Examples: len(t.examples)}
	if err := t.restore(); err != nil {
		return s, err
	}
	s.Resumed = t.step
	if t.step > 0 {
		t.cfg.Logger.Info("training goes on from a checkpoint", "step", t.step, "steps", t.steps)
	}
	saved, savedAt := t.step, start
	p := Progress{Eval: t.judge.newest()}
	if t.epochTokens > 0 {
		p.Loss = t.epochLoss / float64(t.epochTokens)
	}
	for {
		if ctx.Err() != nil {
			if t.step > saved {
				err = t.save()
			}
			return s, errors.Join(context.Cause(ctx), err)
		}
		if t.due() {
			if err := t.evaluate(ctx); err != nil {
				if ctx.Err() != nil {
					continue
				}
				return s, fmt.Errorf("evaluate step %d: %w", t.step, err)
			}
			t.cfg.Logger.Info("evaluated", "step", t.step, "loss", t.judge.last.Loss, "exact", t.judge.last.Exact, "examples", len(t.held))
			p.Step, p.Steps, p.Eval, p.Evaluated = t.step, t.steps, t.judge.newest(), true
			progress(p)
		}
		if t.stopped() {
			break
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
		p = Progress{
			Step: t.step, Steps: t.steps, Epoch: (t.step - 1) / t.perEpoch, Loss: loss, LR: stats.LR, GradNorm: stats.GradNorm,
			TokensSec: float64(s.Tokens) / took.Seconds(),
			ETA:       took / time.Duration(t.step-s.Resumed) * time.Duration(t.steps-t.step),
			Eval:      t.judge.newest(),
		}
		progress(p)
	}
	t.finish()
	s.Steps, s.Curve, s.LossFirst, s.Elapsed = t.step, t.judge.curve, t.lossFirst, time.Since(start)
	if best := t.judge.best; best.Step > 0 {
		s.Best = &best
	}
	for _, e := range t.examples {
		s.AllTokens += int64(len(e.Tokens))
	}
	s.AllTokens = s.AllTokens * int64(t.step) / int64(t.perEpoch)
	if t.epochTokens > 0 {
		s.LossLast = t.epochLoss / float64(t.epochTokens)
	}
	return s, nil
}

// once does one optimiser step: the gradient of the mean loss over the answers' tokens of all its batches, added up pass
// by pass, which gives the bits of one pass over everything.
func (t *trainer) once() (loss float64, stats optim.Stats, tokens int, err error) {
	epoch, at := t.step/t.perEpoch, t.step%t.perEpoch
	if at == 0 {
		t.epochLoss, t.epochTokens = 0, 0
	}
	if t.order == nil || t.ordered != epoch {
		t.order, t.ordered = shuffled(t.order, len(t.examples), t.cfg.Seed, uint64(epoch)), epoch
	}
	first := at * t.perStep
	t.batch = t.batch[:0]
	answers := 0
	for _, i := range t.order[first:min(first+t.perStep, len(t.order))] {
		t.batch = append(t.batch, t.examples[i])
		tokens += len(t.examples[i].Tokens)
		answers += t.answers[i]
	}
	clear(t.grads.Flat)
	var sum float64
	for rest := t.batch; len(rest) > 0; {
		n := pass(rest, t.passTokens)
		l, err := t.model.LossGrad(rest[:n], llama.GradOptions{Adapter: t.adapter, AdapterGrads: t.grads, Scale: 1 / float32(answers)})
		if err != nil {
			return 0, stats, 0, err
		}
		for _, x := range l.PerExample { // one by one, so that the sum does not depend on the passes
			sum += x.Sum
		}
		rest = rest[n:]
	}
	if stats, err = t.opt.Step(); err != nil {
		if errors.Is(err, optim.ErrDiverged) {
			err = &FieldError{Field: "learning_rate", Message: "the training diverged: choose a smaller one"}
		}
		return 0, stats, 0, err
	}
	loss = sum / float64(answers)
	if t.step == 0 {
		t.lossFirst = loss
	}
	t.epochLoss += sum
	t.epochTokens += answers
	t.step++
	return loss, stats, tokens, nil
}

// shuffled is a permutation that is a function of (n, seed, epoch) alone, in the memory of order if that is enough.
func shuffled(order []int, n int, seed, epoch uint64) []int {
	order = order[:0]
	for i := range n {
		order = append(order, i)
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
