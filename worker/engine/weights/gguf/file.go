package gguf

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sort"

	"github.com/openledger/openledger/worker/engine/quant"
)

// ggmlType is a tensor type as files number it. Those that quant does not know are
// here so that files with them can be listed, and refused by name.
type ggmlType uint32

var ggmlTypes = map[ggmlType]struct {
	name          string
	values, bytes int64
}{
	3: {"Q4_1", 32, 20}, 6: {"Q5_0", 32, 22}, 7: {"Q5_1", 32, 24}, 9: {"Q8_1", 32, 36}, 10: {"Q2_K", 256, 84}, 11: {"Q3_K", 256, 110},
	13: {"Q5_K", 256, 176}, 15: {"Q8_K", 256, 292}, 16: {"IQ2_XXS", 256, 66}, 17: {"IQ2_XS", 256, 74}, 18: {"IQ3_XXS", 256, 98},
	19: {"IQ1_S", 256, 50}, 20: {"IQ4_NL", 32, 18}, 21: {"IQ3_S", 256, 110}, 22: {"IQ2_S", 256, 82}, 23: {"IQ4_XS", 256, 136},
	24: {"I8", 1, 1}, 25: {"I16", 1, 2}, 26: {"I32", 1, 4}, 27: {"I64", 1, 8}, 28: {"F64", 1, 8}, 29: {"IQ1_M", 256, 56},
	34: {"TQ1_0", 256, 54}, 35: {"TQ2_0", 256, 66}, 39: {"MXFP4", 32, 17},
}

func (t ggmlType) quant() (quant.Type, bool) {
	if t > math.MaxUint8 {
		return 0, false
	}
	q := quant.Type(t)
	return q, q.Known()
}

func (t ggmlType) String() string {
	if q, ok := t.quant(); ok {
		return q.String()
	}
	if x, ok := ggmlTypes[t]; ok {
		return x.name
	}
	return fmt.Sprintf("type %d", uint32(t))
}

// block is the number of values in a block and its bytes.
func (t ggmlType) block() (values, bytes int64, ok bool) {
	if q, ok := t.quant(); ok {
		return int64(q.BlockSize()), int64(q.BlockBytes()), true
	}
	x, ok := ggmlTypes[t]
	return x.values, x.bytes, ok
}

// Info describes one tensor of a file.
type Info struct {
	Name string
	// Type is the format's name, such as Q8_0.
	Type string
	// Shape has the slowest dimension first, as elsewhere; files have it last.
	Shape []int
	// Offset in the file and size there, in bytes.
	Offset, Bytes int64

	typ ggmlType
}

// Elements is the number of values.
func (i Info) Elements() int {
	n := 1
	for _, d := range i.Shape {
		n *= d
	}
	return n
}

// File is an open GGUF file.
type File struct {
	name    string
	r       io.ReaderAt
	size    int64
	version uint32
	align   int
	meta    Metadata
	tensors []Info // in the order of the list
	index   map[string]int
}

// Meta is the file's metadata.
func (f *File) Meta() *Metadata { return &f.meta }

// ReadAt reads the file itself.
func (f *File) ReadAt(b []byte, at int64) (int, error) { return f.r.ReadAt(b, at) }

// Size of the file in bytes.
func (f *File) Size() int64 { return f.size }

// Version of the format.
func (f *File) Version() int { return int(f.version) }

// Tensors lists all tensors in the order of the file.
func (f *File) Tensors() []Info { return slices.Clone(f.tensors) }

// Info finds one tensor.
func (f *File) Info(name string) (Info, bool) {
	i, ok := f.index[name]
	if !ok {
		return Info{}, false
	}
	return f.tensors[i], true
}

func (f *File) readInfo(h *header) error {
	name, err := h.str(maxName)
	if err != nil {
		return fmt.Errorf("name: %w", err)
	}
	info, err := f.readShape(h, name)
	if err != nil {
		return fmt.Errorf("%q: %w", name, err)
	}
	if _, dup := f.index[name]; dup || name == "" {
		return fmt.Errorf("%q: the name is empty or not unique", name)
	}
	f.index[name] = len(f.tensors)
	f.tensors = append(f.tensors, info)
	return nil
}

func (f *File) readShape(h *header, name string) (Info, error) {
	info := Info{Name: name}
	dims, err := h.u32()
	if err != nil {
		return info, err
	}
	if dims < 1 || dims > maxDims {
		return info, fmt.Errorf("has %d dimensions, allowed are 1 to %d", dims, maxDims)
	}
	elements := int64(1)
	for i := range dims {
		d, err := h.u64()
		if err != nil {
			return info, err
		}
		if d < 1 || d > math.MaxInt32 || elements > math.MaxInt64/32/int64(d) {
			return info, fmt.Errorf("dimension %d is %d, or the tensor is too large", i, d)
		}
		elements *= int64(d)
		info.Shape = append(info.Shape, int(d))
	}
	row := int64(info.Shape[0])
	slices.Reverse(info.Shape)
	t, err := h.u32()
	if err != nil {
		return info, err
	}
	info.typ = ggmlType(t)
	info.Type = info.typ.String()
	values, bytes, ok := info.typ.block()
	switch {
	case !ok:
		return info, fmt.Errorf("tensor type %d is unknown", t)
	case row%values != 0:
		return info, fmt.Errorf("has rows of %d values, which are not whole blocks of %d, as %s needs", row, values, info.Type)
	case elements/values > math.MaxInt64/bytes:
		return info, fmt.Errorf("shape %v is too large", info.Shape)
	}
	info.Bytes = elements / values * bytes
	at, err := h.u64()
	if err != nil {
		return info, err
	}
	if at > uint64(f.size) || at%uint64(f.align) != 0 {
		return info, fmt.Errorf("offset %d lies beyond the file of %d bytes or is not a multiple of the alignment, %d", at, f.size, f.align)
	}
	info.Offset = int64(at) // from the start of the data, until layout
	return info, nil
}

// layout demands that the tensors follow each other in the file with nothing but
// padding between. end is where the header ends.
func (f *File) layout(end int64) error {
	pad := func(n int64) int64 { return (n + int64(f.align) - 1) / int64(f.align) * int64(f.align) }
	start := pad(end)
	order := make([]int, len(f.tensors))
	for i := range order {
		order[i] = i
		f.tensors[i].Offset += start
	}
	sort.SliceStable(order, func(i, j int) bool { return f.tensors[order[i]].Offset < f.tensors[order[j]].Offset })
	at := start
	for _, i := range order {
		t := f.tensors[i]
		switch {
		case t.Offset < at:
			return fmt.Errorf("tensor %q at byte %d: overlaps the one before it, which ends at byte %d", t.Name, t.Offset, at)
		case t.Offset > pad(at):
			return fmt.Errorf("tensor %q at byte %d: %d bytes before it belong to no tensor", t.Name, t.Offset, t.Offset-at)
		case t.Bytes > f.size-t.Offset:
			return fmt.Errorf("tensor %q at byte %d: needs %d bytes, but the file ends at byte %d: it is truncated", t.Name, t.Offset, t.Bytes, f.size)
		}
		at = t.Offset + t.Bytes
	}
	if extra := f.size - at; len(order) > 0 && extra >= int64(f.align) {
		return fmt.Errorf("%d bytes after the last tensor", extra)
	}
	return nil
}

// ErrNoTensor is wrapped when a tensor is not there.
var ErrNoTensor = errors.New("no such tensor")

// Raw reads a tensor as it is stored.
func (f *File) Raw(name string) (quant.Type, []byte, []int, error) {
	info, ok := f.Info(name)
	if !ok {
		return 0, nil, nil, fmt.Errorf("%s: tensor %q: %w", f.name, name, ErrNoTensor)
	}
	q, ok := info.typ.quant()
	if !ok {
		return 0, nil, nil, fmt.Errorf("%s: tensor %q: %s is not supported (F32, F16, BF16, Q8_0, Q4_0, Q4_K, Q6_K): take a file of another quantisation",
			f.name, name, info.Type)
	}
	b := make([]byte, info.Bytes) // bounded: the bytes were found in the file
	if n, err := f.r.ReadAt(b, info.Offset); n < len(b) {
		return 0, nil, nil, fmt.Errorf("%s: tensor %q at byte %d: read: %w", f.name, name, info.Offset, err)
	}
	return q, b, info.Shape, nil
}

// Tensor reads a tensor as float32.
func (f *File) Tensor(name string) ([]float32, []int, error) {
	q, raw, shape, err := f.Raw(name)
	if err != nil {
		return nil, nil, err
	}
	out := make([]float32, len(raw)/q.BlockBytes()*q.BlockSize())
	if err := quant.Decode(q, out, raw); err != nil {
		return nil, nil, fmt.Errorf("%s: tensor %q: %w", f.name, name, err)
	}
	return out, shape, nil
}
