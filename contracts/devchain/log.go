package devchain

import (
	"context"
	"log/slog"

	gethlog "github.com/ethereum/go-ethereum/log"
)

// quiet sends go-ethereum's log to ours one step lower: its information is our
// debugging.
type quiet struct{ to slog.Handler }

func level(l slog.Level) slog.Level {
	switch {
	case l >= gethlog.LevelCrit:
		return slog.LevelError
	case l >= slog.LevelWarn:
		return l
	default:
		return slog.LevelDebug
	}
}

func (q quiet) Enabled(ctx context.Context, l slog.Level) bool {
	// Its own debugging and tracing are of no use to us.
	return l >= slog.LevelInfo && q.to.Enabled(ctx, level(l))
}

func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	r.Level = level(r.Level)
	return q.to.Handle(ctx, r)
}

func (q quiet) WithAttrs(a []slog.Attr) slog.Handler { return quiet{q.to.WithAttrs(a)} }
func (q quiet) WithGroup(n string) slog.Handler      { return quiet{q.to.WithGroup(n)} }
