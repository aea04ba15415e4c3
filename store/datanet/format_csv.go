package datanet

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/openledger/openledger/protocol"
)

// csv reads a table (RFC 4180): the first row names the fields, each further row is a
// record; empty cells are left out, empty rows skipped. Rows are separated by line ends;
// what separates cells is found by looking at the beginning, or a tab in a .tsv file.
func (p *parser) csv() {
	if p.binary() {
		return
	}
	head := bytes.TrimPrefix(p.head(64<<10), []byte("\xef\xbb\xbf"))
	in := &budget{r: bufio.NewReaderSize(p.reader(), 64<<10)}
	in.left = maxLineBytes
	if bom, err := in.r.Peek(3); err == nil && string(bom) == "\xef\xbb\xbf" {
		_, _ = in.r.Discard(3)
	}
	table := csv.NewReader(in)
	table.ReuseRecord = true
	table.FieldsPerRecord = -1 // told below, with the numbers
	if table.Comma = separator(head); p.ext == ".tsv" {
		table.Comma = '\t'
	}
	var names []string
	for {
		in.left = maxLineBytes
		row, err := table.Read()
		line, _ := table.FieldPos(0)
		if err != nil {
			if !errors.Is(err, io.EOF) {
				p.badRow(err)
			}
			return
		}
		if names == nil {
			if names, err = header(row); err != nil {
				p.wrong(line, err)
				return
			}
			continue
		}
		rec, empty, err := cells(names, row)
		if empty {
			continue
		}
		if !p.add(line, rec, err) {
			return
		}
	}
}

// badRow notes why a row cannot be read; what follows it has no known beginning.
func (p *parser) badRow(err error) {
	var at *csv.ParseError
	switch {
	case errors.Is(err, errLongLine):
		p.wrong(0, protocol.Errorf(protocol.KindInvalid, "", "has a row of more than %d bytes: is a quote not closed?", maxLineBytes))
	case !errors.As(err, &at):
		p.failed = err
	case errors.Is(at.Err, csv.ErrQuote):
		p.wrong(at.Line, protocol.Errorf(protocol.KindInvalid, "", "has a quote inside or after a quoted cell: write it twice (\"\"); the row began at line %d", at.StartLine))
	case errors.Is(at.Err, csv.ErrBareQuote):
		p.wrong(at.Line, protocol.Errorf(protocol.KindInvalid, "", "has a quote in a cell without quotes: put the cell in quotes and write the quote twice"))
	default:
		p.wrong(at.Line, protocol.Errorf(protocol.KindInvalid, "", "is not CSV: %w", at.Err))
	}
}

func header(row []string) ([]string, error) {
	if len(row) > MaxFields {
		return nil, protocol.Errorf(protocol.KindInvalid, "", "has %d columns, the limit is %d", len(row), MaxFields)
	}
	seen := map[string]bool{}
	names := make([]string, len(row))
	for i, cell := range row {
		names[i] = strings.TrimSpace(cell)
		switch {
		case !utf8.ValidString(cell):
			return nil, protocol.Errorf(protocol.KindInvalid, "", "is not UTF-8: save the file as UTF-8")
		case names[i] == "":
			return nil, protocol.Errorf(protocol.KindInvalid, "", "has no name for column %d: the first row names the fields", i+1)
		case seen[names[i]]:
			return nil, protocol.Errorf(protocol.KindInvalid, clip(names[i]), "is the name of two columns: the first row names the fields")
		}
		if err := checkFieldName(names[i]); err != nil {
			return nil, err
		}
		seen[names[i]] = true
	}
	return names, nil
}

// cells makes a record of a row.
func cells(names, row []string) (_ Record, empty bool, _ error) {
	if len(row) == 1 && strings.TrimSpace(row[0]) == "" {
		return Record{}, true, nil
	}
	if len(row) != len(names) {
		return Record{}, false, protocol.Errorf(protocol.KindInvalid, "", "has %d cells, the first row names %d: put cells with separators in them in quotes", len(row), len(names))
	}
	fields := make(map[string]string, len(names))
	for i, cell := range row {
		if strings.TrimSpace(cell) != "" {
			fields[strings.Clone(names[i])] = strings.Clone(cell)
		}
	}
	if len(fields) == 0 {
		return Record{}, true, nil
	}
	rec, err := NewText(fields)
	return rec, false, err
}

// separator guesses what separates cells by the first row alone, so that line ends in
// quotes further down do not matter: the candidate that splits it into the most cells. A
// comma if none does.
func separator(head []byte) rune {
	first, _, _ := bytes.Cut(head, []byte("\n"))
	best, most := ',', 0
	for _, c := range []rune{',', ';', '\t', '|'} {
		if n := countOutsideQuotes(first, byte(c)); n > most {
			best, most = c, n
		}
	}
	return best
}

func countOutsideQuotes(line []byte, c byte) int {
	n, quoted := 0, false
	for _, b := range line {
		switch {
		case b == '"':
			quoted = !quoted
		case b == c && !quoted:
			n++
		}
	}
	return n
}

// budget ends the reading of a row that is too long, so that one quote that is never
// closed does not take a file's size in memory.
type budget struct {
	r    *bufio.Reader
	left int
}

func (b *budget) Read(to []byte) (int, error) {
	if b.left <= 0 {
		return 0, errLongLine
	}
	n, err := b.r.Read(to[:min(len(to), b.left)])
	b.left -= n
	return n, err
}
