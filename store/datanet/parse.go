package datanet

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/openledger/openledger/protocol"
)

// Limits of one file of contributions; the table of formats has those of each kind.
const (
	MaxFileBytes  = 256 << 20
	MaxRecords    = 200_000
	maxLineBytes  = 2 * protocol.MaxRecordBytes // escapes can make a line longer than its record
	maxLineErrors = 20
)

// LineError is what is wrong with one line of a file.
type LineError struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"` // from 1; 0: the file as a whole
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
}

func (e LineError) Error() string {
	s := e.File
	if e.Line > 0 {
		s = fmt.Sprintf("%s:%d", s, e.Line)
	}
	if e.Field != "" {
		s += ": field " + e.Field
	}
	return s + ": " + e.Message
}

// ParseError is everything that is wrong with a file. It has kind invalid.
type ParseError struct {
	Lines []LineError `json:"lines"`
	More  bool        `json:"more"` // there are further errors
}

func (e *ParseError) Error() string {
	lines := make([]string, 0, len(e.Lines)+1)
	for _, l := range e.Lines {
		lines = append(lines, l.Error())
	}
	if e.More {
		lines = append(lines, "and more: mend these first")
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the error its kind and, where there is one, its field.
func (e *ParseError) Unwrap() error {
	return &protocol.Error{Kind: protocol.KindInvalid, Field: e.Lines[0].Field, Message: e.Error()}
}

func (p *parser) lines() {
	if p.binary() {
		return
	}
	in := bufio.NewReaderSize(p.reader(), 64<<10)
	for n := 1; ; n++ {
		line, err := readLine(in)
		if errors.Is(err, errLongLine) {
			p.wrong(n, protocol.Errorf(protocol.KindInvalid, "", "is longer than %d bytes", maxLineBytes))
			return
		}
		if err != nil && !errors.Is(err, io.EOF) {
			p.failed = err
			return
		}
		if n == 1 {
			line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			rec, lineErr := parseLine(line)
			if !p.add(n, rec, lineErr) {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

var errLongLine = errors.New("line is too long")

// readLine gives the next line without its end, and io.EOF with the last.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		if len(line)+len(part) > maxLineBytes {
			return nil, errLongLine
		}
		line = append(line, part...)
		if err == nil {
			return line[:len(line)-1], nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

// parseLine reads one object of strings, refusing what encoding/json would let
// pass: duplicate names, broken UTF-8, unpaired surrogates.
func parseLine(line []byte) (Record, error) {
	if !utf8.Valid(line) {
		return Record{}, protocol.Errorf(protocol.KindInvalid, "", "is not UTF-8: save the file as UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(line))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return Record{}, protocol.Errorf(protocol.KindInvalid, "", "is not a JSON object: write one object per line, such as {\"title\":\"…\",\"text\":\"…\"}")
	}
	fields := map[string]string{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return Record{}, badJSON(err)
		}
		name, ok := t.(string)
		if !ok {
			return Record{}, protocol.Errorf(protocol.KindInvalid, "", "is not valid JSON: a name is expected at byte %d", d.InputOffset())
		}
		if _, twice := fields[name]; twice {
			return Record{}, protocol.Errorf(protocol.KindInvalid, clip(name), "is there twice: keep one")
		}
		if t, err = d.Token(); err != nil {
			return Record{}, badJSON(err)
		}
		value, ok := t.(string)
		if !ok {
			return Record{}, protocol.Errorf(protocol.KindInvalid, clip(name), "is %s: fields are text, put it in quotes", jsonKind(t))
		}
		if len(fields) == MaxFields {
			return Record{}, protocol.Errorf(protocol.KindInvalid, clip(name), "is one field too many: the limit is %d", MaxFields)
		}
		fields[name] = value
		if lostSurrogate(name+value, line) {
			return Record{}, protocol.Errorf(protocol.KindInvalid, clip(name), "has half of a surrogate pair (\\uD800 to \\uDFFF): write the character itself")
		}
	}
	if _, err := d.Token(); err != nil {
		return Record{}, badJSON(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Record{}, protocol.Errorf(protocol.KindInvalid, "", "has more after the object: write one object per line")
	}
	return NewText(fields)
}

func badJSON(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return protocol.Errorf(protocol.KindInvalid, "", "is cut off: the object has no end")
	}
	return protocol.Errorf(protocol.KindInvalid, "", "is not valid JSON: %w", err)
}

func jsonKind(t json.Token) string {
	switch v := t.(type) {
	case json.Delim:
		if v == '[' {
			return "a list"
		}
		return "an object"
	case bool:
		return "true or false"
	case nil:
		return "null"
	default:
		return "a number"
	}
}

// lostSurrogate says whether decoding put a replacement character where the line
// had none.
func lostSurrogate(decoded string, line []byte) bool {
	return strings.ContainsRune(decoded, utf8.RuneError) &&
		!bytes.ContainsRune(line, utf8.RuneError) &&
		!bytes.Contains(bytes.ToLower(line), []byte(`\ufffd`))
}

// binary refuses what is called text and is something else. HTML and scripts are text,
// and stay text: nothing here runs them.
func (p *parser) binary() bool {
	head := p.head(1024)
	if !bytes.ContainsRune(head, 0) && !bytes.HasPrefix(head, []byte("%PDF-")) || looksLike(head) == "" {
		return false
	}
	p.wrong(0, p.disguised(errors.New("it has bytes that no text has")))
	return true
}

func (p *parser) markdown() { p.text(true) }
func (p *parser) plain()    { p.text(false) }

// text reads one record from prose: line ends become \n.
func (p *parser) text(headings bool) {
	if p.binary() {
		return
	}
	data, ok := p.all()
	if !ok {
		return
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(data) {
		p.wrong(0, protocol.Errorf(protocol.KindInvalid, "text", "is not UTF-8: save the file as UTF-8"))
		return
	}
	text := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(data))
	text = strings.Trim(text, "\n")
	if strings.TrimSpace(text) == "" {
		p.wrong(0, protocol.Errorf(protocol.KindInvalid, "text", "is empty"))
		return
	}
	title := p.stem
	if headings {
		if h := heading(text); h != "" {
			title = h
		}
	}
	rec, err := NewText(map[string]string{"text": text, "title": title})
	p.add(0, rec, err)
}

// heading is the text of the first Markdown heading (# Title, or Title underlined
// with = or -) outside a code block.
func heading(text string) string {
	previous, fenced := "", false
	for line := range strings.SplitSeq(text, "\n") {
		trimmed := strings.TrimSpace(line)
		if strings.HasPrefix(trimmed, "```") || strings.HasPrefix(trimmed, "~~~") {
			fenced, previous = !fenced, ""
			continue
		}
		if fenced {
			continue
		}
		if rest := strings.TrimLeft(trimmed, "#"); rest != trimmed && len(trimmed)-len(rest) <= 6 && strings.HasPrefix(rest, " ") {
			if h := strings.TrimSpace(strings.TrimRight(strings.TrimSpace(rest), "#")); h != "" {
				return h
			}
		}
		if previous != "" && trimmed != "" && (strings.Trim(trimmed, "=") == "" || len(trimmed) > 2 && strings.Trim(trimmed, "-") == "") {
			return previous
		}
		previous = trimmed
	}
	return ""
}
