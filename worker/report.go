package worker

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/worker/adapter"
	"github.com/openledger/openledger/worker/engine"
	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/finetune"
)

// What a report shows of the held-out records, and how much of them.
const (
	reportAnswers = 6
	reportTokens  = 192  // of an answer
	reportSlack   = 24   // tokens that an answer may have beyond those of its record
	reportText    = 2000 // characters of a text
	reportRetry   = time.Second
)

// writeReport has base and adapter answer some of the held-out records, by the engine that
// serves requests, and stores what came of the evaluation. Without held-out records there
// is none.
func (r *run) writeReport(ctx context.Context, a *lora.Adapter, s finetune.Summary, files map[string]protocol.CID) error {
	if s.Best == nil {
		return nil
	}
	report := protocol.TrainingReport{Base: *evaluation(&s.Curve[0]), Best: *evaluation(s.Best)}
	for i := range s.Curve {
		report.Curve = append(report.Curve, *evaluation(&s.Curve[i]))
	}
	chosen := r.shown()
	report.Answers = make([]protocol.HeldOutAnswer, len(chosen))
	key := "training " + r.job.ID.Hex()
	for i := range chosen {
		if err := r.tell(protocol.TrainingProgress{Phase: "evaluate", Step: i, Steps: len(chosen), Eval: evaluation(s.Best)}); err != nil {
			return err
		}
		var err error
		if report.Answers[i], err = r.compare(ctx, key, a, chosen[i]); err != nil {
			return err
		}
	}
	if err := r.w.engine.Unload(key); err != nil && !errors.Is(err, engine.ErrUnknownAdapter) {
		return engineError(err)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(report); err != nil {
		return fmt.Errorf("report of the training: %w", err)
	}
	var err error
	files[adapter.EvaluationFile], err = r.add(ctx, b.Bytes())
	return err
}

// shown chooses held-out examples by the order's seed.
func (r *run) shown() []int {
	place := func(i int) uint64 {
		h := sha256.Sum256(append(binary.BigEndian.AppendUint64([]byte("openledger shown 1\n"), r.job.Hyper.Seed), r.examples[i].Record[:]...))
		return binary.BigEndian.Uint64(h[:])
	}
	out := slices.SortedFunc(slices.Values(r.held), func(a, b int) int { return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(a, b)) })
	return out[:min(len(out), reportAnswers)]
}

// compare has base and adapter answer one example, both at the same time.
func (r *run) compare(ctx context.Context, key string, a *lora.Adapter, i int) (protocol.HeldOutAnswer, error) {
	rec, ex := r.version.Records[i], r.examples[i]
	out := protocol.HeldOutAnswer{Record: rec.CID()}
	question, reference, err := r.renderer.Texts(rec.Fields)
	if err != nil {
		return out, badHyper(fmt.Errorf("record %s: %w", rec.CID(), err))
	}
	out.Prompt, out.Reference = clip(question, false), clip(reference, false)
	request := engine.Request{ID: key, Prompt: ex.Prompt, Tenant: r.job.Order.Owner.Hex(),
		Sampling: engine.Sampling{MaxTokens: min(len(ex.Answer)+reportSlack, reportTokens)}}
	var answers [2]engine.Result
	tasks, taskCtx := errgroup.WithContext(ctx)
	for n := range answers {
		request := request
		if n == 1 {
			request.Adapter, request.Weights = key, a
		}
		tasks.Go(func() (err error) {
			answers[n], err = r.generate(taskCtx, request)
			return err
		})
	}
	switch err := tasks.Wait(); {
	case errors.Is(err, engine.ErrTooLarge), errors.Is(err, engine.ErrAdapterMemory): // never here; the adapter is good all the same
		out.Unanswered = err.Error()
		return out, nil
	case err != nil:
		return out, engineError(err)
	}
	cut := func(n int) string { return clip(answers[n].Text, answers[n].FinishReason == engine.FinishLength) }
	out.Base, out.Adapter = cut(0), cut(1)
	out.BaseExact, out.AdapterExact = answers[0].Text == reference, answers[1].Text == reference
	return out, nil
}

// generate waits for the engine where that is busy: a training has time.
func (r *run) generate(ctx context.Context, request engine.Request) (engine.Result, error) {
	for {
		result, err := r.w.engine.Generate(ctx, request, nil)
		if !errors.Is(err, engine.ErrBusy) {
			return result, err
		}
		select {
		case <-ctx.Done():
			return result, context.Cause(ctx)
		case <-time.After(reportRetry):
		}
	}
}

// clip shortens a text; what is left out, now or before, is an ellipsis.
func clip(text string, cut bool) string {
	if runes := []rune(text); len(runes) > reportText {
		text, cut = string(runes[:reportText]), true
	}
	if cut {
		text += "…"
	}
	return text
}
