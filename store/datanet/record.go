package datanet

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store/ipfs"
)

// Type is the kind of a record.
type Type string

// Types of record.
const (
	TypeText   Type = "text"   // named text fields
	TypeOpaque Type = "opaque" // bytes with a media type
)

// MaxFields bounds the fields of one record.
const MaxFields = 64

// Record is one record in canonical form.
//
// The canonical bytes are one of
//
//	{"fields":{"answer":"…","title":"…"},"type":"text"}
//	{"data":"<base64>","media_type":"image/png","type":"opaque"}
//
// or those of a media record: see [NewMedia].
type Record struct {
	ID        protocol.Hash     // SHA2-256 of Canonical
	Type      Type              //
	Fields    map[string]string // of a text or media record: NFC
	MediaType string            // of an opaque or media record
	Data      []byte            // of an opaque record
	Media     *Media            // of a media record
	Canonical []byte
}

// CID is the record's content identifier: its canonical bytes as one raw block.
func (r *Record) CID() protocol.CID { return ipfs.RawCIDOf(r.ID) }

// Title is a short name for people: the field title with the page or section, or the
// first words of text, or the media type.
func (r *Record) Title() string {
	if t := strings.TrimSpace(r.Fields["title"]); t != "" {
		t = clip(t)
		if page := r.Fields["page"]; page != "" {
			t += ", page " + clip(page)
		} else if section := r.Fields["section"]; section != "" {
			t += ": " + clip(section)
		}
		return t
	}
	for _, name := range sortedNames(r.Fields) {
		if v := strings.TrimSpace(r.Fields[name]); v != "" {
			return clip(v)
		}
	}
	return r.MediaType
}

// maxPreview bounds a preview, in characters.
const maxPreview = 280

// Preview is the beginning of a record's text: of its longest field but the title, as one
// line without characters that hide something. It is text, never markup.
func (r *Record) Preview() string {
	best := ""
	for _, name := range sortedNames(r.Fields) {
		if v := r.Fields[name]; name != "title" && len(v) > len(best) {
			best = v
		}
	}
	if len(best) > 16*maxPreview {
		best = strings.ToValidUTF8(best[:16*maxPreview], "")
	}
	n := 0
	line := strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if unicode.Is(unicode.C, r) {
			return -1
		}
		return r
	}, best)), " ")
	for i := range line {
		if n++; n > maxPreview {
			return line[:i] + "…"
		}
	}
	return line
}

// Trainable says whether there is text to learn from. Of a media record only its fields
// are; what is in its picture, sound or video is not.
func (r *Record) Trainable() bool { return len(r.Fields) > 0 }

func clip(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	n := 0
	for i := range s {
		if n++; n > 60 {
			return s[:i] + "…"
		}
	}
	return s
}

// NewText makes a text record. Names and values become NFC.
func NewText(fields map[string]string) (Record, error) {
	if len(fields) == 0 {
		return Record{}, protocol.Errorf(protocol.KindInvalid, "fields", "are missing: a record has at least one text field")
	}
	if len(fields) > MaxFields {
		return Record{}, protocol.Errorf(protocol.KindInvalid, "fields", "are %d, the limit is %d", len(fields), MaxFields)
	}
	out := make(map[string]string, len(fields))
	blank := true
	for _, name := range sortedNames(fields) {
		value := fields[name]
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return Record{}, protocol.Errorf(protocol.KindInvalid, fmt.Sprintf("%q", name), "is not UTF-8: save it as UTF-8")
		}
		n := norm.NFC.String(name)
		if err := checkFieldName(n); err != nil {
			return Record{}, err
		}
		if _, twice := out[n]; twice {
			return Record{}, protocol.Errorf(protocol.KindInvalid, n, "is there twice")
		}
		out[n] = norm.NFC.String(value)
		blank = blank && strings.TrimSpace(value) == ""
	}
	if blank {
		return Record{}, protocol.Errorf(protocol.KindInvalid, "fields", "are all empty: leave such a record out")
	}
	canonical := appendFields([]byte(`{"fields":`), out)
	canonical = append(canonical, `,"type":"text"}`...)
	return finish(Record{Type: TypeText, Fields: out, Canonical: canonical})
}

func checkFieldName(name string) error {
	if name == "" {
		return protocol.Errorf(protocol.KindInvalid, "fields", "has an empty name: name every field")
	}
	if len(name) > protocol.MaxNameBytes {
		return protocol.Errorf(protocol.KindInvalid, clip(name), "is a name of %d bytes, the limit is %d", len(name), protocol.MaxNameBytes)
	}
	for _, r := range name {
		if unicode.IsControl(r) || r == '{' || r == '}' {
			return protocol.Errorf(protocol.KindInvalid, fmt.Sprintf("%q", name), "has %q in its name: templates write {name}", r)
		}
	}
	return nil
}

// NewOpaque makes a record of any bytes.
func NewOpaque(mediaType string, data []byte) (Record, error) {
	if err := checkMediaType(mediaType); err != nil {
		return Record{}, err
	}
	if len(data) == 0 {
		return Record{}, protocol.Errorf(protocol.KindInvalid, "data", "is empty")
	}
	if base64.StdEncoding.EncodedLen(len(data)) > protocol.MaxRecordBytes {
		return Record{}, tooLarge(base64.StdEncoding.EncodedLen(len(data)))
	}
	canonical := []byte(`{"data":"`)
	canonical = base64.StdEncoding.AppendEncode(canonical, data)
	canonical = append(canonical, `","media_type":`...)
	canonical = appendString(canonical, mediaType)
	canonical = append(canonical, `,"type":"opaque"}`...)
	return finish(Record{Type: TypeOpaque, MediaType: mediaType, Data: data, Canonical: canonical})
}

func checkMediaType(s string) error {
	main, sub, ok := strings.Cut(s, "/")
	if ok && main != "" && sub != "" && len(s) <= 127 {
		ok = !strings.ContainsFunc(main+sub, func(r rune) bool {
			lower := r >= 'a' && r <= 'z' || r >= '0' && r <= '9'
			return !lower && !strings.ContainsRune("!#$&^_.+-", r)
		})
		if ok {
			return nil
		}
	}
	return protocol.Errorf(protocol.KindInvalid, "media_type", "%q is not a media type such as image/png, in lower case", clip(s))
}

func finish(r Record) (Record, error) {
	if len(r.Canonical) > protocol.MaxRecordBytes {
		return Record{}, tooLarge(len(r.Canonical))
	}
	r.ID = sha256.Sum256(r.Canonical)
	return r, nil
}

func tooLarge(n int) error {
	return protocol.Errorf(protocol.KindInvalid, "record", "is %d bytes in canonical form, the limit is %d: split it", n, protocol.MaxRecordBytes)
}

// Decode reads a record and refuses bytes that are not in canonical form.
func Decode(canonical []byte) (Record, error) {
	if len(canonical) > protocol.MaxRecordBytes {
		return Record{}, tooLarge(len(canonical))
	}
	var w struct {
		Type      Type              `json:"type"`
		Fields    map[string]string `json:"fields"`
		MediaType string            `json:"media_type"`
		Data      *string           `json:"data"`
	}
	var r Record
	var err error
	media := bytes.Contains(canonical, []byte(`,"type":"media"`)) // in no string, where quotes are escaped
	if !media {
		d := json.NewDecoder(bytes.NewReader(canonical))
		d.DisallowUnknownFields()
		err = d.Decode(&w)
	}
	switch {
	case err != nil:
	case media:
		r, err = decodeMedia(canonical)
	case w.Type == TypeText:
		r, err = NewText(w.Fields)
	case w.Type == TypeOpaque && w.Data != nil:
		var data []byte
		if data, err = base64.StdEncoding.Strict().DecodeString(*w.Data); err == nil {
			r, err = NewOpaque(w.MediaType, data)
		}
	default:
		err = fmt.Errorf("type %q is not known", clip(string(w.Type)))
	}
	if err != nil {
		return Record{}, protocol.Errorf(protocol.KindCorrupt, "record", "is not a record in canonical form: %w", err)
	}
	if !bytes.Equal(r.Canonical, canonical) {
		return Record{}, protocol.Errorf(protocol.KindCorrupt, "record", "is a record, but not in canonical form: encode it with this program")
	}
	return r, nil
}
