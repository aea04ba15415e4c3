package pretrain

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"

	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/optim"
)

const (
	checkpointFile = "checkpoint.bin"
	checkpointMark = "OLPRETRAIN1\n"
	maxMeta        = 1 << 20
)

// meta is the head of a checkpoint: what the run is, and where it stands.
type meta struct {
	Recipe  recipe            `json:"recipe"`
	Step    int               `json:"step"`
	Tokens  int64             `json:"tokens"`
	Smooth  float64           `json:"smooth"`
	Seconds float64           `json:"seconds"` // spent in training
	Cursors map[string]cursor `json:"cursors"`
	Sizes   []int             `json:"sizes"` // values of each parameter
}

// recipe is everything that the weights depend on: a checkpoint of another recipe
// is refused.
type recipe struct {
	Model       llama.Config `json:"model"`
	Tokens      int64        `json:"tokens"`
	BatchTokens int          `json:"batch_tokens"`
	Seed        uint64       `json:"seed"`
	LR          float64      `json:"lr"`
	WeightDecay float64      `json:"weight_decay"`
	Warmup      int          `json:"warmup"`
	Profile     string       `json:"profile"`
	Tokenizer   string       `json:"tokenizer"` // sha256 of tokenizer.json
}

// writeAtomic writes a file that is either whole or not there.
func writeAtomic(path string, fill func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, ignoreClosed(f.Close()), os.Remove(f.Name()))
		}
	}()
	w := bufio.NewWriterSize(f, 1<<20)
	if err := fill(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func ignoreClosed(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// saveCheckpoint writes meta, parameters, optimiser state and a checksum.
func saveCheckpoint(dir string, m meta, params []llama.Param, o *optim.AdamW) error {
	m.Sizes = nil
	for _, p := range params {
		m.Sizes = append(m.Sizes, len(p.Data))
	}
	head, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("pretrain: checkpoint: %w", err)
	}
	err = writeAtomic(filepath.Join(dir, checkpointFile), func(file io.Writer) error {
		sum := sha256.New()
		w := io.MultiWriter(file, sum)
		lead := binary.LittleEndian.AppendUint32([]byte(checkpointMark), uint32(len(head)))
		if _, err := w.Write(append(lead, head...)); err != nil {
			return err
		}
		for _, p := range params {
			if err := writeFloats(w, p.Data); err != nil {
				return err
			}
		}
		if err := o.Save(w); err != nil {
			return err
		}
		_, err := file.Write(sum.Sum(nil))
		return err
	})
	if err != nil {
		return fmt.Errorf("pretrain: checkpoint: %w", err)
	}
	return nil
}

// loadCheckpoint restores a run. It returns false if there is no checkpoint.
func loadCheckpoint(dir string, want recipe, params []llama.Param, o *optim.AdamW) (m meta, ok bool, err error) {
	f, err := os.Open(filepath.Join(dir, checkpointFile))
	if errors.Is(err, fs.ErrNotExist) {
		return meta{}, false, nil
	}
	if err != nil {
		return meta{}, false, fmt.Errorf("pretrain: checkpoint: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if m, err = readCheckpoint(bufio.NewReaderSize(f, 1<<20), want, params, o); err != nil {
		return meta{}, false, fmt.Errorf("pretrain: %s: %w", f.Name(), err)
	}
	return m, true, nil
}

// hashed hashes what is read through it.
type hashed struct {
	r io.Reader
	h hash.Hash
}

func (h hashed) Read(b []byte) (int, error) {
	n, err := h.r.Read(b)
	h.h.Write(b[:n])
	return n, err
}

func readCheckpoint(file *bufio.Reader, want recipe, params []llama.Param, o *optim.AdamW) (meta, error) {
	r := hashed{file, sha256.New()}
	lead := make([]byte, len(checkpointMark)+4)
	if _, err := io.ReadFull(r, lead); err != nil || !bytes.HasPrefix(lead, []byte(checkpointMark)) {
		return meta{}, errors.New("is not a checkpoint")
	}
	n := binary.LittleEndian.Uint32(lead[len(checkpointMark):])
	if n > maxMeta {
		return meta{}, fmt.Errorf("has a head of %d bytes", n)
	}
	head := make([]byte, n)
	if _, err := io.ReadFull(r, head); err != nil {
		return meta{}, fmt.Errorf("is truncated: %w", err)
	}
	var m meta
	if err := json.Unmarshal(head, &m); err != nil {
		return meta{}, err
	}
	want.Tokens = m.Recipe.Tokens // the caller compares budgets
	if !reflect.DeepEqual(m.Recipe, want) {
		return meta{}, errors.New("belongs to a run with another configuration: give the same one, or another folder")
	}
	if len(m.Sizes) != len(params) {
		return meta{}, fmt.Errorf("has %d parameters, the model has %d", len(m.Sizes), len(params))
	}
	for i, p := range params {
		if m.Sizes[i] != len(p.Data) {
			return meta{}, fmt.Errorf("parameter %s has %d values, the model has %d", p.Name, m.Sizes[i], len(p.Data))
		}
		if err := readFloats(r, p.Data); err != nil {
			return meta{}, fmt.Errorf("parameter %s: is truncated: %w", p.Name, err)
		}
	}
	state := make([]byte, o.StateSize())
	if _, err := io.ReadFull(r, state); err != nil {
		return meta{}, fmt.Errorf("optimiser state is truncated: %w", err)
	}
	if err := o.Load(bytes.NewReader(state)); err != nil {
		return meta{}, err
	}
	sum := make([]byte, sha256.Size)
	if _, err := io.ReadFull(file, sum); err != nil || !bytes.Equal(sum, r.h.Sum(nil)) {
		return meta{}, errors.New("is damaged: the checksum does not match")
	}
	return m, nil
}

func writeFloats(w io.Writer, x []float32) error {
	buf := make([]byte, 0, 4*min(len(x), 1<<14))
	for len(x) > 0 {
		n := min(len(x), 1<<14)
		buf = buf[:0]
		for _, v := range x[:n] {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
		}
		if _, err := w.Write(buf); err != nil {
			return err
		}
		x = x[n:]
	}
	return nil
}

func readFloats(r io.Reader, x []float32) error {
	buf := make([]byte, 4*min(len(x), 1<<14))
	for len(x) > 0 {
		n := min(len(x), 1<<14)
		if _, err := io.ReadFull(r, buf[:4*n]); err != nil {
			return err
		}
		for i := range n {
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(buf[4*i:]))
		}
		x = x[n:]
	}
	return nil
}
