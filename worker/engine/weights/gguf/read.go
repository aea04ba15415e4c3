package gguf

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// Limits of a file's header.
const (
	maxHeader   = 512 << 20 // metadata and tensor list
	maxKVs      = 1 << 16
	maxTensors  = 1 << 18
	maxKey      = 1 << 16
	maxString   = 64 << 20
	maxName     = 256
	maxDims     = 4
	maxDepth    = 3 // of arrays in arrays
	maxAlign    = 1 << 20
	magic       = "GGUF"
	alignmentKV = "general.alignment"
	defaultSize = 32 // alignment
)

// Parse reads the header of a file of the given size and checks where its tensors
// are. The name is used in errors.
func Parse(r io.ReaderAt, size int64, name string) (*File, error) {
	f := &File{name: name, r: r, size: size, index: map[string]int{}}
	if err := f.parse(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}

// header reads the header's values in turn; it never reads past the end.
type header struct {
	r    *bufio.Reader
	at   int64
	left int64
}

func (h *header) bytes(n int64) ([]byte, error) {
	if n > h.left {
		return nil, fmt.Errorf("at byte %d: %d bytes are wanted, but only %d are left: the file is truncated, or not valid", h.at, n, h.left)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(h.r, b); err != nil {
		return nil, fmt.Errorf("at byte %d: read: %w", h.at, err)
	}
	h.at += n
	h.left -= n
	return b, nil
}

func (h *header) u32() (uint32, error) {
	b, err := h.bytes(4)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(b), nil
}

func (h *header) u64() (uint64, error) {
	b, err := h.bytes(8)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b), nil
}

func (h *header) str(limit uint64) (string, error) {
	at := h.at
	n, err := h.u64()
	if err != nil {
		return "", err
	}
	if n > limit {
		return "", fmt.Errorf("at byte %d: a string of %d bytes is longer than the %d allowed", at, n, limit)
	}
	b, err := h.bytes(int64(n))
	return string(b), err
}

func (f *File) parse() error {
	limit := min(f.size, maxHeader)
	h := &header{r: bufio.NewReaderSize(io.NewSectionReader(f.r, 0, limit), 1<<16), left: limit}
	b, err := h.bytes(4)
	if err != nil {
		return err
	}
	if string(b) != magic {
		return fmt.Errorf("is not a GGUF file: it begins with %q", b)
	}
	if f.version, err = h.u32(); err != nil {
		return err
	}
	if f.version != 2 && f.version != 3 {
		if f.version&0xffff == 0 {
			return errors.New("is a big-endian GGUF file, which is not supported: convert it on the machine that made it")
		}
		return fmt.Errorf("has GGUF version %d, supported are 2 and 3: convert it anew", f.version)
	}
	tensors, err := h.u64()
	if err != nil {
		return err
	}
	kvs, err := h.u64()
	if err != nil {
		return err
	}
	if tensors > maxTensors || kvs > maxKVs {
		return fmt.Errorf("has %d tensors and %d metadata entries, allowed are %d and %d", tensors, kvs, maxTensors, maxKVs)
	}
	for i := range kvs {
		if err := f.readKV(h); err != nil {
			return fmt.Errorf("metadata entry %d: %w", i, err)
		}
	}
	if f.align, err = f.meta.Int(alignmentKV, defaultSize); err != nil {
		return err
	}
	if f.align < 1 || f.align > maxAlign || f.align&(f.align-1) != 0 {
		return fmt.Errorf("metadata %q is %d: it must be a power of two up to %d", alignmentKV, f.align, maxAlign)
	}
	for i := range tensors {
		if err := f.readInfo(h); err != nil {
			return fmt.Errorf("tensor %d: %w", i, err)
		}
	}
	return f.layout(h.at)
}

func (f *File) readKV(h *header) error {
	key, err := h.str(maxKey)
	if err != nil {
		return fmt.Errorf("key: %w", err)
	}
	k, err := h.u32()
	if err != nil {
		return fmt.Errorf("%q: %w", key, err)
	}
	v, err := h.value(kind(k), 0)
	if err != nil {
		return fmt.Errorf("%q: %w", key, err)
	}
	return f.meta.add(KV{key, v})
}

func (h *header) value(k kind, depth int) (any, error) {
	switch k {
	case kindString:
		return h.str(maxString)
	case kindArray:
		return h.array(depth)
	}
	at := h.at
	n, ok := k.size()
	if !ok {
		return nil, fmt.Errorf("at byte %d: value type %d is unknown", at, k)
	}
	b, err := h.bytes(n)
	if err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	switch k {
	case kindUint8:
		return b[0], nil
	case kindInt8:
		return int8(b[0]), nil
	case kindBool:
		return b[0] != 0, nil
	case kindUint16:
		return le.Uint16(b), nil
	case kindInt16:
		return int16(le.Uint16(b)), nil
	case kindUint32:
		return le.Uint32(b), nil
	case kindInt32:
		return int32(le.Uint32(b)), nil
	case kindFloat32:
		return math.Float32frombits(le.Uint32(b)), nil
	case kindUint64:
		return le.Uint64(b), nil
	case kindInt64:
		return int64(le.Uint64(b)), nil
	}
	return math.Float64frombits(le.Uint64(b)), nil
}

func (h *header) array(depth int) (any, error) {
	at := h.at
	t, err := h.u32()
	if err != nil {
		return nil, err
	}
	n, err := h.u64()
	if err != nil {
		return nil, err
	}
	k := kind(t)
	size, ok := k.size()
	if !ok {
		return nil, fmt.Errorf("at byte %d: array type %d is unknown", at, t)
	}
	if n > uint64(h.left/size) { // each element takes at least that much of the file
		return nil, fmt.Errorf("at byte %d: an array of %d elements does not fit the %d bytes left: the file is truncated, or not valid", at, n, h.left)
	}
	if depth >= maxDepth {
		return nil, fmt.Errorf("at byte %d: arrays are nested more than %d deep", at, maxDepth)
	}
	switch k {
	case kindUint8:
		return elements[uint8](h, k, n, depth)
	case kindInt8:
		return elements[int8](h, k, n, depth)
	case kindUint16:
		return elements[uint16](h, k, n, depth)
	case kindInt16:
		return elements[int16](h, k, n, depth)
	case kindUint32:
		return elements[uint32](h, k, n, depth)
	case kindInt32:
		return elements[int32](h, k, n, depth)
	case kindFloat32:
		return elements[float32](h, k, n, depth)
	case kindBool:
		return elements[bool](h, k, n, depth)
	case kindString:
		return elements[string](h, k, n, depth)
	case kindUint64:
		return elements[uint64](h, k, n, depth)
	case kindInt64:
		return elements[int64](h, k, n, depth)
	case kindFloat64:
		return elements[float64](h, k, n, depth)
	}
	return elements[any](h, k, n, depth)
}

func elements[T any](h *header, k kind, n uint64, depth int) ([]T, error) {
	out := make([]T, n) // bounded by the file's size
	for i := range out {
		v, err := h.value(k, depth+1)
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
		out[i] = v.(T) // value returns what k says
	}
	return out, nil
}
