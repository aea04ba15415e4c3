package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/openledger/openledger/protocol"
)

// Config says where a database lives and how much memory it may use.
type Config struct {
	Dir           string       // required; created when missing
	FS            vfs.FS       // default: the machine's file system
	Logger        *slog.Logger // default: discard
	CacheBytes    int64        // block cache; default 8 MiB
	MemTableBytes uint64       // one write buffer; default 4 MiB
}

// EnsureDefaults fills in what was left empty.
func (c *Config) EnsureDefaults() {
	if c.FS == nil {
		c.FS = vfs.Default
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.CacheBytes == 0 {
		c.CacheBytes = 8 << 20
	}
	if c.MemTableBytes == 0 {
		c.MemTableBytes = 4 << 20
	}
}

// Validate names the first field that cannot work.
func (c *Config) Validate() error {
	if c.Dir == "" {
		return protocol.Errorf(protocol.KindInvalid, "Dir", "is empty: name the database's directory")
	}
	if c.CacheBytes < 0 {
		return protocol.Errorf(protocol.KindInvalid, "CacheBytes", "is negative: use 0 for the default")
	}
	if c.MemTableBytes < 64<<10 {
		return protocol.Errorf(protocol.KindInvalid, "MemTableBytes", "is %d: at least 65536, or 0 for the default", c.MemTableBytes)
	}
	return nil
}

// ErrLocked reports that another process has the database open.
var ErrLocked = errors.New("the database is in use by another process")

// DB is an open database. It is safe for concurrent use.
type DB struct {
	pdb *pebble.DB
	log *slog.Logger

	write sync.Mutex // serialises Update
}

// Open opens the database in cfg.Dir, recovering what a crash left behind.
func Open(cfg Config) (*DB, error) {
	cfg.EnsureDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	cache := pebble.NewCache(cfg.CacheBytes)
	defer cache.Unref()
	opts := &pebble.Options{
		FS:                          cfg.FS,
		Cache:                       cache,
		MemTableSize:                cfg.MemTableBytes,
		MemTableStopWritesThreshold: 4,
		MaxOpenFiles:                256,
		Logger:                      logger{cfg.Logger},
		FormatMajorVersion:          pebble.FormatNewest,
	}
	for i := range opts.Levels {
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	pdb, err := pebble.Open(cfg.Dir, opts)
	if err != nil {
		return nil, openError(cfg.Dir, err)
	}
	return &DB{pdb: pdb, log: cfg.Logger}, nil
}

// Close flushes and closes the database. No transaction may be running.
func (d *DB) Close() error {
	d.write.Lock()
	defer d.write.Unlock()
	if err := d.pdb.Close(); err != nil {
		return fmt.Errorf("store: close: %w", err)
	}
	return nil
}

// Sync makes everything that was written so far durable.
func (d *DB) Sync() error {
	if err := d.pdb.LogData(nil, pebble.Sync); err != nil {
		return fmt.Errorf("store: sync: %w", err)
	}
	return nil
}

// Size is the database's size on disk, roughly, in bytes.
func (d *DB) Size() uint64 { return d.pdb.Metrics().DiskSpaceUsage() }

func openError(dir string, err error) error {
	text := err.Error()
	if errors.Is(err, syscall.EAGAIN) || strings.Contains(text, "lock held by current process") ||
		strings.Contains(text, "resource temporarily unavailable") {
		return protocol.Errorf(protocol.KindBusy, "", "store: %s: %w: stop it first, or choose another directory", dir, ErrLocked)
	}
	return fmt.Errorf("store: open %s: %w", dir, err)
}

// logger sends pebble's messages to slog. Its chatter is of no use above debug.
type logger struct{ to *slog.Logger }

func (l logger) Infof(format string, args ...any) {
	if l.to.Enabled(context.Background(), slog.LevelDebug) {
		l.to.Debug("pebble: " + fmt.Sprintf(format, args...))
	}
}

func (l logger) Errorf(format string, args ...any) {
	l.to.Error("pebble: " + fmt.Sprintf(format, args...))
}

// Fatalf must not return: pebble calls it when going on would lose writes.
func (l logger) Fatalf(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	l.to.Error("pebble: " + text)
	panic("store: " + text)
}
