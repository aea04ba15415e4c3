package chat

import (
	"sort"
	"strings"
	"unicode/utf8"
)

// Origin says who wrote a character.
type Origin uint8

// Origins, from the most trusted.
const (
	FromTemplate  Origin = iota // the template, or a value it computed
	FromAssistant               // an earlier answer of the model, as the client tells it
	FromInput                   // anything else: messages, tools, documents, arguments
)

// Mark gives the bytes [Start, End) an origin other than the template.
type Mark struct {
	Start, End int
	Origin     Origin
}

// Text is a string that knows where its characters come from.
type Text struct {
	s     string
	marks []Mark // sorted, apart from each other, never FromTemplate; never changed once made
}

// Written is text with one origin.
func Written(s string, by Origin) Text {
	if s == "" || by == FromTemplate {
		return Text{s: s}
	}
	return Text{s: s, marks: []Mark{{0, len(s), by}}}
}

// String is the text without its origins.
func (t Text) String() string { return t.s }

// Marks are the parts that the template did not write, in order.
func (t Text) Marks() []Mark { return t.marks }

// slice is the part [i, j) in bytes.
func (t Text) slice(i, j int) Text {
	if i >= j {
		return Text{}
	}
	if i == 0 && j == len(t.s) {
		return t
	}
	out := Text{s: t.s[i:j]}
	lo := sort.Search(len(t.marks), func(k int) bool { return t.marks[k].End > i })
	for _, m := range t.marks[lo:] {
		if m.Start >= j {
			break
		}
		out.marks = append(out.marks, Mark{max(m.Start, i) - i, min(m.End, j) - i, m.Origin})
	}
	return out
}

// builder joins texts.
type builder struct {
	b     strings.Builder
	marks []Mark
}

func (b *builder) mark(start, end int, by Origin) {
	if start >= end || by == FromTemplate {
		return
	}
	if n := len(b.marks); n > 0 && b.marks[n-1].End == start && b.marks[n-1].Origin == by {
		b.marks[n-1].End = end
		return
	}
	b.marks = append(b.marks, Mark{start, end, by})
}

func (b *builder) add(t Text) {
	at := b.b.Len()
	b.b.WriteString(t.s)
	for _, m := range t.marks {
		b.mark(at+m.Start, at+m.End, m.Origin)
	}
}

// write adds s with one origin.
func (b *builder) write(s string, by Origin) {
	at := b.b.Len()
	b.b.WriteString(s)
	b.mark(at, at+len(s), by)
}

func (b *builder) len() int { return b.b.Len() }

func (b *builder) text() Text { return Text{s: b.b.String(), marks: b.marks} }

func concat(parts ...Text) Text {
	var b builder
	for _, p := range parts {
		b.add(p)
	}
	return b.text()
}

// runs yields the maximal parts of one origin.
func (t Text) runs(yield func(s string, by Origin)) {
	at := 0
	for _, m := range t.marks {
		if m.Start > at {
			yield(t.s[at:m.Start], FromTemplate)
		}
		yield(t.s[m.Start:m.End], m.Origin)
		at = m.End
	}
	if at < len(t.s) {
		yield(t.s[at:], FromTemplate)
	}
}

// mapRuns rewrites every run apart; origins stay.
func (t Text) mapRuns(f func(string) string) Text {
	var b builder
	t.runs(func(s string, by Origin) { b.write(f(s), by) })
	return b.text()
}

func (t Text) replace(old, by Text, count int) Text {
	if old.s == by.s || count == 0 {
		return t
	}
	var b builder
	at := 0
	if old.s == "" { // between all characters, as Python does
		for count != 0 {
			b.add(by)
			count--
			if at >= len(t.s) {
				return b.text()
			}
			_, n := utf8.DecodeRuneInString(t.s[at:])
			b.add(t.slice(at, at+n))
			at += n
		}
		b.add(t.slice(at, len(t.s)))
		return b.text()
	}
	for ; count != 0; count-- {
		i := strings.Index(t.s[at:], old.s)
		if i < 0 {
			break
		}
		b.add(t.slice(at, at+i))
		b.add(by)
		at += i + len(old.s)
	}
	b.add(t.slice(at, len(t.s)))
	return b.text()
}

// isSpace is what Python's str.strip and str.split take for white space.
func isSpace(r rune) bool {
	switch {
	case r >= 0x09 && r <= 0x0d, r >= 0x1c && r <= 0x20, r == 0x85, r == 0xa0, r == 0x1680, r >= 0x2000 && r <= 0x200a,
		r == 0x2028, r == 0x2029, r == 0x202f, r == 0x205f, r == 0x3000:
		return true
	}
	return false
}

// strip takes characters off the ends: white space if chars is nil.
func (t Text) strip(chars *string, left, right bool) Text {
	in := isSpace
	if chars != nil {
		in = func(r rune) bool { return strings.ContainsRune(*chars, r) }
	}
	s, i := t.s, 0
	if left {
		s = strings.TrimLeftFunc(s, in)
		i = len(t.s) - len(s)
	}
	if right {
		s = strings.TrimRightFunc(s, in)
	}
	return t.slice(i, i+len(s))
}

// fields splits at runs of white space; with limit >= 0 the last part is the rest.
func (t Text) fields(limit int) []Text {
	var out []Text
	at := 0
	for {
		n := strings.IndexFunc(t.s[at:], func(r rune) bool { return !isSpace(r) })
		if n < 0 {
			return out
		}
		at += n
		n = strings.IndexFunc(t.s[at:], isSpace)
		if n < 0 || (limit >= 0 && len(out) == limit) {
			return append(out, t.slice(at, len(t.s))) // trailing white space stays, as in Python
		}
		out = append(out, t.slice(at, at+n))
		at += n
	}
}

// split splits at sep, which is not empty, at most limit times if limit >= 0.
func (t Text) split(sep string, limit int) []Text {
	var out []Text
	at := 0
	for limit < 0 || len(out) < limit {
		i := strings.Index(t.s[at:], sep)
		if i < 0 {
			break
		}
		out = append(out, t.slice(at, at+i))
		at += i + len(sep)
	}
	return append(out, t.slice(at, len(t.s)))
}

// rsplit does so from the end.
func (t Text) rsplit(sep string, limit int) []Text {
	if limit < 0 {
		return t.split(sep, -1)
	}
	var back []Text
	end := len(t.s)
	for len(back) < limit {
		i := strings.LastIndex(t.s[:end], sep)
		if i < 0 {
			break
		}
		back = append(back, t.slice(i+len(sep), end))
		end = i
	}
	out := []Text{t.slice(0, end)}
	for i := len(back) - 1; i >= 0; i-- {
		out = append(out, back[i])
	}
	return out
}

// lines splits as Python's str.splitlines.
func (t Text) lines(keep bool) []Text {
	var out []Text
	start := 0
	for i, r := range t.s {
		if i < start { // the \n of a \r\n
			continue
		}
		end := i + utf8.RuneLen(r)
		switch {
		case r == '\r' && strings.HasPrefix(t.s[i:], "\r\n"):
			end = i + 2
		case r >= 0x0a && r <= 0x0d, r >= 0x1c && r <= 0x1e, r == 0x85, r == 0x2028, r == 0x2029:
		default:
			continue
		}
		if keep {
			out = append(out, t.slice(start, end))
		} else {
			out = append(out, t.slice(start, i))
		}
		start = end
	}
	if start < len(t.s) {
		out = append(out, t.slice(start, len(t.s)))
	}
	return out
}

func (t Text) runeCount() int { return utf8.RuneCountInString(t.s) }

// offsets are the byte positions of all runes, and the end.
func (t Text) offsets() []int {
	out := make([]int, 0, len(t.s)+1)
	for i := range t.s {
		out = append(out, i)
	}
	return append(out, len(t.s))
}
