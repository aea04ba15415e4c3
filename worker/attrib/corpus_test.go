package attrib

import (
	"bytes"
	"cmp"
	"index/suffixarray"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSuffixArrayMatchesASort(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 400 {
		n, upper := r.IntN(60), 1+r.Int32N(5)
		s := make([]int32, n)
		for i := range s {
			s[i] = r.Int32N(upper + 1)
		}
		want := make([]int32, n)
		for i := range want {
			want[i] = int32(i)
		}
		slices.SortFunc(want, func(a, b int32) int { return slices.Compare(s[a:], s[b:]) })
		require.Equal(t, want, suffixArray(s, upper), "%v", s)
	}
}

// The reference: every stretch of the output, by plain search in every record.
func bruteSpans(records [][]uint32, output []uint32, minimum int) map[[2]int][]place {
	owners := func(a, b int) []place {
		var out []place
		for r, rec := range records {
			for o := 0; o+b-a <= len(rec); o++ {
				if slices.Equal(rec[o:o+b-a], output[a:b]) {
					out = append(out, place{r, o})
				}
			}
		}
		return out
	}
	found := map[[2]int][]place{}
	for a := range output {
		for b := a + minimum; b <= len(output); b++ {
			o := owners(a, b)
			if len(o) == 0 {
				break
			}
			if (a > 0 && len(owners(a-1, b)) > 0) || (b < len(output) && len(owners(a, b+1)) > 0) {
				continue
			}
			found[[2]int{a, b - a}] = o
		}
	}
	return found
}

func TestSpansMatchBruteForce(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		vocab := 2 + r.Uint32N(6)
		draw := func(n int) []uint32 {
			s := make([]uint32, n)
			for i := range s {
				s[i] = 7 * r.Uint32N(vocab)
			}
			return s
		}
		records := make([][]uint32, 1+r.IntN(6))
		for i := range records {
			records[i] = draw(r.IntN(20))
		}
		output := draw(r.IntN(25))
		minimum := 1 + r.IntN(3)
		c, err := newCorpus(records)
		require.NoError(t, err)
		got := map[[2]int][]place{}
		for _, m := range c.maximal(output, minimum) {
			got[[2]int{m.start, m.length}] = c.places(m)
		}
		require.Equal(t, bruteSpans(records, output, minimum), got)
	}
}

func TestRarestKeepsTheLeastProbableSpans(t *testing.T) {
	c, err := newCorpus([][]uint32{{1, 1, 1, 1, 1, 1, 1}, {2, 3, 4}, {5, 6, 6}})
	require.NoError(t, err)
	output := []uint32{1, 1, 1, 9, 2, 3, 4, 9, 5, 6, 9, 9}
	found := c.maximal(output, 2)
	require.Len(t, found, 3)
	kept := c.rarest(found, output)
	require.Len(t, kept, 1)
	require.Equal(t, 4, kept[0].start)
}

func TestFixedPoint(t *testing.T) {
	for _, x := range []uint64{1, 2, 3, 7, 100, 12345, 1 << 40, math.MaxUint64} {
		require.InDelta(t, math.Log2(float64(x))*65536, float64(log2Fixed(x)), 1.5, "%d", x)
	}
	for x := range uint64(5000) {
		s := isqrt(x)
		require.True(t, s*s <= x && (s+1)*(s+1) > x, "%d", x)
	}
	require.Equal(t, uint64(math.MaxUint32), isqrt(math.MaxUint64))
}

// A second opinion from the standard library on longer text.
func TestPlacesMatchTheStandardLibrary(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	rec := make([]uint32, 5000)
	raw := make([]byte, len(rec))
	for i := range rec {
		raw[i] = byte(r.IntN(4))
		rec[i] = uint32(raw[i])
	}
	c, err := newCorpus([][]uint32{rec})
	require.NoError(t, err)
	std := suffixarray.New(raw)
	for range 50 {
		at := r.IntN(len(raw) - 12)
		m := c.maximal(rec[at:at+12], 12)
		require.Len(t, m, 1)
		var got []int
		for _, p := range c.places(m[0]) {
			got = append(got, p.offset)
		}
		want := std.Lookup(raw[at:at+12], -1)
		slices.SortFunc(want, cmp.Compare)
		require.Equal(t, want, got)
		require.True(t, bytes.Equal(raw[got[0]:got[0]+12], raw[at:at+12]))
	}
}

// An output of 500 tokens, half of it copied from the records in long stretches.
func BenchmarkSpans(b *testing.B) {
	const tokens = 4 << 20
	r := rand.New(rand.NewPCG(9, 9))
	records := make([][]uint32, tokens/256)
	for i := range records {
		records[i] = make([]uint32, 256)
		for j := range records[i] {
			records[i][j] = uint32(min(r.ExpFloat64()*200, 4000))
		}
	}
	c, err := newCorpus(records)
	require.NoError(b, err)
	var output []uint32
	for i := range 2 {
		output = append(output, records[1000*i][:125]...)
		output = append(output, records[1000*i+1][3:40]...)
		for range 88 {
			output = append(output, r.Uint32N(300))
		}
	}
	for b.Loop() {
		for _, m := range c.rarest(c.maximal(output, minSpan), output) {
			c.places(m)
		}
	}
}
