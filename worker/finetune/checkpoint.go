package finetune

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/model/llama"
)

// A checkpoint is: magic, identity of the training, step, losses, the evaluations'
// state and how many there are, these, the adapter's flat vector, that of the best one if there is one, the
// optimiser's state, and the SHA2-256 of all before.
var magic = [8]byte{'O', 'L', 'T', 'R', 'A', 'I', 'N', '3'}

const (
	headSize = 8 + 32 + 12*8
	evalSize = 3 * 8
)

// identify hashes all that the result of a training depends on.
func identify(model *llama.Model, a *lora.Adapter, trained, held []llama.Example, cfg Config) [32]byte {
	h := sha256.New()
	w := func(format string, args ...any) { _, _ = fmt.Fprintf(h, format, args...) } // a hash never fails
	geometry, err := json.Marshal(model.Config())                                    // not %v, which prints where nested values lie
	if err != nil {
		panic("finetune: a model's configuration: " + err.Error()) // validated numbers and names
	}
	w("%x %s %s %+v\n", cfg.Base, model.Profile(), geometry, a.Config)
	w("%v %v %v %v %v %v %v %v\n", cfg.LearningRate, cfg.WeightDecay, cfg.Epochs, cfg.BatchSize, cfg.MaxLength, cfg.WarmupRatio, cfg.Seed, cfg.ClipNorm)
	w("%v %v %v %v %v\n", cfg.Schedule, cfg.Accumulation, cfg.EvalRatio, cfg.EvalSteps, cfg.Patience)
	for _, side := range [][]llama.Example{trained, held} {
		w("%d\n", len(side))
		for _, e := range side {
			w("%v %v\n", e.Tokens, e.Mask)
		}
	}
	var id [32]byte
	h.Sum(id[:0])
	return id
}

func (t *trainer) save() error {
	if t.store == nil {
		return nil
	}
	le := binary.LittleEndian
	b := make([]byte, 0, headSize+evalSize*len(t.judge.curve)+4*len(t.adapter.Flat)+4*len(t.judge.flat)+t.opt.StateSize()+32)
	b = append(b, magic[:]...)
	b = append(b, t.identity[:]...)
	b = le.AppendUint64(b, uint64(t.step))
	b = le.AppendUint64(b, math.Float64bits(t.lossFirst))
	b = le.AppendUint64(b, math.Float64bits(t.epochLoss))
	b = le.AppendUint64(b, uint64(t.epochTokens))
	evaluation := func(e Evaluation) {
		b = le.AppendUint64(b, uint64(e.Step))
		b = le.AppendUint64(b, math.Float64bits(e.Loss))
		b = le.AppendUint64(b, uint64(e.Exact))
	}
	evaluation(t.judge.last)
	evaluation(t.judge.best)
	b = le.AppendUint64(b, uint64(t.judge.worse))
	b = le.AppendUint64(b, uint64(len(t.judge.curve)))
	for _, e := range t.judge.curve {
		evaluation(e)
	}
	for _, flat := range [][]float32{t.adapter.Flat, t.judge.flat} {
		for _, v := range flat {
			b = le.AppendUint32(b, math.Float32bits(v))
		}
	}
	buf := bytes.NewBuffer(b)
	if err := t.opt.Save(buf); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	sum := sha256.Sum256(buf.Bytes())
	buf.Write(sum[:])
	if err := t.store.Save(buf.Bytes()); err != nil {
		return fmt.Errorf("save the checkpoint: %w", err)
	}
	t.cfg.Logger.Debug("checkpoint saved", "step", t.step, "bytes", buf.Len())
	return nil
}

// restore loads the store's checkpoint. One that is damaged or of another
// training is left alone and the training starts afresh.
func (t *trainer) restore() error {
	if t.store == nil {
		return nil
	}
	b, err := t.store.Load()
	if err != nil {
		return fmt.Errorf("load the checkpoint: %w", err)
	}
	if b == nil {
		return nil
	}
	body, ok := sealed(b)
	if !ok {
		t.cfg.Logger.Warn("the checkpoint is damaged: training starts afresh")
		return nil
	}
	if [32]byte(body[8:40]) != t.identity {
		t.cfg.Logger.Warn("the checkpoint is of another training: training starts afresh")
		return nil
	}
	at := body[40:]
	word := func() uint64 {
		v := binary.LittleEndian.Uint64(at)
		at = at[8:]
		return v
	}
	step, lossFirst, epochLoss, epochTokens := word(), word(), word(), word()
	var j judge
	evaluation := func() Evaluation {
		return Evaluation{Step: int(word()), Loss: math.Float64frombits(word()), Exact: int(word()), Examples: len(t.held)}
	}
	j.last, j.best = evaluation(), evaluation()
	if j.best.Step == 0 {
		j.best = Evaluation{}
	}
	j.worse = int(word())
	n := word()
	if n > MaxCurve || uint64(len(at)) < n*evalSize {
		return errors.New("load the checkpoint: it is too short for its evaluations")
	}
	for range n {
		j.curve = append(j.curve, evaluation())
	}
	flats := [][]float32{t.adapter.Flat}
	if j.best.Step > 0 {
		j.flat = make([]float32, len(t.adapter.Flat))
		flats = append(flats, j.flat)
	}
	rest, state := at, 4*len(t.adapter.Flat)*len(flats)
	if len(rest) < state {
		return errors.New("load the checkpoint: it is too short for this adapter")
	}
	if err := t.opt.Load(bytes.NewReader(rest[state:])); err != nil {
		return fmt.Errorf("load the checkpoint: %w", err)
	}
	for _, flat := range flats {
		for i := range flat {
			flat[i] = math.Float32frombits(binary.LittleEndian.Uint32(rest[4*i:]))
		}
		rest = rest[4*len(flat):]
	}
	t.step, t.epochTokens, t.judge = int(step), int(epochTokens), j
	t.lossFirst, t.epochLoss = math.Float64frombits(lossFirst), math.Float64frombits(epochLoss)
	return nil
}

// sealed strips and checks the trailing hash.
func sealed(b []byte) (body []byte, ok bool) {
	if len(b) < headSize+32 || [8]byte(b[:8]) != magic {
		return nil, false
	}
	body = b[:len(b)-32]
	return body, sha256.Sum256(body) == [32]byte(b[len(body):])
}

// File is a CheckpointStore in one file of a folder that exists.
type File string

// Save writes the file anew: to a neighbour first, which is synced and then
// renamed, so that a crash leaves the old or the new one.
func (f File) Save(state []byte) error {
	tmp, err := os.OpenFile(string(f)+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err := tmp.Write(state); err != nil {
		return errors.Join(err, tmp.Close())
	}
	if err := tmp.Sync(); err != nil {
		return errors.Join(err, tmp.Close())
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), string(f)); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(string(f)))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Load reads the file; nil when there is none.
func (f File) Load() ([]byte, error) {
	b, err := os.ReadFile(string(f))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return b, err
}
