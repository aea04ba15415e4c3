package devchain

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/openledger/openledger/protocol"
)

// readJSON reads a small file of addresses.
func readJSON[T any](path, what string) (T, error) {
	var v T
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return v, protocol.Errorf(protocol.KindNotFound, what, "%w: name the file that deploying the contracts wrote", err)
	}
	if err != nil {
		return v, fmt.Errorf("read the %s file: %w", what, err)
	}
	if len(raw) > maxParamsBytes {
		return v, protocol.Errorf(protocol.KindInvalid, what, "%s has %d bytes: at most %d", path, len(raw), maxParamsBytes)
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return v, protocol.Errorf(protocol.KindInvalid, what, "%s is no %s file: %w", path, what, err)
	}
	return v, nil
}

// writeJSON writes a file that is there whole or not at all. Without a path it does
// nothing.
func writeJSON(path, what string, v any) error {
	if path == "" {
		return nil
	}
	failed := func(err error) error { return fmt.Errorf("write the %s file: %w", what, err) }
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return failed(err)
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return failed(err)
	}
	f, err := os.CreateTemp(dir, ".deployments-*")
	if err != nil {
		return failed(err)
	}
	_, werr := f.Write(append(raw, '\n'))
	if err := errors.Join(werr, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return errors.Join(failed(err), os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return errors.Join(failed(err), os.Remove(f.Name()))
	}
	return nil
}
