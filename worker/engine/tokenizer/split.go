package tokenizer

import (
	"fmt"
	"time"

	"github.com/dlclark/regexp2"
)

// splitter cuts text into words, which are merged apart from each other.
type splitter func(text string, yield func(word string))

// Patterns in use.
const (
	PatternGPT2   = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	PatternLlama3 = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	PatternQwen2  = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

const (
	maxPattern   = 4096
	matchTimeout = 2 * time.Second // bounds a hostile pattern; the known ones are linear
)

type splitBehaviour int

const (
	splitIsolated   splitBehaviour = iota // matches and what lies between them
	splitRemoved                          // only what lies between
	splitPrevious                         // a match joins what precedes it
	splitNext                             // a match joins what follows it
	splitContiguous                       // as isolated, neighbouring matches joined
)

func compile(pattern string) (*regexp2.Regexp, error) {
	if len(pattern) > maxPattern {
		return nil, fmt.Errorf("pattern is longer than %d bytes", maxPattern)
	}
	re, err := regexp2.Compile(pattern, regexp2.None)
	if err != nil {
		return nil, fmt.Errorf("pattern: %w", err)
	}
	re.MatchTimeout = matchTimeout
	return re, nil
}

type segment struct {
	start, end int
	match      bool
}

// segments cuts text at the matches of re. Offsets are in bytes: runes are counted
// as regexp2 counts them, an invalid byte being one.
func segments(re *regexp2.Regexp, text string, invert bool) []segment {
	runes := make([]rune, 0, len(text))
	offset := make([]int, 0, len(text)+1)
	for i, r := range text {
		runes = append(runes, r)
		offset = append(offset, i)
	}
	offset = append(offset, len(text))
	var out []segment
	at := 0
	m, err := re.FindRunesMatch(runes)
	for err == nil && m != nil {
		if m.Length > 0 {
			if m.Index > at {
				out = append(out, segment{offset[at], offset[m.Index], invert})
			}
			at = m.Index + m.Length
			out = append(out, segment{offset[m.Index], offset[at], !invert})
		}
		m, err = re.FindNextMatch(m)
	}
	if at < len(runes) { // also on a timeout: the rest is one word
		out = append(out, segment{offset[at], len(text), invert})
	}
	return out
}

func regexSplitter(re *regexp2.Regexp, how splitBehaviour, invert bool) splitter {
	return func(text string, yield func(string)) {
		segs := segments(re, text, invert)
		switch how {
		case splitIsolated:
			for _, s := range segs {
				yield(text[s.start:s.end])
			}
		case splitRemoved:
			for _, s := range segs {
				if !s.match {
					yield(text[s.start:s.end])
				}
			}
		default:
			for _, s := range joinSegments(segs, how) {
				yield(text[s.start:s.end])
			}
		}
	}
}

func joinSegments(segs []segment, how splitBehaviour) []segment {
	var out []segment
	for i, s := range segs {
		join := false
		if i > 0 {
			before := segs[i-1]
			switch how {
			case splitPrevious:
				join = s.match && !before.match
			case splitNext:
				join = !s.match && before.match
			case splitContiguous:
				join = s.match == before.match
			}
		}
		if join {
			out[len(out)-1].end = s.end
			continue
		}
		out = append(out, s)
	}
	return out
}

// chain applies splitters one after the other.
func chain(list []splitter) splitter {
	switch len(list) {
	case 0:
		return func(text string, yield func(string)) { yield(text) }
	case 1:
		return list[0]
	}
	first, rest := list[0], chain(list[1:])
	return func(text string, yield func(string)) {
		first(text, func(w string) {
			if w != "" {
				rest(w, yield)
			}
		})
	}
}
