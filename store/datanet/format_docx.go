package datanet

import (
	"archive/zip"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/openledger/openledger/protocol"
)

// Limits of a Word document (ECMA-376, Office Open XML).
const (
	maxDOCXBytes   = 64 << 20
	maxZipEntries  = 4096
	maxPartBytes   = 64 << 20 // one part unpacked
	maxPackedRatio = 200      // unpacked to packed size of a part; documents have 5 to 20
	ratioFrom      = 1 << 20  // smaller parts may be packed as well as they are
	maxXMLDepth    = 256
)

// docx reads a Word document: a record a section, which begins at each heading of the
// first level. Text is what a reader sees: without deleted text, comments and field codes.
func (p *parser) docx() {
	archive, err := zip.NewReader(p.in, p.size)
	if err != nil {
		p.wrong(0, p.disguised(err))
		return
	}
	if len(archive.File) > maxZipEntries {
		p.wrong(0, protocol.Errorf(protocol.KindInvalid, "", "has %d parts, a Word document has a few dozen (the limit is %d)", len(archive.File), maxZipEntries))
		return
	}
	parts := map[string]*zip.File{}
	for _, f := range archive.File {
		name := path.Clean(f.Name)
		if parts[name] != nil {
			p.wrong(0, protocol.Errorf(protocol.KindInvalid, "", "has the part %q twice: save it again with a word processor", clip(name)))
			return
		}
		parts[name] = f
	}
	if parts["word/document.xml"] == nil {
		p.wrong(0, protocol.Errorf(protocol.KindInvalid, "", "is a ZIP archive, but not a Word document: it has no word/document.xml"))
		return
	}
	d := &document{title: p.stem, headings: map[string]bool{}}
	for _, part := range []struct {
		name string
		read func(*xml.Decoder) error
	}{{"docProps/core.xml", d.properties}, {"word/styles.xml", d.styles}, {"word/document.xml", d.body}} {
		f := parts[part.name]
		if f == nil {
			continue
		}
		if err := p.part(f, part.read); err != nil {
			if cause := p.ctx.Err(); cause != nil {
				p.failed = cause
				return
			}
			p.wrong(0, err)
			return
		}
	}
	d.finish()
	for _, s := range d.sections {
		fields := map[string]string{"title": d.title, "text": s.text}
		if s.heading != "" {
			fields["section"] = s.heading
		}
		rec, err := NewText(fields)
		if !p.add(0, rec, err) {
			return
		}
	}
	if len(d.sections) == 0 {
		p.wrong(0, protocol.Errorf(protocol.KindInvalid, "", "has no text: pictures of text have to be recognised (OCR) first"))
	}
}

var errTooLarge = errors.New("is too large")

// part reads one part of the archive within its limits, whatever the archive says about
// its size.
func (p *parser) part(f *zip.File, read func(*xml.Decoder) error) (err error) {
	bomb := func(n uint64) error {
		return protocol.Errorf(protocol.KindInvalid, "", "unpacks %s to more than %d bytes from %d: this is not what a word processor writes", clip(f.Name), n, f.CompressedSize64)
	}
	most := uint64(maxPartBytes)
	if byRatio := max(f.CompressedSize64, 1) * maxPackedRatio; byRatio/maxPackedRatio == max(f.CompressedSize64, 1) && byRatio < most {
		most = max(byRatio, ratioFrom)
	}
	if f.UncompressedSize64 > most {
		return bomb(most)
	}
	r, err := f.Open()
	if err != nil {
		return p.disguised(err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	in := &capped{r: contextReader{p.ctx, r}, left: int64(most)}
	d := xml.NewDecoder(in)
	err = read(d)
	switch {
	case errors.Is(err, errTooLarge):
		return bomb(most)
	case protocol.KindOf(err) == protocol.KindInvalid:
		return err
	case err != nil:
		return protocol.Errorf(protocol.KindInvalid, "", "has a damaged part %s: %w; save it again with a word processor", clip(f.Name), err)
	}
	return nil
}

// capped fails, rather than ends, when there is too much.
type capped struct {
	r    io.Reader
	left int64
}

func (c *capped) Read(b []byte) (int, error) {
	if c.left <= 0 {
		var one [1]byte
		if n, err := c.r.Read(one[:]); n == 0 {
			return 0, err
		}
		return 0, errTooLarge
	}
	n, err := c.r.Read(b[:min(int64(len(b)), c.left)])
	c.left -= int64(n)
	return n, err
}

// document collects the text of a document.
type document struct {
	title    string
	headings map[string]bool // ids of styles that are headings of the first level
	sections []section

	heading strings.Builder // of the section under way
	text    strings.Builder
}

type section struct{ heading, text string }

// finish ends the section under way.
func (d *document) finish() {
	heading, text := strings.TrimSpace(d.heading.String()), strings.TrimSpace(d.text.String())
	if text != "" || heading != "" {
		if heading != "" {
			text = strings.TrimSpace(heading + "\n\n" + text)
		}
		d.sections = append(d.sections, section{heading, text})
	}
	d.heading.Reset()
	d.text.Reset()
}

// elements calls fn with each element's start and end and with text. There is nothing in
// a document that refers to outside: a document type declaration is refused.
func elements(x *xml.Decoder, fn func(xml.Token) error) error {
	depth := 0
	for {
		t, err := x.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch t.(type) {
		case xml.Directive:
			return protocol.Errorf(protocol.KindInvalid, "", "has a document type declaration in its XML, which Word documents have not")
		case xml.StartElement:
			if depth++; depth > maxXMLDepth {
				return protocol.Errorf(protocol.KindInvalid, "", "has XML nested deeper than %d", maxXMLDepth)
			}
		case xml.EndElement:
			depth--
		}
		if err := fn(t); err != nil {
			return err
		}
	}
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// properties takes the title.
func (d *document) properties(x *xml.Decoder) error {
	var title strings.Builder
	in := false
	err := elements(x, func(t xml.Token) error {
		switch e := t.(type) {
		case xml.StartElement:
			in = e.Name.Local == "title"
		case xml.EndElement:
			in = false
		case xml.CharData:
			if in && title.Len() < maxNameBytes {
				title.Write(e)
			}
		}
		return nil
	})
	if s := oneLine(title.String()); err == nil && s != "" {
		d.title = s
	}
	return err
}

// styles notes which styles are headings of the first level, whatever language they are
// called in.
func (d *document) styles(x *xml.Decoder) error {
	id := ""
	return elements(x, func(t xml.Token) error {
		e, ok := t.(xml.StartElement)
		if !ok {
			return nil
		}
		switch e.Name.Local {
		case "style":
			id = attribute(e, "styleId")
		case "name":
			if strings.EqualFold(attribute(e, "val"), "heading 1") {
				d.headings[id] = true
			}
		case "outlineLvl":
			if attribute(e, "val") == "0" && id != "" {
				d.headings[id] = true
			}
		}
		return nil
	})
}

// body takes the text of the paragraphs in reading order.
func (d *document) body(x *xml.Decoder) error {
	var paragraph strings.Builder
	heading, inText, skip, size := false, false, 0, 0
	return elements(x, func(t xml.Token) error {
		switch e := t.(type) {
		case xml.StartElement:
			if skip > 0 {
				skip++
				return nil
			}
			switch e.Name.Local {
			case "del", "moveFrom", "instrText", "Fallback": // Fallback repeats what stands before it
				skip = 1
			case "p":
				heading = false
			case "pStyle":
				heading = d.headings[attribute(e, "val")] || attribute(e, "val") == "Heading1"
			case "outlineLvl":
				heading = heading || attribute(e, "val") == "0"
			case "t":
				inText = true
			case "tab":
				paragraph.WriteByte('\t')
			case "br", "cr":
				paragraph.WriteByte('\n')
			case "sym":
				if n, err := strconv.ParseUint(attribute(e, "char"), 16, 32); err == nil && n >= ' ' && (n < 0xE000 || n > 0xF8FF) && utf8.ValidRune(rune(n)) {
					paragraph.WriteRune(rune(n))
				}
			}
		case xml.EndElement:
			if skip > 0 {
				skip--
				return nil
			}
			switch e.Name.Local {
			case "t":
				inText = false
			case "tc":
				d.text.WriteByte('\t')
			case "p":
				d.paragraph(paragraph.String(), heading)
				paragraph.Reset()
				if heading = false; len(d.sections) > MaxRecords {
					return fmt.Errorf("has more than %d sections", MaxRecords)
				}
			}
		case xml.CharData:
			if inText && skip == 0 {
				if size += len(e); size > maxPartBytes {
					return errTooLarge
				}
				paragraph.Write(e)
			}
		}
		return nil
	})
}

func (d *document) paragraph(s string, heading bool) {
	s = strings.TrimRight(s, " \t\n")
	if heading && strings.TrimSpace(s) != "" {
		d.finish()
		d.heading.WriteString(strings.Join(strings.Fields(s), " "))
		return
	}
	if strings.TrimSpace(s) != "" {
		if d.text.Len() > 0 {
			d.text.WriteByte('\n')
		}
		d.text.WriteString(s)
	}
}
