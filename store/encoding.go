package store

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/openledger/openledger/protocol"
)

// KeyCodec encodes keys so that the order of the bytes is the order of the keys.
// Parse returns the rest after one key, so that codecs chain.
type KeyCodec[K any] struct {
	Append func(dst []byte, key K) []byte
	Parse  func(src []byte) (key K, rest []byte, err error)
}

var errShortKey = errors.New("store: key is too short")

// HashKey is 32 bytes.
func HashKey() KeyCodec[protocol.Hash] {
	return KeyCodec[protocol.Hash]{
		Append: func(dst []byte, k protocol.Hash) []byte { return append(dst, k[:]...) },
		Parse: func(src []byte) (protocol.Hash, []byte, error) {
			if len(src) < 32 {
				return protocol.Hash{}, nil, errShortKey
			}
			return protocol.Hash(src[:32]), src[32:], nil
		},
	}
}

// AccountKey is 20 bytes.
func AccountKey() KeyCodec[protocol.Account] {
	return KeyCodec[protocol.Account]{
		Append: func(dst []byte, k protocol.Account) []byte { return append(dst, k[:]...) },
		Parse: func(src []byte) (protocol.Account, []byte, error) {
			if len(src) < 20 {
				return protocol.Account{}, nil, errShortKey
			}
			return protocol.Account(src[:20]), src[20:], nil
		},
	}
}

// Uint64Key is 8 bytes, big-endian.
func Uint64Key() KeyCodec[uint64] {
	return KeyCodec[uint64]{
		Append: binary.BigEndian.AppendUint64,
		Parse: func(src []byte) (uint64, []byte, error) {
			if len(src) < 8 {
				return 0, nil, errShortKey
			}
			return binary.BigEndian.Uint64(src), src[8:], nil
		},
	}
}

// Int64Key is 8 bytes, ordered also across zero.
func Int64Key() KeyCodec[int64] {
	u := Uint64Key()
	return KeyCodec[int64]{
		Append: func(dst []byte, k int64) []byte { return u.Append(dst, uint64(k)^(1<<63)) },
		Parse: func(src []byte) (int64, []byte, error) {
			k, rest, err := u.Parse(src)
			return int64(k ^ (1 << 63)), rest, err
		},
	}
}

// StringKey escapes NUL and ends with a terminator, so that it chains and no
// string's encoding is a prefix of another's.
func StringKey[S ~string]() KeyCodec[S] {
	return KeyCodec[S]{
		Append: func(dst []byte, k S) []byte {
			for i := range len(k) {
				dst = append(dst, k[i])
				if k[i] == 0 {
					dst = append(dst, 0xff)
				}
			}
			return append(dst, 0, 1)
		},
		Parse: func(src []byte) (S, []byte, error) {
			var out []byte
			for {
				i := bytes.IndexByte(src, 0)
				if i < 0 || i+1 >= len(src) {
					return "", nil, errShortKey
				}
				out = append(out, src[:i]...)
				switch src[i+1] {
				case 1:
					return S(out), src[i+2:], nil
				case 0xff:
					out = append(out, 0)
					src = src[i+2:]
				default:
					return "", nil, fmt.Errorf("store: key has a bad escape 0x%02x", src[i+1])
				}
			}
		},
	}
}

// Pair is a key of two parts, ordered by the first, then the second.
type Pair[A, B any] struct {
	A A
	B B
}

// PairOf makes a Pair.
func PairOf[A, B any](a A, b B) Pair[A, B] { return Pair[A, B]{a, b} }

// PairKey chains two codecs.
func PairKey[A, B any](a KeyCodec[A], b KeyCodec[B]) KeyCodec[Pair[A, B]] {
	return KeyCodec[Pair[A, B]]{
		Append: func(dst []byte, k Pair[A, B]) []byte { return b.Append(a.Append(dst, k.A), k.B) },
		Parse: func(src []byte) (k Pair[A, B], rest []byte, err error) {
			if k.A, rest, err = a.Parse(src); err != nil {
				return k, nil, err
			}
			k.B, rest, err = b.Parse(rest)
			return k, rest, err
		},
	}
}

// ValueCodec encodes values.
type ValueCodec[V any] struct {
	Encode func(V) ([]byte, error)
	Decode func([]byte) (V, error)
}

// JSON encodes values as JSON.
func JSON[V any]() ValueCodec[V] {
	return ValueCodec[V]{
		// By address: uint256.Int has its JSON form on the pointer only.
		Encode: func(v V) ([]byte, error) { return json.Marshal(&v) },
		Decode: func(b []byte) (v V, err error) {
			err = json.Unmarshal(b, &v)
			return v, err
		},
	}
}

// Bytes stores bytes as they are.
func Bytes() ValueCodec[[]byte] {
	return ValueCodec[[]byte]{
		Encode: func(v []byte) ([]byte, error) { return v, nil },
		Decode: func(b []byte) ([]byte, error) { return append([]byte{}, b...), nil },
	}
}

// Counter stores an unsigned integer.
func Counter() ValueCodec[uint64] {
	return ValueCodec[uint64]{
		Encode: func(v uint64) ([]byte, error) { return binary.BigEndian.AppendUint64(nil, v), nil },
		Decode: func(b []byte) (uint64, error) {
			if len(b) != 8 {
				return 0, fmt.Errorf("counter of %d bytes", len(b))
			}
			return binary.BigEndian.Uint64(b), nil
		},
	}
}

// Mark is the value of an index entry: its presence is all it says.
type Mark struct{}

// Marks stores nothing.
func Marks() ValueCodec[Mark] {
	return ValueCodec[Mark]{
		Encode: func(Mark) ([]byte, error) { return nil, nil },
		Decode: func([]byte) (Mark, error) { return Mark{}, nil },
	}
}
