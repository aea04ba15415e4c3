// Package retrieval finds the records of one datanet version that have most to do with a
// question: an inverted index scored by Okapi BM25, nearest vectors, and reciprocal rank
// fusion of the two. It also cuts passages, and finds where an answer repeats them.
//
// Invariants: exact scores, no sampling; ties go to the earlier record, so the same
// records and question give the same list.
//
// It is pure: no I/O, no clock. It knows neither who wrote a record nor what one costs;
// what it returns is untrusted text.
package retrieval

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode"

	"github.com/openledger/openledger/protocol"
)

// Parameters of BM25 (Robertson and Zaragoza 2009, with Lucene's never negative idf) and
// of reciprocal rank fusion (Cormack et al. 2009).
const (
	k1      = 1.2
	b       = 0.75
	fusionK = 60
)

// Document is one record.
type Document struct {
	Record      protocol.Hash
	Contributor protocol.Account
	Title, Text string
}

// Index is immutable and safe for concurrent use.
type Index struct {
	Documents []Document

	terms   map[string][]posting
	lengths []int
	mean    float64
}

type posting struct{ doc, count int }

// New indexes documents; titles count as text.
func New(docs []Document) *Index {
	ix := &Index{Documents: docs, terms: map[string][]posting{}, lengths: make([]int, len(docs))}
	total := 0
	for i, d := range docs {
		words := Words(d.Title + "\n" + d.Text)
		for _, w := range words {
			list := ix.terms[w]
			if n := len(list); n > 0 && list[n-1].doc == i {
				list[n-1].count++
			} else {
				ix.terms[w] = append(list, posting{i, 1})
			}
		}
		ix.lengths[i] = len(words)
		total += len(words)
	}
	if total > 0 {
		ix.mean = float64(total) / float64(len(docs))
	}
	return ix
}

// BM25 gives the documents that share a word with the question, the best first, n at most.
func (ix *Index) BM25(question string, n int) []int {
	scores := map[int]float64{}
	words := Words(question)
	slices.Sort(words) // one order of additions
	for _, w := range slices.Compact(words) {
		list := ix.terms[w]
		if len(list) == 0 {
			continue
		}
		df, total := float64(len(list)), float64(len(ix.Documents))
		idf := math.Log(1 + (total-df+0.5)/(df+0.5))
		for _, p := range list {
			tf := float64(p.count)
			scores[p.doc] += idf * tf * (k1 + 1) / (tf + k1*(1-b+b*float64(ix.lengths[p.doc])/ix.mean))
		}
	}
	return ranked(scores, n)
}

// Nearest gives the vectors with the largest scalar product with one, n at most. A nil
// vector is passed over.
func Nearest(to []float32, vectors [][]float32, n int) []int {
	scores := map[int]float64{}
	for i, v := range vectors {
		if len(v) != len(to) {
			continue
		}
		var s float64
		for k := range v {
			s += float64(v[k]) * float64(to[k])
		}
		scores[i] = s
	}
	return ranked(scores, n)
}

// Ranked is a document with the score by which it was ranked.
type Ranked struct {
	Doc   int
	Score float64
}

// Fuse merges ranked lists by reciprocal ranks, n at most.
func Fuse(n int, lists ...[]int) []Ranked {
	scores := map[int]float64{}
	for _, list := range lists {
		for rank, doc := range list {
			scores[doc] += 1 / float64(fusionK+rank+1)
		}
	}
	out := make([]Ranked, 0, n)
	for _, doc := range ranked(scores, n) {
		out = append(out, Ranked{doc, scores[doc]})
	}
	return out
}

func ranked(scores map[int]float64, n int) []int {
	out := make([]int, 0, len(scores))
	for i := range scores {
		out = append(out, i)
	}
	slices.SortFunc(out, func(x, y int) int { return cmp.Or(cmp.Compare(scores[y], scores[x]), cmp.Compare(x, y)) })
	return out[:min(n, len(out))]
}

// Words are the runs of letters and digits of a text, in lower case.
func Words(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.Is(unicode.Mn, r) })
}
