package datanet

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/openledger/openledger/protocol"
)

// Format is one kind of file that people contribute.
type Format struct {
	Name      string   // for people
	Endings   []string // of file names, lower case
	MediaType string   // of what becomes a media record, else empty
	MaxBytes  int64    // of one file

	read func(*parser)
}

// Formats is the table of all kinds. A file's kind is the ending of its name; its content
// must then be of that kind. Endings never overlap.
func Formats() []Format {
	return []Format{
		{Name: "JSON lines", Endings: []string{".jsonl", ".ndjson"}, MaxBytes: MaxFileBytes, read: (*parser).lines},
		{Name: "Markdown", Endings: []string{".md", ".markdown"}, MaxBytes: 2 * protocol.MaxRecordBytes, read: (*parser).markdown},
		{Name: "text", Endings: []string{".txt"}, MaxBytes: 2 * protocol.MaxRecordBytes, read: (*parser).plain},
		{Name: "CSV", Endings: []string{".csv", ".tsv"}, MaxBytes: MaxFileBytes, read: (*parser).csv},
		{Name: "PDF", Endings: []string{".pdf"}, MaxBytes: maxPDFBytes, read: (*parser).pdf},
		{Name: "Word", Endings: []string{".docx"}, MaxBytes: maxDOCXBytes, read: (*parser).docx},
		{Name: "PNG", Endings: []string{".png"}, MediaType: "image/png", MaxBytes: maxImageBytes, read: mediaFormat(readPNG)},
		{Name: "JPEG", Endings: []string{".jpg", ".jpeg"}, MediaType: "image/jpeg", MaxBytes: maxImageBytes, read: mediaFormat(readJPEG)},
		{Name: "WebP", Endings: []string{".webp"}, MediaType: "image/webp", MaxBytes: maxImageBytes, read: mediaFormat(readWebP)},
		{Name: "MP3", Endings: []string{".mp3"}, MediaType: "audio/mpeg", MaxBytes: MaxMediaBytes, read: mediaFormat(readMP3)},
		{Name: "WAV", Endings: []string{".wav"}, MediaType: "audio/wav", MaxBytes: MaxMediaBytes, read: mediaFormat(readWAV)},
		{Name: "FLAC", Endings: []string{".flac"}, MediaType: "audio/flac", MaxBytes: MaxMediaBytes, read: mediaFormat(readFLAC)},
		{Name: "MP4", Endings: []string{".mp4"}, MediaType: "video/mp4", MaxBytes: MaxMediaBytes, read: mediaFormat(readMP4)},
		{Name: "WebM", Endings: []string{".webm"}, MediaType: "video/webm", MaxBytes: MaxMediaBytes, read: mediaFormat(readWebM)},
	}
}

// Endings lists the endings of the files that [Parse] reads.
func Endings() []string {
	var out []string
	for _, f := range Formats() {
		out = append(out, f.Endings...)
	}
	return out
}

// MediaTypes lists the media types of files in media records.
func MediaTypes() []string {
	var out []string
	for _, f := range Formats() {
		if f.MediaType != "" {
			out = append(out, f.MediaType)
		}
	}
	return out
}

// File is a file to read. Nothing about it is trusted.
type File struct {
	Name    string
	Content io.ReaderAt
	Size    int64
}

// Target takes what a file contains.
type Target struct {
	// Record gets each record in order. What came before an error is to be dropped.
	Record func(Record) error
	// Store keeps the file behind a media record, if that has passed its checks.
	Store func(context.Context, io.Reader) (protocol.CID, error)
}

// Parse reads the records of a file by the ending of its name; the table of formats says
// how. Everything that is wrong with the file comes as one [ParseError], and then nothing
// of it counts.
//
//	.jsonl .ndjson       a record a line: an object of strings
//	.csv .tsv            a record a row: the first row names the fields
//	.md .markdown .txt   one record: text, title
//	.pdf                 a record a page with text: text, title, page
//	.docx                a record a section (headings of the first level): text, title, section
//	pictures, sound and video   one media record with the title
//
// A page is the unit of a PDF because it is what people cite, and the finest that the
// format knows for sure; so attribution and payment can tell pages apart.
func Parse(ctx context.Context, f File, to Target) error {
	base := CleanName(f.Name)
	ext := strings.ToLower(path.Ext(base))
	p := &parser{ctx: ctx, file: base, ext: ext, stem: strings.TrimSpace(strings.TrimSuffix(base, path.Ext(base))), in: f.Content, size: f.Size, to: to}
	if p.stem == "" {
		p.stem = "untitled"
	}
	table := Formats()
	i := slices.IndexFunc(table, func(f Format) bool { return slices.Contains(f.Endings, ext) })
	switch {
	case i < 0:
		p.wrong(0, protocol.Errorf(protocol.KindInvalid, "", "is of a kind that is not read here: give one of %s", strings.Join(Endings(), " ")))
	case f.Size == 0:
		p.wrong(0, protocol.Errorf(protocol.KindInvalid, "", "is empty"))
	case f.Size > table[i].MaxBytes:
		p.wrong(0, protocol.Errorf(protocol.KindInvalid, "", "is %d bytes, a %s file may have %d: split it or make it smaller", f.Size, table[i].Name, table[i].MaxBytes))
	default:
		p.format = table[i]
		table[i].read(p)
		if p.failed == nil && p.count == 0 && len(p.errs.Lines) == 0 {
			p.wrong(0, protocol.Errorf(protocol.KindInvalid, "", "has no records"))
		}
	}
	if p.failed != nil {
		return p.failed
	}
	if len(p.errs.Lines) > 0 {
		return &p.errs
	}
	return nil
}

// maxNameBytes bounds the name of a file as it is shown and kept.
const maxNameBytes = 200

// CleanName makes a name of a file fit to show and to keep: its last element as one line of
// at most 200 bytes with its ending. It may still have < and &: who shows it escapes it.
func CleanName(name string) string {
	name = oneLine(path.Base(strings.ReplaceAll(strings.ToValidUTF8(name, "\uFFFD"), "\\", "/")))
	if name == "" || name == "." || name == "/" || name == ".." {
		return "untitled"
	}
	return name
}

// oneLine gives text without control, format and private characters (those that hide or
// turn text around too), in form NFC, with single spaces. Of more than 200 bytes it gives
// the beginning and what may be the ending of a file's name.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.Is(unicode.C, r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	s = strings.Join(strings.Fields(norm.NFC.String(s)), " ")
	if len(s) <= maxNameBytes {
		return s
	}
	ext := path.Ext(s)
	if len(ext) > 16 {
		ext = ""
	}
	stem := s[:maxNameBytes-len(ext)]
	for !utf8.ValidString(stem) {
		stem = stem[:len(stem)-1]
	}
	return strings.TrimSpace(stem) + ext
}

type parser struct {
	ctx    context.Context
	file   string // cleaned name
	stem   string // without ending, never empty
	ext    string // lower case
	format Format
	in     io.ReaderAt
	size   int64
	to     Target
	count  int // records given out
	errs   ParseError
	failed error // reading itself, or the target
}

// reader reads the file from its start, until the context ends.
func (p *parser) reader() io.Reader {
	return contextReader{p.ctx, io.NewSectionReader(p.in, 0, p.size)}
}

type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(b)
}

// head gives the first bytes of the file.
func (p *parser) head(n int) []byte {
	b := make([]byte, min(int64(n), p.size))
	got, _ := p.in.ReadAt(b, 0)
	return b[:got]
}

// wrong notes an error, and says whether there is room for more.
func (p *parser) wrong(line int, err error) bool {
	if len(p.errs.Lines) == maxLineErrors {
		p.errs.More = true
		return false
	}
	e := LineError{File: p.file, Line: line, Message: err.Error()}
	if pe := (*protocol.Error)(nil); errors.As(err, &pe) {
		e.Field, e.Message = pe.Field, pe.Message
	}
	p.errs.Lines = append(p.errs.Lines, e)
	return true
}

// add gives a record out, or notes what is wrong with it. It says whether to go on.
func (p *parser) add(line int, r Record, err error) bool {
	if err != nil {
		return p.wrong(line, err)
	}
	if p.count == MaxRecords {
		p.wrong(line, protocol.Errorf(protocol.KindInvalid, "", "has more than %d records: split the file", MaxRecords))
		return false
	}
	p.count++
	if len(p.errs.Lines) > 0 {
		return true // it will all be dropped
	}
	if err := p.to.Record(r); err != nil {
		p.failed = err
		return false
	}
	return true
}

// all reads the whole file, whose size was checked.
func (p *parser) all() ([]byte, bool) {
	var buf bytes.Buffer
	if _, err := io.Copy(&buf, p.reader()); err != nil {
		p.failed = err
		return nil, false
	}
	return buf.Bytes(), true
}

// looksLike names what the first bytes of a file say it is, empty when they do not say.
func looksLike(head []byte) string {
	for _, k := range []struct {
		at          int
		magic, name string
	}{
		{0, "%PDF-", "a PDF document"}, {0, "PK\x03\x04", "a ZIP archive or Office document"}, {0, "\x89PNG\r\n", "a PNG picture"},
		{0, "\xff\xd8\xff", "a JPEG picture"}, {0, "GIF8", "a GIF picture"}, {8, "WEBP", "a WebP picture"}, {8, "WAVE", "a WAV sound"},
		{0, "ID3", "an MP3 sound"}, {0, "fLaC", "a FLAC sound"}, {0, "OggS", "an Ogg file"}, {4, "ftyp", "an MP4 or similar file"},
		{0, "\x1a\x45\xdf\xa3", "a Matroska or WebM file"}, {0, "\x7fELF", "a program"}, {0, "MZ", "a program"}, {0, "\x1f\x8b", "a gzip archive"},
		{0, "\xd0\xcf\x11\xe0", "an old Office document"}, {0, "{\\rtf", "an RTF document"},
	} {
		if len(head) >= k.at+len(k.magic) && string(head[k.at:k.at+len(k.magic)]) == k.magic {
			return k.name
		}
	}
	text := strings.ToLower(string(bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")))
	for _, k := range []struct{ start, name string }{
		{"<!doctype html", "an HTML page"}, {"<html", "an HTML page"}, {"<script", "an HTML page"}, {"<svg", "an SVG picture"},
		{"<?xml", "an XML document"}, {"<!doctype", "an XML document"}, {"#!/", "a script"},
	} {
		if strings.HasPrefix(text, k.start) {
			return k.name
		}
	}
	return ""
}

// disguised is the error about a file whose content is not what its name says.
func (p *parser) disguised(err error) error {
	if is := looksLike(p.head(512)); is != "" && !strings.Contains(is, p.format.Name) {
		return protocol.Errorf(protocol.KindInvalid, "", "is called %s, but it is %s: give it its real ending, if that is a kind that is read here", p.ext, is)
	}
	return protocol.Errorf(protocol.KindInvalid, "", "is not a %s file that can be read: %w; save it again with the program that made it", p.format.Name, err)
}
