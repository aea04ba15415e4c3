package gguf

import (
	"fmt"

	"github.com/openledger/openledger/worker/engine/model/llama"
)

const (
	keyWindow        = "attention.sliding_window"
	keyWindowPattern = "attention.sliding_window_pattern"
)

// window sets the sliding window of the layers that have one. A llama file with a window is a Mistral, whose layers all
// slide. For the others the pattern says which layers do, as an array of bools or as a period n of which the last layer
// sees everything; without a pattern none does, since files of Qwen models name the window that they do not use.
func (f *File) window(c *llama.Config, arch string, size int) error {
	if size < 0 {
		return fmt.Errorf("metadata %q is %d: it must not be negative", arch+"."+keyWindow, size)
	}
	layers, found, err := f.windowPattern(arch, c.Layers)
	if err != nil || size == 0 {
		return err
	}
	if !found && arch != "llama" {
		return nil
	}
	c.SetWindow(size, layers)
	if c.SlidingWindow == 0 || c.ModelType != "llama" {
		return nil
	}
	if c.OutBias || c.MLPBias {
		return fmt.Errorf("metadata %q: a sliding window does not go with the biases of this model", arch+"."+keyWindow)
	}
	c.ModelType = "mistral"
	return nil
}

// windowPattern says which layers slide; nil for all of them, or if the file does not say.
func (f *File) windowPattern(arch string, n int) (layers []bool, found bool, err error) {
	key := arch + "." + keyWindowPattern
	v, ok := f.meta.Get(key)
	if !ok {
		return nil, false, nil
	}
	if list, ok := v.([]bool); ok {
		if len(list) != n {
			return nil, false, fmt.Errorf("metadata %q has %d layers, the model has %d", key, len(list), n)
		}
		return list, true, nil
	}
	period, ok := asInt(v)
	if !ok || period < 0 {
		return nil, false, fmt.Errorf("metadata %q is a %T, want a bool for each layer or a period", key, v)
	}
	if period == 0 || n < 1 || n > len(f.tensors) { // a layer has a tensor; Validate says what is wrong with n
		return nil, true, nil
	}
	layers = make([]bool, n)
	for i := range layers {
		layers[i] = i%period < period-1
	}
	return layers, true, nil
}

// windowMeta writes the window for window to read.
func windowMeta(c llama.Config, arch string) []KV {
	if c.SlidingWindow == 0 {
		return nil
	}
	meta := []KV{{arch + "." + keyWindow, uint32(c.SlidingWindow)}}
	if arch == "llama" {
		return meta
	}
	layers := make([]bool, c.Layers)
	for i := range layers {
		layers[i] = c.Window(i) > 0
	}
	return append(meta, KV{arch + "." + keyWindowPattern, layers})
}
