// Package kvcache is the bookkeeping of the paged KV cache: which page of device
// memory holds which tokens of which sequence. It holds no tensors.
//
// Invariants:
//   - a page is free, or cached (no owner, content still known), or owned by one
//     or more sequences; the three sets partition all pages;
//   - only full pages are shared, and never written again: each sequence writes
//     into pages that it alone owns;
//   - a prefix is keyed by the adapter's content hash and by every token before it:
//     KV computed under one adapter is never used under another;
//   - all operations are deterministic (ties break by page number and by age), and
//     a refused operation changes nothing.
//
// The package is pure: no time, randomness, I/O or locking. Its owner is the
// engine's loop, which calls from one goroutine.
package kvcache

import (
	"errors"
	"fmt"
)

// ErrFull is returned when there are not enough pages; the caller waits.
var ErrFull = errors.New("kvcache: no free pages")

// Config of a cache.
type Config struct {
	Pages    int // pages of device memory
	PageSize int // tokens in a page
}

// Validate reports the first bad field.
func (c *Config) Validate() error {
	if c.PageSize < 1 || c.PageSize > 1<<16 {
		return fmt.Errorf("kvcache: page size must lie between 1 and 65536, got %d", c.PageSize)
	}
	if c.Pages < 1 || c.Pages > 1<<30 {
		return fmt.Errorf("kvcache: pages must lie between 1 and 2^30, got %d", c.Pages)
	}
	return nil
}

// Seq names a sequence; the caller chooses it.
type Seq uint64

// Key names the weights that computed the KV: the adapter's content hash, zero for
// the bare base.
type Key [32]byte

// Stats is the accounting at one moment. Free+Cached+Used == Pages.
type Stats struct {
	Pages, PageSize int
	Free            int // never used, or forgotten
	Cached          int // no owner, content reusable; taken when Free runs out
	Used            int // owned by at least one sequence
	Sequences       int
	Queries, Hits   uint64 // prompt tokens looked up, and found, in the prefix cache
}

// FreeTokens is the capacity left, in tokens.
func (s Stats) FreeTokens() int { return (s.Free + s.Cached) * s.PageSize }
