package datanet

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store/ipfs"
)

// Exported says what Export wrote, by name in the directory.
type Exported struct {
	Root      protocol.CID `json:"root"`
	Archive   ExportedFile `json:"archive"`   // CAR v1: every block of the version
	Records   ExportedFile `json:"records"`   // JSON lines
	Croissant ExportedFile `json:"croissant"` // metadata of both
}

// Export writes the version behind root into dir: the CAR archive, the records as
// JSON lines, and Croissant metadata. The same root gives the same bytes. Each
// file appears whole or not at all.
func Export(ctx context.Context, content *ipfs.Node, root protocol.CID, providers []peer.AddrInfo, dir string) (Exported, error) {
	if _, err := content.Fetch(ctx, root, providers); err != nil { // media too
		return Exported{}, fmt.Errorf("datanet: export: %w", err)
	}
	v, err := OpenVersion(ctx, content, root, providers)
	if err != nil {
		return Exported{}, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Exported{}, fmt.Errorf("datanet: export: %w", err)
	}
	out := Exported{Root: root}
	stem := fmt.Sprintf("datanet-%d-v%d", v.Manifest.Datanet, v.Manifest.Version)
	out.Archive, err = writeFile(dir, stem+".car", func(w io.Writer) error {
		_, err := content.ExportCAR(ctx, w, root, ipfs.CARv1)
		return err
	})
	if err != nil {
		return out, err
	}
	if out.Records, err = writeFile(dir, stem+".jsonl", v.WriteJSONL); err != nil {
		return out, err
	}
	doc, err := v.Croissant(out.Archive, out.Records)
	if err != nil {
		return out, err
	}
	out.Croissant, err = writeFile(dir, stem+".croissant.json", func(w io.Writer) error {
		_, err := w.Write(doc)
		return err
	})
	return out, err
}

// writeFile writes a file through a temporary name beside it.
func writeFile(dir, name string, fill func(io.Writer) error) (_ ExportedFile, err error) {
	f, err := os.CreateTemp(dir, "."+name+".*")
	if err != nil {
		return ExportedFile{}, fmt.Errorf("datanet: export: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	sum := sha256.New()
	buf := bufio.NewWriterSize(io.MultiWriter(f, sum), 256<<10)
	err = fill(buf)
	if err == nil {
		err = buf.Flush()
	}
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	size, seekErr := f.Seek(0, io.SeekCurrent)
	if err = errors.Join(err, seekErr, f.Close()); err != nil {
		return ExportedFile{}, fmt.Errorf("datanet: export %s: %w", name, err)
	}
	if err := os.Rename(f.Name(), filepath.Join(dir, name)); err != nil {
		return ExportedFile{}, fmt.Errorf("datanet: export %s: %w", name, err)
	}
	return ExportedFile{Name: name, Bytes: size, SHA256: protocol.Hash(sum.Sum(nil))}, nil
}
