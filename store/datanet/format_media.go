package datanet

import (
	"errors"
	"fmt"
	"io"
)

// mediaReader reads the headers of a file of pictures, sound or video: what it says about
// itself. It fails on what is not of its kind, in time and memory that do not depend on
// what the file says about its own sizes.
type mediaReader func(f *headers) (Media, error)

// mediaFormat reads a file into one media record with the file's name as title.
func mediaFormat(read mediaReader) func(*parser) {
	return func(p *parser) {
		m, err := read(&headers{in: p.in, size: p.size, left: maxHeaderReads})
		if err == nil {
			m.Size, m.MediaType, m.Content = p.size, p.format.MediaType, placeholder
			err = m.check()
		}
		if err != nil {
			p.wrong(0, p.disguised(err))
			return
		}
		if p.to.Store == nil {
			p.failed = errors.New("datanet: there is nowhere to keep files of media")
			return
		}
		if m.Content, err = p.to.Store(p.ctx, p.reader()); err != nil {
			p.failed = err
			return
		}
		rec, err := NewMedia(m, map[string]string{"title": p.stem})
		p.add(0, rec, err)
	}
}

// placeholder stands for the file until it is stored, which happens after the checks. It
// is the CID of no bytes.
const placeholder = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"

// maxHeaderReads bounds how many pieces of one file are looked at.
const maxHeaderReads = 1 << 20

// headers reads pieces of a file at given places.
type headers struct {
	in   io.ReaderAt
	size int64
	left int // reads
}

var errCut = errors.New("it is cut off")

// at gives n bytes, n small, from a place in the file.
func (h *headers) at(offset int64, n int) ([]byte, error) {
	if h.left--; h.left < 0 {
		return nil, errors.New("it is in too many pieces")
	}
	if offset < 0 || int64(n) > h.size || offset > h.size-int64(n) {
		return nil, errCut
	}
	b := make([]byte, n)
	if got, err := h.in.ReadAt(b, offset); got < n {
		if err == nil || errors.Is(err, io.EOF) {
			err = errCut
		}
		return nil, err
	}
	return b, nil
}

// expect fails unless the file has want at a place.
func (h *headers) expect(offset int64, want string) error {
	b, err := h.at(offset, len(want))
	if err != nil {
		return err
	}
	if string(b) != want {
		return fmt.Errorf("it has no %q at byte %d", want, offset)
	}
	return nil
}
