package llama

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Kinds of layers in layer_types.
const (
	slidingLayer = "sliding_attention"
	fullLayer    = "full_attention"
)

// Window is how many positions a query of layer l sees, its own the last of them; 0: all.
func (c Config) Window(l int) int {
	if c.WindowLayers != nil && !c.WindowLayers[l] {
		return 0
	}
	return c.SlidingWindow
}

// SetWindow gives the layers named a sliding window, all of them if layers is nil. No window in any layer is no window.
func (c *Config) SetWindow(size int, layers []bool) {
	c.SlidingWindow, c.WindowLayers = size, layers
	switch {
	case size == 0 || layers != nil && !slices.Contains(layers, true):
		c.SlidingWindow, c.WindowLayers = 0, nil
	case !slices.Contains(layers, false):
		c.WindowLayers = nil
	}
}

// window reads which layers attend to how many positions, as transformers does: all layers of Mistral, whose window is
// 4096 where nothing is said; of Qwen those in layer_types or else from max_window_layers on, where use_sliding_window
// says so. Llama has none. Within its original context a model with longrope has one set of frequencies, and the
// context ends there.
func (h *hfConfig) window(c *Config) error {
	if f := c.RopeScaling.Factors; f != nil && !f.Uniform() && c.RopeScaling.OriginalContext > 0 {
		c.MaxPositions = min(c.MaxPositions, c.RopeScaling.OriginalContext)
	}
	size := 4096
	if h.SlidingWindow != nil {
		size = 0 // null stays
		if err := json.Unmarshal(h.SlidingWindow, &size); err != nil {
			return fmt.Errorf("sliding_window: %w", err)
		}
	}
	var layers []bool
	for i, kind := range h.LayerTypes {
		if kind != slidingLayer && kind != fullLayer {
			return fmt.Errorf("layer_types[%d] is %q: only %s and %s are supported", i, kind, slidingLayer, fullLayer)
		}
		layers = append(layers, kind == slidingLayer)
	}
	if layers != nil && len(layers) != c.Layers {
		return fmt.Errorf("layer_types has %d layers, num_hidden_layers is %d", len(layers), c.Layers)
	}
	switch c.ModelType {
	case "mistral":
		if size > 0 && slices.Contains(layers, false) {
			return errors.New("layer_types: a mistral model slides in every layer or in none")
		}
		c.SetWindow(size, nil)
	case "qwen2", "qwen3":
		if h.UseSlidingWin == nil || !*h.UseSlidingWin {
			size = 0
		}
		if layers == nil && size > 0 && c.Layers > 0 && c.Layers <= maxLayers {
			from := 28
			if h.MaxWindowLayers != nil {
				from = *h.MaxWindowLayers
			}
			layers = make([]bool, c.Layers)
			for i := range layers {
				layers[i] = i >= from
			}
		}
		if size == 0 && slices.Contains(layers, true) {
			return fmt.Errorf("layer_types asks for %s, use_sliding_window and sliding_window for none", slidingLayer)
		}
		c.SetWindow(size, layers)
	}
	return nil
}

// validateWindow checks that the window is one that the architecture has.
func (c Config) validateWindow() error {
	switch {
	case c.SlidingWindow < 0 || c.SlidingWindow > maxPositions:
		return fmt.Errorf("sliding_window is %d: it must be between 0 (none) and %d", c.SlidingWindow, maxPositions)
	case c.SlidingWindow > 0 && c.ModelType == "llama":
		return errors.New("sliding_window: llama models have none; a model of this shape with one is a mistral")
	case c.WindowLayers == nil:
		return nil
	case c.SlidingWindow == 0 || c.ModelType == "mistral":
		return fmt.Errorf("a window in some layers only does not go with a %s model and sliding_window %d", c.ModelType, c.SlidingWindow)
	case len(c.WindowLayers) != c.Layers:
		return fmt.Errorf("windows are given for %d layers of %d", len(c.WindowLayers), c.Layers)
	}
	return nil
}

// windowJSON writes the window as ParseConfig reads it.
func (c Config) windowJSON(m map[string]any) {
	switch {
	case c.ModelType == "mistral" && c.SlidingWindow == 0:
		m["sliding_window"] = nil
	case c.ModelType == "mistral":
		m["sliding_window"] = c.SlidingWindow
	case c.SlidingWindow > 0:
		types := make([]string, c.Layers)
		first := c.Layers // that slides
		for i := range types {
			types[i] = fullLayer
			if c.Window(i) > 0 {
				types[i] = slidingLayer
				first = min(first, i)
			}
		}
		// Versions of transformers without layer_types read max_window_layers.
		m["use_sliding_window"], m["sliding_window"], m["layer_types"], m["max_window_layers"] = true, c.SlidingWindow, types, first
	}
}
