package quant

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return b
}

func floats(t *testing.T, name string) []float32 {
	t.Helper()
	b := read(t, name)
	out := make([]float32, len(b)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return out
}

func TestDecodingIsTheReferences(t *testing.T) {
	for _, typ := range Types() {
		t.Run(typ.String(), func(t *testing.T) {
			want := floats(t, typ.String()+".decoded")
			got := make([]float32, len(want))
			require.NoError(t, Decode(typ, got, read(t, typ.String()+".blocks")))
			require.Equal(t, want, got)
		})
	}
}

func TestEncodingIsTheReferences(t *testing.T) {
	values := floats(t, "values")
	for _, typ := range Types() {
		size, err := RowBytes(typ, len(values))
		require.NoError(t, err)
		got := make([]byte, size)
		err = Encode(typ, got, values)
		if !typ.CanEncode() {
			require.ErrorContains(t, err, "not supported")
			continue
		}
		require.NoError(t, err)
		require.Equal(t, read(t, typ.String()+".blocks"), got, "%v", typ)
	}
}

func TestEveryHalfGoesThereAndBack(t *testing.T) {
	for h := range 1 << 16 {
		v := FromF16(uint16(h))
		if v != v { // which NaN it is does not matter
			require.Equal(t, uint16(0x7c00), ToF16(v)&0x7c00)
			require.NotZero(t, ToF16(v)&0x3ff)
			continue
		}
		require.Equal(t, uint16(h), ToF16(v))
	}
}

func TestHalvesRoundToNearestEven(t *testing.T) {
	for h := range 0x7bff { // every positive finite half and its neighbour
		low, high := FromF16(uint16(h)), FromF16(uint16(h)+1)
		middle := (low + high) / 2 // exact: a float32 has the bit
		require.Equal(t, uint16(h+h&1), ToF16(middle), "between %v and %v", low, high)
		require.Equal(t, uint16(h), ToF16(math.Nextafter32(middle, 0)))
		require.Equal(t, uint16(h+1), ToF16(math.Nextafter32(middle, math.MaxFloat32)))
	}
	require.Equal(t, uint16(0x7bff), ToF16(math.Nextafter32(65520, 0)))
	require.Equal(t, uint16(0x7c00), ToF16(65520))
	require.Equal(t, uint16(0xfc00), ToF16(float32(math.Inf(-1))))
}

func TestWrongSizesAreErrors(t *testing.T) {
	require.ErrorContains(t, Decode(Q8_0, make([]float32, 33), make([]byte, 34)), "whole blocks of 32")
	require.ErrorContains(t, Decode(Q8_0, make([]float32, 32), make([]byte, 33)), "34 bytes, not 33")
	require.ErrorContains(t, Encode(Q4_0, make([]byte, 17), make([]float32, 32)), "18 bytes, not 17")
	require.ErrorContains(t, Decode(Type(3), make([]float32, 32), make([]byte, 20)), "type 3 is not supported")
	_, err := RowBytes(F32, math.MaxInt)
	require.ErrorContains(t, err, "too many")
	_, err = ParseType("Q3_K")
	require.ErrorContains(t, err, "use one of F32")
	got, err := ParseType("q4_k")
	require.NoError(t, err)
	require.Equal(t, Q4_K, got)
}

// Foreign values: whatever they are, encoding and decoding do not panic.
func FuzzAnyBits(f *testing.F) {
	f.Add(make([]byte, 144), byte(Q4_K))
	f.Add([]byte{0xff, 0xff, 0xff, 0x7f}, byte(F32))
	f.Add(make([]byte, 210), byte(Q6_K))
	f.Fuzz(func(t *testing.T, b []byte, typ byte) {
		q := Type(typ)
		if !q.Known() {
			return
		}
		v := make([]float32, len(b)/q.BlockBytes()*q.BlockSize())
		b = b[:len(b)/q.BlockBytes()*q.BlockBytes()]
		require.NoError(t, Decode(q, v, b))
		for _, to := range []Type{F16, BF16, Q8_0, Q4_0} {
			n := len(v) / to.BlockSize() * to.BlockSize()
			size, err := RowBytes(to, n)
			require.NoError(t, err)
			require.NoError(t, Encode(to, make([]byte, size), v[:n]))
		}
	})
}
