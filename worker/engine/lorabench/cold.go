package lorabench

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/openledger/openledger/worker/engine"
	"github.com/openledger/openledger/worker/engine/weights"
)

// Cold is the first token of an adapter that lies on disk, beside that of a resident one.
type Cold struct {
	Prompt int `json:"prompt_tokens"`
	// Times in seconds. Read is from the files to values in host memory, Load from there to the device.
	WarmTTFT Range `json:"warm_ttft_s"`
	ColdTTFT Range `json:"cold_ttft_s"`
	Read     Range `json:"read_s"`
	Load     Range `json:"load_s"`
	Ratio    Range `json:"cold_over_warm"`
	// Cached says that the files could not be dropped from the page cache, so that nothing was read from the disk.
	Cached bool `json:"files_cached"`
}

// WriteAdapter writes adapter i as PEFT's two files, with the values in their own type. It returns the tensors' size.
func (s Shape) WriteAdapter(dir string, i int) (int64, error) {
	a, err := s.Adapter(i)
	if err != nil {
		return 0, err
	}
	config, tensors, err := weights.EncodePEFT(a, s.Name)
	if err != nil {
		return 0, err
	}
	if s.Values == "bf16" {
		var named []weights.Named
		for _, p := range a.Params(nil) {
			named = append(named, weights.Named{Name: p.Name, Shape: p.Shape, Data: p.Data})
		}
		var b bytes.Buffer
		if err := weights.WriteSafetensors(&b, named, weights.BF16, map[string]string{"format": "pt"}); err != nil {
			return 0, err
		}
		tensors = b.Bytes()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return 0, err
	}
	if err := os.WriteFile(filepath.Join(dir, weights.AdapterConfigFile), config, 0o644); err != nil {
		return 0, err
	}
	return int64(len(tensors)), os.WriteFile(filepath.Join(dir, weights.AdapterWeightsFile), tensors, 0o644)
}

// ColdStart measures n adapters, first cold, then warm, with prompts of the given length on an engine that has nothing
// else to do: it is the load itself that is measured, not what hides it.
func (r *Rig) ColdStart(ctx context.Context, n, prompt int) (Cold, error) {
	c := Cold{Prompt: prompt}
	dir, err := os.MkdirTemp("", "lorabench")
	if err != nil {
		return c, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	var warm, cold, read, load, ratio []float64
	first := func(adapter string, start time.Time) (float64, error) {
		var at time.Duration
		_, err := r.Engine.Generate(ctx, engine.Request{Prompt: r.prompt(prompt), Adapter: adapter,
			Sampling: engine.Sampling{MaxTokens: 1, IgnoreEOS: true}}, func(engine.Token) error {
			at = time.Since(start)
			return nil
		})
		return at.Seconds(), err
	}
	if _, err := first("", time.Now()); err != nil { // the engine's own memory is warm from here on
		return c, err
	}
	for i := range n {
		at := filepath.Join(dir, fmt.Sprint(i))
		if _, err := r.Shape.WriteAdapter(at, i); err != nil {
			return c, err
		}
		for _, name := range []string{weights.AdapterConfigFile, weights.AdapterWeightsFile} {
			if err := dropCached(filepath.Join(at, name)); err != nil {
				c.Cached = true
			}
		}
		name := fmt.Sprintf("cold-%d", i)
		start := time.Now()
		a, err := weights.ReadPEFT(os.DirFS(at), r.Shape.Config.Geometry())
		if err != nil {
			return c, err
		}
		took := time.Since(start).Seconds()
		if err := r.Engine.LoadAdapter(name, a); err != nil {
			return c, err
		}
		read, load = append(read, took), append(load, time.Since(start).Seconds()-took)
		ttft, err := first(name, start)
		if err != nil {
			return c, err
		}
		again, err := first(name, time.Now())
		if err != nil {
			return c, err
		}
		cold, warm, ratio = append(cold, ttft), append(warm, again), append(ratio, ttft/again)
		if err := r.Engine.Unload(name); err != nil {
			return c, err
		}
	}
	c.WarmTTFT, c.ColdTTFT, c.Read, c.Load, c.Ratio = rangeOf(warm), rangeOf(cold), rangeOf(read), rangeOf(load), rangeOf(ratio)
	return c, nil
}

// Memory is what resident adapters take.
type Memory struct {
	Adapters int     `json:"adapters"`
	Resident int64   `json:"resident_bytes"` // growth of the heap, all tables included
	Files    int64   `json:"file_bytes"`     // of their tensors, as PEFT writes them
	Ratio    float64 `json:"ratio"`
}

// LoadMeasured makes the first n adapters resident and measures what that takes. Nothing may be resident before.
func (r *Rig) LoadMeasured(n int) (Memory, error) {
	m := Memory{Adapters: n}
	dir, err := os.MkdirTemp("", "lorabench")
	if err != nil {
		return m, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	sizes := make([]int64, len(r.Shape.Ranks)) // adapters of one rank have files of one size
	for i := range sizes {
		if sizes[i], err = r.Shape.WriteAdapter(dir, i); err != nil {
			return m, err
		}
	}
	before := heap()
	if err := r.Load(n); err != nil {
		return m, err
	}
	m.Resident = heap() - before
	for i := range n {
		m.Files += sizes[i%len(sizes)]
	}
	m.Ratio = float64(m.Resident) / float64(m.Files)
	return m, nil
}

func heap() int64 {
	var s runtime.MemStats
	runtime.GC()
	runtime.GC() // what the first one's finalisers let go of
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}
