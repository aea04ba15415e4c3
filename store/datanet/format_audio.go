package datanet

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// readWAV reads the chunks of a WAV sound (RIFF; Microsoft's WAVEFORMATEX).
func readWAV(f *headers) (Media, error) {
	if err := f.expect(0, "RIFF"); err != nil {
		return Media{}, err
	}
	if err := f.expect(8, "WAVE"); err != nil {
		return Media{}, err
	}
	var rate uint32 // bytes a second
	var codec string
	for at := int64(12); ; {
		chunk, err := f.at(at, 8)
		if err != nil {
			return Media{}, err
		}
		n := int64(binary.LittleEndian.Uint32(chunk[4:]))
		switch string(chunk[:4]) {
		case "fmt ":
			if n < 16 {
				return Media{}, errors.New("its format is not described")
			}
			b, err := f.at(at+8, 16)
			if err != nil {
				return Media{}, err
			}
			tag, channels, perSecond := binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint16(b[2:]), binary.LittleEndian.Uint32(b[4:])
			rate = binary.LittleEndian.Uint32(b[8:])
			if channels == 0 || perSecond == 0 || rate == 0 {
				return Media{}, errors.New("it has no channels or no sampling rate")
			}
			codec = wavCodec(tag)
		case "data":
			if rate == 0 {
				return Media{}, errors.New("its format is not described before its sound")
			}
			// A recorder that was stopped leaves a length of 0 or all ones: what is there counts.
			if left := f.size - at - 8; n == 0 || n == 1<<32-1 {
				n = left
			} else if n > left {
				return Media{}, errCut
			}
			if n == 0 {
				return Media{}, errors.New("it has no sound in it")
			}
			return Media{Codec: codec, Duration: n * 1000 / int64(rate)}, nil
		}
		at += 8 + n + n&1
	}
}

func wavCodec(tag uint16) string {
	switch tag {
	case 1, 0xfffe:
		return "pcm"
	case 3:
		return "float"
	case 6:
		return "alaw"
	case 7:
		return "mulaw"
	}
	return fmt.Sprintf("wav-0x%04x", tag)
}

// readFLAC reads the stream's description at the beginning of a FLAC sound (RFC 9639).
func readFLAC(f *headers) (Media, error) {
	if err := f.expect(0, "fLaC"); err != nil {
		return Media{}, err
	}
	b, err := f.at(4, 4+34)
	if err != nil {
		return Media{}, err
	}
	if b[0]&0x7f != 0 || int(b[1])<<16|int(b[2])<<8|int(b[3]) != 34 {
		return Media{}, errors.New("it does not describe its stream")
	}
	bits := binary.BigEndian.Uint64(b[4+10:])
	rate, samples := bits>>44, bits&(1<<36-1)
	if rate == 0 {
		return Media{}, errors.New("it has no sampling rate")
	}
	for at, last := int64(4), false; !last; {
		head, err := f.at(at, 4)
		if err != nil {
			return Media{}, err
		}
		last = head[0]&0x80 != 0
		at += 4 + int64(head[1])<<16 + int64(head[2])<<8 + int64(head[3])
		if last {
			frame, err := f.at(at, 2)
			if err != nil {
				return Media{}, err
			}
			if frame[0] != 0xff || frame[1]&0xfe != 0xf8 {
				return Media{}, errors.New("it has no sound in it")
			}
		}
	}
	return Media{Duration: int64(samples * 1000 / rate)}, nil
}

// readMP3 reads all frames of an MP3 sound (ISO 11172-3 and 13818-3, layer III): only
// their number says how long one with a variable bit rate is.
func readMP3(f *headers) (Media, error) {
	at := int64(0)
	if b, err := f.at(0, 10); err == nil && string(b[:3]) == "ID3" {
		if (b[6]|b[7]|b[8]|b[9])&0x80 != 0 {
			return Media{}, errors.New("its tag has no length")
		}
		at = 10 + int64(b[6])<<21 + int64(b[7])<<14 + int64(b[8])<<7 + int64(b[9])
		if b[5]&0x10 != 0 {
			at += 10
		}
	}
	end := f.size
	if f.expect(f.size-128, "TAG") == nil {
		end -= 128
	}
	frames := &window{headers: f, end: end}
	var first mp3Frame
	samples, n := int64(0), 0
	for at+4 <= end {
		b, err := frames.read(at)
		if err != nil {
			return Media{}, err
		}
		frame, err := mp3Header(b)
		if err != nil || n > 0 && frame.rate != first.rate {
			break
		}
		if n == 0 {
			first = frame
		}
		if at += frame.bytes; at > end {
			break // cut in its last frame, as radio recordings are
		}
		samples += frame.samples
		n++
	}
	if n < 3 || end-at > 64<<10 && end-at > end/10 {
		return Media{}, errors.New("it does not consist of frames of sound")
	}
	return Media{Duration: samples * 1000 / first.rate}, nil
}

type mp3Frame struct{ rate, samples, bytes int64 }

// mp3Header reads the four bytes before each frame.
func mp3Header(b [4]byte) (mp3Frame, error) {
	bad := errors.New("it has no frame of sound where one should be")
	version, layer, bitrate, rate := b[1]>>3&3, b[1]>>1&3, b[2]>>4, b[2]>>2&3
	if b[0] != 0xff || b[1]&0xe0 != 0xe0 || version == 1 || layer != 1 || bitrate == 0 || bitrate == 15 || rate == 3 {
		return mp3Frame{}, bad
	}
	rates := [...]int64{44100, 48000, 32000}
	one := [...]int64{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320}
	two := [...]int64{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160}
	f := mp3Frame{rate: rates[rate], samples: 1152}
	kbit := one[bitrate]
	if version != 3 { // MPEG 2 halves the rate, 2.5 once more
		f.rate, f.samples, kbit = f.rate/2, 576, two[bitrate]
		if version == 0 {
			f.rate /= 2
		}
	}
	f.bytes = f.samples/8*kbit*1000/f.rate + int64(b[2]>>1&1)
	return f, nil
}

// window reads four bytes at growing places with few calls.
type window struct {
	*headers
	end  int64
	from int64
	buf  []byte
}

func (w *window) read(at int64) (out [4]byte, err error) {
	if w.buf == nil || at < w.from || at+4 > w.from+int64(len(w.buf)) {
		if w.buf, err = w.at(at, int(min(64<<10, w.end-at))); err != nil {
			return out, err
		}
		w.from = at
	}
	return [4]byte(w.buf[at-w.from:]), nil
}
