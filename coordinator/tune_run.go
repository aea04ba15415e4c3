package coordinator

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store"
	"github.com/openledger/openledger/store/datanet"
)

// tunePoll is how often a job looks at its training.
const tunePoll = 250 * time.Millisecond

// orderLifetime is how long a training that a job orders may take in all.
const orderLifetime = 7 * 24 * time.Hour

// runTune takes a job through its steps, each of which can be repeated: what an
// interruption left undone is done by the next run, and what was done is found.
func (c *Coordinator) runTune(t *liveTune) {
	if t.current().Cancel {
		c.endTune(t, protocol.Errorf(protocol.KindCancelled, "", "cancelled by its owner"))
		return
	}
	err := c.publishTune(t.ctx, t)
	if err == nil {
		err = c.orderTune(t.ctx, t)
	}
	if err == nil {
		err = c.watchTune(t.ctx, t)
	}
	if err != nil && c.running.Err() != nil {
		return // stopping: the next start goes on
	}
	if err != nil && t.ctx.Err() != nil {
		err = protocol.Errorf(protocol.KindCancelled, "", "cancelled by its owner")
	}
	c.endTune(t, err)
}

// publishTune makes the file a datanet of the owner with one published version.
func (c *Coordinator) publishTune(ctx context.Context, t *liveTune) error {
	if t.current().Version.Root != "" {
		return nil
	}
	records, held, err := c.tuneRecords(ctx, t)
	if err != nil {
		return err
	}
	license := t.current().Request.OpenLedger.License
	if t.current().Datanet == 0 {
		d, err := c.sender.Once("fine-tune "+t.id()+" datanet").CreateDatanetFor(ctx, t.owner,
			protocol.Datanet{Name: tuneName(t), License: license, Description: tuneDescription(t)})
		if err != nil {
			return err
		}
		if err := c.putTune(t, func(s *tuneState) { s.Datanet = d.ID }, fmt.Sprintf("Created datanet %d under %s", d.ID, license)); err != nil {
			return err
		}
	}
	if err := c.contributeTune(ctx, t, records, license); err != nil {
		return err
	}
	v, err := c.BuildVersion(ctx, t.current().Datanet)
	if err != nil {
		return err
	}
	if v.Number != 1 || v.Records != len(records) {
		return protocol.Errorf(protocol.KindStale, "training_file", "datanet %d was changed while the job made it", v.Datanet)
	}
	if _, err := c.sender.Once("fine-tune "+t.id()+" version").PublishVersion(ctx, v); err != nil {
		return err
	}
	return c.putTune(t, func(s *tuneState) { s.Version, s.Held = v, held }, fmt.Sprintf("Published version %d of datanet %d with %d records", v.Number, v.Datanet, v.Records))
}

// tuneFile is a file that a job reads, and the parameter that names it.
type tuneFile struct {
	ID, Param string
	held      bool
}

func tuneFiles(r *api.FineTuneRequest) []tuneFile {
	out := []tuneFile{{ID: r.TrainingFile, Param: "training_file"}}
	if r.ValidationFile != "" {
		out = append(out, tuneFile{r.ValidationFile, "validation_file", true})
	}
	return out
}

// tuneRecords reads the files; the same example twice is one record. An example of the
// validation file that is trained on would say nothing about the adapter: it is refused.
func (c *Coordinator) tuneRecords(ctx context.Context, t *liveTune) (out []datanet.Record, held int, err error) {
	r := t.current().Request
	seen := map[protocol.Hash]string{} // by which parameter, of the example without its mark
	for _, f := range tuneFiles(&r) {
		before := len(out)
		err := c.eachExampleOf(ctx, t.owner, f, func(e chatExample) error {
			plain, err := e.record(false)
			if err != nil {
				return err
			}
			switch seen[plain.ID] {
			case f.Param:
				return nil
			case "":
			default:
				return lineError(e.Line, "the training file has this example, too: what is trained on cannot be held out")
			}
			record := plain
			if f.held {
				if record, err = e.record(true); err != nil {
					return err
				}
			}
			if len(out) == datanet.MaxRecords {
				return lineError(e.Line, "there are more than the %d examples of a datanet's version", datanet.MaxRecords)
			}
			seen[plain.ID], out = f.Param, append(out, record)
			return nil
		})
		if err != nil {
			var bad *protocol.Error
			if errors.As(err, &bad) && bad.Field == fieldOfLines {
				err = protocol.Errorf(bad.Kind, f.Param, "%s", bad.Message)
			}
			return nil, 0, err
		}
		if f.held {
			held = len(out) - before
		}
	}
	return out, held, nil
}

// eachExampleOf reads one file of an account.
func (c *Coordinator) eachExampleOf(ctx context.Context, owner protocol.Account, f tuneFile, fn func(chatExample) error) (err error) {
	rec, err := c.file(owner, f.ID, f.Param)
	if err != nil {
		return err
	}
	content, err := os.Open(c.filePath(rec.ID))
	if err != nil {
		return fmt.Errorf("%s: %w", f.Param, err)
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	return eachExample(ctx, bufio.NewReaderSize(content, 64<<10), fn)
}

// contributeTune contributes and accepts the records in the owner's name. Times and
// signatures are the same each time, so what is there already stays.
func (c *Coordinator) contributeTune(ctx context.Context, t *liveTune, records []datanet.Record, license string) error {
	for _, r := range records {
		if err := ctx.Err(); err != nil {
			return err
		}
		sc, err := wire.SignContribution(c.datanetsDomain, protocol.Contribution{Datanet: t.current().Datanet, Record: r.ID, Contributor: t.owner, License: license, At: t.created}, c.session)
		if err != nil {
			return err
		}
		if _, err := c.Contribute(ctx, sc, r.Canonical); err != nil {
			return err
		}
		review, err := wire.SignReview(c.datanetsDomain, protocol.Review{Datanet: t.current().Datanet, Record: r.ID, Status: protocol.ReviewAccepted, At: t.created}, c.session)
		if err != nil {
			return err
		}
		if _, err := c.Review(ctx, review); err != nil {
			return err
		}
	}
	return nil
}

// orderTune signs the training order in the owner's name and has it carried out.
func (c *Coordinator) orderTune(ctx context.Context, t *liveTune) error {
	if t.current().Training == nil {
		job, chosen, err := c.tuneOrder(ctx, t)
		if err != nil {
			return err
		}
		if err := c.putTune(t, func(s *tuneState) { s.Training, s.Hyper, s.Status = &job, chosen, tuneQueued },
			"Files validated, moving job to queued state"); err != nil {
			return err
		}
	}
	_, err := c.TrainingJob(ctx, t.current().Training.ID)
	if protocol.KindOf(err) == protocol.KindNotFound {
		_, err = c.StartTraining(ctx, *t.current().Training)
	}
	return err
}

func (c *Coordinator) tuneOrder(ctx context.Context, t *liveTune) (protocol.TrainingJob, api.TuneHyper, error) {
	fail := func(err error) (protocol.TrainingJob, api.TuneHyper, error) {
		return protocol.TrainingJob{}, api.TuneHyper{}, err
	}
	s := t.current()
	s.Hyper = autoTune(s.Hyper, s.Version.Records-s.Held)
	h := hyperOf(&s)
	hash, err := wire.HyperHash(h)
	if err != nil {
		return fail(err)
	}
	grant, err := c.chain.DelegateOf(ctx, t.owner, c.SessionAccount())
	if err != nil {
		return fail(err)
	}
	name := tuneName(t)
	latest, err := c.chain.LatestRevision(ctx, t.owner, name)
	if err != nil {
		return fail(err)
	}
	x := s.Request.OpenLedger
	job := protocol.TrainingJob{Hyper: h, ID: sha256.Sum256([]byte("openledger fine-tune " + t.id())), Order: protocol.TrainingOrder{
		Owner: t.owner, Name: name, Base: c.cfg.Base, Datanet: s.Version.Datanet, Version: s.Version.Number, Root: s.Version.Root, HyperHash: hash,
		Access: x.Access, RoyaltyBps: x.RoyaltyBps, Revision: latest + 1, Nonce: sha256.Sum256([]byte("openledger fine-tune order " + t.id())),
		Deadline: min(time.Now().Add(orderLifetime).Unix(), grant.Until-1),
	}}
	job.Signature, err = wire.SignTrainingOrder(c.modelsDomain, job.Order, c.session)
	return job, s.Hyper, err
}

// tuneName is the adapter's and the datanet's name: the suffix, as far as a name may have
// it, and the job.
func tuneName(t *liveTune) string {
	var b strings.Builder
	for _, r := range strings.ToLower(t.current().Request.Suffix) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			b.WriteRune(r)
		default:
			b.WriteByte('-')
		}
	}
	parts := []string{"ft", b.String(), strings.TrimPrefix(t.id(), "ftjob-")[:8]}
	if b.Len() == 0 {
		parts = []string{parts[0], parts[2]}
	}
	return strings.Join(parts, "-")
}

func tuneDescription(t *liveTune) string {
	if d := t.current().Request.OpenLedger.Description; d != "" {
		return d
	}
	return "Chats of fine-tuning job " + t.id()
}

// watchTune follows the training to its end.
func (c *Coordinator) watchTune(ctx context.Context, t *liveTune) error {
	tick := time.NewTicker(tunePoll)
	defer tick.Stop()
	var last protocol.TrainingProgress
	for {
		status, err := c.TrainingJob(ctx, t.current().Training.ID)
		if err != nil {
			return err
		}
		if err := c.noteState(t, status.State); err != nil {
			return err
		}
		if err := c.noteTune(t, status, &last); err != nil {
			return err
		}
		switch status.State {
		case "succeeded":
			return c.finishTune(ctx, t, status)
		case "cancelled":
			return protocol.Errorf(protocol.KindCancelled, "", "%s", status.Error)
		case "failed":
			return protocol.Errorf(protocol.KindInternal, "", "the training failed: %s", status.Error)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// noteTune writes down what is new about a training.
func (c *Coordinator) noteTune(t *liveTune, status api.TrainingStatus, last *protocol.TrainingProgress) error {
	p := status.Progress
	t.mu.Lock()
	begun := t.state.Status == tuneRunning
	t.end = 0
	if p.Phase == "train" && p.ETA > 0 {
		t.end = now() + p.ETA
	}
	t.mu.Unlock()
	var messages []string
	if !begun && status.State == "running" {
		messages = append(messages, "Fine-tuning job started")
	}
	metrics, steps, evaluated := metricsSince(t.current(), status)
	for _, e := range status.Evals {
		if e.Step >= t.current().Evaluated {
			messages = append(messages, fmt.Sprintf("Step %d/%d: validation loss=%.4f, exact=%d/%d", e.Step, p.Steps, e.Loss, e.Exact, e.Records))
		}
	}
	if p.Phase == "train" && p.Step > 0 && p.Step != last.Step {
		messages = append(messages, fmt.Sprintf("Step %d/%d: training loss=%.4f", p.Step, p.Steps, p.Loss))
	} else if p.Phase != last.Phase && p.Phase != "train" && p.Phase != "done" && p.Phase != "" {
		messages = append(messages, "Phase: "+p.Phase)
	}
	*last = p
	if len(messages) == 0 && len(metrics) == 0 {
		return nil
	}
	return c.putTuneWith(t, func(s *tuneState) {
		if status.State == "running" {
			s.Status = tuneRunning
		}
		s.Noted, s.Evaluated = steps, evaluated
	}, "info", metrics, messages...)
}

// metricsSince are the metrics of the steps that are not noted yet, however many went by since
// the last look. steps and evaluated are what is noted with them.
func metricsSince(s tuneState, status api.TrainingStatus) (metrics []store.TuneMetric, steps, evaluated int) {
	steps, evaluated = s.Noted, s.Evaluated
	valid := map[int]float64{}
	for _, e := range status.Evals {
		valid[e.Step], evaluated = e.Loss, max(evaluated, e.Step+1)
	}
	at := now()
	for i, step := range status.Steps {
		v, scored := valid[step]
		if step <= s.Noted && (!scored || step < s.Evaluated) {
			continue
		}
		m := store.TuneMetric{Step: step, At: at, Loss: status.Losses[i]}
		if scored {
			m.Valid = &v
		}
		metrics, steps = append(metrics, m), max(steps, step)
	}
	return metrics, steps, evaluated
}

// finishTune names the model and leaves the metrics behind as a file.
func (c *Coordinator) finishTune(ctx context.Context, t *liveTune, status api.TrainingStatus) error {
	r := status.Result
	if r == nil {
		return protocol.Errorf(protocol.KindCorrupt, "result", "the training has succeeded without one")
	}
	file, err := c.tuneResults(ctx, t)
	if err != nil {
		return err
	}
	model := pinnedName(t.current().Training.Order.Name, r.Adapter)
	return c.putTune(t, func(s *tuneState) {
		s.Status, s.Finished, s.Results, s.Model = tuneSucceeded, now(), []string{file}, model
		s.Tokens, s.Steps, s.Loss = r.Tokens, r.Steps, r.LossLast
		s.Eval = r.Eval
	}, "New fine-tuned model created: "+model, "The job has successfully completed")
}

// tuneResults keeps the metrics as a file of the owner, once.
func (c *Coordinator) tuneResults(_ context.Context, t *liveTune) (string, error) {
	metrics, err := c.book.TuneMetrics(t.key)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	rows := [][]string{{"step", "train_loss", "valid_loss"}}
	for _, m := range metrics {
		row := []string{strconv.Itoa(m.Step), strconv.FormatFloat(m.Loss, 'g', -1, 64), ""}
		if m.Valid != nil {
			row[2] = strconv.FormatFloat(*m.Valid, 'g', -1, 64)
		}
		rows = append(rows, row)
	}
	if err := w.WriteAll(rows); err != nil {
		return "", err
	}
	id := shortID(sha256.Sum256([]byte("openledger fine-tune results " + t.id())))
	if have, err := c.book.File(id); err == nil {
		return fileID(have.ID), nil
	}
	rec := store.FileRecord{ID: id, Owner: t.owner, Name: "step_metrics.csv", Purpose: api.PurposeResults, CreatedAt: now()}
	tmp, err := c.receive(api.Upload{Body: &b}, api.MaxFileBytes, &rec)
	if err != nil {
		return "", err
	}
	f, err := c.keepFile(tmp, rec)
	return f.ID, err
}

// endTune writes a job's outcome; the first one stands.
func (c *Coordinator) endTune(t *liveTune, err error) {
	if err != nil {
		training := t.current().Training
		if training != nil && protocol.KindOf(err) == protocol.KindCancelled {
			if err := c.stopTraining(training.ID); err != nil {
				c.log.Error("training of a cancelled fine-tuning job not stopped", "job", t.id(), "err", err)
			}
		}
		c.failTune(t, err)
	}
	c.tunes.mu.Lock()
	if c.tunes.live[t.key] == t {
		delete(c.tunes.live, t.key)
	}
	c.tunes.mu.Unlock()
	t.cancel()
}

func (c *Coordinator) failTune(t *liveTune, why error) {
	level, message := "error", "The job failed: "+why.Error()
	if protocol.KindOf(why) == protocol.KindCancelled {
		level, message = "info", "The job was cancelled"
	}
	err := c.putTuneWith(t, func(s *tuneState) {
		s.Finished = now()
		if protocol.KindOf(why) == protocol.KindCancelled {
			s.Status = tuneCancelled
			return
		}
		s.Status, s.Error = tuneFailed, &api.TuneError{Code: string(protocol.KindOf(why)), Message: why.Error()}
		var typed *protocol.Error
		if errors.As(why, &typed) && typed.Field != "" {
			s.Error.Param = &typed.Field
		}
	}, level, nil, message)
	if err != nil && !t.over() {
		c.log.Error("outcome of a fine-tuning job not stored", "job", t.id(), "err", err)
	}
}
