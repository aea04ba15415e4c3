package grammar

import (
	"errors"
	"fmt"
	"regexp/syntax"
	"unicode"
)

// formats are the patterns of the formats that are known.
var formats = map[string]string{
	"date":      "^" + dates + "$",
	"time":      "^" + times + "$",
	"date-time": "^" + dates + "T" + times + "$",
	"uuid":      "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
	"ipv4":      `^(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(\.(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}$`,
	"email":     `^[A-Za-z0-9_%+-]{1,15}(\.[A-Za-z0-9_%+-]{1,15}){0,3}@([A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?\.){1,6}[A-Za-z]{2,12}$`,
}

const (
	// Days that every year has.
	dates = `\d{4}-((0[13578]|1[02])-(0[1-9]|[12]\d|3[01])|(0[469]|11)-(0[1-9]|[12]\d|30)|02-(0[1-9]|1\d|2[0-8]))`
	times = `([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)`
)

// maxPattern bounds a pattern's text.
const maxPattern = 1024

// pattern spells the strings that a regular expression matches. As JSON Schema wants,
// it may match anywhere unless it is anchored.
func (b *builder) pattern(from, to int32, text string) error {
	if len(text) > maxPattern {
		return fmt.Errorf("has %d bytes, at most %d are allowed", len(text), maxPattern)
	}
	re, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return errors.New("is not a regular expression without look-around and back references: " + err.Error())
	}
	return b.anchored(from, to, re.Simplify())
}

// anchored takes anchors off the ends of an expression, of each alternative by itself.
func (b *builder) anchored(from, to int32, re *syntax.Regexp) error {
	switch re.Op {
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			if err := b.anchored(from, to, sub); err != nil {
				return err
			}
		}
		return nil
	case syntax.OpCapture:
		return b.anchored(from, to, re.Sub[0])
	}
	parts := []*syntax.Regexp{re}
	if re.Op == syntax.OpConcat {
		parts = re.Sub
	}
	begin, end := false, false
	for len(parts) > 0 && parts[0].Op == syntax.OpBeginText {
		begin, parts = true, parts[1:]
	}
	for len(parts) > 0 && parts[len(parts)-1].Op == syntax.OpEndText {
		end, parts = true, parts[:len(parts)-1]
	}
	if !begin {
		from = b.anything(from)
	}
	for _, part := range parts {
		next := b.state()
		if err := b.regexp(from, next, part); err != nil {
			return err
		}
		from = next
	}
	if !end {
		from = b.anything(from)
	}
	b.join(from, to)
	return nil
}

// anything spells any run of characters and gives the state after it.
func (b *builder) anything(from int32) int32 {
	s := b.state()
	b.join(from, s)
	b.runes(s, s, anyRune)
	return s
}

func (b *builder) regexp(from, to int32, re *syntax.Regexp) error {
	if b.full {
		return errors.New("needs too many states")
	}
	switch re.Op {
	case syntax.OpEmptyMatch:
		b.join(from, to)
	case syntax.OpNoMatch:
	case syntax.OpLiteral:
		for i, r := range re.Rune {
			next := to
			if i < len(re.Rune)-1 {
				next = b.state()
			}
			spans := []span{{r, r}}
			if re.Flags&syntax.FoldCase != 0 {
				spans = folded(r)
			}
			b.runes(from, next, spans)
			from = next
		}
	case syntax.OpCharClass:
		var spans []span
		for i := 0; i+1 < len(re.Rune); i += 2 {
			spans = append(spans, span{re.Rune[i], re.Rune[i+1]})
		}
		b.runes(from, to, spans)
	case syntax.OpAnyChar:
		b.runes(from, to, anyRune)
	case syntax.OpAnyCharNotNL: // ECMAScript's dot matches no line separator either
		b.runes(from, to, []span{{0, '\n' - 1}, {'\n' + 1, '\r' - 1}, {'\r' + 1, 0x2027}, {0x202A, anyRune[1].hi}})
	case syntax.OpCapture:
		return b.regexp(from, to, re.Sub[0])
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			next := b.state()
			if err := b.regexp(from, next, sub); err != nil {
				return err
			}
			from = next
		}
		b.join(from, to)
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			if err := b.regexp(from, to, sub); err != nil {
				return err
			}
		}
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest:
		in, out := b.state(), b.state()
		b.join(from, in)
		if err := b.regexp(in, out, re.Sub[0]); err != nil {
			return err
		}
		b.join(out, to)
		if re.Op != syntax.OpPlus {
			b.join(from, to)
		}
		if re.Op != syntax.OpQuest {
			b.join(out, in)
		}
	default:
		return fmt.Errorf("holds %s, which is supported at its very beginning or end only, or not at all", re)
	}
	return nil
}

// folded are the spellings of a rune in both cases.
func folded(r rune) []span {
	out := []span{{r, r}}
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		out = append(out, span{f, f})
	}
	return out
}
