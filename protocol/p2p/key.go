package p2p

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/libp2p/go-libp2p/core/crypto"

	"github.com/openledger/openledger/protocol"
)

// LoadOrCreateKey reads the Ed25519 key file of a peer, or creates it with mode
// 0600. A file that others may read is refused.
func LoadOrCreateKey(path string) (crypto.PrivKey, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return createKey(path)
	case err != nil:
		return nil, fmt.Errorf("reading peer key: %w", err)
	case info.Mode().Perm()&0o077 != 0:
		return nil, protocol.Errorf(protocol.KindInvalid, "peer_key", "%s may be read by others (mode %04o): run chmod 600 on it", path, info.Mode().Perm())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading peer key: %w", err)
	}
	key, err := crypto.UnmarshalPrivateKey(b)
	if err != nil {
		return nil, protocol.Errorf(protocol.KindCorrupt, "peer_key", "%s is not a libp2p private key: restore it, or move it away to get a new identity: %w", path, err)
	}
	return key, nil
}

func createKey(path string) (crypto.PrivKey, error) {
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("creating peer key: %w", err)
	}
	b, err := crypto.MarshalPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("creating peer key: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("creating peer key: %w", err)
	}
	if err := writeSynced(path, b); err != nil {
		return nil, fmt.Errorf("creating peer key: %w", err)
	}
	return key, nil
}

// writeSynced replaces a file so that after a crash it is either old or new.
func writeSynced(path string, b []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if _, err = f.Write(b); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// sequenceBlock is how many numbers one write reserves; a crash skips at most
// that many.
const sequenceBlock = 1024

// Sequence gives strictly increasing numbers across restarts, for announcements.
type Sequence struct {
	mu             sync.Mutex
	path           string
	next, reserved uint64
}

// OpenSequence opens the sequence file, or starts at 1.
func OpenSequence(path string) (*Sequence, error) {
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &Sequence{path: path, next: 1, reserved: 1}, nil
	case err != nil:
		return nil, fmt.Errorf("reading sequence: %w", err)
	case len(b) != 8:
		return nil, protocol.Errorf(protocol.KindCorrupt, "sequence", "%s has %d bytes, want 8: write a number above the last announced one", path, len(b))
	}
	n := binary.BigEndian.Uint64(b)
	return &Sequence{path: path, next: n, reserved: n}, nil
}

// Next gives the next number.
func (s *Sequence) Next() (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == s.reserved {
		upTo := s.reserved + sequenceBlock
		if err := writeSynced(s.path, binary.BigEndian.AppendUint64(nil, upTo)); err != nil {
			return 0, fmt.Errorf("reserving sequence numbers: %w", err)
		}
		s.reserved = upTo
	}
	n := s.next
	s.next++
	return n, nil
}
