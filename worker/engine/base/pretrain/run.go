package pretrain

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/openledger/openledger/worker/engine/base/corpus"
	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/optim"
	"github.com/openledger/openledger/worker/engine/tensor/cpu"
	"github.com/openledger/openledger/worker/engine/tokenizer"
	"github.com/openledger/openledger/worker/engine/weights"
)

// ErrStopped is returned when a run stopped before its budget was spent, with a
// checkpoint written: resume it.
var ErrStopped = errors.New("pretrain: stopped before the end; resume to continue")

// Run pretrains. When it returns nil, Config.Dir holds a finished model folder.
// A cancelled context stops it after the current step, with a checkpoint.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	cfg.EnsureDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("pretrain: %w", err)
	}
	if _, err := os.Stat(filepath.Join(cfg.Dir, checkpointFile)); err == nil && !cfg.Resume {
		return nil, fmt.Errorf("pretrain: %s has a checkpoint already: resume it, or give another folder", cfg.Dir)
	}
	backend, err := cpu.New(cpu.Config{Threads: cfg.Threads})
	if err != nil {
		return nil, fmt.Errorf("pretrain: %w", err)
	}
	text, err := corpus.Load()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("pretrain: %w", err), backend.Close())
	}
	r := &run{cfg: cfg, backend: backend, corpus: text, tokDocs: tokenizerDocs}
	rep, err := r.run(ctx)
	return rep, errors.Join(err, backend.Close())
}

// tokenizerDocs is part of the recipe.
const tokenizerDocs = 8000

type run struct {
	cfg     Config
	backend *cpu.Backend
	corpus  *corpus.Corpus
	tokDocs uint64 // generated documents that the tokenizer is trained on
	tok     *tokenizer.Tokenizer
	tokJSON []byte
	model   *llama.Model
	trainer *llama.Trainer
	opt     *optim.AdamW
	stream  *stream
	meta    meta
	heldOut map[string][]llama.Example
	chars   map[string]int
}

func (r *run) run(ctx context.Context) (*Report, error) {
	if err := r.prepare(); err != nil {
		return nil, err
	}
	steps := r.cfg.steps()
	began, before := time.Now(), r.meta.Seconds
	startTokens, startStep := r.meta.Tokens, r.meta.Step
	for r.meta.Step < steps {
		loss, st, err := r.step()
		if err != nil {
			return nil, err
		}
		r.meta.Seconds = before + time.Since(began).Seconds()
		done := r.meta.Step
		p := Progress{
			Step: done, Steps: steps, Tokens: r.meta.Tokens, Budget: r.cfg.Tokens, Loss: loss, Smooth: r.meta.Smooth, LR: st.LR, GradNorm: st.GradNorm,
		}
		p.TokensPerSec = float64(r.meta.Tokens-startTokens) / time.Since(began).Seconds()
		p.ETA = time.Since(began) / time.Duration(done-startStep) * time.Duration(steps-done)
		if done%r.cfg.EvalEvery == 0 && done < steps {
			if p.HeldOut, err = r.evaluate(); err != nil {
				return nil, err
			}
		}
		if r.cfg.Progress != nil {
			r.cfg.Progress(p)
		}
		stop := ctx.Err() != nil || (r.cfg.StopAfter > 0 && time.Since(began) > r.cfg.StopAfter)
		if stop || done%r.cfg.CheckpointEvery == 0 || done == steps {
			if err := r.checkpoint(); err != nil {
				return nil, err
			}
		}
		if stop && done < steps {
			return nil, errors.Join(ErrStopped, ctx.Err())
		}
	}
	return r.export()
}

func (r *run) prepare() error {
	var err error
	if err := r.prepareTokenizer(); err != nil {
		return err
	}
	c := r.cfg
	longest := c.Model.MaxPositions
	if r.stream, err = newStream(r.corpus, r.tok, c.Seed, longest); err != nil {
		return err
	}
	if r.heldOut, r.chars, err = heldOut(r.corpus, r.tok, longest); err != nil {
		return err
	}
	if r.model, err = llama.New(r.backend, c.Model, llama.Random{Config: c.Model, Seed: c.Seed}, llama.Options{Trainable: true}); err != nil {
		return fmt.Errorf("pretrain: %w", err)
	}
	if r.trainer, err = r.model.NewTrainer(); err != nil {
		return fmt.Errorf("pretrain: %w", err)
	}
	var params []optim.Param
	for _, p := range r.model.Params() {
		params = append(params, optim.Param{Name: p.Name, W: p.Data, G: p.Grad, Decay: len(p.Shape) == 2})
	}
	steps := c.steps()
	r.opt, err = optim.New(optim.Config{
		LR: c.LR, MinLR: c.LR / 50, Beta2: 0.98, WeightDecay: c.WeightDecay, ClipNorm: 1, Warmup: c.Warmup, Steps: steps, Decay: c.decay(),
	}, params)
	if err != nil {
		return fmt.Errorf("pretrain: %w", err)
	}
	sum := sha256.Sum256(r.tokJSON)
	r.meta.Recipe = recipe{
		Model: c.Model, Tokens: c.Tokens, BatchTokens: c.BatchTokens, Seed: c.Seed, LR: c.LR, WeightDecay: c.WeightDecay, Warmup: c.Warmup,
		Profile: r.backend.Profile(), Tokenizer: hex.EncodeToString(sum[:]),
	}
	if !c.Resume {
		return nil
	}
	m, ok, err := loadCheckpoint(c.Dir, r.meta.Recipe, r.model.Params(), r.opt)
	if err != nil {
		return err
	}
	if ok {
		old := c
		old.Tokens = m.Recipe.Tokens
		if first := min(old.steps()-old.decay(), steps-c.decay()); old.Tokens != c.Tokens && m.Step > first {
			return fmt.Errorf("pretrain: the checkpoint is at step %d of a run of %d tokens; with %d tokens the learning rate would have begun to fall before: "+
				"give the same budget", m.Step, old.Tokens, c.Tokens)
		}
		r.meta = m
		r.meta.Recipe.Tokens = c.Tokens
		r.stream.cursors = m.Cursors
		r.model.Repack()
		c.Logger.Info("resumed", "step", m.Step, "tokens", m.Tokens)
	}
	return nil
}

// prepareTokenizer reads the folder's tokenizer, or trains it.
func (r *run) prepareTokenizer() error {
	path := filepath.Join(r.cfg.Dir, weights.TokenizerFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || !r.cfg.Resume {
		if data, err = TrainTokenizer(r.corpus, r.cfg.Model.VocabSize, r.cfg.Seed, r.tokDocs); err != nil {
			return err
		}
		err = writeAtomic(path, func(w io.Writer) error {
			_, err := w.Write(data)
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("pretrain: %w", err)
	}
	r.tokJSON = data
	if r.tok, err = tokenizer.Load(data); err != nil {
		return fmt.Errorf("pretrain: %w", err)
	}
	if n := r.tok.VocabSize(); n > r.cfg.Model.VocabSize {
		return fmt.Errorf("pretrain: the tokenizer has %d tokens, the model only %d", n, r.cfg.Model.VocabSize)
	}
	return nil
}

func (r *run) step() (float64, optim.Stats, error) {
	batch, n, err := r.stream.batch(r.cfg.BatchTokens)
	if err != nil {
		return 0, optim.Stats{}, err
	}
	r.opt.ZeroGrad()
	loss, err := r.trainer.LossGrad(batch, llama.GradOptions{Full: true})
	if err != nil {
		return 0, optim.Stats{}, fmt.Errorf("pretrain: %w", err)
	}
	st, err := r.opt.Step()
	if err != nil {
		return 0, st, fmt.Errorf("pretrain: step %d: %w", r.meta.Step+1, err)
	}
	r.model.Repack()
	r.meta.Step++
	r.meta.Tokens += int64(n)
	if mean := loss.Mean(); r.meta.Step == 1 {
		r.meta.Smooth = mean
	} else {
		r.meta.Smooth += 0.02 * (mean - r.meta.Smooth)
	}
	return loss.Mean(), st, nil
}

func (r *run) checkpoint() error {
	r.meta.Cursors = r.stream.cursors
	return saveCheckpoint(r.cfg.Dir, r.meta, r.model.Params(), r.opt)
}

// evaluate computes the loss on all held-out documents.
func (r *run) evaluate() ([]HeldOut, error) {
	var out []HeldOut
	for _, m := range mixture {
		h := HeldOut{Source: m.source, Documents: len(r.heldOut[m.source])}
		var sum float64
		docs := r.heldOut[m.source]
		for len(docs) > 0 {
			n, size := 0, 0
			for n < len(docs) && (n == 0 || size+len(docs[n].Tokens) <= r.cfg.BatchTokens) {
				size += len(docs[n].Tokens)
				n++
			}
			l, err := r.trainer.Loss(docs[:n], nil)
			if err != nil {
				return nil, fmt.Errorf("pretrain: evaluate: %w", err)
			}
			sum += l.Sum
			h.Tokens += l.Tokens
			docs = docs[n:]
		}
		if h.Tokens > 0 {
			h.Loss = sum / float64(h.Tokens)
			h.BitsPerByte = sum / math.Ln2 / float64(r.chars[m.source])
		}
		out = append(out, h)
	}
	return out, nil
}

// String of one line for a log.
func (p Progress) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "step %d/%d tokens %d loss %.4f (mean %.4f) lr %.2e norm %.2f %.0f tok/s eta %s",
		p.Step, p.Steps, p.Tokens, p.Loss, p.Smooth, p.LR, p.GradNorm, p.TokensPerSec, p.ETA.Round(time.Second))
	for _, h := range p.HeldOut {
		fmt.Fprintf(&b, " | held-out %s %.3f (%.3f bpb)", h.Source, h.Loss, h.BitsPerByte)
	}
	return b.String()
}
