package datanet

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
)

// DefaultUploadsPerDay is how many bytes one account may upload in a day.
const DefaultUploadsPerDay = 2 << 30

// UploadsConfig says where files are taken in and how much.
type UploadsConfig struct {
	Book *Book  // required
	Dir  string // required: holds files while they are received and read
	// PerDay bounds what one account uploads to this node in 24 hours (UTC days), in bytes.
	// Default 2 GiB.
	PerDay int64
	// Total bounds what all uploads hold here, in bytes. Default 32 GiB.
	Total int64
	// Lifetime is how long an upload waits to be contributed. Default one day.
	Lifetime time.Duration
	// RejectedLifetime is how long the file of a rejected media record stays, in case the
	// owner reviews it again. Default seven days.
	RejectedLifetime time.Duration
	Logger           *slog.Logger // default: discard. It never sees names or content of files.
}

// EnsureDefaults fills in what was left empty.
func (c *UploadsConfig) EnsureDefaults() {
	if c.PerDay == 0 {
		c.PerDay = DefaultUploadsPerDay
	}
	if c.Total == 0 {
		c.Total = 32 << 30
	}
	if c.Lifetime == 0 {
		c.Lifetime = 24 * time.Hour
	}
	if c.RejectedLifetime == 0 {
		c.RejectedLifetime = 7 * 24 * time.Hour
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

// Validate names the first field that cannot work.
func (c *UploadsConfig) Validate() error {
	switch {
	case c.Book == nil:
		return protocol.Errorf(protocol.KindInvalid, "Book", "is missing: records are compared with it")
	case c.Dir == "":
		return protocol.Errorf(protocol.KindInvalid, "Dir", "is missing: name a folder for files that are received")
	case c.PerDay < 0 || c.Total < 0 || c.Lifetime < 0 || c.RejectedLifetime < 0:
		return protocol.Errorf(protocol.KindInvalid, "PerDay, Total, Lifetime, RejectedLifetime", "must not be negative")
	}
	return nil
}

// UploadState is where an upload stands.
type UploadState string

// States of an upload.
const (
	UploadChecking UploadState = "checking" // received whole, being read
	UploadReady    UploadState = "ready"    // its records can be contributed
	UploadRefused  UploadState = "refused"  // something is wrong with the file: see its errors
)

// Upload is a file that somebody wants to contribute to a datanet.
type Upload struct {
	ID       string           `json:"id"`
	Datanet  uint64           `json:"datanet"`
	Account  protocol.Account `json:"account"`
	Name     string           `json:"name"` // cleaned; still only a name
	Bytes    int64            `json:"bytes"`
	State    UploadState      `json:"state"`
	Errors   []LineError      `json:"errors"`
	More     bool             `json:"more"`     // there are further errors
	Records  int              `json:"records"`  // that it would contribute
	Repeated int              `json:"repeated"` // left out: they are in the file twice
	At       int64            `json:"at"`       // received, Unix ms
	Expires  int64            `json:"expires"`  // Unix ms
}

// uploadRow is an upload with what holds its files.
type uploadRow struct {
	Upload
	Media []protocol.CID `json:"media,omitempty"`
}

// UploadedRecord is a record that an upload would contribute.
type UploadedRecord struct {
	Record    protocol.Hash         `json:"record"`
	CID       protocol.CID          `json:"cid"`
	Type      Type                  `json:"type"`
	Title     string                `json:"title"`
	Preview   string                `json:"preview"` // beginning of its text
	Bytes     int                   `json:"bytes"`   // canonical
	Media     *Media                `json:"media,omitempty"`
	Duplicate protocol.ReviewStatus `json:"duplicate,omitempty"` // the same record is in the datanet: how it stands
	Similar   *Similar              `json:"similar,omitempty"`   // a record of the datanet that is much like it
	Canonical []byte                `json:"-"`
}

type uploadedRow struct {
	Canonical []byte   `json:"canonical"`
	Similar   *Similar `json:"similar,omitempty"`
}

var (
	uploadTable   = store.NewTable(119, "uploads", store.StringKey[string](), store.JSON[uploadRow]())
	uploadedTable = store.NewTable(120, "records of uploads", store.PairKey(store.StringKey[string](), store.Uint64Key()), store.JSON[uploadedRow]())
	uploadedByID  = store.NewTable(121, "records of uploads by id", store.PairKey(store.StringKey[string](), store.HashKey()), store.JSON[uint64]())
	usageTable    = store.NewTable(122, "bytes uploaded by day", store.PairKey(store.AccountKey(), store.Uint64Key()), store.JSON[int64]())
)

const (
	maxReceiving = 32 // at once
	maxChecking  = 2
	dayMillis    = 24 * 3600 * 1000
)

// Uploads takes files in. It is safe for concurrent use.
type Uploads struct {
	cfg       UploadsConfig
	receiving chan struct{}
	checking  chan struct{}
	mu        sync.Mutex
	incoming  int64 // bytes that are being received, as far as they are announced
}

// NewUploads makes the folder and removes what a crash left in it without a name.
func NewUploads(cfg UploadsConfig) (*Uploads, error) {
	cfg.EnsureDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("datanet: uploads: %w", err)
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("datanet: uploads: %w", err)
	}
	files, err := os.ReadDir(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("datanet: uploads: %w", err)
	}
	u := &Uploads{cfg: cfg, receiving: make(chan struct{}, maxReceiving), checking: make(chan struct{}, maxChecking)}
	for _, f := range files {
		row, ok, err := uploadTable.Get(u.db(), f.Name())
		if err != nil {
			return nil, err
		}
		if !ok || row.State != UploadChecking {
			if err := os.Remove(filepath.Join(cfg.Dir, f.Name())); err != nil {
				return nil, fmt.Errorf("datanet: uploads: %w", err)
			}
		}
	}
	return u, nil
}

func (u *Uploads) db() *store.DB { return u.cfg.Book.cfg.DB }
func (u *Uploads) now() int64    { return u.cfg.Book.cfg.Now() }

// Run reads on what was being read when the node stopped, and lets go of what is expired
// or rejected, until ctx ends.
func (u *Uploads) Run(ctx context.Context) error {
	if err := u.Resume(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	tick := time.NewTicker(10 * time.Minute)
	defer tick.Stop()
	for {
		if err := u.Sweep(ctx); err != nil && ctx.Err() == nil {
			u.cfg.Logger.Error("uploads not swept", "err", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Resume reads the files that were received and not read to their end.
func (u *Uploads) Resume(ctx context.Context) error {
	var ids []string
	err := uploadTable.Scan(u.db(), func(id string, row uploadRow) error {
		if row.State == UploadChecking {
			ids = append(ids, id)
		}
		return nil
	})
	for _, id := range ids {
		if err == nil {
			_, err = u.check(ctx, id)
		}
	}
	return err
}

// Limit is the largest file of a name's kind, or an error that names the kinds.
func Limit(name string) (int64, error) {
	ext := strings.ToLower(path.Ext(CleanName(name)))
	for _, f := range Formats() {
		if slices.Contains(f.Endings, ext) {
			return f.MaxBytes, nil
		}
	}
	return 0, protocol.Errorf(protocol.KindInvalid, "name", "%s is of a kind that is not read here: give one of %s", CleanName(name), strings.Join(Endings(), " "))
}

// Receive takes a file for a datanet from an account, reads it and says what it would
// contribute. length is what the sender announced, or -1. A file that is too large, or of
// an account that has had its day's share, is refused before it is read. What breaks off
// leaves nothing.
func (u *Uploads) Receive(ctx context.Context, datanet uint64, by protocol.Account, name string, length int64, body io.Reader) (Upload, error) {
	if _, err := u.cfg.Book.Datanet(datanet); err != nil {
		return Upload{}, err
	}
	most, err := Limit(name)
	if err != nil {
		return Upload{}, err
	}
	if length > most {
		return Upload{}, tooLargeFile(length, most)
	}
	used, err := u.used(by)
	if err != nil {
		return Upload{}, err
	}
	if left := u.cfg.PerDay - used; left <= 0 || length > left {
		return Upload{}, protocol.Errorf(protocol.KindBusy, "file", "you have uploaded %d of %d bytes today (UTC): go on tomorrow, or ask who runs this coordinator for more", used, u.cfg.PerDay)
	}
	select {
	case u.receiving <- struct{}{}:
		defer func() { <-u.receiving }()
	default:
		return Upload{}, protocol.Errorf(protocol.KindBusy, "file", "%d files are being uploaded here: try again in a minute", maxReceiving)
	}
	if err := u.room(max(length, 0)); err != nil {
		return Upload{}, err
	}
	defer u.free(max(length, 0))
	var random [16]byte
	if _, err := rand.Read(random[:]); err != nil {
		return Upload{}, err
	}
	id := hex.EncodeToString(random[:])
	size, err := u.write(ctx, id, body, length, min(most, u.cfg.PerDay-used))
	if err != nil {
		return Upload{}, err
	}
	at := u.now()
	row := uploadRow{Upload: Upload{
		ID: id, Datanet: datanet, Account: by, Name: CleanName(name), Bytes: size, State: UploadChecking, Errors: []LineError{},
		At: at, Expires: at + u.cfg.Lifetime.Milliseconds(),
	}}
	err = u.db().Update(func(tx *store.Tx) error {
		key := store.PairOf(by, uint64(at/dayMillis))
		sum, _, err := usageTable.Get(tx, key)
		if err != nil {
			return err
		}
		return errors.Join(usageTable.Put(tx, key, sum+size), uploadTable.Put(tx, id, row))
	})
	if err != nil {
		return Upload{}, errors.Join(err, os.Remove(u.file(id)))
	}
	// It is here: a sender that goes away now can ask for the outcome.
	return u.check(context.WithoutCancel(ctx), id)
}

func tooLargeFile(length, most int64) error {
	return protocol.Errorf(protocol.KindTooLarge, "file", "is %d bytes, the limit for its kind is %d: split it, or make it smaller", length, most)
}

func (u *Uploads) file(id string) string { return filepath.Join(u.cfg.Dir, id) }

func (u *Uploads) used(by protocol.Account) (int64, error) {
	used, _, err := usageTable.Get(u.db(), store.PairOf(by, uint64(u.now()/dayMillis)))
	return used, err
}

// room reserves n bytes of what uploads may hold together.
func (u *Uploads) room(n int64) error {
	held := int64(0)
	err := uploadTable.Scan(u.db(), func(_ string, row uploadRow) error {
		held += row.Bytes
		return nil
	})
	if err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if held+u.incoming+n > u.cfg.Total {
		return protocol.Errorf(protocol.KindBusy, "file", "this coordinator holds as many uploads as it may (%d bytes): try again later, or contribute or delete yours", u.cfg.Total)
	}
	u.incoming += n
	return nil
}

func (u *Uploads) free(n int64) {
	u.mu.Lock()
	u.incoming -= n
	u.mu.Unlock()
}

// write streams a file to disk, whole and durable or not at all.
func (u *Uploads) write(ctx context.Context, id string, body io.Reader, length, most int64) (_ int64, err error) {
	f, err := os.OpenFile(u.file(id), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, fmt.Errorf("datanet: upload: %w", err)
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = errors.Join(err, os.Remove(u.file(id)))
		}
	}()
	n, err := io.Copy(f, io.LimitReader(contextReader{ctx, body}, most+1))
	switch {
	case err != nil:
		return 0, fmt.Errorf("datanet: upload broke off after %d bytes: %w", n, err)
	case n > most:
		return 0, tooLargeFile(n, most)
	case length >= 0 && n != length:
		return 0, protocol.Errorf(protocol.KindInvalid, "file", "broke off after %d of %d bytes: send it again", n, length)
	}
	if err := f.Sync(); err != nil {
		return 0, fmt.Errorf("datanet: upload: %w", err)
	}
	return n, nil
}

// check reads a received file. It can be done again after a crash, with the same outcome.
func (u *Uploads) check(ctx context.Context, id string) (Upload, error) {
	select {
	case u.checking <- struct{}{}:
		defer func() { <-u.checking }()
	case <-ctx.Done():
		return Upload{}, ctx.Err()
	}
	row, err := uploadTable.Must(u.db(), id)
	if err != nil {
		return Upload{}, err
	}
	f, err := os.Open(u.file(id))
	if err != nil {
		return Upload{}, errors.Join(fmt.Errorf("datanet: upload: %w", err), u.forget(ctx, row))
	}
	err = u.read(ctx, f, &row)
	if err = errors.Join(err, f.Close()); err != nil {
		return Upload{}, err
	}
	if err := u.db().Update(func(tx *store.Tx) error { return uploadTable.Put(tx, id, row) }); err != nil {
		return Upload{}, err
	}
	u.cfg.Logger.Info("upload read", "upload", id, "datanet", row.Datanet, "bytes", row.Bytes, "state", row.State, "records", row.Records)
	if err := os.Remove(u.file(id)); err != nil {
		return Upload{}, fmt.Errorf("datanet: upload: %w", err)
	}
	return row.Upload, nil
}

// read fills row with what a file contains and stores its records.
func (u *Uploads) read(ctx context.Context, f *os.File, row *uploadRow) error {
	if err := u.dropRecords(row.ID); err != nil { // of a check that broke off
		return err
	}
	row.Records, row.Repeated = 0, 0
	files := &u.cfg.Book.media
	err := Parse(ctx, File{row.Name, f, row.Bytes}, Target{
		Store: func(ctx context.Context, _ io.Reader) (protocol.CID, error) {
			c, err := files.store(ctx, func() io.Reader { return io.NewSectionReader(f, 0, row.Bytes) }, uploadHolder(row.ID))
			if err == nil {
				row.Media = append(row.Media, c)
			}
			return c, err
		},
		Record: func(r Record) error {
			twice, err := uploadedByID.Has(u.db(), store.PairOf(row.ID, r.ID))
			if err != nil {
				return err
			}
			if twice {
				row.Repeated++
				return nil
			}
			near, err := u.cfg.Book.similar(row.Datanet, &r)
			if err != nil {
				return err
			}
			n := uint64(row.Records)
			row.Records++
			return u.db().WriteLazy(func(tx *store.Tx) error {
				return errors.Join(uploadedTable.Put(tx, store.PairOf(row.ID, n), uploadedRow{r.Canonical, near}),
					uploadedByID.Put(tx, store.PairOf(row.ID, r.ID), n))
			})
		},
	})
	var bad *ParseError
	switch {
	case err == nil:
		row.State = UploadReady
	case errors.As(err, &bad):
		row.State, row.Errors, row.More, row.Records, row.Repeated = UploadRefused, bad.Lines, bad.More, 0, 0
		return errors.Join(u.dropRecords(row.ID), files.release(ctx, uploadHolder(row.ID), row.Media, func(*store.Tx) error { return nil }))
	default:
		return err
	}
	return nil
}

// dropRecords removes the records of an upload, a part at a time.
func (u *Uploads) dropRecords(id string) error {
	for {
		var rows []uint64
		var ids []protocol.Hash
		err := store.ScanFirst(u.db(), uploadedTable, store.StringKey[string](), id, func(n uint64, row uploadedRow) error {
			rec, err := Decode(row.Canonical)
			if err != nil {
				return err
			}
			rows, ids = append(rows, n), append(ids, rec.ID)
			if len(rows) == 1000 {
				return store.ErrStop
			}
			return nil
		})
		if err != nil || len(rows) == 0 {
			return err
		}
		err = u.db().Update(func(tx *store.Tx) error {
			for i, n := range rows {
				if err := errors.Join(uploadedTable.Delete(tx, store.PairOf(id, n)), uploadedByID.Delete(tx, store.PairOf(id, ids[i]))); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
}

// forget removes an upload and what only it holds.
func (u *Uploads) forget(ctx context.Context, row uploadRow) error {
	if err := u.dropRecords(row.ID); err != nil {
		return err
	}
	err := u.cfg.Book.media.release(ctx, uploadHolder(row.ID), row.Media, func(tx *store.Tx) error { return uploadTable.Delete(tx, row.ID) })
	if err != nil {
		return err
	}
	if err := os.Remove(u.file(row.ID)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("datanet: upload: %w", err)
	}
	return nil
}

// find gives an upload of an account. What is another's is as if it were not there.
func (u *Uploads) find(id string, by protocol.Account) (uploadRow, error) {
	row, ok, err := uploadTable.Get(u.db(), id)
	if err == nil && (!ok || row.Account != by || row.Expires <= u.now()) {
		err = protocol.Errorf(protocol.KindNotFound, "upload", "there is no upload %s of yours: it may have expired; upload the file again", clip(CleanName(id)))
	}
	return row, err
}

// Upload gives an upload of an account with up to limit of its records from an offset.
func (u *Uploads) Upload(id string, by protocol.Account, from uint64, limit int) (Upload, []UploadedRecord, error) {
	row, err := u.find(id, by)
	if err != nil {
		return Upload{}, nil, err
	}
	out := []UploadedRecord{}
	if row.State != UploadReady {
		return row.Upload, out, nil
	}
	for n := from; n < uint64(row.Records) && len(out) < limit; n++ {
		r, err := uploadedTable.Must(u.db(), store.PairOf(id, n))
		if err != nil {
			return Upload{}, nil, err
		}
		shown, err := u.show(row.Datanet, r)
		if err != nil {
			return Upload{}, nil, err
		}
		out = append(out, shown)
	}
	return row.Upload, out, nil
}

func (u *Uploads) show(datanet uint64, row uploadedRow) (UploadedRecord, error) {
	r, err := Decode(row.Canonical)
	if err != nil {
		return UploadedRecord{}, err
	}
	out := UploadedRecord{
		Record: r.ID, CID: r.CID(), Type: r.Type, Title: r.Title(), Preview: r.Preview(), Bytes: len(r.Canonical), Media: r.Media,
		Similar: row.Similar, Canonical: r.Canonical,
	}
	old, ok, err := entryTable.Get(u.db(), store.PairOf(datanet, r.ID))
	if ok {
		out.Duplicate = old.Status
	}
	return out, err
}

// Canonical gives a record of an upload to contribute.
func (u *Uploads) Canonical(id string, by protocol.Account, record protocol.Hash) ([]byte, error) {
	if _, err := u.find(id, by); err != nil {
		return nil, err
	}
	n, ok, err := uploadedByID.Get(u.db(), store.PairOf(id, record))
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, protocol.Errorf(protocol.KindNotFound, "record", "%s is not in upload %s", record, id)
	}
	row, err := uploadedTable.Must(u.db(), store.PairOf(id, n))
	return bytes.Clone(row.Canonical), err
}

// Delete lets go of an upload. What was contributed from it stays.
func (u *Uploads) Delete(ctx context.Context, id string, by protocol.Account) error {
	row, err := u.find(id, by)
	if err != nil {
		return err
	}
	return u.forget(ctx, row)
}

// Sweep lets go of uploads that have expired, and of the files of media records that were
// rejected long enough ago.
func (u *Uploads) Sweep(ctx context.Context) error {
	var expired []uploadRow
	err := uploadTable.Scan(u.db(), func(_ string, row uploadRow) error {
		if row.Expires <= u.now() && row.State != UploadChecking {
			expired = append(expired, row)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, row := range expired {
		if err := u.forget(ctx, row); err != nil {
			return err
		}
	}
	return u.cfg.Book.sweepRejected(ctx, u.now()-u.cfg.RejectedLifetime.Milliseconds())
}
