package gguf

import (
	"fmt"
	"math"
	"strconv"
)

// kind is the type of a metadata value.
type kind uint32

const (
	kindUint8 kind = iota
	kindInt8
	kindUint16
	kindInt16
	kindUint32
	kindInt32
	kindFloat32
	kindBool
	kindString
	kindArray
	kindUint64
	kindInt64
	kindFloat64
)

// size is the fixed size of a value, or the least of a string or array.
func (k kind) size() (int64, bool) {
	switch k {
	case kindUint8, kindInt8, kindBool:
		return 1, true
	case kindUint16, kindInt16:
		return 2, true
	case kindUint32, kindInt32, kindFloat32:
		return 4, true
	case kindUint64, kindInt64, kindFloat64, kindString:
		return 8, true
	case kindArray:
		return 12, true
	}
	return 0, false
}

// KV is one entry of metadata. A Value is an unsigned or signed integer of 8 to 64
// bits, a float32 or float64, a bool, a string, or a slice of one of these.
type KV struct {
	Key   string
	Value any
}

// Metadata is a file's metadata in the order of the file.
type Metadata struct {
	list  []KV
	index map[string]int
}

// All lists the entries in the order of the file.
func (m *Metadata) All() []KV { return append([]KV(nil), m.list...) }

// Get finds an entry.
func (m *Metadata) Get(key string) (any, bool) {
	i, ok := m.index[key]
	if !ok {
		return nil, false
	}
	return m.list[i].Value, true
}

func (m *Metadata) add(kv KV) error {
	if _, dup := m.index[kv.Key]; dup {
		return fmt.Errorf("metadata %q is there twice", kv.Key)
	}
	if m.index == nil {
		m.index = map[string]int{}
	}
	m.index[kv.Key] = len(m.list)
	m.list = append(m.list, kv)
	return nil
}

// String is a string entry, "" if there is none.
func (m *Metadata) String(key string) (string, error) {
	v, ok := m.Get(key)
	if !ok {
		return "", nil
	}
	s, ok := v.(string)
	if !ok {
		return "", fmt.Errorf("metadata %q is a %T, want a string", key, v)
	}
	return s, nil
}

// Bool is a bool entry, def if there is none.
func (m *Metadata) Bool(key string, def bool) (bool, error) {
	v, ok := m.Get(key)
	if !ok {
		return def, nil
	}
	b, ok := v.(bool)
	if !ok {
		return def, fmt.Errorf("metadata %q is a %T, want a bool", key, v)
	}
	return b, nil
}

// Int is an integer entry of any width, def if there is none. An array whose values
// are all the same counts as that value: some files give one for each layer.
func (m *Metadata) Int(key string, def int) (int, error) {
	v, ok := m.Get(key)
	if !ok {
		return def, nil
	}
	if n, ok := asInt(v); ok {
		return n, nil
	}
	var first, n int
	each := func(i int, v any) error {
		x, ok := asInt(v)
		switch {
		case !ok:
			return fmt.Errorf("metadata %q holds a %T, want an integer", key, v)
		case i == 0:
			first = x
		case x != first:
			return fmt.Errorf("metadata %q differs between layers (%d and %d), which is not supported", key, first, x)
		}
		n++
		return nil
	}
	if err := forEach(v, each); err != nil {
		return def, err
	}
	if n == 0 {
		return def, fmt.Errorf("metadata %q is a %T, want an integer", key, v)
	}
	return first, nil
}

// Float is a number, def if there is none. A float32 is read as the shortest decimal
// that gives it, so that 1e-5 stays 1e-5.
func (m *Metadata) Float(key string, def float64) (float64, error) {
	v, ok := m.Get(key)
	if !ok {
		return def, nil
	}
	switch v := v.(type) {
	case float32:
		return strconv.ParseFloat(strconv.FormatFloat(float64(v), 'g', -1, 32), 64)
	case float64:
		return v, nil
	}
	if n, ok := asInt(v); ok {
		return float64(n), nil
	}
	return def, fmt.Errorf("metadata %q is a %T, want a number", key, v)
}

func asInt(v any) (int, bool) {
	switch v := v.(type) {
	case uint8:
		return int(v), true
	case int8:
		return int(v), true
	case uint16:
		return int(v), true
	case int16:
		return int(v), true
	case uint32:
		return int(v), true
	case int32:
		return int(v), true
	case uint64:
		return int(v), v <= math.MaxInt
	case int64:
		return int(v), true
	}
	return 0, false
}

// forEach calls f with the elements of an array of integers.
func forEach(v any, f func(int, any) error) error {
	switch v := v.(type) {
	case []int32:
		return visit(v, f)
	case []uint32:
		return visit(v, f)
	case []int64:
		return visit(v, f)
	case []uint64:
		return visit(v, f)
	}
	return nil
}

func visit[T any](s []T, f func(int, any) error) error {
	for i, x := range s {
		if err := f(i, x); err != nil {
			return err
		}
	}
	return nil
}

// array is an entry that is a slice of T, nil if there is none.
func array[T any](m *Metadata, key string) ([]T, error) {
	v, ok := m.Get(key)
	if !ok {
		return nil, nil
	}
	s, ok := v.([]T)
	if !ok {
		return nil, fmt.Errorf("metadata %q is a %T, want a %T", key, v, s)
	}
	return s, nil
}
