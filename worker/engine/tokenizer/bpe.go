package tokenizer

import (
	"container/heap"
	"unicode"
)

// byteToRune is GPT-2's spelling of bytes as printable characters.
var byteToRune, runeToByte = func() ([256]rune, map[rune]byte) {
	var to [256]rune
	from := make(map[rune]byte, 256)
	next := rune(256)
	for b := range 256 {
		r := rune(b)
		printable := (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || (b >= 0xAE && b <= 0xFF)
		if !printable {
			r = next
			next++
		}
		to[b] = r
		from[r] = byte(b)
	}
	return to, from
}()

// spell writes bytes in byte-level spelling.
func spell(b []byte) string {
	out := make([]rune, len(b))
	for i, c := range b {
		out[i] = byteToRune[c]
	}
	return string(out)
}

// unspell is the inverse; ok is false if the token is not in byte-level spelling.
func unspell(s string) (b []byte, ok bool) {
	for _, r := range s {
		c, ok := runeToByte[r]
		if !ok {
			return nil, false
		}
		b = append(b, c)
	}
	return b, true
}

// isWord is \w as the reference has it: letters, marks, decimal digits, connectors and
// joiners, but no fractions.
func isWord(r rune) bool {
	return unicode.IsLetter(r) || unicode.In(r, unicode.M, unicode.Nd, unicode.Nl, unicode.Pc, unicode.Other_Alphabetic, unicode.Join_Control)
}

const shortWord = 48 // words up to this length are merged by plain scanning

// encodeWord merges the bytes of one word.
func (t *Tokenizer) encodeWord(out []uint32, word string) []uint32 {
	if t.ignoreMerges {
		whole := word
		if !t.characterLevel {
			whole = spell([]byte(word))
		}
		if id, ok := t.vocab[whole]; ok {
			return append(out, id)
		}
	}
	start := len(out)
	if t.characterLevel {
		out = t.characters(out, word)
	} else {
		out = t.symbols(out, word)
	}
	if n := len(out) - start; n > shortWord {
		return append(out[:start], t.mergeLong(out[start:])...)
	}
	w := t.mergeShort(out[start:])
	return out[:start+len(w)]
}

// symbols are the bytes of a word.
func (t *Tokenizer) symbols(out []uint32, word string) []uint32 {
	for i := 0; i < len(word); i++ {
		id := t.bytes[word[i]]
		if id == none {
			if !t.hasUnk {
				continue // as the reference does
			}
			id = t.unk
		}
		out = append(out, id)
	}
	return out
}

// mergeShort scans for the best merge again and again, in place.
func (t *Tokenizer) mergeShort(w []uint32) []uint32 {
	for len(w) > 1 {
		best, at := merge{rank: none}, -1
		for i := 0; i+1 < len(w); i++ {
			if m, ok := t.merges[pair{w[i], w[i+1]}]; ok && m.rank < best.rank {
				best, at = m, i
			}
		}
		if at < 0 {
			break
		}
		w[at] = best.id
		w = append(w[:at+1], w[at+2:]...)
	}
	return w
}

// candidate is a possible merge of the symbols at and next.
type candidate struct {
	rank uint32
	at   int
	ids  pair // what it was when queued
	to   uint32
}

type candidates []candidate

func (c candidates) Len() int { return len(c) }
func (c candidates) Less(i, j int) bool {
	return c[i].rank < c[j].rank || (c[i].rank == c[j].rank && c[i].at < c[j].at)
}
func (c candidates) Swap(i, j int) { c[i], c[j] = c[j], c[i] }
func (c *candidates) Push(x any)   { *c = append(*c, x.(candidate)) }
func (c *candidates) Pop() any {
	old := *c
	x := old[len(old)-1]
	*c = old[:len(old)-1]
	return x
}

// mergeLong does the same with a heap: n log n on long words.
func (t *Tokenizer) mergeLong(w []uint32) []uint32 {
	n := len(w)
	prev, next := make([]int, n), make([]int, n)
	for i := range w {
		prev[i], next[i] = i-1, i+1
	}
	q := &candidates{}
	push := func(i int) {
		if i < 0 || next[i] >= n {
			return
		}
		p := pair{w[i], w[next[i]]}
		if m, ok := t.merges[p]; ok {
			heap.Push(q, candidate{rank: m.rank, at: i, ids: p, to: m.id})
		}
	}
	for i := range w {
		push(i)
	}
	for q.Len() > 0 {
		c := heap.Pop(q).(candidate)
		i := c.at
		if w[i] != c.ids.a || next[i] >= n || w[next[i]] != c.ids.b {
			continue // stale
		}
		dead := next[i]
		w[i] = c.to
		w[dead] = none
		next[i] = next[dead]
		if next[i] < n {
			prev[next[i]] = i
		}
		push(prev[i])
		push(i)
	}
	out := make([]uint32, 0, n)
	for i := 0; i < n; i = next[i] {
		out = append(out, w[i])
	}
	return out
}
