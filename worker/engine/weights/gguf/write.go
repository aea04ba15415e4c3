package gguf

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/openledger/openledger/worker/engine/quant"
)

// Tensor is one to be written. Shape has the slowest dimension first. Data gives its
// blocks when their turn comes, so that one tensor at a time is in memory.
type Tensor struct {
	Name  string
	Type  quant.Type
	Shape []int
	Data  func() ([]byte, error)
}

func (t Tensor) bytes() (int64, error) {
	if t.Name == "" || len(t.Name) > maxName || len(t.Shape) < 1 || len(t.Shape) > maxDims {
		return 0, fmt.Errorf("has shape %v, or its name is too long", t.Shape)
	}
	rows := int64(1)
	for _, d := range t.Shape[:len(t.Shape)-1] {
		rows *= int64(d)
	}
	n, err := quant.RowBytes(t.Type, t.Shape[len(t.Shape)-1])
	return rows * int64(n), err
}

// Write writes a file of version 3: metadata and tensors in the given order.
func Write(w io.Writer, meta []KV, tensors []Tensor) error {
	b := append([]byte(magic), 3, 0, 0, 0)
	le := binary.LittleEndian
	b = le.AppendUint64(b, uint64(len(tensors)))
	b = le.AppendUint64(b, uint64(len(meta)))
	var err error
	for _, kv := range meta {
		k, err := kindOf(kv.Value)
		if err != nil {
			return fmt.Errorf("gguf: metadata %q: %w", kv.Key, err)
		}
		b = appendString(b, kv.Key)
		if b, err = appendValue(le.AppendUint32(b, uint32(k)), kv.Value); err != nil {
			return fmt.Errorf("gguf: metadata %q: %w", kv.Key, err)
		}
	}
	sizes := make([]int64, len(tensors))
	at := int64(0)
	for i, t := range tensors {
		if sizes[i], err = t.bytes(); err != nil {
			return fmt.Errorf("gguf: tensor %q: %w", t.Name, err)
		}
		b = appendString(b, t.Name)
		b = le.AppendUint32(b, uint32(len(t.Shape)))
		for _, d := range slices.Backward(t.Shape) {
			b = le.AppendUint64(b, uint64(d))
		}
		b = le.AppendUint32(b, uint32(t.Type))
		b = le.AppendUint64(b, uint64(at))
		at += sizes[i] + padding(sizes[i])
	}
	if _, err := w.Write(append(b, make([]byte, padding(int64(len(b))))...)); err != nil {
		return fmt.Errorf("gguf: %w", err)
	}
	for i, t := range tensors {
		data, err := t.Data()
		if err == nil && int64(len(data)) != sizes[i] {
			err = fmt.Errorf("has %d bytes, its shape %v as %v needs %d", len(data), t.Shape, t.Type, sizes[i])
		}
		if err == nil {
			_, err = w.Write(data)
		}
		if err == nil {
			_, err = w.Write(make([]byte, padding(sizes[i])))
		}
		if err != nil {
			return fmt.Errorf("gguf: tensor %q: %w", t.Name, err)
		}
	}
	return nil
}

func padding(n int64) int64 { return (defaultSize - n%defaultSize) % defaultSize }

func appendString(b []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint64(b, uint64(len(s))), s...)
}

func kindOf(v any) (kind, error) {
	switch v.(type) {
	case uint8:
		return kindUint8, nil
	case int8:
		return kindInt8, nil
	case uint16:
		return kindUint16, nil
	case int16:
		return kindInt16, nil
	case uint32:
		return kindUint32, nil
	case int32:
		return kindInt32, nil
	case float32:
		return kindFloat32, nil
	case bool:
		return kindBool, nil
	case string:
		return kindString, nil
	case uint64:
		return kindUint64, nil
	case int64:
		return kindInt64, nil
	case float64:
		return kindFloat64, nil
	case []uint8, []int8, []uint16, []int16, []uint32, []int32, []float32, []bool, []string, []uint64, []int64, []float64:
		return kindArray, nil
	}
	return 0, fmt.Errorf("a %T cannot be written", v)
}

func appendValue(b []byte, v any) ([]byte, error) {
	le := binary.LittleEndian
	switch v := v.(type) {
	case uint8:
		return append(b, v), nil
	case int8:
		return append(b, byte(v)), nil
	case bool:
		if v {
			return append(b, 1), nil
		}
		return append(b, 0), nil
	case uint16:
		return le.AppendUint16(b, v), nil
	case int16:
		return le.AppendUint16(b, uint16(v)), nil
	case uint32:
		return le.AppendUint32(b, v), nil
	case int32:
		return le.AppendUint32(b, uint32(v)), nil
	case float32:
		return le.AppendUint32(b, math.Float32bits(v)), nil
	case uint64:
		return le.AppendUint64(b, v), nil
	case int64:
		return le.AppendUint64(b, uint64(v)), nil
	case float64:
		return le.AppendUint64(b, math.Float64bits(v)), nil
	case string:
		return appendString(b, v), nil
	case []uint8:
		return appendArray(b, v)
	case []int8:
		return appendArray(b, v)
	case []uint16:
		return appendArray(b, v)
	case []int16:
		return appendArray(b, v)
	case []uint32:
		return appendArray(b, v)
	case []int32:
		return appendArray(b, v)
	case []float32:
		return appendArray(b, v)
	case []bool:
		return appendArray(b, v)
	case []string:
		return appendArray(b, v)
	case []uint64:
		return appendArray(b, v)
	case []int64:
		return appendArray(b, v)
	case []float64:
		return appendArray(b, v)
	}
	return nil, fmt.Errorf("a %T cannot be written", v)
}

func appendArray[T any](b []byte, s []T) ([]byte, error) {
	var zero T
	k, err := kindOf(any(zero))
	if err != nil {
		return nil, err
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(k))
	b = binary.LittleEndian.AppendUint64(b, uint64(len(s)))
	for _, v := range s {
		if b, err = appendValue(b, any(v)); err != nil {
			return nil, err
		}
	}
	return b, nil
}
