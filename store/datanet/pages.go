package datanet

import (
	"context"
	"slices"
	"sync"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
	"github.com/openledger/openledger/store/ipfs"
)

// byRecord finds the datanets that a record was contributed to.
var byRecord = store.NewTable(129, "datanets by record", store.PairKey(store.HashKey(), store.Uint64Key()), store.Marks())

// EntriesPage lists up to limit contributions to a datanet by record id, those after a
// record (zero: from the first) and of one status (empty: all). next is where to go on,
// zero at the end.
func (b *Book) EntriesPage(datanet uint64, status protocol.ReviewStatus, after protocol.Hash, limit int) (out []Entry, next protocol.Hash, err error) {
	if _, err := b.Datanet(datanet); err != nil {
		return nil, next, err
	}
	out = []Entry{}
	more := false
	err = entryTable.ScanFrom(b.cfg.DB, store.PairOf(datanet, after), func(k entryKey, e Entry) error {
		switch {
		case k.A != datanet:
			return store.ErrStop
		case k.B == after && after != protocol.Hash{} || status != "" && e.Status != status:
			return nil
		case len(out) == limit:
			more = true
			return store.ErrStop
		}
		out = append(out, e)
		return nil
	})
	if more {
		next = out[len(out)-1].Signed.Contribution.Record
	}
	return out, next, err
}

// EntriesOf lists the contributions of one record to any datanet.
func (b *Book) EntriesOf(record protocol.Hash) ([]Entry, error) {
	out := []Entry{}
	err := store.ScanFirst(b.cfg.DB, byRecord, store.HashKey(), record, func(datanet uint64, _ store.Mark) error {
		e, err := b.Entry(datanet, record)
		out = append(out, e)
		return err
	})
	return out, err
}

// Shown gives a record that may be shown to anybody, with its contributions: not one that
// was rejected as abusive and accepted nowhere.
func (b *Book) Shown(ctx context.Context, record protocol.Hash) (Record, []Entry, error) {
	entries, err := b.EntriesOf(record)
	if err != nil {
		return Record{}, nil, err
	}
	abusive := slices.ContainsFunc(entries, func(e Entry) bool { return e.Status == protocol.ReviewAbusive })
	if abusive && !slices.ContainsFunc(entries, func(e Entry) bool { return e.Status == protocol.ReviewAccepted }) {
		return Record{}, nil, protocol.Errorf(protocol.KindNotFound, "record", "was rejected as abusive: it is not shown")
	}
	if len(entries) == 0 {
		return Record{}, nil, protocol.Errorf(protocol.KindNotFound, "record", "%s was contributed to no datanet here", ipfs.RawCIDOf(record))
	}
	rec, err := b.Record(ctx, record)
	return rec, entries, err
}

// OpenMedia opens the file of a media record that is here.
func (b *Book) OpenMedia(ctx context.Context, m *Media) (*ipfs.File, error) {
	return b.cfg.Content.Get(ctx, m.Content, nil)
}

// manifests keeps the manifests of versions that were looked at last, so that turning
// pages does not read them each time.
type manifests struct {
	mu   sync.Mutex
	list []cachedManifest // newest last
}

type cachedManifest struct {
	root protocol.CID
	m    *Manifest
}

const cachedManifests = 4

// Manifest gives the manifest of a version that was built here. It is not to be changed.
func (b *Book) Manifest(ctx context.Context, datanet uint64, number uint32) (*Manifest, error) {
	v, err := b.Version(datanet, number)
	if err != nil {
		return nil, err
	}
	c := &b.cached
	c.mu.Lock()
	i := slices.IndexFunc(c.list, func(k cachedManifest) bool { return k.root == v.Root })
	if i >= 0 {
		m := c.list[i].m
		c.mu.Unlock()
		return m, nil
	}
	c.mu.Unlock()
	m, err := ReadManifest(ctx, b.cfg.Content, v.Root, nil)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.list = append(c.list, cachedManifest{v.Root, m}); len(c.list) > cachedManifests {
		c.list = slices.Delete(c.list, 0, 1)
	}
	return m, nil
}

// Difference is how a version differs from another one.
type Difference struct {
	Added   []protocol.Hash
	Removed []protocol.Hash
	Changed []Change
}

// Change is a record that another one of the same title, by the same contributor, took the
// place of.
type Change struct{ From, To protocol.Hash }

// Diff compares two versions of a datanet; from 0 is the empty version.
func (b *Book) Diff(ctx context.Context, datanet uint64, from, to uint32) (Difference, error) {
	before := map[protocol.Hash]bool{}
	if from != 0 {
		m, err := b.Manifest(ctx, datanet, from)
		if err != nil {
			return Difference{}, err
		}
		for _, r := range m.Records {
			d, _ := ipfs.Digest(r.CID) // checked when the manifest was read
			before[d] = true
		}
	}
	m, err := b.Manifest(ctx, datanet, to)
	if err != nil {
		return Difference{}, err
	}
	var added, removed []protocol.Hash
	for _, r := range m.Records {
		d, _ := ipfs.Digest(r.CID)
		if !before[d] {
			added = append(added, d)
		}
		delete(before, d)
	}
	for d := range before {
		removed = append(removed, d)
	}
	slices.SortFunc(removed, func(a, b protocol.Hash) int { return slices.Compare(a[:], b[:]) })
	return b.pair(datanet, added, removed)
}

// pair finds which of the removed records were replaced by added ones.
func (b *Book) pair(datanet uint64, added, removed []protocol.Hash) (Difference, error) {
	type name struct {
		title string
		by    protocol.Account
	}
	out := Difference{Added: []protocol.Hash{}, Removed: []protocol.Hash{}, Changed: []Change{}}
	gone := map[name][]protocol.Hash{}
	named := func(d protocol.Hash) (name, error) {
		e, err := b.Entry(datanet, d)
		if protocol.KindOf(err) == protocol.KindNotFound {
			return name{}, nil
		}
		return name{e.Title, e.Signed.Contribution.Contributor}, err
	}
	for _, d := range removed {
		n, err := named(d)
		if err != nil {
			return out, err
		}
		gone[n] = append(gone[n], d)
	}
	replaced := map[protocol.Hash]bool{}
	for _, d := range added {
		n, err := named(d)
		if err != nil {
			return out, err
		}
		if list := gone[n]; n.title != "" && len(list) > 0 {
			out.Changed = append(out.Changed, Change{list[0], d})
			replaced[list[0]], gone[n] = true, list[1:]
			continue
		}
		out.Added = append(out.Added, d)
	}
	for _, d := range removed {
		if !replaced[d] {
			out.Removed = append(out.Removed, d)
		}
	}
	return out, nil
}
