package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/openledger/openledger/protocol"
)

// bar shows how long work goes on: a bar with what is left.
type bar struct {
	w    io.Writer
	b    *progressbar.ProgressBar
	what string
	once sync.Once
}

func newBar(w io.Writer, what string) *bar {
	b := &bar{w: w}
	b.begin(what, -1)
	return b
}

func (b *bar) begin(what string, total int) {
	if b.b != nil {
		_ = b.b.Exit()
	}
	b.what = what
	b.b = progressbar.NewOptions(total,
		progressbar.OptionSetWriter(b.w), progressbar.OptionSetDescription(what), progressbar.OptionSetWidth(30),
		progressbar.OptionShowCount(), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetPredictTime(true),
		progressbar.OptionSetRenderBlankState(true), progressbar.OptionClearOnFinish())
}

// training shows one progress event of a training job.
func (b *bar) training(p protocol.TrainingProgress) {
	if p.Phase == "" {
		_ = b.b.Add(0)
		return
	}
	if p.Phase != b.what {
		b.begin(p.Phase, max(p.Steps, -1))
	}
	if p.Steps > 0 {
		b.b.ChangeMax(p.Steps)
	}
	if p.Phase == "train" {
		b.b.Describe(fmt.Sprintf("train  loss %.3f  %.0f tok/s", p.Loss, p.TokensSec))
	}
	_ = b.b.Set(p.Step)
}

func (b *bar) stop() { b.once.Do(func() { _ = b.b.Exit() }) }
