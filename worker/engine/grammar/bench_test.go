package grammar

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// large is a vocabulary of the size and make-up of large models': words with and without
// a space before them, numbers, punctuation, and all bytes.
func large(size int) *Vocabulary {
	r := rand.New(rand.NewPCG(1, 1))
	all := make([][]byte, 0, size)
	for b := range 256 {
		all = append(all, []byte{byte(b)})
	}
	for len(all) < size-1 {
		var t []byte
		switch r.IntN(10) {
		case 0:
			t = append(t, []string{`":`, `",`, `"}`, `{"`, `":"`, `","`, "],", " \"", "\n\n", "();"}[r.IntN(10)]...)
		case 1:
			for range 1 + r.IntN(3) {
				t = append(t, byte('0'+r.IntN(10)))
			}
		default:
			if r.IntN(2) == 0 {
				t = append(t, ' ')
			}
			for range 2 + r.IntN(8) {
				t = append(t, byte('a'+min(r.IntN(26), r.IntN(26))))
			}
		}
		all = append(all, t)
	}
	all = append(all, nil)
	return NewVocabulary(size, func(id uint32) []byte { return all[id] }, []uint32{uint32(size - 1)})
}

const person = `{"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer"},"emails":{"type":"array","items":{"type":"string"}},"address":{"type":"object","properties":{"street":{"type":"string","maxLength":80},"city":{"enum":["Paris","Rome"]}},"required":["street","city"]}},"required":["name","age","emails","address"]}`

// What a mask costs when its state is met for the first time and when it is known, and
// what compiling costs.
func BenchmarkGrammar(b *testing.B) {
	v := large(151_936)
	g, err := Compile([]byte(person))
	require.NoError(b, err)
	b.Run("compile", func(b *testing.B) {
		for b.Loop() {
			_, err := Compile([]byte(person))
			require.NoError(b, err)
		}
	})
	b.Run("vocabulary of 151936", func(b *testing.B) {
		for b.Loop() {
			large(151_936)
		}
	})
	for _, c := range []struct{ name, after string }{
		{"in a key", `{"na`}, {"in a string", `{"name":"Jo`}, {"in a number", `{"name":"Jo","age":4`},
		{"in a string of at most 80", `{"name":"Jo","age":4,"emails":[],"address":{"street":"Main`},
	} {
		at := func(con *Constraint) *Matcher {
			m, err := con.NewMatcher()
			require.NoError(b, err)
			for i := range len(c.after) {
				require.NoError(b, m.Accept(uint32(c.after[i])))
			}
			return m
		}
		b.Run("mask "+c.name+", first", func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				m := at(Constrain(g, v))
				b.StartTimer()
				_, err := m.Mask()
				require.NoError(b, err)
			}
		})
		b.Run("mask "+c.name+", known", func(b *testing.B) {
			m := at(Constrain(g, v))
			b.ReportAllocs()
			for b.Loop() {
				_, err := m.Mask()
				require.NoError(b, err)
			}
		})
	}
}
