package datanet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
	"github.com/openledger/openledger/store/ipfs"
)

// Files of media are kept as long as something holds them: an upload, a contribution that
// is not rejected for good, a version. Each holder is a row under the file's CID; the file
// goes with its last one.
type holderKey = store.Pair[string, string] // CID, holder

// stored says which blocks came with a file of media: its inner nodes, and those leaves
// that were not here before. Only they go when the file goes, so that nobody can have a
// block of something else removed by uploading a file that has it inside.
type stored struct {
	Owned []protocol.Hash `json:"owned"`
}

var (
	holderTable = store.NewTable(115, "holders of media", store.PairKey(store.StringKey[string](), store.StringKey[string]()), store.Marks())
	storedTable = store.NewTable(116, "files of media", store.StringKey[string](), store.JSON[stored]())
)

func uploadHolder(id string) string { return "upload/" + id }

func recordHolder(datanet uint64, record protocol.Hash) string {
	return fmt.Sprintf("record/%d/%s", datanet, record.Hex())
}

// parseRecordHolder reads what recordHolder wrote.
func parseRecordHolder(holder string) (datanet uint64, record protocol.Hash, ok bool) {
	parts := strings.Split(holder, "/")
	if len(parts) != 3 || parts[0] != "record" {
		return 0, record, false
	}
	datanet, err := strconv.ParseUint(parts[1], 10, 64)
	if err != nil || record.UnmarshalText([]byte(parts[2])) != nil {
		return 0, record, false
	}
	return datanet, record, true
}

func versionHolder(datanet uint64, number uint32) string {
	return fmt.Sprintf("version/%d/%d", datanet, number)
}

func hold(tx *store.Tx, content protocol.CID, holder string) error {
	return holderTable.Put(tx, store.PairOf(string(content), holder), store.Mark{})
}

// media keeps files in the content store.
type media struct {
	db      *store.DB
	content *ipfs.Node
	mu      sync.RWMutex // for reading: from looking at a file to holding it
}

// store keeps a file for a holder. file gives it from its start, twice. What a crash in
// between leaves is taken up by the same call again, or goes with [media.release].
func (m *media) store(ctx context.Context, file func() io.Reader, holder string) (protocol.CID, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	root, leaves, err := m.content.PlanFile(ctx, file())
	if err != nil {
		return "", err
	}
	row := stored{}
	if old, ok, err := storedTable.Get(m.db, string(root)); err != nil {
		return "", err
	} else if ok {
		row = old
	} else {
		for _, leaf := range leaves {
			here, err := m.content.Has(ctx, ipfs.RawCIDOf(leaf))
			if err != nil {
				return "", err
			}
			if !here {
				row.Owned = append(row.Owned, leaf)
			}
		}
	}
	note := func() error {
		return m.db.Update(func(tx *store.Tx) error {
			return errors.Join(storedTable.Put(tx, string(root), row), hold(tx, root, holder))
		})
	}
	if err := note(); err != nil { // before the first block: nothing is here without a name
		return "", err
	}
	done := m.content.Writing()
	defer done()
	got, _, err := m.content.AddFile(ctx, file())
	if err != nil {
		return "", err
	}
	if got != root {
		return "", protocol.Errorf(protocol.KindCorrupt, "file", "changed while it was read")
	}
	leaf := map[protocol.Hash]bool{}
	for _, d := range leaves {
		leaf[d] = true
	}
	known := map[protocol.Hash]bool{}
	for _, d := range row.Owned {
		known[d] = true
	}
	_, err = m.content.Local(ctx, root, func(d protocol.Hash, _ int64) {
		if !leaf[d] && !known[d] {
			row.Owned = append(row.Owned, d)
		}
	})
	if err != nil {
		return "", err
	}
	return root, note()
}

// check refuses a media record whose file is not here or not what the record says.
func (m *media) check(ctx context.Context, want Media) (err error) {
	whole, err := m.content.Local(ctx, want.Content, func(protocol.Hash, int64) {})
	if err != nil {
		return err
	}
	if !whole {
		return protocol.Errorf(protocol.KindInvalid, "content", "%s is not here: upload the file first", want.Content)
	}
	f, err := m.content.Get(ctx, want.Content, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if int64(f.Size()) != want.Size {
		return protocol.Errorf(protocol.KindInvalid, "size", "is %d, the file has %d bytes", want.Size, f.Size())
	}
	for _, format := range Formats() {
		if format.MediaType != want.MediaType {
			continue
		}
		p := &parser{ctx: ctx, file: "file" + format.Endings[0], stem: "file", ext: format.Endings[0], format: format, in: &readerAt{r: f}, size: want.Size}
		p.to = Target{
			Store: func(context.Context, io.Reader) (protocol.CID, error) { return want.Content, nil },
			Record: func(r Record) error {
				if *r.Media != want {
					return protocol.Errorf(protocol.KindInvalid, "media", "says %s, the file says %s", describeMedia(want), describeMedia(*r.Media))
				}
				return nil
			},
		}
		format.read(p)
		if p.failed != nil {
			return p.failed
		}
		if len(p.errs.Lines) > 0 {
			return &p.errs
		}
		return nil
	}
	return protocol.Errorf(protocol.KindInvalid, "media_type", "%s is not read here: give one of %s", want.MediaType, strings.Join(MediaTypes(), " "))
}

func describeMedia(m Media) string {
	return fmt.Sprintf("%s %s %dx%d %d ms", m.MediaType, m.Codec, m.Width, m.Height, m.Duration)
}

// release lets go of a holder's files, with what else with writes, and removes those that
// nobody holds any more.
func (m *media) release(ctx context.Context, holder string, contents []protocol.CID, with func(*store.Tx) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var gone []protocol.CID
	var candidates []protocol.Hash
	for _, c := range contents {
		held := false
		err := store.ScanFirst(m.db, holderTable, store.StringKey[string](), string(c), func(other string, _ store.Mark) error {
			held = held || other != holder
			return nil
		})
		if err != nil {
			return err
		}
		if held {
			continue
		}
		row, _, err := storedTable.Get(m.db, string(c))
		if err != nil {
			return err
		}
		gone, candidates = append(gone, c), append(candidates, row.Owned...)
	}
	write := func(tx *store.Tx) error {
		for _, c := range contents {
			if err := holderTable.Delete(tx, store.PairOf(string(c), holder)); err != nil {
				return err
			}
		}
		for _, c := range gone {
			if err := storedTable.Delete(tx, string(c)); err != nil {
				return err
			}
		}
		return with(tx)
	}
	if len(candidates) == 0 {
		return m.db.Update(write)
	}
	_, err := m.content.Remove(ctx, candidates, func(keep func(protocol.Hash)) error { return m.keepOthers(ctx, gone, keep) }, write)
	return err
}

// keepOthers calls keep with the blocks of all files but those that go.
func (m *media) keepOthers(ctx context.Context, gone []protocol.CID, keep func(protocol.Hash)) error {
	leaving := map[string]bool{}
	for _, c := range gone {
		leaving[string(c)] = true
	}
	return holderTable.Scan(m.db, func(k holderKey, _ store.Mark) error {
		if leaving[k.A] {
			return nil
		}
		leaving[k.A] = true // once is enough
		_, err := m.content.Local(ctx, protocol.CID(k.A), func(d protocol.Hash, _ int64) { keep(d) })
		return err
	})
}

// readerAt reads at places of what can seek, one at a time.
type readerAt struct {
	mu sync.Mutex
	r  io.ReadSeeker
}

func (r *readerAt) ReadAt(b []byte, at int64) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := r.r.Seek(at, io.SeekStart); err != nil {
		return 0, err
	}
	n, err := io.ReadFull(r.r, b)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, err
}
