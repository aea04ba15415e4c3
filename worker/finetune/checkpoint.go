package finetune

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/model/llama"
)

// A checkpoint is: magic, identity of the training, step, losses, the adapter's
// flat vector, the optimiser's state, and the SHA2-256 of all before.
var magic = [8]byte{'O', 'L', 'T', 'R', 'A', 'I', 'N', '1'}

const headSize = 8 + 32 + 4*8

// identify hashes all that the result of a training depends on.
func identify(model *llama.Model, a *lora.Adapter, examples []llama.Example, cfg Config) [32]byte {
	h := sha256.New()
	w := func(format string, args ...any) { _, _ = fmt.Fprintf(h, format, args...) } // a hash never fails
	w("%x %s %+v %+v\n", cfg.Base, model.Backend().Profile(), model.Config(), a.Config)
	w("%v %v %v %v %v %v %v %v\n", cfg.LearningRate, cfg.WeightDecay, cfg.Epochs, cfg.BatchSize, cfg.MaxLength, cfg.WarmupRatio, cfg.Seed, cfg.ClipNorm)
	for _, e := range examples {
		w("%v %v\n", e.Tokens, e.Mask)
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
	b := make([]byte, 0, headSize+12*len(t.adapter.Flat)+1<<16)
	b = append(b, magic[:]...)
	b = append(b, t.identity[:]...)
	b = le.AppendUint64(b, uint64(t.step))
	b = le.AppendUint64(b, math.Float64bits(t.lossFirst))
	b = le.AppendUint64(b, math.Float64bits(t.epochLoss))
	b = le.AppendUint64(b, uint64(t.epochTokens))
	for _, v := range t.adapter.Flat {
		b = le.AppendUint32(b, math.Float32bits(v))
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
	le := binary.LittleEndian
	rest := body[headSize:]
	if len(rest) < 4*len(t.adapter.Flat) {
		return errors.New("load the checkpoint: it is too short for this adapter")
	}
	if err := t.opt.Load(bytes.NewReader(rest[4*len(t.adapter.Flat):])); err != nil {
		return fmt.Errorf("load the checkpoint: %w", err)
	}
	for i := range t.adapter.Flat {
		t.adapter.Flat[i] = math.Float32frombits(le.Uint32(rest[4*i:]))
	}
	t.step = int(le.Uint64(body[40:]))
	t.lossFirst = math.Float64frombits(le.Uint64(body[48:]))
	t.epochLoss = math.Float64frombits(le.Uint64(body[56:]))
	t.epochTokens = int(le.Uint64(body[64:]))
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
