package coordinator

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
)

// accountFileBytes bounds what one account keeps in files.
const accountFileBytes = 1 << 30

// maxFileName bounds a file's name, in bytes.
const maxFileName = 255

// AddFile stores an upload. Its bytes are on disk under its ID, whole and synced, before
// the store names it; what a crash leaves without a name is removed at the next start.
func (c *Coordinator) AddFile(ctx context.Context, owner protocol.Account, u api.Upload) (api.File, error) {
	if u.ID != (protocol.Hash{}) {
		if have, err := c.book.File(shortID(u.ID)); err == nil {
			if have.Owner != owner {
				return api.File{}, protocol.Errorf(protocol.KindExists, "Idempotency-Key", "another file was uploaded under it")
			}
			return c.addedBefore(have, u)
		}
	}
	if err := checkFileName(u.Name); err != nil {
		return api.File{}, err
	}
	held, err := c.fileBytes(owner)
	if err != nil {
		return api.File{}, err
	}
	left := int64(accountFileBytes) - held
	if left <= 0 {
		return api.File{}, protocol.Errorf(protocol.KindInvalid, "file", "your files take %d bytes, all that an account may keep: delete some", held)
	}
	rec := store.FileRecord{ID: u.ID, Owner: owner, Name: u.Name, CreatedAt: now()}
	if rec.ID == (protocol.Hash{}) {
		if _, err := rand.Read(rec.ID[:]); err != nil {
			return api.File{}, err
		}
	}
	rec.ID = shortID(rec.ID)
	tmp, err := c.receive(u, min(left, api.MaxFileBytes), &rec)
	if err != nil {
		return api.File{}, err
	}
	defer func() { _ = os.Remove(tmp) }() // gone when it was renamed
	if rec.Purpose, err = u.Purpose(); err != nil {
		return api.File{}, err
	}
	if err := checkTuneFile(ctx, tmp); err != nil {
		return api.File{}, err
	}
	return c.keepFile(tmp, rec)
}

// keepFile gives a synced file its place and its name.
func (c *Coordinator) keepFile(tmp string, rec store.FileRecord) (api.File, error) {
	if err := os.Rename(tmp, c.filePath(rec.ID)); err != nil {
		return api.File{}, fmt.Errorf("keep a file: %w", err)
	}
	if err := syncFolder(c.cfg.FilesDir); err != nil {
		return api.File{}, err
	}
	err := c.book.AddFile(rec)
	if protocol.KindOf(err) == protocol.KindExists { // the same upload at the same time
		if have, rerr := c.book.File(rec.ID); rerr == nil && have.Owner == rec.Owner && have.SHA256 == rec.SHA256 {
			return fileOf(have), nil
		}
	}
	return fileOf(rec), err
}

// addedBefore answers an upload whose key was used: with the same bytes it is the same file.
func (c *Coordinator) addedBefore(have store.FileRecord, u api.Upload) (api.File, error) {
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(u.Body, api.MaxFileBytes+1)); err != nil {
		return api.File{}, err
	}
	if _, err := u.Purpose(); err != nil {
		return api.File{}, err
	}
	if protocol.Hash(h.Sum(nil)) != have.SHA256 {
		return api.File{}, protocol.Errorf(protocol.KindExists, "Idempotency-Key", "another file was uploaded under it")
	}
	return fileOf(have), nil
}

// receive writes the body to a file of its own, synced, and gives its path.
func (c *Coordinator) receive(u api.Upload, most int64, rec *store.FileRecord) (_ string, err error) {
	f, err := os.CreateTemp(c.cfg.FilesDir, uploading+"*")
	if err != nil {
		return "", fmt.Errorf("receive a file: %w", err)
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, h), io.LimitReader(u.Body, most+1))
	switch {
	case err != nil:
		return "", err
	case n > most:
		return "", protocol.Errorf(protocol.KindInvalid, "file", "it is larger than the %d bytes that are possible: split it, or delete other files", most)
	case n == 0:
		return "", protocol.Errorf(protocol.KindInvalid, "file", "it is empty")
	}
	rec.Bytes, rec.SHA256 = n, protocol.Hash(h.Sum(nil))
	return f.Name(), f.Sync()
}

// uploading begins the names of files that are not whole yet.
const uploading = "uploading-"

func checkFileName(name string) error {
	switch {
	case name == "":
		return protocol.Errorf(protocol.KindInvalid, "file", "it has no file name")
	case len(name) > maxFileName || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return protocol.Errorf(protocol.KindInvalid, "file", "its name must be UTF-8 of at most %d bytes without control characters", maxFileName)
	}
	return nil
}

// Files lists an account's files from the oldest.
func (c *Coordinator) Files(_ context.Context, owner protocol.Account) ([]api.File, error) {
	recs, err := c.book.FilesOf(owner)
	out := make([]api.File, len(recs))
	for i, r := range recs {
		out[i] = fileOf(r)
	}
	return out, err
}

// OpenFile opens one of an account's files.
func (c *Coordinator) OpenFile(_ context.Context, owner protocol.Account, id string) (api.File, io.ReadSeekCloser, error) {
	rec, err := c.file(owner, id, "file_id")
	if err != nil {
		return api.File{}, nil, err
	}
	f, err := os.Open(c.filePath(rec.ID))
	if err != nil {
		return api.File{}, nil, fmt.Errorf("file %s: %w", id, err)
	}
	return fileOf(rec), f, nil
}

// DeleteFile removes one of an account's files, unless a job still has to read it.
func (c *Coordinator) DeleteFile(_ context.Context, owner protocol.Account, id string) error {
	c.tunes.mu.Lock()
	defer c.tunes.mu.Unlock()
	rec, err := c.file(owner, id, "file_id")
	if err != nil {
		return err
	}
	for _, t := range c.tunes.live {
		if t.needs(id) {
			return protocol.Errorf(protocol.KindExists, "file_id", "the fine-tuning job %s has not read it yet: wait, or cancel the job", t.id())
		}
	}
	if err := c.book.DeleteFile(rec.ID); err != nil {
		return err
	}
	if err := os.Remove(c.filePath(rec.ID)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("delete a file: %w", err)
	}
	return nil
}

// file finds a file of an account; others' files are not there for it.
func (c *Coordinator) file(owner protocol.Account, id, field string) (store.FileRecord, error) {
	missing := protocol.Errorf(protocol.KindNotFound, field, "you have no file %q; GET /v1/files lists them", id)
	key, ok := parseID("file-", id)
	if !ok {
		return store.FileRecord{}, missing
	}
	rec, err := c.book.File(key)
	if protocol.KindOf(err) == protocol.KindNotFound || err == nil && rec.Owner != owner {
		return store.FileRecord{}, missing
	}
	return rec, err
}

func (c *Coordinator) fileBytes(owner protocol.Account) (n int64, err error) {
	recs, err := c.book.FilesOf(owner)
	for _, r := range recs {
		n += r.Bytes
	}
	return n, err
}

func (c *Coordinator) filePath(id protocol.Hash) string {
	return filepath.Join(c.cfg.FilesDir, fileID(id))
}

func fileOf(r store.FileRecord) api.File {
	return api.File{ID: fileID(r.ID), Name: r.Name, Purpose: r.Purpose, Bytes: r.Bytes, CreatedAt: time.UnixMilli(r.CreatedAt)}
}

// idBytes are the bytes of a file's or a job's ID that count.
const idBytes = 12

func fileID(h protocol.Hash) string { return "file-" + hex.EncodeToString(h[:idBytes]) }

// shortID is a hash of which only the part counts that its ID shows.
func shortID(h protocol.Hash) (out protocol.Hash) {
	copy(out[:idBytes], h[:])
	return out
}

func parseID(prefix, id string) (h protocol.Hash, ok bool) {
	text, ok := strings.CutPrefix(id, prefix)
	b, err := hex.DecodeString(text)
	if !ok || err != nil || len(b) != idBytes || text != strings.ToLower(text) {
		return h, false
	}
	copy(h[:], b)
	return h, true
}

// sweepFiles removes what a crash left without a name.
func (c *Coordinator) sweepFiles() error {
	if err := os.MkdirAll(c.cfg.FilesDir, 0o700); err != nil {
		return fmt.Errorf("folder of files: %w", err)
	}
	named := map[string]bool{}
	if err := c.book.EachFile(func(f store.FileRecord) error {
		named[fileID(f.ID)] = true
		return nil
	}); err != nil {
		return err
	}
	entries, err := os.ReadDir(c.cfg.FilesDir)
	if err != nil {
		return fmt.Errorf("folder of files: %w", err)
	}
	for _, e := range entries {
		ours := strings.HasPrefix(e.Name(), uploading)
		if _, isFile := parseID("file-", e.Name()); (ours || isFile) && !named[e.Name()] {
			if err := os.Remove(filepath.Join(c.cfg.FilesDir, e.Name())); err != nil {
				return fmt.Errorf("folder of files: %w", err)
			}
		}
	}
	return nil
}

func syncFolder(dir string) (err error) {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return f.Sync()
}

// checkTuneFile reads a file as a training file, line by line, and keeps nothing.
func checkTuneFile(ctx context.Context, path string) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	examples := 0
	err = eachExample(ctx, bufio.NewReaderSize(f, 64<<10), func(chatExample) error {
		examples++
		return nil
	})
	if err == nil && examples == 0 {
		err = protocol.Errorf(protocol.KindInvalid, "file", "it has no example: each line is a JSON object with messages, or with prompt and completion")
	}
	return err
}
