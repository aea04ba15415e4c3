package datanet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
)

// box is a part of an MP4 file (ISO 14496-12): its kind, and where its content lies.
type box struct {
	kind     string
	from, to int64
}

// boxes calls fn with each box between two places.
func (h *headers) boxes(from, to int64, fn func(box) error) error {
	for at := from; at < to; {
		head, err := h.at(at, 8)
		if err != nil {
			return err
		}
		b := box{kind: string(head[4:]), from: at + 8}
		switch n := uint64(binary.BigEndian.Uint32(head)); n {
		case 0: // up to the end
			b.to = to
		case 1:
			long, err := h.at(at+8, 8)
			if err != nil {
				return err
			}
			if n = binary.BigEndian.Uint64(long); n < 16 || n > math.MaxInt64 {
				return errors.New("it has a box without a length")
			}
			b.from, b.to = at+16, at+int64(n)
		default:
			b.to = at + int64(n)
		}
		if b.to < b.from || b.to > to {
			return errCut
		}
		if err := fn(b); err != nil {
			return err
		}
		at = b.to
	}
	return nil
}

// mp4 is what the tracks of a file say.
type mp4 struct {
	*headers
	media        Media
	moov, mdat   bool
	track        mp4Track
	video, audio string // codecs
}

type mp4Track struct {
	width, height int
	handler       string
	codec         string
	inside        string // box being read: mdia, minf or stbl, which is their order too
}

// readMP4 reads the boxes of an MP4 video.
func readMP4(f *headers) (Media, error) {
	if err := f.expect(4, "ftyp"); err != nil {
		return Media{}, err
	}
	brand, err := f.at(8, 4)
	if err != nil {
		return Media{}, err
	}
	switch s := string(brand); {
	case strings.HasPrefix(s, "heic"), strings.HasPrefix(s, "mif1"), strings.HasPrefix(s, "avif"), strings.HasPrefix(s, "qt"):
		return Media{}, fmt.Errorf("it says it is of the kind %q, not MP4", s)
	}
	m := &mp4{headers: f}
	err = f.boxes(0, f.size, func(b box) error {
		switch b.kind {
		case "moov":
			m.moov = true
			return f.boxes(b.from, b.to, m.movie)
		case "mdat", "moof":
			m.mdat = true
		}
		return nil
	})
	switch {
	case err != nil:
		return Media{}, err
	case !m.moov:
		return Media{}, errors.New("it has no description of its tracks (moov): it was not recorded to its end")
	case !m.mdat:
		return Media{}, errors.New("it has no video in it")
	case m.video == "" || m.media.Width == 0 || m.media.Height == 0:
		return Media{}, errors.New("it has no track of video")
	}
	if m.media.Codec = m.video; m.audio != "" {
		m.media.Codec += "+" + m.audio
	}
	return m.media, nil
}

// movie reads what is in moov.
func (m *mp4) movie(b box) error {
	switch b.kind {
	case "mvhd":
		scale, duration, err := m.timing(b)
		if err != nil {
			return err
		}
		m.media.Duration, err = milliseconds(duration, scale)
		return err
	case "trak":
		m.track = mp4Track{}
		if err := m.boxes(b.from, b.to, m.trackBox); err != nil {
			return err
		}
		switch t := m.track; t.handler {
		case "vide":
			if m.video == "" {
				m.video, m.media.Width, m.media.Height = t.codec, t.width, t.height
			}
		case "soun":
			if m.audio == "" {
				m.audio = t.codec
			}
		}
	}
	return nil
}

// timing reads the time scale and the duration of a header, in its two versions.
func (m *mp4) timing(b box) (scale uint32, duration uint64, err error) {
	v, err := m.at(b.from, 4)
	if err != nil {
		return 0, 0, err
	}
	if v[0] == 1 {
		d, err := m.at(b.from+20, 12)
		if err != nil {
			return 0, 0, err
		}
		return binary.BigEndian.Uint32(d), binary.BigEndian.Uint64(d[4:]), nil
	}
	d, err := m.at(b.from+12, 8)
	if err != nil {
		return 0, 0, err
	}
	if duration = uint64(binary.BigEndian.Uint32(d[4:])); duration == math.MaxUint32 {
		duration = 0 // not known
	}
	return binary.BigEndian.Uint32(d), duration, nil
}

// milliseconds gives a duration in a time scale; 0 when it is not known.
func milliseconds(duration uint64, scale uint32) (int64, error) {
	if duration == 0 || duration == math.MaxUint64 {
		return 0, nil
	}
	if scale == 0 || duration/uint64(scale) > maxDuration/1000 {
		return 0, errors.New("it says it is longer than a day")
	}
	return int64(duration * 1000 / uint64(scale)), nil
}

// trackBox reads what is in trak. The boxes with more inside come in one order, so that
// no file makes this go deeper.
func (m *mp4) trackBox(b box) error {
	for _, parent := range []string{"mdia", "minf", "stbl"} {
		if b.kind == parent && parent > m.track.inside {
			was := m.track.inside
			m.track.inside = parent
			err := m.boxes(b.from, b.to, m.trackBox)
			m.track.inside = was
			return err
		}
	}
	switch b.kind {
	case "tkhd":
		at := b.from + 76
		if v, err := m.at(b.from, 1); err != nil {
			return err
		} else if v[0] == 1 {
			at += 12
		}
		d, err := m.at(at, 8)
		if err != nil {
			return err
		}
		m.track.width, m.track.height = int(binary.BigEndian.Uint16(d)), int(binary.BigEndian.Uint16(d[4:])) // 16.16 fixed point
	case "hdlr":
		d, err := m.at(b.from+8, 4)
		if err != nil {
			return err
		}
		m.track.handler = string(d)
	case "stsd":
		d, err := m.at(b.from+12, 4)
		if err != nil {
			return err
		}
		m.track.codec = strings.TrimSpace(string(d))
		if !printable(m.track.codec) {
			return errors.New("it has a track of an unknown kind")
		}
	}
	return nil
}
