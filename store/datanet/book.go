package datanet

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
	"github.com/openledger/openledger/store/ipfs"
)

// Verifier checks signatures; protocol/wire's functions with the registry's
// domain fit.
type Verifier interface {
	// VerifyContribution checks that the contributor named inside signed it, or who may
	// sign for it.
	VerifyContribution(context.Context, protocol.SignedContribution) error
	// VerifyReview checks that owner signed it, or who may sign for it.
	VerifyReview(context.Context, protocol.SignedReview, protocol.Account) error
}

// Stakes says who may contribute where.
type Stakes interface {
	// CheckStake refuses a contributor that lacks the stake that a datanet asks for.
	CheckStake(ctx context.Context, datanet uint64, contributor protocol.Account) error
}

// Config says what a book is made of.
type Config struct {
	DB       *store.DB    // required: state
	Content  *ipfs.Node   // required: records and versions
	Verifier Verifier     // required
	Stakes   Stakes       // required
	Logger   *slog.Logger // default: discard
	// Now is the time in Unix ms. Default: the machine's clock.
	Now func() int64
}

// EnsureDefaults fills in what was left empty.
func (c *Config) EnsureDefaults() {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = func() int64 { return time.Now().UnixMilli() }
	}
}

// Validate names the first field that cannot work.
func (c *Config) Validate() error {
	switch {
	case c.DB == nil:
		return protocol.Errorf(protocol.KindInvalid, "DB", "is missing: open a store first")
	case c.Content == nil:
		return protocol.Errorf(protocol.KindInvalid, "Content", "is missing: open an ipfs node first")
	case c.Verifier == nil:
		return protocol.Errorf(protocol.KindInvalid, "Verifier", "is missing: contributions must be checked")
	case c.Stakes == nil:
		return protocol.Errorf(protocol.KindInvalid, "Stakes", "is missing: a datanet may ask contributors for a stake")
	}
	return nil
}

// Book is the state of the datanets that a node looks after. It is safe for
// concurrent use.
type Book struct {
	cfg     Config
	publish sync.Mutex // one version is built at a time
	media   media
	cached  manifests
}

// New gives the book in cfg.DB.
func New(cfg Config) (*Book, error) {
	cfg.EnsureDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("datanet: %w", err)
	}
	return &Book{cfg: cfg, media: media{db: cfg.DB, content: cfg.Content}}, nil
}

// maxSkew is how far a signed time may lie ahead of our clock, in ms.
const maxSkew = 10 * 60 * 1000

const (
	maxDescription = 4 << 10
	maxReason      = 1 << 10
	maxSignature   = 1 << 10 // of a batch too: wire.MaxSignatureBytes is less
)

// Entry is one contribution with the owner's decision on it.
type Entry struct {
	Signed   protocol.SignedContribution `json:"signed"`
	Status   protocol.ReviewStatus       `json:"status"`
	Review   *protocol.SignedReview      `json:"review,omitempty"`
	Type     Type                        `json:"type"`
	Title    string                      `json:"title"`
	Bytes    int                         `json:"bytes"`    // canonical
	Received int64                       `json:"received"` // by this node, Unix ms
	Preview  string                      `json:"preview,omitempty"`
	Media    *Media                      `json:"media,omitempty"` // of a media record
	// MediaGone: the record was rejected long ago, and its file was let go.
	MediaGone bool `json:"media_gone,omitempty"`
}

// CID is the record's content identifier.
func (e *Entry) CID() protocol.CID { return ipfs.RawCIDOf(e.Signed.Contribution.Record) }

type entryKey = store.Pair[uint64, protocol.Hash]

// Tables 110 to 129 of the database are this package's.
var (
	entryKeyCodec = store.PairKey(store.Uint64Key(), store.HashKey())

	netTable     = store.NewTable(110, "datanets", store.Uint64Key(), store.JSON[protocol.Datanet]())
	entryTable   = store.NewTable(111, "contributions", entryKeyCodec, store.JSON[Entry]())
	refusedTable = store.NewTable(112, "rejected contributions", store.PairKey(entryKeyCodec, store.AccountKey()), store.JSON[Entry]())
	buildTable   = store.NewTable(113, "versions", store.PairKey(store.Uint64Key(), store.Uint64Key()), store.JSON[build]())
	byAuthor     = store.NewTable(114, "contributions by contributor", store.PairKey(store.AccountKey(), entryKeyCodec), store.Marks())
)

// Create notes a datanet that the registry has given an ID. The same again
// changes nothing.
func (b *Book) Create(d protocol.Datanet) error {
	if err := checkDatanet(d); err != nil {
		return err
	}
	return b.cfg.DB.Update(func(tx *store.Tx) error {
		old, ok, err := netTable.Get(tx, d.ID)
		if err != nil {
			return err
		}
		if ok && old != d {
			return protocol.Errorf(protocol.KindExists, "id", "datanet %d is %q of %s already", d.ID, old.Name, old.Owner)
		}
		return netTable.Put(tx, d.ID, d)
	})
}

func checkDatanet(d protocol.Datanet) error {
	switch {
	case d.ID == 0 || d.ID > 1<<53:
		return protocol.Errorf(protocol.KindInvalid, "id", "%d is not an id of the registry: register the datanet first", d.ID)
	case d.Owner == protocol.Account{}:
		return protocol.Errorf(protocol.KindInvalid, "owner", "is missing")
	case strings.TrimSpace(d.Name) == "":
		return protocol.Errorf(protocol.KindInvalid, "name", "is missing")
	case len(d.Name) > protocol.MaxNameBytes:
		return protocol.Errorf(protocol.KindInvalid, "name", "is %d bytes, the limit is %d", len(d.Name), protocol.MaxNameBytes)
	case len(d.Description) > maxDescription:
		return protocol.Errorf(protocol.KindInvalid, "description", "is %d bytes, the limit is %d", len(d.Description), maxDescription)
	}
	for _, f := range []struct{ name, value string }{{"name", d.Name}, {"description", d.Description}} {
		if !utf8.ValidString(f.value) || !norm.NFC.IsNormalString(f.value) {
			return protocol.Errorf(protocol.KindInvalid, f.name, "is not UTF-8 in normal form C")
		}
	}
	return CheckLicense(d.License)
}

// Datanet gives one datanet, or an error of kind not_found.
func (b *Book) Datanet(id uint64) (protocol.Datanet, error) { return datanetIn(b.cfg.DB, id) }

func datanetIn(r store.Reader, id uint64) (protocol.Datanet, error) {
	d, ok, err := netTable.Get(r, id)
	if err == nil && !ok {
		err = protocol.Errorf(protocol.KindNotFound, "datanet", "%d is not known here: list the datanets", id)
	}
	return d, err
}

// Datanets lists all datanets by ID.
func (b *Book) Datanets() ([]protocol.Datanet, error) {
	var out []protocol.Datanet
	err := netTable.Scan(b.cfg.DB, func(_ uint64, d protocol.Datanet) error {
		out = append(out, d)
		return nil
	})
	return out, err
}

// Contribute stores a record that a contributor offers to a datanet; canonical is
// [Record.Canonical]. The same contribution again gives the entry that is there.
// An exact duplicate is refused with kind already_exists in favour of the one
// that this node stored first (the time inside a contribution is only the contributor's word), unless
// that one was rejected and somebody else offers the record. A new contribution needs the
// stake that the datanet asks for.
//
// The file of a media record must be here ([Uploads]) and be what the record says.
func (b *Book) Contribute(ctx context.Context, sc protocol.SignedContribution, canonical []byte) (Entry, error) {
	c := sc.Contribution
	now := b.cfg.Now()
	rec, err := b.checkContribution(ctx, sc, canonical, now)
	if err != nil {
		return Entry{}, err
	}
	if old, ok, err := entryTable.Get(b.cfg.DB, store.PairOf(c.Datanet, c.Record)); err != nil || ok && old.Signed.Contribution == c {
		return old, err
	}
	if err := b.cfg.Stakes.CheckStake(ctx, c.Datanet, c.Contributor); err != nil {
		return Entry{}, fmt.Errorf("contribution: %w", err)
	}
	if rec.Media != nil {
		b.media.mu.RLock() // its file must not go before it is held
		defer b.media.mu.RUnlock()
		if err := b.media.check(ctx, *rec.Media); err != nil {
			return Entry{}, err
		}
	}
	// The block first: an entry must never name a record that is not here.
	if _, err := b.cfg.Content.AddBlock(ctx, canonical); err != nil {
		return Entry{}, fmt.Errorf("datanet: store record: %w", err)
	}
	entry := Entry{
		Signed: sc, Status: protocol.ReviewPending, Type: rec.Type, Title: rec.Title(), Bytes: len(canonical), Received: now,
		Preview: rec.Preview(), Media: rec.Media,
	}
	err = b.cfg.DB.Update(func(tx *store.Tx) error {
		key := store.PairOf(c.Datanet, c.Record)
		old, ok, err := entryTable.Get(tx, key)
		if err != nil {
			return err
		}
		if ok {
			if old.Signed.Contribution == c {
				entry = old
				return nil
			}
			if err := replaceable(tx, key, old, c.Contributor); err != nil {
				return err
			}
			author := old.Signed.Contribution.Contributor
			if err := refusedTable.Put(tx, store.PairOf(key, author), old); err != nil {
				return err
			}
			if err := byAuthor.Delete(tx, store.PairOf(author, key)); err != nil {
				return err
			}
		}
		if err := byAuthor.Put(tx, store.PairOf(c.Contributor, key), store.Mark{}); err != nil {
			return err
		}
		if rec.Media != nil {
			if err := hold(tx, rec.Media.Content, recordHolder(c.Datanet, c.Record)); err != nil {
				return err
			}
		}
		if err := countNew(tx, c, now); err != nil {
			return err
		}
		if err := byRecord.Put(tx, store.PairOf(c.Record, c.Datanet), store.Mark{}); err != nil {
			return err
		}
		if err := indexSketch(tx, c.Datanet, &rec); err != nil {
			return err
		}
		return entryTable.Put(tx, key, entry)
	})
	return entry, err
}

// replaceable says whether a new contributor may offer a record that is there.
func replaceable(tx *store.Tx, key entryKey, old Entry, contributor protocol.Account) error {
	owner := old.Signed.Contribution.Contributor
	if !old.Status.Refused() {
		whose := fmt.Sprintf("was contributed before, by %s", owner)
		if owner == contributor {
			whose = "was contributed by you before"
		}
		return protocol.Errorf(protocol.KindExists, "record", "%s %s and is %s", old.CID(), whose, old.Status)
	}
	again, err := refusedTable.Has(tx, store.PairOf(key, contributor))
	if err != nil {
		return err
	}
	if again || owner == contributor {
		return protocol.Errorf(protocol.KindExists, "record", "%s was rejected when you contributed it: change it, or ask the owner to review it again", old.CID())
	}
	return nil
}

func (b *Book) checkContribution(ctx context.Context, sc protocol.SignedContribution, canonical []byte, now int64) (Record, error) {
	c := sc.Contribution
	d, err := b.Datanet(c.Datanet)
	if err != nil {
		return Record{}, err
	}
	if c.License != d.License {
		return Record{}, protocol.Errorf(protocol.KindInvalid, "license", "is %q, datanet %d takes contributions under %q", clip(c.License), d.ID, d.License)
	}
	if c.At <= 0 || c.At > now+maxSkew {
		return Record{}, protocol.Errorf(protocol.KindInvalid, "at", "%d is not a time up to now in Unix milliseconds: set your clock", c.At)
	}
	if protocol.Hash(sha256.Sum256(canonical)) != c.Record {
		return Record{}, protocol.Errorf(protocol.KindCorrupt, "record", "%s is not the hash of the bytes that came with it", c.Record)
	}
	if len(sc.Signature) > maxSignature {
		return Record{}, protocol.Errorf(protocol.KindInvalid, "signature", "is %d bytes long", len(sc.Signature))
	}
	rec, err := Decode(canonical)
	if err != nil {
		return Record{}, err
	}
	if err := b.cfg.Verifier.VerifyContribution(ctx, sc); err != nil {
		return Record{}, fmt.Errorf("contribution: %w", err)
	}
	return rec, nil
}

// Review applies the owner's decision on a contribution. The newest decision
// counts; one that is not newer is refused with kind stale, the same again changes
// nothing. Published versions stay as they are.
func (b *Book) Review(ctx context.Context, sr protocol.SignedReview) (Entry, error) {
	r := sr.Review
	switch {
	case r.Status != protocol.ReviewAccepted && !r.Status.Refused():
		return Entry{}, protocol.Errorf(protocol.KindInvalid, "status", "%q is neither accepted nor rejected nor abusive", clip(string(r.Status)))
	case r.Status.Refused() && strings.TrimSpace(r.Reason) == "":
		return Entry{}, protocol.Errorf(protocol.KindInvalid, "reason", "is missing: tell the contributor why")
	case len(r.Reason) > maxReason:
		return Entry{}, protocol.Errorf(protocol.KindInvalid, "reason", "is %d bytes, the limit is %d", len(r.Reason), maxReason)
	case r.At <= 0 || r.At > b.cfg.Now()+maxSkew:
		return Entry{}, protocol.Errorf(protocol.KindInvalid, "at", "%d is not a time up to now in Unix milliseconds: set your clock", r.At)
	case len(sr.Signature) > maxSignature:
		return Entry{}, protocol.Errorf(protocol.KindInvalid, "signature", "is %d bytes long", len(sr.Signature))
	}
	d, err := b.Datanet(r.Datanet)
	if err != nil {
		return Entry{}, err
	}
	if err := b.cfg.Verifier.VerifyReview(ctx, sr, d.Owner); err != nil {
		return Entry{}, fmt.Errorf("review: %w", err)
	}
	var entry Entry
	err = b.cfg.DB.Update(func(tx *store.Tx) error {
		if entry, err = entryIn(tx, r.Datanet, r.Record); err != nil {
			return err
		}
		if old := entry.Review; old != nil {
			if old.Review == r && bytes.Equal(old.Signature, sr.Signature) {
				return nil
			}
			if r.At <= old.Review.At {
				return protocol.Errorf(protocol.KindStale, "at", "%d is not after the review of %d that counts now", r.At, old.Review.At)
			}
		}
		if entry.MediaGone && r.Status == protocol.ReviewAccepted {
			return protocol.Errorf(protocol.KindInvalid, "record", "was rejected long ago, and its file is gone: have it uploaded and contributed again")
		}
		if err := countReview(tx, &entry, r.Status); err != nil {
			return err
		}
		entry.Status, entry.Review = r.Status, &sr
		return entryTable.Put(tx, store.PairOf(r.Datanet, r.Record), entry)
	})
	return entry, err
}

// Entry gives one contribution, or an error of kind not_found.
func (b *Book) Entry(datanet uint64, record protocol.Hash) (Entry, error) {
	return entryIn(b.cfg.DB, datanet, record)
}

func entryIn(r store.Reader, datanet uint64, record protocol.Hash) (Entry, error) {
	e, ok, err := entryTable.Get(r, store.PairOf(datanet, record))
	if err == nil && !ok {
		err = protocol.Errorf(protocol.KindNotFound, "record", "datanet %d has no contribution %s", datanet, ipfs.RawCIDOf(record))
	}
	return e, err
}

// Entries lists the contributions to a datanet by record id, those of one status
// or, when it is empty, all.
func (b *Book) Entries(datanet uint64, status protocol.ReviewStatus) ([]Entry, error) {
	if _, err := b.Datanet(datanet); err != nil {
		return nil, err
	}
	var out []Entry
	err := store.ScanFirst(b.cfg.DB, entryTable, store.Uint64Key(), datanet, func(_ protocol.Hash, e Entry) error {
		if status == "" || e.Status == status {
			out = append(out, e)
		}
		return nil
	})
	return out, err
}

// EntriesBy lists the contributions of one contributor, by datanet and record id.
func (b *Book) EntriesBy(contributor protocol.Account) ([]Entry, error) {
	var out []Entry
	err := store.ScanFirst(b.cfg.DB, byAuthor, store.AccountKey(), contributor, func(k entryKey, _ store.Mark) error {
		e, err := entryIn(b.cfg.DB, k.A, k.B)
		if protocol.KindOf(err) == protocol.KindNotFound {
			return nil
		}
		out = append(out, e)
		return err
	})
	return out, err
}

// Record reads a contributed record.
func (b *Book) Record(ctx context.Context, record protocol.Hash) (Record, error) {
	data, err := b.cfg.Content.GetBlock(ctx, ipfs.RawCIDOf(record), nil)
	if err != nil {
		return Record{}, err
	}
	return Decode(data)
}

var errNothing = errors.New("no accepted contribution")
