package llama

import (
	"reflect"
	"strings"
	"testing"

	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/nn"
	"github.com/openledger/openledger/worker/engine/tensor/cpu"
)

const smol = `{"model_type":"llama","hidden_act":"silu","vocab_size":49152,"hidden_size":576,"intermediate_size":1536,
"num_hidden_layers":30,"num_attention_heads":9,"num_key_value_heads":3,"max_position_embeddings":2048,"rms_norm_eps":1e-05,
"rope_theta":10000.0,"tie_word_embeddings":true}`

func TestParseConfig(t *testing.T) {
	c, err := ParseConfig([]byte(smol))
	if err != nil {
		t.Fatal(err)
	}
	if c.HeadDim != 64 || c.KVHeads != 3 || !c.TieEmbeddings || c.QKVBias || c.ParamCount() != 134515008 {
		t.Errorf("SmolLM has %d parameters: %+v", c.ParamCount(), c)
	}
	q, err := ParseConfig([]byte(strings.Replace(smol, `"llama"`, `"qwen2","sliding_window":100,"use_sliding_window":false`, 1)))
	if err != nil || !q.QKVBias || q.OutBias || q.MaxPositions != 2048 || q.SlidingWindow != 0 {
		t.Errorf("Qwen 2: %v, %+v", err, q)
	}
	m, err := ParseConfig([]byte(strings.Replace(smol, `"llama"`, `"mistral","sliding_window":100`, 1)))
	if err != nil || m.MaxPositions != 2048 || m.SlidingWindow != 100 || m.Window(0) != 100 || m.Window(29) != 100 {
		t.Errorf("Mistral: %v, %+v", err, m)
	}
	r, err := ParseConfig([]byte(strings.Replace(smol, `"llama"`, `"llama","rope_scaling":{"rope_type":"llama3","factor":32.0,
		"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":8192}`, 1)))
	if want := (nn.RopeScaling{Type: "llama3", Factor: 32, LowFreqFactor: 1, HighFreqFactor: 4, OriginalContext: 8192}); err != nil || r.RopeScaling != want {
		t.Errorf("Llama 3: %v, %+v", err, r.RopeScaling)
	}
	v02, err := ParseConfig([]byte(strings.Replace(smol, `"llama"`, `"mistral","sliding_window":null`, 1)))
	if err != nil || v02.MaxPositions != 2048 || v02.SlidingWindow != 0 {
		t.Errorf("Mistral without a window: %v, %+v", err, v02)
	}
	long, err := ParseConfig([]byte(strings.Replace(smol, `"llama"`, `"llama","original_max_position_embeddings":512,"rope_scaling":{"type":"longrope",
		"short_factor":[`+factors("1", 32)+`],"long_factor":[`+factors("2.5", 32)+`]}`, 1)))
	if err != nil || long.RopeScaling.Factor != 4 || long.MaxPositions != 512 {
		t.Errorf("longrope, served within its original context: %v, %+v", err, long)
	}
	y, err := ParseConfig([]byte(strings.Replace(smol, `"llama"`, `"llama","rope_parameters":{"rope_type":"yarn","factor":4,
		"original_max_position_embeddings":512,"truncate":false,"rope_theta":7}`, 1)))
	if err != nil || y.RopeTheta != 7 || !y.RopeScaling.NoTruncate {
		t.Errorf("yarn: %v, %+v", err, y)
	}
	for _, c := range []Config{c, q, m, r, v02, long, y} {
		data, err := c.HF()
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseConfig(data)
		if err != nil || !reflect.DeepEqual(back, c) {
			t.Errorf("written and read again: %v\n%+v\n%+v", err, back, c)
		}
	}
}

func factors(f string, n int) string { return f + strings.Repeat(","+f, n-1) }

func TestParseConfig_SaysWhatIsWrong(t *testing.T) {
	for old, c := range map[string][2]string{
		`"llama"`:        {`"gpt2"`, "model_type"},
		`"silu"`:         {`"gelu"`, "hidden_act"},
		`49152`:          {`0`, "vocab_size"},
		`576`:            {`99999999`, "hidden_size"},
		`_heads":3`:      {`_heads":4`, "num_key_value_heads"},
		`1e-05`:          {`-1`, "rms_norm_eps"},
		`"rope_theta":1`: {`"rope_scaling":{"rope_type":"ntk","factor":2},"rope_theta":1`, "ntk"},
		`"hidden_act"`:   {`"rope_scaling":{"rope_type":"longrope","short_factor":[1],"long_factor":[1]},"hidden_act"`, "1 factors"},
		`"tie`:           {`"quantization_config":{},"tie`, "quantization_config"},
		`}`:              {``, "config.json"},
	} {
		_, err := ParseConfig([]byte(strings.Replace(smol, old, c[0], 1)))
		if err == nil || !strings.Contains(err.Error(), c[1]) {
			t.Errorf("%s for %s: %v", c[0], old, err)
		}
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(smol))
	f.Add([]byte(`{"model_type":"qwen3","rope_parameters":{"rope_type":"linear","factor":2,"rope_theta":5}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseConfig(data)
		if err != nil {
			return
		}
		if err := c.Validate(); err != nil {
			t.Errorf("accepted, but %v", err)
		}
		if _, err := c.HF(); err != nil {
			t.Errorf("accepted, but cannot be written: %v", err)
		}
	})
}

// source changes one tensor of a random model.
type source struct {
	Random
	name string
	f    func(data []float32, shape []int) ([]float32, []int, error)
}

func (s source) Tensor(name string) ([]float32, []int, error) {
	data, shape, err := s.Random.Tensor(name)
	if err == nil && name == s.name {
		return s.f(data, shape)
	}
	return data, shape, err
}

func TestNew_NamesTheBadTensor(t *testing.T) {
	c := tiny(nil)
	const name = "model.layers.1.mlp.up_proj.weight"
	for what, f := range map[string]func([]float32, []int) ([]float32, []int, error){
		"short": func(d []float32, s []int) ([]float32, []int, error) { return d[1:], s, nil },
		"shape": func(d []float32, s []int) ([]float32, []int, error) { return d, []int{s[1], s[0]}, nil },
		"rank":  func(d []float32, _ []int) ([]float32, []int, error) { return d, nil, nil },
	} {
		_, err := New(newBackend(t, cpu.Config{Threads: 1}), c, source{Random{Config: c}, name, f}, Options{})
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", what, err)
		}
	}
	other := c
	other.TieEmbeddings = false
	if _, err := New(newBackend(t, cpu.Config{Threads: 1}), other, Random{Config: c}, Options{}); err == nil || !strings.Contains(err.Error(), "lm_head") {
		t.Errorf("without lm_head: %v", err)
	}
}

func TestLossGrad_RejectsBadExamples(t *testing.T) {
	c := tiny(nil)
	m := newModel(t, newBackend(t, cpu.Config{Threads: 1}), c, false)
	tr, err := m.NewTrainer()
	if err != nil {
		t.Fatal(err)
	}
	a := newAdapter(t, c, 4, 1)
	other := newAdapter(t, tiny(func(c *Config) { c.HiddenSize = 24 }), 4, 1)
	good := []Example{{Tokens: tokens(4, 1, c.VocabSize)}}
	for what, x := range map[string]struct {
		ex  []Example
		opt GradOptions
	}{
		"token":         {[]Example{{Tokens: []uint32{1, 37}}}, GradOptions{}},
		"length":        {[]Example{{Tokens: make([]uint32, 129)}}, GradOptions{}},
		"mask":          {[]Example{{Tokens: make([]uint32, 4), Mask: make([]bool, 3)}}, GradOptions{}},
		"not trainable": {good, GradOptions{Full: true}},
		"other base":    {good, GradOptions{Adapter: other}},
		"other grads":   {good, GradOptions{Adapter: a, AdapterGrads: lora.NewGrads(newAdapter(t, c, 5, 1))}},
		"no adapter":    {good, GradOptions{AdapterGrads: lora.NewGrads(a)}},
	} {
		if _, err := tr.LossGrad(x.ex, x.opt); err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
	g := lora.NewGrads(a)
	for what, ex := range map[string][]Example{"nothing": nil, "empty": {{}}, "one token": {{Tokens: []uint32{1}}},
		"all masked": {{Tokens: []uint32{1, 2}, Mask: []bool{true, false}}}} {
		l, err := tr.LossGrad(ex, GradOptions{Adapter: a, AdapterGrads: g})
		if err != nil || l.Tokens != 0 || l.Sum != 0 || l.Mean() != 0 {
			t.Errorf("%s: %v, %+v", what, err, l)
		}
	}
	for _, v := range g.Flat {
		if v != 0 {
			t.Fatal("nothing to learn left a gradient")
		}
	}
	if l, err := tr.LossGrad(append([]Example{{}}, good...), GradOptions{Adapter: a, AdapterGrads: g}); err != nil || l.Tokens != 3 || l.PerExample[1].Tokens != 3 {
		t.Errorf("after an empty example: %v, %+v", err, l)
	}
}
