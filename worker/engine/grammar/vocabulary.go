package grammar

import (
	"bytes"
	"slices"
)

// Vocabulary is a tokenizer's tokens as a tree over their bytes, laid out in the order
// of a walk, so that a mask is one pass that jumps over what can't follow.
type Vocabulary struct {
	size  int
	bytes func(id uint32) []byte
	stops []uint32
	nodes []treeNode
	ids   []uint32 // of the tokens that end at a node, by node
	depth int
}

type treeNode struct {
	skip        int32 // the next node that is not below this one
	first, last int32 // in ids
	depth       int32
	b           byte
}

// NewVocabulary reads the tokens with ids below size. Tokens of no bytes, special ones,
// are no part of any document; stops end it.
func NewVocabulary(size int, text func(id uint32) []byte, stops []uint32) *Vocabulary {
	v := &Vocabulary{size: size, bytes: text}
	for _, id := range stops {
		if int(id) < size {
			v.stops = append(v.stops, id)
		}
	}
	var order []uint32
	for id := range uint32(size) {
		if len(text(id)) > 0 && !slices.Contains(v.stops, id) {
			order = append(order, id)
		}
	}
	slices.SortFunc(order, func(a, b uint32) int {
		if c := bytes.Compare(text(a), text(b)); c != 0 {
			return c
		}
		return int(int64(a) - int64(b))
	})
	var open []int32 // nodes from the root to the last token
	closeTo := func(depth int) {
		for _, n := range open[depth:] {
			v.nodes[n].skip = int32(len(v.nodes))
		}
		open = open[:depth]
	}
	var last []byte
	for _, id := range order {
		t := text(id)
		shared := 0
		for shared < min(len(last), len(t)) && last[shared] == t[shared] {
			shared++
		}
		closeTo(shared)
		for i := shared; i < len(t); i++ {
			open = append(open, int32(len(v.nodes)))
			v.nodes = append(v.nodes, treeNode{depth: int32(i), b: t[i], first: int32(len(v.ids)), last: int32(len(v.ids))})
		}
		v.ids = append(v.ids, id)
		v.nodes[open[len(open)-1]].last = int32(len(v.ids))
		v.depth = max(v.depth, len(t))
		last = t
	}
	closeTo(0)
	return v
}
