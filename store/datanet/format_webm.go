package datanet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
)

// Elements of a WebM file (RFC 8794, RFC 9559) that are looked at.
const (
	ebmlHeader      = 0x1A45DFA3
	ebmlDocType     = 0x4282
	webmSegment     = 0x18538067
	webmInfo        = 0x1549A966
	webmScale       = 0x2AD7B1
	webmDuration    = 0x4489
	webmTracks      = 0x1654AE6B
	webmTrack       = 0xAE
	webmTrackType   = 0x83
	webmCodec       = 0x86
	webmVideo       = 0xE0
	webmWidth       = 0xB0
	webmHeight      = 0xBA
	webmCluster     = 0x1F43B675
	webmTypeVideo   = 1
	webmTypeAudio   = 2
	maxElementBytes = 256 // of a value that is read
)

// element is a part of an EBML file: its id, and where its content lies.
type element struct {
	id       uint32
	from, to int64
	open     bool // its length is not known: it ends with what holds it
}

var errFound = errors.New("found") // ends a walk early

// vint reads a number of variable length; keep leaves the marker of its length in.
func (h *headers) vint(at int64, most int, keep bool) (v uint64, n int, unknown bool, err error) {
	b, err := h.at(at, 1)
	if err != nil {
		return 0, 0, false, err
	}
	for n = 1; n <= most && b[0]&(0x80>>(n-1)) == 0; n++ {
	}
	if n > most {
		return 0, 0, false, errors.New("it has a number that is too long")
	}
	if b, err = h.at(at, n); err != nil {
		return 0, 0, false, err
	}
	v = uint64(b[0])
	if !keep {
		v &= 0xff >> n
	}
	unknown = b[0]|(0xff<<(8-n)) == 0xff && !keep
	for _, c := range b[1:] {
		v = v<<8 | uint64(c)
		unknown = unknown && c == 0xff
	}
	return v, n, unknown, nil
}

// elements calls fn with each element between two places.
func (h *headers) elements(from, to int64, fn func(element) error) error {
	for at := from; at < to; {
		id, n, _, err := h.vint(at, 4, true)
		if err != nil {
			return err
		}
		size, m, unknown, err := h.vint(at+int64(n), 8, false)
		if err != nil {
			return err
		}
		e := element{id: uint32(id), from: at + int64(n) + int64(m), open: unknown}
		switch {
		case unknown:
			e.to = to
		case size > math.MaxInt64 || int64(size) > to-e.from:
			return errCut
		default:
			e.to = e.from + int64(size)
		}
		if err := fn(e); err != nil {
			return err
		}
		at = e.to
	}
	return nil
}

func (h *headers) value(e element) ([]byte, error) {
	if e.to-e.from > maxElementBytes {
		return nil, errors.New("it has a value that is too long")
	}
	return h.at(e.from, int(e.to-e.from))
}

func (h *headers) number(e element) (uint64, error) {
	b, err := h.value(e)
	if err != nil || len(b) > 8 {
		return 0, errors.Join(err, errors.New("it has a number that is too long"))
	}
	var v uint64
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	return v, nil
}

// webm is what a file says about itself.
type webm struct {
	*headers
	scale         uint64
	duration      float64
	width, height int
	video, audio  string // codecs
	cluster       bool
}

// readWebM reads the elements of a WebM video before its data.
func readWebM(f *headers) (Media, error) {
	w := &webm{headers: f, scale: 1_000_000}
	kind := ""
	err := f.elements(0, f.size, func(e element) error {
		switch e.id {
		case ebmlHeader:
			return f.elements(e.from, e.to, func(e element) (err error) {
				if e.id == ebmlDocType {
					b, err := f.value(e)
					kind = strings.TrimRight(string(b), "\x00")
					return err
				}
				return nil
			})
		case webmSegment:
			if kind != "webm" {
				return fmt.Errorf("it says it is of the kind %q, not webm", clip(kind))
			}
			if err := f.elements(e.from, e.to, w.segment); err != nil {
				return err
			}
			return errFound
		}
		if kind == "" {
			return errors.New("it does not say that it is of the kind webm")
		}
		return nil
	})
	switch {
	case err != nil && !errors.Is(err, errFound):
		return Media{}, err
	case !w.cluster:
		return Media{}, errors.New("it has no video in it")
	case w.video == "" || w.width == 0 || w.height == 0:
		return Media{}, errors.New("it has no track of video")
	}
	m := Media{Codec: w.video, Width: w.width, Height: w.height}
	if w.audio != "" {
		m.Codec += "+" + w.audio
	}
	ms := w.duration * float64(w.scale) / 1e6
	if !(ms >= 0 && ms <= maxDuration) {
		return Media{}, errors.New("it says it is longer than a day")
	}
	m.Duration = int64(ms)
	return m, nil
}

// segment reads what describes the video, up to where its data begins.
func (w *webm) segment(e element) error {
	switch e.id {
	case webmInfo:
		return w.elements(e.from, e.to, w.info)
	case webmTracks:
		return w.elements(e.from, e.to, func(e element) error {
			if e.id != webmTrack {
				return nil
			}
			return w.track(e)
		})
	case webmCluster:
		w.cluster = true
		return errFound
	}
	if e.open {
		return errors.New("it has a part without a length")
	}
	return nil
}

func (w *webm) info(e element) (err error) {
	switch e.id {
	case webmScale:
		w.scale, err = w.number(e)
	case webmDuration:
		b, err := w.value(e)
		switch {
		case err != nil:
			return err
		case len(b) == 4:
			w.duration = float64(math.Float32frombits(binary.BigEndian.Uint32(b)))
		case len(b) == 8:
			w.duration = math.Float64frombits(binary.BigEndian.Uint64(b))
		}
	}
	return err
}

func (w *webm) track(t element) error {
	var kind uint64
	var codec string
	width, height := uint64(0), uint64(0)
	err := w.elements(t.from, t.to, func(e element) (err error) {
		switch e.id {
		case webmTrackType:
			kind, err = w.number(e)
		case webmCodec:
			var b []byte
			b, err = w.value(e)
			codec = strings.ToLower(strings.TrimRight(string(b), "\x00"))
		case webmVideo:
			err = w.elements(e.from, e.to, func(e element) (err error) {
				switch e.id {
				case webmWidth:
					width, err = w.number(e)
				case webmHeight:
					height, err = w.number(e)
				}
				return err
			})
		}
		return err
	})
	if err != nil {
		return err
	}
	if _, after, ok := strings.Cut(codec, "_"); ok { // V_VP9, A_OPUS
		codec = after
	}
	if codec == "" || len(codec) > 12 || !printable(codec) || width > maxDimension || height > maxDimension {
		return errors.New("it has a track of an unknown kind")
	}
	switch {
	case kind == webmTypeVideo && w.video == "":
		w.video, w.width, w.height = codec, int(width), int(height)
	case kind == webmTypeAudio && w.audio == "":
		w.audio = codec
	}
	return nil
}
