package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"

	"google.golang.org/protobuf/proto"

	"github.com/openledger/openledger/protocol"
)

// WriteFrame writes a message after its length (uvarint). A message longer than
// limit is refused before anything is written.
func WriteFrame(w io.Writer, m proto.Message, limit int) error {
	size := proto.Size(m)
	if size > limit {
		return protocol.Errorf(protocol.KindInvalid, "frame", "%d bytes are more than the limit of %d", size, limit)
	}
	b := binary.AppendUvarint(make([]byte, 0, size+binary.MaxVarintLen32), uint64(size))
	b, err := proto.MarshalOptions{}.MarshalAppend(b, m)
	if err != nil {
		return protocol.Errorf(protocol.KindInvalid, "frame", "cannot be encoded: %w", err)
	}
	_, err = w.Write(b)
	return err
}

// ReadFrame reads what WriteFrame wrote. Nothing is allocated for a frame longer
// than limit. It gives io.EOF only at a clean end between frames.
func ReadFrame(r *bufio.Reader, m proto.Message, limit int) error {
	size, err := readLength(r)
	if err != nil {
		return err
	}
	if size > uint64(limit) {
		return protocol.Errorf(protocol.KindInvalid, "frame", "%d bytes are more than the limit of %d", size, limit)
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(r, b); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	if err := proto.Unmarshal(b, m); err != nil {
		return protocol.Errorf(protocol.KindCorrupt, "frame", "is not a valid message: %w", err)
	}
	return nil
}

// readLength reads a minimal uvarint of at most 5 bytes.
func readLength(r *bufio.Reader) (uint64, error) {
	var v uint64
	for i := 0; ; i++ {
		b, err := r.ReadByte()
		if err != nil {
			if i > 0 && errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return 0, err
		}
		v |= uint64(b&0x7f) << (7 * i)
		switch {
		case b < 0x80 && b == 0 && i > 0:
			return 0, protocol.Errorf(protocol.KindCorrupt, "frame", "length is not minimal")
		case b < 0x80:
			return v, nil
		case i == binary.MaxVarintLen32-1:
			return 0, protocol.Errorf(protocol.KindCorrupt, "frame", "length is longer than %d bytes", binary.MaxVarintLen32)
		}
	}
}
