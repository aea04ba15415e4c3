package store

import (
	"encoding/binary"
	"fmt"

	"github.com/openledger/openledger/protocol"
)

// TableID is a table's place in the key space. Numbers are never used again.
// Tables of this package are below 100, store/ipfs has 100-109, store/datanet
// 110-129, contracts/events 130-139, worker/validator 140-149.
type TableID uint16

// Table is an ordered map with typed keys and values.
type Table[K, V any] struct {
	name   string
	prefix []byte
	key    KeyCodec[K]
	value  ValueCodec[V]
}

// NewTable defines a table. Its name appears in errors.
func NewTable[K, V any](id TableID, name string, key KeyCodec[K], value ValueCodec[V]) Table[K, V] {
	return Table[K, V]{name: name, prefix: binary.BigEndian.AppendUint16(nil, uint16(id)), key: key, value: value}
}

func (t Table[K, V]) rawKey(k K) []byte {
	return t.key.Append(append(make([]byte, 0, 80), t.prefix...), k)
}

// Get reads the value at k; ok says whether there is one.
func (t Table[K, V]) Get(r Reader, k K) (v V, ok bool, err error) {
	ok, err = view(r, t.rawKey(k), func(b []byte) error {
		v, err = t.decode(b)
		return err
	})
	return v, ok, err
}

// Must reads the value at k, or gives an error of kind not_found.
func (t Table[K, V]) Must(r Reader, k K) (V, error) {
	v, ok, err := t.Get(r, k)
	if err == nil && !ok {
		err = protocol.Errorf(protocol.KindNotFound, "", "%s: no entry %v", t.name, k)
	}
	return v, err
}

// Has says whether there is a value at k.
func (t Table[K, V]) Has(r Reader, k K) (bool, error) {
	return view(r, t.rawKey(k), func([]byte) error { return nil })
}

// View calls fn with the encoded value at k, valid only during the call.
func (t Table[K, V]) View(r Reader, k K, fn func([]byte) error) (ok bool, err error) {
	return view(r, t.rawKey(k), fn)
}

// Put sets the value at k.
func (t Table[K, V]) Put(tx *Tx, k K, v V) error {
	b, err := t.value.Encode(v)
	if err != nil {
		return fmt.Errorf("store: %s: encode: %w", t.name, err)
	}
	return tx.set(t.rawKey(k), b)
}

// Insert sets the value at k, or gives an error of kind already_exists.
func (t Table[K, V]) Insert(tx *Tx, k K, v V) error {
	ok, err := t.Has(tx, k)
	if err != nil {
		return err
	}
	if ok {
		return protocol.Errorf(protocol.KindExists, "", "%s: entry %v is there already", t.name, k)
	}
	return t.Put(tx, k, v)
}

// Delete removes the value at k, if any.
func (t Table[K, V]) Delete(tx *Tx, k K) error { return tx.delete(t.rawKey(k)) }

// Scan calls fn for every entry in key order, until it returns [ErrStop] or
// another error.
func (t Table[K, V]) Scan(r Reader, fn func(K, V) error) error {
	return t.scan(r, t.prefix, after(t.prefix), false, fn)
}

// ScanReverse is Scan from the last entry to the first.
func (t Table[K, V]) ScanReverse(r Reader, fn func(K, V) error) error {
	return t.scan(r, t.prefix, after(t.prefix), true, fn)
}

// ScanFrom is Scan from the first key >= from.
func (t Table[K, V]) ScanFrom(r Reader, from K, fn func(K, V) error) error {
	return t.scan(r, t.rawKey(from), after(t.prefix), false, fn)
}

// ScanRange is Scan over the keys in [from, to).
func (t Table[K, V]) ScanRange(r Reader, from, to K, fn func(K, V) error) error {
	return t.scan(r, t.rawKey(from), t.rawKey(to), false, fn)
}

// ScanFirst scans the entries of a table with two-part keys whose first part is
// first.
func ScanFirst[A, B, V any](r Reader, t Table[Pair[A, B], V], codec KeyCodec[A], first A, fn func(B, V) error) error {
	return scanFirst(r, t, codec, first, false, fn)
}

// ScanFirstReverse is ScanFirst from the last entry to the first.
func ScanFirstReverse[A, B, V any](r Reader, t Table[Pair[A, B], V], codec KeyCodec[A], first A, fn func(B, V) error) error {
	return scanFirst(r, t, codec, first, true, fn)
}

func scanFirst[A, B, V any](r Reader, t Table[Pair[A, B], V], codec KeyCodec[A], first A, reverse bool, fn func(B, V) error) error {
	lower := codec.Append(append([]byte{}, t.prefix...), first)
	return t.scan(r, lower, after(lower), reverse, func(k Pair[A, B], v V) error { return fn(k.B, v) })
}

// Last gives the entry with the greatest key.
func (t Table[K, V]) Last(r Reader) (k K, v V, ok bool, err error) {
	err = t.ScanReverse(r, func(lk K, lv V) error {
		k, v, ok = lk, lv, true
		return ErrStop
	})
	return k, v, ok, err
}

func (t Table[K, V]) scan(r Reader, lower, upper []byte, reverse bool, fn func(K, V) error) error {
	return scan(r, lower, upper, reverse, func(kb, vb []byte) error {
		k, rest, err := t.key.Parse(kb[len(t.prefix):])
		if err == nil && len(rest) > 0 {
			err = fmt.Errorf("store: key has %d bytes too many", len(rest))
		}
		if err != nil {
			return protocol.Errorf(protocol.KindCorrupt, "", "%s: key %x: %w", t.name, kb, err)
		}
		v, err := t.decode(vb)
		if err != nil {
			return err
		}
		return fn(k, v)
	})
}

func (t Table[K, V]) decode(b []byte) (V, error) {
	v, err := t.value.Decode(b)
	if err != nil {
		return v, protocol.Errorf(protocol.KindCorrupt, "", "%s: decode: %w", t.name, err)
	}
	return v, nil
}

// after is the first key beyond all keys that start with prefix.
func after(prefix []byte) []byte {
	out := append([]byte{}, prefix...)
	for i := len(out) - 1; i >= 0; i-- {
		if out[i]++; out[i] != 0 {
			return out[:i+1]
		}
	}
	return nil
}
