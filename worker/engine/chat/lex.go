package chat

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokData tokenKind = iota // literal text
	tokVarBegin
	tokVarEnd
	tokBlockBegin
	tokBlockEnd
	tokName
	tokString
	tokInt
	tokFloat
	tokOp
	tokEOF
)

type token struct {
	kind tokenKind
	text string
	line int
}

// Error is a mistake in a template, or what went wrong while rendering it.
type Error struct {
	Line int
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("chat template, line %d: %v", e.Line, e.Err) }

func (e *Error) Unwrap() error { return e.Err }

// lexer cuts a template into tokens. White space around tags is dealt with here, as
// Jinja does with trim_blocks and lstrip_blocks.
type lexer struct {
	src    string
	pos    int
	line   int
	out    []token
	open   []byte // brackets to be closed within the tag
	starts bool   // the last tag ended a line
}

var (
	rawBegin = regexp.MustCompile(`^\{%[-+]?\s*raw\s*(-%\}\s*|%\})`)
	rawEnd   = regexp.MustCompile(`\{%([-+]?)\s*endraw\s*(\+%\}|-%\}\s*|%\}\n?)`)
	reName   = regexp.MustCompile(`^[\pL_][\pL\pN_]*`)
	reFloat  = regexp.MustCompile(`^(\d+_)*\d+((\.(\d+_)*\d+)?[eE][+\-]?(\d+_)*\d+|\.(\d+_)*\d+)`)
	reInt    = regexp.MustCompile(`^(0[bB](_?[0-1])+|0[oO](_?[0-7])+|0[xX](_?[\da-fA-F])+|[1-9](_?\d)*|0(_?0)*)`)
)

func lex(src string) ([]token, error) {
	if len(src) > maxSource {
		return nil, fmt.Errorf("chat template: %d bytes are more than the %d allowed", len(src), maxSource)
	}
	if !utf8.ValidString(src) {
		return nil, fmt.Errorf("chat template: is not UTF-8")
	}
	src = strings.ReplaceAll(strings.ReplaceAll(src, "\r\n", "\n"), "\r", "\n")
	src = strings.TrimSuffix(src, "\n")
	l := &lexer{src: src, line: 1, starts: true}
	for l.pos < len(l.src) {
		if err := l.text(); err != nil {
			return nil, err
		}
	}
	l.emit(tokEOF, "")
	return l.out, nil
}

func (l *lexer) emit(k tokenKind, s string) { l.out = append(l.out, token{k, s, l.line}) }

func (l *lexer) fail(format string, args ...any) error {
	return &Error{l.line, fmt.Errorf(format, args...)}
}

// advance moves on, counting lines.
func (l *lexer) advance(n int) {
	l.line += strings.Count(l.src[l.pos:l.pos+n], "\n")
	l.pos += n
	l.starts = n > 0 && l.src[l.pos-1] == '\n'
}

// data emits text before a tag whose sign is '-', '+' or 0; isVar is for {{.
func (l *lexer) data(s string, sign byte, isVar bool) {
	starts := l.starts
	switch {
	case sign == '-':
		s = strings.TrimRightFunc(s, isSpace)
	case sign != '+' && !isVar:
		if at := strings.LastIndexByte(s, '\n') + 1; (at > 0 || starts) && strings.TrimFunc(s[at:], isSpace) == "" {
			s = s[:at]
		}
	}
	if s != "" {
		l.emit(tokData, s)
	}
}

// text takes everything up to the end of the next tag.
func (l *lexer) text() error {
	rest := l.src[l.pos:]
	at := 0
	for {
		i := strings.IndexByte(rest[at:], '{')
		if i < 0 || at+i+1 >= len(rest) {
			l.emit(tokData, rest)
			l.pos = len(l.src)
			return nil
		}
		at += i
		if c := rest[at+1]; c == '{' || c == '%' || c == '#' {
			break
		}
		at++
	}
	kind := rest[at+1]
	var sign byte
	if at+2 < len(rest) && (rest[at+2] == '-' || rest[at+2] == '+') {
		sign = rest[at+2]
	}
	l.data(rest[:at], sign, kind == '{')
	l.advance(at)
	rest = rest[at:]
	if kind == '#' {
		return l.comment(rest)
	}
	if kind == '%' {
		if m := rawBegin.FindStringIndex(rest); m != nil {
			l.advance(m[1])
			return l.raw()
		}
	}
	n := 2
	if sign != 0 {
		n = 3
	}
	if kind == '{' {
		l.emit(tokVarBegin, "")
	} else {
		l.emit(tokBlockBegin, "")
	}
	l.advance(n)
	return l.tag(kind == '{')
}

func (l *lexer) comment(rest string) error {
	from := 2
	if len(rest) > 2 && (rest[2] == '-' || rest[2] == '+') {
		from = 3
	}
	i := strings.Index(rest[from:], "#}")
	if i < 0 {
		return l.fail("a comment is not closed")
	}
	end := from + i + 2
	switch {
	case i > 0 && rest[end-3] == '-':
		end = len(rest) - len(strings.TrimLeftFunc(rest[end:], isSpace))
	case i > 0 && rest[end-3] == '+':
	case strings.HasPrefix(rest[end:], "\n"):
		end++
	}
	l.advance(end)
	return nil
}

func (l *lexer) raw() error {
	rest := l.src[l.pos:]
	m := rawEnd.FindStringSubmatchIndex(rest)
	if m == nil {
		return l.fail("raw is not closed by endraw")
	}
	var sign byte
	if m[3] > m[2] {
		sign = rest[m[2]]
	}
	l.data(rest[:m[0]], sign, false)
	l.advance(m[1])
	return nil
}

// closing is the length of the end of the tag at rest, or 0.
func closing(rest string, isVar bool) int {
	if isVar {
		switch {
		case strings.HasPrefix(rest, "}}"):
			return 2
		case strings.HasPrefix(rest, "-}}"):
			return len(rest) - len(strings.TrimLeftFunc(rest[3:], isSpace))
		}
		return 0
	}
	switch {
	case strings.HasPrefix(rest, "%}\n"):
		return 3
	case strings.HasPrefix(rest, "%}"):
		return 2
	case strings.HasPrefix(rest, "+%}"):
		return 3
	case strings.HasPrefix(rest, "-%}"):
		return len(rest) - len(strings.TrimLeftFunc(rest[3:], isSpace))
	}
	return 0
}

var operators = []string{"**", "//", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";"}

// tag takes the tokens of one tag.
func (l *lexer) tag(isVar bool) error {
	l.open = l.open[:0]
	for {
		rest := l.src[l.pos:]
		if n := len(rest) - len(strings.TrimLeftFunc(rest, isSpace)); n > 0 {
			l.advance(n)
			rest = rest[n:]
		}
		if rest == "" {
			return l.fail("a tag is not closed")
		}
		if len(l.open) == 0 {
			if n := closing(rest, isVar); n > 0 {
				if isVar {
					l.emit(tokVarEnd, "")
				} else {
					l.emit(tokBlockEnd, "")
				}
				l.advance(n)
				return nil
			}
		}
		if err := l.expression(rest); err != nil {
			return err
		}
	}
}

func (l *lexer) expression(rest string) error {
	if rest[0] == '\'' || rest[0] == '"' {
		return l.str(rest)
	}
	if m := reFloat.FindString(rest); m != "" && (l.pos == 0 || l.src[l.pos-1] != '.') {
		l.emit(tokFloat, strings.ReplaceAll(m, "_", ""))
		l.advance(len(m))
		return nil
	}
	if m := reInt.FindString(rest); m != "" {
		l.emit(tokInt, strings.ReplaceAll(m, "_", ""))
		l.advance(len(m))
		return nil
	}
	if m := reName.FindString(rest); m != "" {
		l.emit(tokName, m)
		l.advance(len(m))
		return nil
	}
	for _, op := range operators {
		if !strings.HasPrefix(rest, op) {
			continue
		}
		switch op {
		case "(", "[", "{":
			l.open = append(l.open, map[string]byte{"(": ')', "[": ']', "{": '}'}[op])
		case ")", "]", "}":
			n := len(l.open)
			if n == 0 || l.open[n-1] != op[0] {
				return l.fail("unexpected %q", op)
			}
			l.open = l.open[:n-1]
		}
		l.emit(tokOp, op)
		l.advance(len(op))
		return nil
	}
	r, _ := utf8.DecodeRuneInString(rest)
	return l.fail("unexpected character %q", r)
}

// str takes a string literal.
func (l *lexer) str(rest string) error {
	quote := rest[0]
	for i := 1; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case quote:
			s, err := unescape(rest[1:i])
			if err != nil {
				return l.fail("%w", err)
			}
			l.emit(tokString, s)
			l.advance(i + 1)
			return nil
		}
	}
	return l.fail("a string is not closed")
}

var simpleEscapes = map[byte]string{
	'\n': "", '\\': "\\", '\'': "'", '"': "\"", 'a': "\a", 'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v",
}

// unescape reads Python's escapes; an unknown one stays as it is.
func unescape(s string) (string, error) {
	if !strings.Contains(s, "\\") {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 >= len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		c := s[i]
		if e, ok := simpleEscapes[c]; ok {
			b.WriteString(e)
			continue
		}
		width := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
		switch {
		case width > 0:
			if i+width >= len(s) {
				return "", fmt.Errorf("the escape \\%c is cut short", c)
			}
			v, err := strconv.ParseUint(s[i+1:i+1+width], 16, 32)
			if err != nil || !utf8.ValidRune(rune(v)) {
				return "", fmt.Errorf("the escape \\%s is no character", s[i:i+1+width])
			}
			b.WriteRune(rune(v))
			i += width
		case c >= '0' && c <= '7':
			v, k := 0, 0
			for k < 3 && i+k < len(s) && s[i+k] >= '0' && s[i+k] <= '7' {
				v = v*8 + int(s[i+k]-'0')
				k++
			}
			b.WriteRune(rune(v))
			i += k - 1
		case c == 'N':
			return "", fmt.Errorf("the escape \\N is not supported")
		default:
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}
