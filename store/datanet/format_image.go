package datanet

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// maxImageBytes bounds one picture.
const maxImageBytes = 64 << 20

func picture(width, height int) (Media, error) {
	if width <= 0 || height <= 0 {
		return Media{}, errors.New("it has no width or no height")
	}
	return Media{Width: width, Height: height}, nil
}

// readPNG reads the chunks of a PNG picture (W3C PNG, third edition).
func readPNG(f *headers) (Media, error) {
	if err := f.expect(0, "\x89PNG\r\n\x1a\n"); err != nil {
		return Media{}, err
	}
	if err := f.expect(8, "\x00\x00\x00\x0dIHDR"); err != nil {
		return Media{}, err
	}
	size, err := f.at(16, 8)
	if err != nil {
		return Media{}, err
	}
	width, height := binary.BigEndian.Uint32(size), binary.BigEndian.Uint32(size[4:])
	if width > maxDimension || height > maxDimension {
		return Media{}, fmt.Errorf("it is %d x %d pixels, a side may have %d", width, height, maxDimension)
	}
	data := false
	for at := int64(8); ; {
		chunk, err := f.at(at, 8)
		if err != nil {
			return Media{}, err
		}
		n, kind := binary.BigEndian.Uint32(chunk), string(chunk[4:])
		if n > 1<<31-1 {
			return Media{}, errors.New("it has a chunk that is too long")
		}
		switch kind {
		case "IDAT":
			data = true
		case "IEND":
			if !data {
				return Media{}, errors.New("it has no picture in it")
			}
			if _, err := f.at(at+8, 4); err != nil {
				return Media{}, err
			}
			return picture(int(width), int(height))
		}
		at += 12 + int64(n)
	}
}

// readJPEG reads the markers of a JPEG picture up to its data (ITU T.81, annex B).
func readJPEG(f *headers) (Media, error) {
	if err := f.expect(0, "\xff\xd8"); err != nil {
		return Media{}, err
	}
	width, height := 0, 0
	for at := int64(2); ; {
		b, err := f.at(at, 4)
		if err != nil {
			return Media{}, err
		}
		if b[0] != 0xff {
			return Media{}, fmt.Errorf("it has no marker at byte %d", at)
		}
		marker := b[1]
		switch {
		case marker == 0xff: // fill
			at++
			continue
		case marker == 0x01 || marker >= 0xd0 && marker <= 0xd7:
			at += 2
			continue
		case marker == 0xd8 || marker == 0xd9 || marker == 0:
			return Media{}, errors.New("it has no picture in it")
		}
		n := int(binary.BigEndian.Uint16(b[2:]))
		if n < 2 {
			return Media{}, errors.New("it has a segment without a length")
		}
		switch {
		case marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc:
			frame, err := f.at(at+4, 5)
			if err != nil {
				return Media{}, err
			}
			height, width = int(binary.BigEndian.Uint16(frame[1:])), int(binary.BigEndian.Uint16(frame[3:]))
		case marker == 0xda:
			if _, err := f.at(at+2, n+1); err != nil { // something follows the header
				return Media{}, err
			}
			return picture(width, height)
		}
		at += 2 + int64(n)
	}
}

// readWebP reads the chunks of a WebP picture (RFC 9649).
func readWebP(f *headers) (Media, error) {
	if err := f.expect(0, "RIFF"); err != nil {
		return Media{}, err
	}
	if err := f.expect(8, "WEBP"); err != nil {
		return Media{}, err
	}
	riff, err := f.at(4, 4)
	if err != nil {
		return Media{}, err
	}
	if end := int64(binary.LittleEndian.Uint32(riff)) + 8; end > f.size {
		return Media{}, errCut
	}
	chunk, err := f.at(12, 8)
	if err != nil {
		return Media{}, err
	}
	if n := int64(binary.LittleEndian.Uint32(chunk[4:])); n > f.size-20 {
		return Media{}, errCut
	}
	b, err := f.at(20, 10)
	if err != nil {
		return Media{}, err
	}
	uint24 := func(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }
	switch string(chunk[:4]) {
	case "VP8X":
		return picture(uint24(b[4:])+1, uint24(b[7:])+1)
	case "VP8L":
		if b[0] != 0x2f {
			return Media{}, errors.New("it has no lossless picture in it")
		}
		bits := binary.LittleEndian.Uint32(b[1:])
		return picture(int(bits&0x3fff)+1, int(bits>>14&0x3fff)+1)
	case "VP8 ":
		if b[0]&1 != 0 || b[3] != 0x9d || b[4] != 0x01 || b[5] != 0x2a {
			return Media{}, errors.New("it does not begin with a whole picture")
		}
		return picture(int(binary.LittleEndian.Uint16(b[6:])&0x3fff), int(binary.LittleEndian.Uint16(b[8:])&0x3fff))
	}
	return Media{}, fmt.Errorf("it begins with a chunk %q", chunk[:4])
}
