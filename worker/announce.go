package worker

import (
	"context"
	"time"

	"github.com/openledger/openledger/protocol"
)

// Announcement pacing: at once after a change, but never more often than this.
const (
	announceGap = 500 * time.Millisecond
	// maxAnnounced keeps an announcement within protocol.MaxAnnouncementBytes.
	maxAnnounced = 40
)

// announce tells the network what this worker can do, every
// protocol.AnnouncementEvery and after changes.
func (w *Worker) announce(ctx context.Context) error {
	ticker := time.NewTicker(protocol.AnnouncementEvery)
	defer ticker.Stop()
	for {
		if err := w.announceOnce(ctx); err != nil {
			w.log.Warn("announcement not sent", "err", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(announceGap):
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		case <-w.changed:
		}
	}
}

func (w *Worker) announceOnce(ctx context.Context) error {
	now := time.Now()
	seq, err := w.book.NextSequence(w.host.ID(), uint64(now.UnixMilli()))
	if err != nil {
		return err
	}
	s := w.engine.Stats()
	if w.cfg.StatedTPS > 0 {
		s.DecodeTPS = w.cfg.StatedTPS
	}
	w.mu.Lock()
	idle := len(w.training) == 0
	w.mu.Unlock()
	return w.host.Publish(ctx, protocol.Announcement{
		Peer: w.host.ID(), Worker: w.Owner(), Sequence: seq,
		IssuedAt: now.UnixMilli(), ExpiresAt: now.Add(protocol.AnnouncementTTL).UnixMilli(),
		Base: w.base, Profile: Profile, Slots: s.Slots, Running: s.Running, Waiting: s.Waiting, FreeKV: s.FreeKV, TotalKV: s.TotalKV,
		Trains: w.cfg.Trains && idle, DecodeTPS: float32(s.DecodeTPS), Hardware: w.cfg.Hardware, Price: w.cfg.Price, Adapters: announced(w.disk.list(), w.tierOf, maxAnnounced),
	})
}
