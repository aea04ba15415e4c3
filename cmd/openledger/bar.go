package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/openledger/openledger/protocol"
)

// bar shows how far long work is: on a terminal a bar with what is left, elsewhere a
// line now and then.
type bar struct {
	w     io.Writer
	b     *progressbar.ProgressBar // nil where there is no terminal
	what  string
	step  int
	total int
	said  time.Time
}

// quiet is how often a line is written where there is no terminal.
const quiet = 10 * time.Second

func newBar(w io.Writer, what string, total int) *bar {
	b := &bar{w: w}
	b.begin(what, total)
	return b
}

// begin starts over with another phase. A total of 0 is not known.
func (b *bar) begin(what string, total int) {
	b.stop()
	b.what, b.step, b.total, b.said = what, 0, total, time.Now()
	f, ok := b.w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return
	}
	b.b = progressbar.NewOptions(max(total, 1),
		progressbar.OptionSetWriter(b.w), progressbar.OptionSetDescription("      "+what), progressbar.OptionSetWidth(30),
		progressbar.OptionShowCount(), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetPredictTime(true),
		progressbar.OptionSetRenderBlankState(true), progressbar.OptionClearOnFinish())
}

// set shows a step, with a note such as a loss.
func (b *bar) set(step int, note string) {
	b.step = step
	if b.b != nil {
		if note != "" {
			b.b.Describe("      " + b.what + "  " + note)
		}
		_ = b.b.Set(min(step, max(b.total, 1))) // an error of the terminal stops nothing
		return
	}
	if time.Since(b.said) < quiet {
		return
	}
	b.said = time.Now()
	fmt.Fprintf(b.w, "      %s %d/%d %s\n", b.what, step, b.total, note)
}

func (b *bar) add() { b.set(b.step+1, "") }

// training shows one progress event of a training job.
func (b *bar) training(p protocol.TrainingProgress) {
	if p.Phase == "" {
		return
	}
	if p.Phase != b.what || p.Steps != b.total {
		b.begin(p.Phase, p.Steps)
	}
	note := ""
	if p.Phase == "train" && p.Step > 0 {
		note = fmt.Sprintf("loss %.3f, ", p.Loss)
		if e := p.Eval; e != nil {
			note += fmt.Sprintf("held out %.3f (%d of %d exact), ", e.Loss, e.Exact, e.Records)
		}
		note += fmt.Sprintf("%.0f tok/s, %s left", p.TokensSec, (time.Duration(p.ETA) * time.Millisecond).Round(time.Second))
	}
	b.set(p.Step, note)
}

// stop takes the bar away.
func (b *bar) stop() {
	if b.b != nil {
		_ = b.b.Clear()
		b.b = nil
	}
}
