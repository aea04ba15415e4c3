package weights

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sort"
	"strings"

	"github.com/openledger/openledger/worker/engine/quant"
)

// DType is how values are stored.
type DType string

// The types that can be read as float32. Others are listed, but refused when read.
const (
	F32  DType = "F32"
	F16  DType = "F16"
	BF16 DType = "BF16"
)

func (d DType) size() (int64, bool) {
	switch d {
	case "F64", "I64", "U64":
		return 8, true
	case F32, "I32", "U32":
		return 4, true
	case F16, BF16, "I16", "U16":
		return 2, true
	case "I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2":
		return 1, true
	}
	return 0, false
}

// Limits of a safetensors file.
const (
	maxHeader  = 32 << 20
	maxTensors = 1 << 18
	maxDims    = 8
)

// Info describes one tensor of a file.
type Info struct {
	Name       string
	DType      DType
	Shape      []int
	begin, end int64 // in the file
}

// Elements is the number of values.
func (i Info) Elements() int {
	n := 1
	for _, d := range i.Shape {
		n *= d
	}
	return n
}

// File is an open safetensors file.
type File struct {
	name     string
	r        io.ReaderAt
	tensors  []Info // sorted by name
	index    map[string]int
	metadata map[string]string
}

// ParseSafetensors reads the header of a file of the given size and checks that
// every tensor lies within it. The name is used in errors.
func ParseSafetensors(r io.ReaderAt, size int64, name string) (*File, error) {
	f := &File{name: name, r: r, index: map[string]int{}}
	if err := f.parse(size); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}

func (f *File) parse(size int64) error {
	var b [8]byte
	if size < 8 {
		return fmt.Errorf("is not a safetensors file: it has only %d bytes", size)
	}
	if _, err := f.r.ReadAt(b[:], 0); err != nil {
		return fmt.Errorf("read header: %w", err)
	}
	n := binary.LittleEndian.Uint64(b[:])
	if n < 2 || n > maxHeader || n > uint64(size-8) {
		return fmt.Errorf("is not a safetensors file, or is truncated: header of %d bytes in a file of %d", n, size)
	}
	header := make([]byte, n)
	if _, err := f.r.ReadAt(header, 8); err != nil {
		return fmt.Errorf("read header: %w", err)
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(header, &raw); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	if len(raw) > maxTensors {
		return fmt.Errorf("header lists %d tensors, more than the %d allowed", len(raw), maxTensors)
	}
	if m, ok := raw["__metadata__"]; ok {
		if err := json.Unmarshal(m, &f.metadata); err != nil {
			return fmt.Errorf("header: __metadata__: %w", err)
		}
		delete(raw, "__metadata__")
	}
	names := make([]string, 0, len(raw))
	for k := range raw {
		names = append(names, k)
	}
	sort.Strings(names)
	start := 8 + int64(n)
	for i, k := range names {
		info, err := parseInfo(k, raw[k], start, size)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", k, err)
		}
		f.tensors = append(f.tensors, info)
		f.index[k] = i
	}
	return checkLayout(f.tensors, start, size)
}

func parseInfo(name string, raw json.RawMessage, start, size int64) (Info, error) {
	var h struct {
		DType   DType   `json:"dtype"`
		Shape   []int64 `json:"shape"`
		Offsets []int64 `json:"data_offsets"`
	}
	if err := json.Unmarshal(raw, &h); err != nil {
		return Info{}, err
	}
	width, ok := h.DType.size()
	if !ok {
		return Info{}, fmt.Errorf("dtype %q is unknown", h.DType)
	}
	if len(h.Shape) > maxDims {
		return Info{}, fmt.Errorf("has %d dimensions, more than the %d allowed", len(h.Shape), maxDims)
	}
	if len(h.Offsets) != 2 {
		return Info{}, fmt.Errorf("data_offsets has %d numbers, want 2", len(h.Offsets))
	}
	begin, end, room := h.Offsets[0], h.Offsets[1], size-start
	if begin < 0 || end < begin {
		return Info{}, fmt.Errorf("data_offsets [%d, %d] are not a range", begin, end)
	}
	if end > room {
		return Info{}, fmt.Errorf("ends at byte %d, but the file has only %d bytes of data: it is truncated", end, room)
	}
	elements := int64(1)
	shape := make([]int, len(h.Shape))
	for i, d := range h.Shape {
		if d < 0 || d > math.MaxInt32 {
			return Info{}, fmt.Errorf("dimension %d is %d", i, d)
		}
		// Bounded by the file's size, so it cannot overflow: both factors are below 2^31 and 2^63/2^31.
		if elements > 0 && d > 0 && elements > math.MaxInt64/width/d {
			return Info{}, fmt.Errorf("shape %v is too large", h.Shape)
		}
		elements *= d
		shape[i] = int(d)
	}
	if elements*width != end-begin {
		return Info{}, fmt.Errorf("shape %v of %s needs %d bytes, data_offsets give %d", h.Shape, h.DType, elements*width, end-begin)
	}
	return Info{Name: name, DType: h.DType, Shape: shape, begin: start + begin, end: start + end}, nil
}

// checkLayout demands that tensors follow each other without gaps, overlaps or
// bytes after the last.
func checkLayout(tensors []Info, start, size int64) error {
	order := slices.Clone(tensors)
	sort.SliceStable(order, func(i, j int) bool {
		if order[i].begin != order[j].begin {
			return order[i].begin < order[j].begin
		}
		return order[i].end < order[j].end
	})
	at := start
	for _, t := range order {
		if t.begin < at {
			return fmt.Errorf("tensor %q: overlaps another tensor", t.Name)
		}
		if t.begin > at {
			return fmt.Errorf("tensor %q: %d bytes before it belong to no tensor", t.Name, t.begin-at)
		}
		at = t.end
	}
	if at != size {
		return fmt.Errorf("%d bytes after the last tensor", size-at)
	}
	return nil
}

// Tensors lists all tensors by name.
func (f *File) Tensors() []Info { return slices.Clone(f.tensors) }

// Metadata is the file's free-form header entry.
func (f *File) Metadata() map[string]string { return f.metadata }

// Info finds one tensor.
func (f *File) Info(name string) (Info, bool) {
	i, ok := f.index[name]
	if !ok {
		return Info{}, false
	}
	return f.tensors[i], true
}

// ErrNoTensor is wrapped when a tensor is not there.
var ErrNoTensor = errors.New("no such tensor")

// Tensor reads one tensor as float32.
func (f *File) Tensor(name string) ([]float32, []int, error) {
	info, ok := f.Info(name)
	if !ok {
		return nil, nil, fmt.Errorf("%s: tensor %q: %w", f.name, name, ErrNoTensor)
	}
	data, err := f.read(info)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: tensor %q: %w", f.name, name, err)
	}
	return data, info.Shape, nil
}

const chunk = 1 << 20

func (f *File) read(info Info) ([]float32, error) {
	q, err := info.DType.quant()
	if err != nil {
		return nil, err
	}
	width, _ := info.DType.size()
	out := make([]float32, info.Elements()) // bounded: the bytes were found in the file
	buf := make([]byte, min(chunk, info.end-info.begin))
	for at, done := info.begin, 0; at < info.end; {
		b := buf[:min(int64(len(buf)), info.end-at)]
		if n, err := f.r.ReadAt(b, at); n < len(b) { // at the end of a file, ReadAt may return io.EOF with a full read
			return nil, fmt.Errorf("read: %w", err)
		}
		n := len(b) / int(width)
		if err := quant.Decode(q, out[done:done+n], b); err != nil {
			return nil, err
		}
		done += n
		at += int64(len(b))
	}
	return out, nil
}

// ToBF16 rounds to the nearest bfloat16, ties to even.
func ToBF16(v float32) uint16 { return quant.ToBF16(v) }

// Named is a tensor to be written.
type Named struct {
	Name  string
	Shape []int
	Data  []float32
}

// Stored is a tensor to be written as it is stored. Data gives its bytes when their
// turn comes, so that one tensor at a time is in memory.
type Stored struct {
	Name  string
	DType DType
	Shape []int
	Data  func() ([]byte, error)
}

// WriteSafetensors writes tensors as F32 or BF16, sorted by name: equal values give
// equal files.
func WriteSafetensors(w io.Writer, tensors []Named, d DType, metadata map[string]string) error {
	if d != F32 && d != BF16 {
		return fmt.Errorf("safetensors: writing %s is not supported (F32, BF16)", d)
	}
	stored := make([]Stored, len(tensors))
	for i, t := range tensors {
		n := 1
		for _, s := range t.Shape {
			n *= s
		}
		if n != len(t.Data) {
			return fmt.Errorf("safetensors: tensor %q: shape %v does not hold %d values", t.Name, t.Shape, len(t.Data))
		}
		stored[i] = Stored{Name: t.Name, DType: d, Shape: t.Shape, Data: func() ([]byte, error) {
			q, err := d.quant()
			if err != nil {
				return nil, err
			}
			b := make([]byte, len(t.Data)*q.BlockBytes())
			return b, quant.Encode(q, b, t.Data)
		}}
	}
	return WriteStored(w, stored, metadata)
}

// WriteStored writes tensors sorted by name.
func WriteStored(w io.Writer, tensors []Stored, metadata map[string]string) error {
	order := slices.Clone(tensors)
	slices.SortFunc(order, func(a, b Stored) int { return strings.Compare(a.Name, b.Name) })
	type entry struct {
		DType   DType    `json:"dtype"`
		Shape   []int    `json:"shape"`
		Offsets [2]int64 `json:"data_offsets"`
	}
	header := map[string]any{} // encoding/json sorts the keys
	if len(metadata) > 0 {
		header["__metadata__"] = metadata
	}
	at := int64(0)
	for i, t := range order {
		if t.Name == "" || t.Name == "__metadata__" || (i > 0 && order[i-1].Name == t.Name) {
			return fmt.Errorf("safetensors: tensor %q: the name is not allowed or not unique", t.Name)
		}
		width, ok := t.DType.size()
		if !ok {
			return fmt.Errorf("safetensors: tensor %q: dtype %q is unknown", t.Name, t.DType)
		}
		end := at + width
		for _, s := range t.Shape {
			end = at + (end-at)*int64(s)
		}
		shape := t.Shape
		if shape == nil {
			shape = []int{}
		}
		header[t.Name] = entry{DType: t.DType, Shape: shape, Offsets: [2]int64{at, end}}
		at = end
	}
	b, err := json.Marshal(header)
	if err != nil {
		return fmt.Errorf("safetensors: %w", err)
	}
	if pad := (8 - len(b)%8) % 8; pad > 0 {
		b = append(b, bytes.Repeat([]byte{' '}, pad)...)
	}
	if _, err := w.Write(append(binary.LittleEndian.AppendUint64(nil, uint64(len(b))), b...)); err != nil {
		return fmt.Errorf("safetensors: %w", err)
	}
	for _, t := range order {
		data, err := t.Data()
		offsets := header[t.Name].(entry).Offsets // put there above
		if err == nil && int64(len(data)) != offsets[1]-offsets[0] {
			err = fmt.Errorf("has %d bytes, its shape %v of %s needs %d", len(data), t.Shape, t.DType, offsets[1]-offsets[0])
		}
		if err == nil {
			_, err = w.Write(data)
		}
		if err != nil {
			return fmt.Errorf("safetensors: tensor %q: %w", t.Name, err)
		}
	}
	return nil
}
