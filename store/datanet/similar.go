package datanet

import (
	"encoding/binary"
	"hash/fnv"
	"math/bits"
	"slices"
	"strings"
	"unicode"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
)

// Near-duplicates are found by MinHash (Broder 1997): the share of equal positions in two
// sketches estimates how many of both texts' word triples are in both (Jaccard). Records
// are candidates when one of eight bands of four positions is the same, which finds nine
// in ten of those that share 70 %. It is a warning for people, never a reason to refuse.
const (
	sketchSize  = 32
	bandRows    = 4
	shingle     = 3   // words
	minShingles = 8   // shorter texts are alike by chance
	similarFrom = 70  // per cent
	maxBucket   = 256 // candidates looked at in one band
)

// sketch is the MinHash of a text.
type sketch [sketchSize]uint32

var (
	sketchTable = store.NewTable(117, "sketches of records", entryKeyCodec, store.Bytes())
	bandTable   = store.NewTable(118, "records by band of their sketch", store.PairKey(store.PairKey(store.Uint64Key(), store.Uint64Key()), store.HashKey()), store.Marks())
)

// sketchOf gives the sketch of a record's text, and false if there is too little of it.
// Titles, pages and sections do not count.
func sketchOf(r *Record) (sketch, bool) {
	var s sketch
	for i := range s {
		s[i] = ^uint32(0)
	}
	seen := 0
	for _, name := range sortedNames(r.Fields) {
		if name == "title" || name == "page" || name == "section" {
			continue
		}
		words := strings.FieldsFunc(strings.ToLower(r.Fields[name]), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
		for i := 0; i+shingle <= len(words); i++ {
			h := fnv.New64a()
			for _, w := range words[i : i+shingle] {
				_, _ = h.Write([]byte(w)) // never fails
				_, _ = h.Write([]byte{0})
			}
			seen++
			x := h.Sum64()
			for j := range s {
				s[j] = min(s[j], uint32(mix(x+uint64(j)*0x9e3779b97f4a7c15)>>32))
			}
		}
	}
	return s, seen >= minShingles
}

// mix is the finaliser of SplitMix64: each j above gives another hash of the same words.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (s *sketch) bytes() []byte {
	b := make([]byte, 0, 4*sketchSize)
	for _, v := range s {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

// bands are the keys of the buckets that a sketch is in.
func (s *sketch) bands() []uint64 {
	out := make([]uint64, 0, sketchSize/bandRows)
	for i := 0; i < sketchSize; i += bandRows {
		x := uint64(i)
		for _, v := range s[i : i+bandRows] {
			x = mix(bits.RotateLeft64(x, 17) ^ uint64(v))
		}
		out = append(out, x)
	}
	return out
}

// alike is the estimated share in per cent.
func (s *sketch) alike(other []byte) int {
	if len(other) != 4*sketchSize {
		return 0
	}
	n := 0
	for i, v := range s {
		if binary.BigEndian.Uint32(other[4*i:]) == v {
			n++
		}
	}
	return n * 100 / sketchSize
}

// indexSketch lets later records be compared with this one.
func indexSketch(tx *store.Tx, datanet uint64, r *Record) error {
	s, ok := sketchOf(r)
	if !ok {
		return nil
	}
	for _, band := range s.bands() {
		if err := bandTable.Put(tx, store.PairOf(store.PairOf(datanet, band), r.ID), store.Mark{}); err != nil {
			return err
		}
	}
	return sketchTable.Put(tx, store.PairOf(datanet, r.ID), s.bytes())
}

// Similar is a record that another one is much like.
type Similar struct {
	Record  protocol.Hash `json:"record"`
	CID     protocol.CID  `json:"cid"`
	Title   string        `json:"title"`
	PerCent int           `json:"per_cent"` // of three words in a row that both have, estimated
}

// similar gives the record of a datanet that is most like r, nil if none is.
func (b *Book) similar(datanet uint64, r *Record) (*Similar, error) {
	s, ok := sketchOf(r)
	if !ok {
		return nil, nil
	}
	var best protocol.Hash
	most := 0
	seen := map[protocol.Hash]bool{}
	for _, band := range s.bands() {
		n := 0
		codec := store.PairKey(store.Uint64Key(), store.Uint64Key())
		err := store.ScanFirst(b.cfg.DB, bandTable, codec, store.PairOf(datanet, band), func(id protocol.Hash, _ store.Mark) error {
			if n++; n > maxBucket {
				return store.ErrStop
			}
			if seen[id] || id == r.ID {
				return nil
			}
			seen[id] = true
			other, ok, err := sketchTable.Get(b.cfg.DB, store.PairOf(datanet, id))
			if err != nil || !ok {
				return err
			}
			if share := s.alike(other); share > most || share == most && slices.Compare(id[:], best[:]) < 0 {
				best, most = id, share
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if most < similarFrom {
		return nil, nil
	}
	e, err := b.Entry(datanet, best)
	if err != nil {
		return nil, err
	}
	return &Similar{Record: best, CID: e.CID(), Title: e.Title, PerCent: most}, nil
}
