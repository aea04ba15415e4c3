package lora

import (
	"math"
	"reflect"
	"testing"

	"github.com/openledger/openledger/worker/engine/tensor"
	"github.com/openledger/openledger/worker/engine/tensor/cpu"
)

func geometry(layers int) Geometry {
	g := Geometry{Layers: layers}
	for m := range NumModules {
		g.Shapes[m] = Shape{Out: 8 + 4*int(m), In: 12}
	}
	return g
}

func newBackend(t *testing.T) *cpu.Backend {
	t.Helper()
	b, err := cpu.New(cpu.Config{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func TestNew_InitialisesAsPEFT(t *testing.T) {
	cfg := Config{Rank: 4, Alpha: 8, Targets: []Module{VProj, QProj}}
	a, err := New(geometry(2), cfg, 1)
	if err != nil {
		t.Fatal(err)
	}
	again, err := New(geometry(2), cfg, 1)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(a.Flat, again.Flat) {
		t.Error("one seed gave two adapters")
	}
	other, err := New(geometry(2), cfg, 2)
	if err != nil {
		t.Fatal(err)
	}
	if reflect.DeepEqual(a.Flat, other.Flat) {
		t.Error("two seeds gave one adapter")
	}
	var names []string
	n := 0
	for _, p := range a.Params(NewGrads(a)) {
		names = append(names, p.Name)
		n += len(p.Data)
		if len(p.Grad) != len(p.Data) {
			t.Errorf("%s has %d values and %d gradients", p.Name, len(p.Data), len(p.Grad))
		}
	}
	want := []string{
		"base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight",
		"base_model.model.model.layers.0.self_attn.v_proj.lora_A.weight", "base_model.model.model.layers.0.self_attn.v_proj.lora_B.weight",
		"base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight", "base_model.model.model.layers.1.self_attn.q_proj.lora_B.weight",
		"base_model.model.model.layers.1.self_attn.v_proj.lora_A.weight", "base_model.model.model.layers.1.self_attn.v_proj.lora_B.weight",
	}
	if !reflect.DeepEqual(names, want) {
		t.Errorf("parameters are %v", names)
	}
	if n != len(a.Flat) {
		t.Errorf("parameters have %d values, the vector %d", n, len(a.Flat))
	}
	bound := float32(1 / math.Sqrt(12))
	for _, p := range a.Pairs {
		for _, v := range p.A {
			if v < -bound || v > bound {
				t.Errorf("A has %v, beyond %v", v, bound)
			}
		}
		for _, v := range p.B {
			if v != 0 {
				t.Errorf("B begins with %v", v)
			}
		}
	}
	a.Pairs[1].B[0] = 5
	c := a.Clone()
	c.Pairs[1].B[0] = 6
	if a.Pairs[1].B[0] != 5 || a.Pair(0, VProj).B[0] != 5 || a.Pair(0, KProj) != nil {
		t.Error("a clone shares values, or pairs are not found")
	}
}

func TestConfig_Scaling(t *testing.T) {
	if got := (Config{Alpha: 16}).Scaling(8); got != 2 {
		t.Errorf("scaling is %v, want 2", got)
	}
	if got := (Config{Alpha: 16, RSLoRA: true}).Scaling(16); got != 4 {
		t.Errorf("rank-stabilised scaling is %v, want 4", got)
	}
}

func TestFromPairs_RejectsWhatDoesNotFit(t *testing.T) {
	g := geometry(1)
	good := Pair{Module: QProj, Rank: 2, Shape: g.Shapes[QProj], Scale: 1}
	change := func(f func(*Pair)) []Pair {
		p := good
		f(&p)
		return []Pair{p}
	}
	for name, pairs := range map[string][]Pair{
		"layer":  change(func(p *Pair) { p.Layer = 1 }),
		"module": change(func(p *Pair) { p.Module = NumModules }),
		"shape":  change(func(p *Pair) { p.Shape.In++ }),
		"rank":   change(func(p *Pair) { p.Rank = 0 }),
		"scale":  change(func(p *Pair) { p.Scale = float32(math.NaN()) }),
		"values": change(func(p *Pair) { p.A = make([]float32, 3) }),
		"twice":  {good, good},
	} {
		if _, err := FromPairs(g, Config{}, pairs); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := ParseModule("lm_head"); err == nil {
		t.Error("lm_head was taken for a module")
	}
	if m, err := ParseModule("mlp.down_proj"); err != nil || m != DownProj {
		t.Errorf("mlp.down_proj is %v, %v", m, err)
	}
}

func TestPack_ComputesBAx(t *testing.T) {
	b := newBackend(t)
	g := geometry(1)
	a, err := New(g, Config{Rank: 3, Alpha: 6, Targets: []Module{KProj}}, 3)
	if err != nil {
		t.Fatal(err)
	}
	for i := range a.Pairs[0].B {
		a.Pairs[0].B[i] = float32(i) / 10
	}
	p, err := Pack(b, "key", a)
	if err != nil {
		t.Fatal(err)
	}
	if p.Bytes() > PackedBytes(a) || p.Bytes() < int64(4*len(a.Flat)) {
		t.Errorf("packed takes %d bytes for %d values, at most %d were announced", p.Bytes(), len(a.Flat), PackedBytes(a))
	}
	x := make([]float32, 2*12)
	for i := range x {
		x[i] = float32(i%5) - 2
	}
	y := make([]float32, 2*12)
	uses := AddUse(AddUse(nil, 0, 1, nil), 1, 1, p)
	mat := func(m Module) tensor.Mat {
		return tensor.Of(cpu.View(make([]float32, 2*g.Shapes[m].Out)), 2, g.Shapes[m].Out)
	}
	q, v := mat(QProj), mat(VProj)
	b.Lora([]tensor.Mat{q, tensor.Of(cpu.View(y), 2, 12), v}, tensor.Of(cpu.View(x), 2, 12), AttnIn.Group(0), Segments(nil, uses))
	for o := range 12 {
		want := 0.0
		for r := range 3 {
			h := 0.0
			for i := range 12 {
				h += float64(a.Pairs[0].A[r*12+i]) * float64(x[12+i])
			}
			want += 2 * h * float64(a.Pairs[0].B[o*3+r])
		}
		if y[o] != 0 {
			t.Errorf("row 0 has no adapter and became %v", y[o])
		}
		if math.Abs(float64(y[12+o])-want) > 1e-5 {
			t.Errorf("y[%d] = %v, want %v", o, y[12+o], want)
		}
	}
	for _, z := range append(q.Host(), v.Host()...) {
		if z != 0 {
			t.Fatal("q_proj or v_proj changed, which the adapter leaves alone")
		}
	}
}

func TestAddUse_JoinsNeighbours(t *testing.T) {
	p, q := &Packed{key: "p"}, &Packed{key: "q"}
	var u []Use
	u = AddUse(u, 0, 2, p)
	u = AddUse(u, 2, 1, p)
	u = AddUse(u, 3, 1, q)
	u = AddUse(u, 4, 1, nil)
	u = AddUse(u, 5, 1, q)
	if want := []Use{{0, 3, p}, {3, 1, q}, {5, 1, q}}; !reflect.DeepEqual(u, want) {
		t.Errorf("uses are %v", u)
	}
}
