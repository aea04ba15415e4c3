package weights_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/openledger/openledger/worker/engine/weights"
)

func file(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

func parse(b []byte) (*weights.File, error) {
	return weights.ParseSafetensors(bytes.NewReader(b), int64(len(b)), "m.safetensors")
}

func TestBadHeadersNameTheTensor(t *testing.T) {
	entry := func(dtype, shape, offsets string) string {
		return fmt.Sprintf(`{"w.x":{"dtype":%q,"shape":%s,"data_offsets":%s}}`, dtype, shape, offsets)
	}
	for name, c := range map[string]struct {
		header string
		data   int
		want   string
	}{
		"truncated":          {entry("F32", "[4]", "[0,16]"), 12, `tensor "w.x": ends at byte 16`},
		"shape and size":     {entry("F32", "[3]", "[0,16]"), 16, `tensor "w.x": shape [3]`},
		"overflowing shape":  {entry("F32", "[2147483647,2147483647,2147483647]", "[0,16]"), 16, `tensor "w.x": shape`},
		"huge dimension":     {entry("F32", "[9223372036854775807]", "[0,16]"), 16, `tensor "w.x": dimension 0`},
		"negative dimension": {entry("F32", "[-4]", "[0,16]"), 16, `tensor "w.x": dimension 0`},
		"reversed offsets":   {entry("F32", "[4]", "[16,0]"), 16, `tensor "w.x": data_offsets`},
		"negative offsets":   {entry("F32", "[4]", "[-16,0]"), 16, `tensor "w.x": data_offsets`},
		"one offset":         {entry("F32", "[4]", "[16]"), 16, `tensor "w.x": data_offsets`},
		"unknown type":       {entry("F128", "[1]", "[0,16]"), 16, `tensor "w.x": dtype`},
		"many dimensions":    {entry("F32", "[1,1,1,1,1,1,1,1,1,4]", "[0,16]"), 16, `tensor "w.x": has 10 dimensions`},
		"gap":                {entry("F32", "[2]", "[8,16]"), 16, `tensor "w.x": 8 bytes before it`},
		"rest":               {entry("F32", "[2]", "[0,8]"), 16, `8 bytes after the last tensor`},
		"overlap": {`{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"b":{"dtype":"F32","shape":[4],"data_offsets":[8,24]}}`, 24,
			`tensor "b": overlaps`},
		"not json":     {`{"w.x":`, 0, "header"},
		"wrong type":   {`{"w.x":[1]}`, 0, `tensor "w.x"`},
		"no dtype":     {`{"w.x":{}}`, 0, `tensor "w.x": dtype`},
		"bad metadata": {`{"__metadata__":{"a":1}}`, 0, "__metadata__"},
	} {
		if _, err := parse(file(c.header, c.data)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
	huge := binary.LittleEndian.AppendUint64(nil, math.MaxUint64)
	if _, err := parse(huge); err == nil {
		t.Error("a header longer than the file was accepted")
	}
}

func TestTruncationIsAlwaysNoticed(t *testing.T) {
	var b bytes.Buffer
	err := weights.WriteSafetensors(&b, []weights.Named{{Name: "a", Shape: []int{2, 3}, Data: make([]float32, 6)}, {Name: "b", Data: []float32{1}}}, weights.F32, nil)
	if err != nil {
		t.Fatal(err)
	}
	for n := range b.Len() {
		if _, err := parse(b.Bytes()[:n]); err == nil {
			t.Fatalf("accepted with %d of %d bytes", n, b.Len())
		}
	}
	if _, err := parse(append(b.Bytes(), 0)); err == nil {
		t.Error("accepted with a byte too many")
	}
}

func TestWriteReadAndDeterminism(t *testing.T) {
	special := []float32{0, float32(math.Copysign(0, -1)), 1, -2.5, 3.0e38, 1e-40, float32(math.Inf(1)), 0.1}
	named := []weights.Named{{Name: "z", Shape: []int{2, 4}, Data: special}, {Name: "a", Shape: []int{0}, Data: nil}, {Name: "s", Data: []float32{7}}}
	write := func(order []weights.Named, d weights.DType) []byte {
		var b bytes.Buffer
		if err := weights.WriteSafetensors(&b, order, d, map[string]string{"format": "pt"}); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	for _, d := range []weights.DType{weights.F32, weights.BF16} {
		one, two := write(named, d), write([]weights.Named{named[2], named[0], named[1]}, d)
		if !bytes.Equal(one, two) {
			t.Errorf("%s: the order of tensors changes the file", d)
		}
		f, err := parse(one)
		if err != nil {
			t.Fatal(err)
		}
		if f.Metadata()["format"] != "pt" || len(f.Tensors()) != 3 {
			t.Errorf("%s: metadata %v, %d tensors", d, f.Metadata(), len(f.Tensors()))
		}
		got, shape, err := f.Tensor("z")
		if err != nil || !slices.Equal(shape, []int{2, 4}) {
			t.Fatalf("%s: shape %v, error %v", d, shape, err)
		}
		for i, v := range special {
			want := v
			if d == weights.BF16 {
				want = math.Float32frombits(uint32(weights.ToBF16(v)) << 16)
			}
			if math.Float32bits(got[i]) != math.Float32bits(want) {
				t.Errorf("%s: value %d is %v, want %v", d, i, got[i], want)
			}
		}
		if _, _, err := f.Tensor("nope"); err == nil || !strings.Contains(err.Error(), `"nope"`) {
			t.Errorf("missing tensor: %v", err)
		}
	}
	if err := weights.WriteSafetensors(&bytes.Buffer{}, []weights.Named{{Name: "a", Shape: []int{2}, Data: make([]float32, 3)}}, weights.F32, nil); err == nil {
		t.Error("wrote a tensor whose shape is wrong")
	}
	if err := weights.WriteSafetensors(&bytes.Buffer{}, []weights.Named{{Name: "a"}, {Name: "a"}}, weights.F32, nil); err == nil {
		t.Error("wrote one name twice")
	}
}

func TestBF16RoundsToNearestEven(t *testing.T) {
	for in, want := range map[uint32]uint16{
		0x3f800000: 0x3f80, 0x3f807fff: 0x3f80, 0x3f808000: 0x3f80, 0x3f808001: 0x3f81, 0x3f818000: 0x3f82, 0x7f7fffff: 0x7f80,
		0x7f800000: 0x7f80, 0xff800000: 0xff80, 0x80000001: 0x8000,
	} {
		if got := weights.ToBF16(math.Float32frombits(in)); got != want {
			t.Errorf("%#x rounds to %#x, want %#x", in, got, want)
		}
	}
	if got := math.Float32frombits(uint32(weights.ToBF16(math.Float32frombits(0x7f800001))) << 16); !math.IsNaN(float64(got)) {
		t.Errorf("a NaN became %v", got)
	}
}

func TestEveryHalfIsReadRight(t *testing.T) {
	b := file(`{"h":{"dtype":"F16","shape":[65536],"data_offsets":[0,131072]}}`, 131072)
	data := b[len(b)-131072:]
	for i := range 65536 {
		binary.LittleEndian.PutUint16(data[2*i:], uint16(i))
	}
	f, err := parse(b)
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := f.Tensor("h")
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range got {
		sign, exp, frac := 1-2*float64(i>>15), i>>10&31, float64(i&1023)
		want := sign * math.Ldexp(1+frac/1024, exp-15)
		switch {
		case exp == 0:
			want = sign * math.Ldexp(frac, -24)
		case exp == 31 && frac == 0:
			want = math.Inf(int(sign))
		case exp == 31:
			if !math.IsNaN(float64(v)) {
				t.Fatalf("half %#x is %v, want NaN", i, v)
			}
			continue
		}
		if float64(v) != want || math.Signbit(float64(v)) != math.Signbit(want) {
			t.Fatalf("half %#x is %v, want %v", i, v, want)
		}
	}
}

func TestUnreadableTypeIsRefusedOnlyWhenRead(t *testing.T) {
	f, err := parse(file(`{"ids":{"dtype":"I64","shape":[2],"data_offsets":[0,16]}}`, 16))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.Tensor("ids"); err == nil || !strings.Contains(err.Error(), `tensor "ids": dtype I64`) {
		t.Errorf("error %v", err)
	}
}

func FuzzSafetensors(f *testing.F) {
	seed, err := os.ReadFile(filepath.Join(models, "llama3", "adapter", weights.AdapterWeightsFile))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add(file(`{"a":{"dtype":"F16","shape":[2,2],"data_offsets":[0,8]},"__metadata__":{"k":"v"}}`, 8))
	f.Add(file(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 0))
	f.Add(file(`{"a":{"dtype":"BF16","shape":[0,99999999],"data_offsets":[0,0]}}`, 0))
	f.Fuzz(func(t *testing.T, data []byte) {
		sf, err := parse(data)
		if err != nil {
			return
		}
		total := 0
		for _, i := range sf.Tensors() {
			v, shape, err := sf.Tensor(i.Name)
			if err != nil {
				continue
			}
			n := 1
			for _, d := range shape {
				n *= d
			}
			if n != len(v) {
				t.Fatalf("%s: shape %v, %d values", i.Name, shape, len(v))
			}
			total += len(v)
		}
		if total > len(data) {
			t.Fatalf("%d values from %d bytes", total, len(data))
		}
	})
}
