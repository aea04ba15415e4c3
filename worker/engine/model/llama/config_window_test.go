package llama

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// windowed is a config.json of four layers.
func windowed(kind, fields string) []byte {
	s := strings.Replace(smol, `"num_hidden_layers":30`, `"num_hidden_layers":4`, 1)
	return []byte(strings.Replace(s, `"llama"`, fmt.Sprintf("%q%s", kind, fields), 1))
}

func TestWindowsOfLayers(t *testing.T) {
	for _, x := range []struct {
		kind, fields string
		want         []int // of each layer
	}{
		{"llama", `,"sliding_window":8,"use_sliding_window":true`, []int{0, 0, 0, 0}},
		{"mistral", ``, []int{4096, 4096, 4096, 4096}},
		{"mistral", `,"sliding_window":null`, []int{0, 0, 0, 0}},
		{"mistral", `,"sliding_window":8`, []int{8, 8, 8, 8}},
		{"qwen2", `,"sliding_window":8`, []int{0, 0, 0, 0}},
		{"qwen2", `,"sliding_window":8,"use_sliding_window":false,"max_window_layers":0`, []int{0, 0, 0, 0}},
		{"qwen2", `,"sliding_window":8,"use_sliding_window":true`, []int{0, 0, 0, 0}}, // from layer 28 on
		{"qwen2", `,"sliding_window":8,"use_sliding_window":true,"max_window_layers":3`, []int{0, 0, 0, 8}},
		{"qwen2", `,"use_sliding_window":true,"max_window_layers":0`, []int{4096, 4096, 4096, 4096}},
		{"qwen3", `,"sliding_window":8,"use_sliding_window":true,"layer_types":["full_attention","sliding_attention","full_attention","sliding_attention"]`, []int{0, 8, 0, 8}},
		{"qwen3", `,"sliding_window":null,"use_sliding_window":false,"layer_types":["full_attention","full_attention","full_attention","full_attention"]`, []int{0, 0, 0, 0}},
	} {
		c, err := ParseConfig(windowed(x.kind, x.fields))
		if err != nil {
			t.Errorf("%s%s: %v", x.kind, x.fields, err)
			continue
		}
		got := []int{}
		for l := range c.Layers {
			got = append(got, c.Window(l))
		}
		if !reflect.DeepEqual(got, x.want) || c.MaxPositions != 2048 {
			t.Errorf("%s%s: windows %v, context %d; want %v and 2048", x.kind, x.fields, got, c.MaxPositions, x.want)
		}
		data, err := c.HF()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := ParseConfig(data); err != nil || !reflect.DeepEqual(back, c) {
			t.Errorf("%s%s written and read again: %v\n%+v\n%+v", x.kind, x.fields, err, back, c)
		}
	}
}

func TestBadWindowsAreNamed(t *testing.T) {
	for _, x := range []struct{ kind, fields, want string }{
		{"mistral", `,"sliding_window":-1`, "sliding_window is -1"},
		{"mistral", `,"sliding_window":99999999`, "sliding_window is 99999999"},
		{"mistral", `,"sliding_window":"all"`, "sliding_window"},
		{"mistral", `,"sliding_window":8,"layer_types":["full_attention","sliding_attention","full_attention","sliding_attention"]`, "every layer or in none"},
		{"qwen2", `,"use_sliding_window":true,"layer_types":["sliding_attention"]`, "layer_types has 1 layers"},
		{"qwen2", `,"use_sliding_window":true,"layer_types":["full_attention","chunked_attention","full_attention","full_attention"]`, "layer_types[1]"},
		{"qwen2", `,"sliding_window":8,"layer_types":["full_attention","sliding_attention","full_attention","full_attention"]`, "use_sliding_window"},
	} {
		if _, err := ParseConfig(windowed(x.kind, x.fields)); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s%s: %v, want %q", x.kind, x.fields, err, x.want)
		}
	}
	c := tiny(func(c *Config) { c.SlidingWindow = 4 })
	if err := c.Validate(); err == nil {
		t.Error("a llama with a window was accepted")
	}
	c = tiny(func(c *Config) { c.ModelType, c.SlidingWindow, c.WindowLayers = "qwen2", 4, []bool{true} })
	if err := c.Validate(); err == nil {
		t.Error("windows of one layer of two were accepted")
	}
}
