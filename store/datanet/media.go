package datanet

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store/ipfs"
)

// TypeMedia is a record about a file of pictures, sound or video: the file itself is a
// UnixFS file that the record names by its CID, since it is larger than a record may be.
const TypeMedia Type = "media"

// Limits of media.
const (
	MaxMediaBytes  = 256 << 20      // one file
	maxVersionData = 3 << 30        // files of one version, which travels as one DAG
	maxDimension   = 1 << 16        // pixels of one side
	maxPixels      = 1 << 28        // of one picture: browsers unpack it to four bytes each
	maxDuration    = 24 * 3_600_000 // ms
	maxCodecLength = 32             // bytes
	mediaDirectory = "media"        // in a version's root: the files, by CID
)

// Media says what a media record's file is, as its own headers say.
type Media struct {
	Content   protocol.CID `json:"content"` // the file: a UnixFS DAG
	MediaType string       `json:"media_type"`
	Size      int64        `json:"size"` // bytes
	// Codec is what the file is encoded with, such as vp9 or pcm; of video with sound, both
	// with a + between. Empty where the media type says it all.
	Codec    string `json:"codec,omitempty"`
	Width    int    `json:"width,omitempty"`       // pixels
	Height   int    `json:"height,omitempty"`      // pixels
	Duration int64  `json:"duration_ms,omitempty"` // ms
}

// NewMedia makes a record of a file. Fields, which may be empty, say in words what is in
// it (caption, transcript, title): only they can be learned from, searched and attributed.
//
//	{"codec":"vp9","content":"bafy…","duration_ms":1200,"fields":{"caption":"…"},"height":480,"media_type":"video/webm","size":1234567,"type":"media","width":640}
func NewMedia(m Media, fields map[string]string) (Record, error) {
	if err := m.check(); err != nil {
		return Record{}, err
	}
	clean := map[string]string{}
	if len(fields) > 0 {
		text, err := NewText(fields)
		if err != nil {
			return Record{}, err
		}
		clean = text.Fields
	}
	b := []byte{'{'}
	if m.Codec != "" {
		b = append(appendString(append(b, `"codec":`...), m.Codec), ',')
	}
	b = append(appendString(append(b, `"content":`...), string(m.Content)), ',')
	number := func(name string, n int64) {
		if n != 0 {
			b = strconv.AppendInt(append(b, `"`+name+`":`...), n, 10)
			b = append(b, ',')
		}
	}
	number("duration_ms", m.Duration)
	if len(clean) > 0 {
		b = append(appendFields(append(b, `"fields":`...), clean), ',')
	}
	number("height", int64(m.Height))
	b = append(appendString(append(b, `"media_type":`...), m.MediaType), ',')
	number("size", m.Size)
	b = append(b, `"type":"media"`...)
	if m.Width != 0 {
		b = strconv.AppendInt(append(b, `,"width":`...), int64(m.Width), 10)
	}
	b = append(b, '}')
	return finish(Record{Type: TypeMedia, Fields: clean, MediaType: m.MediaType, Media: &m, Canonical: b})
}

func (m *Media) check() error {
	bad := func(field, format string, args ...any) error {
		return protocol.Errorf(protocol.KindInvalid, field, format, args...)
	}
	if err := checkMediaType(m.MediaType); err != nil {
		return err
	}
	if id, err := ipfs.ParseCID(m.Content); err != nil {
		return bad("content", "%w", err)
	} else if ipfs.CIDText(id) != m.Content {
		return bad("content", "%s is not in the usual form, %s", m.Content, ipfs.CIDText(id))
	}
	switch {
	case m.Size <= 0 || m.Size > MaxMediaBytes:
		return bad("size", "is %d bytes, 1 to %d are possible", m.Size, MaxMediaBytes)
	case m.Width < 0 || m.Height < 0 || m.Width > maxDimension || m.Height > maxDimension || m.Width*m.Height > maxPixels:
		return bad("width", "and height are %d x %d, the limits are %d a side and %d pixels: make it smaller", m.Width, m.Height, maxDimension, maxPixels)
	case m.Duration < 0 || m.Duration > maxDuration:
		return bad("duration_ms", "is %d, the limit is a day: cut it", m.Duration)
	case len(m.Codec) > maxCodecLength || !printable(m.Codec):
		return bad("codec", "%q is not the name of a codec", clip(m.Codec))
	}
	return nil
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// decodeMedia reads the members of a media record; the caller compares the bytes.
func decodeMedia(canonical []byte) (Record, error) {
	var w struct {
		Media
		Fields map[string]string `json:"fields"`
		Type   Type              `json:"type"`
	}
	d := json.NewDecoder(bytes.NewReader(canonical))
	d.DisallowUnknownFields()
	if err := d.Decode(&w); err != nil {
		return Record{}, fmt.Errorf("media: %w", err)
	}
	return NewMedia(w.Media, w.Fields)
}
