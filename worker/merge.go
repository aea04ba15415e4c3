package worker

import (
	"context"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store/datanet"
	"github.com/openledger/openledger/store/ipfs"
	"github.com/openledger/openledger/worker/adapter"
	"github.com/openledger/openledger/worker/attrib"
	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/finetune"
)

// merge makes an adapter of others, as an order whose hyper-parameters say so. It goes
// through the phases of a training with "merge" in the place of "train", and gives the
// same bits whenever it is done again, so it needs no checkpoint.
func (w *Worker) merge(ctx context.Context, job protocol.TrainingJob, progress func(protocol.TrainingProgress) error) (protocol.TrainingResult, error) {
	started := time.Now()
	r := &run{w: w, job: job, progress: progress}
	defer r.release()
	parents, records, err := r.fetchMerge(ctx)
	if err != nil {
		return protocol.TrainingResult{}, err
	}
	merged, err := r.mergeValues(ctx, parents)
	if err != nil {
		return protocol.TrainingResult{}, err
	}
	files := map[string]protocol.CID{}
	digest, err := r.writeAdapter(ctx, merged, files)
	if err != nil {
		return protocol.TrainingResult{}, err
	}
	if err := r.writeIndex(ctx, merged, digest, records, files); err != nil {
		return protocol.TrainingResult{}, err
	}
	id, err := r.publish(ctx, files)
	if err != nil {
		return protocol.TrainingResult{}, err
	}
	tx, err := r.register(ctx, id)
	if err != nil {
		return protocol.TrainingResult{}, err
	}
	n := len(merged.Pairs)
	return protocol.TrainingResult{
		Adapter: id, Index: files[adapter.IndexFile], Steps: n, Seconds: time.Since(started).Seconds(), Records: len(records), TxHash: tx,
	}, r.tell(protocol.TrainingProgress{Phase: "done", Step: n, Steps: n})
}

// fetchMerge gets the parents and the records that the merged adapter owes its answers
// to, and checks the order against them.
func (r *run) fetchMerge(ctx context.Context) ([]lora.Parent, []attrib.Record, error) {
	if err := r.tell(protocol.TrainingProgress{Phase: "fetch"}); err != nil {
		return nil, nil, err
	}
	m := *r.job.Hyper.Merge
	providers, err := ipfs.ParseProviders(r.job.Sources)
	if err != nil {
		return nil, nil, err
	}
	var known []MergeParent
	var parents []lora.Parent
	for _, p := range m.Parents {
		a, err := r.openParent(ctx, p.Adapter, providers)
		if err != nil {
			return nil, nil, err
		}
		known = append(known, MergeParent{Registered: a.Registered, Manifest: a.Manifest})
		parents = append(parents, lora.Parent{Key: string(p.Adapter), Adapter: a.LoRA, Weight: p.Weight})
	}
	if err := r.checkPlan(known); err != nil {
		return nil, nil, err
	}
	if r.version, err = r.openVersion(ctx, r.job.Order.Root, r.job.Order.Datanet, r.job.Order.Version); err != nil {
		return nil, nil, err
	}
	if err := r.checkOlderVersions(ctx, known); err != nil {
		return nil, nil, err
	}
	records, err := r.mergeRecords()
	return parents, records, err
}

// openParent opens an adapter to be merged; its files count as on disk.
func (r *run) openParent(ctx context.Context, id protocol.CID, providers []peer.AddrInfo) (*adapter.Adapter, error) {
	done, err := r.w.disk.use(ctx, id)
	if err != nil {
		return nil, err
	}
	defer done()
	a, _, err := r.w.source.OpenWithin(ctx, id, providers, func(_, files int64) error { return r.w.roomOnDisk(ctx, id, files) })
	return a, err
}

// checkPlan refuses an order that its parents do not give.
func (r *run) checkPlan(known []MergeParent) error {
	h, order, err := PlanMerge(*r.job.Hyper.Merge, r.job.Hyper.Rank, r.job.Hyper.Seed, known)
	if err != nil {
		return err
	}
	hash, err := wire.HyperHash(h)
	if err != nil {
		return err
	}
	o := r.job.Order
	switch {
	case hash != o.HyperHash:
		return protocol.Errorf(protocol.KindInvalid, "hyper.merge", "the parents give other hyper-parameters than the owner signed: parents in order of their CID, all of their renderings, the largest max_length, and nothing else")
	case order.Datanet != o.Datanet || order.Version != o.Version || order.Root != o.Root:
		return protocol.Errorf(protocol.KindInvalid, "version", "the parents' newest version is %d of datanet %d (%s), the order says %d of %d (%s)", order.Version, order.Datanet, order.Root, o.Version, o.Datanet, o.Root)
	}
	return nil
}

// checkOlderVersions sees to it that nobody's records are lost: those that an older
// parent learned from must be in the version that the result is registered under.
func (r *run) checkOlderVersions(ctx context.Context, known []MergeParent) error {
	kept := map[protocol.Hash]bool{}
	for _, rec := range r.version.Records {
		kept[rec.ID] = true
	}
	checked := map[protocol.CID]bool{r.job.Order.Root: true}
	for _, p := range known {
		root := p.Manifest.Order.Root
		if checked[root] {
			continue
		}
		checked[root] = true
		old, err := r.openVersion(ctx, root, p.Registered.Datanet, p.Registered.Version)
		if err != nil {
			return err
		}
		for _, rec := range old.Records {
			if !kept[rec.ID] {
				return protocol.Errorf(protocol.KindInvalid, "hyper.merge.parents", "%s learned from record %s of version %d, which is not in version %d: its contributor would get nothing; train that adapter on version %d first",
					p.Registered.Name, rec.CID(), p.Registered.Version, r.job.Order.Version, r.job.Order.Version)
			}
		}
	}
	return nil
}

func (r *run) openVersion(ctx context.Context, root protocol.CID, number uint64, version uint32) (*datanet.OpenedVersion, error) {
	providers, err := ipfs.ParseProviders(r.job.Sources)
	if err != nil {
		return nil, err
	}
	v, err := datanet.OpenVersion(ctx, r.w.ipfs, root, providers)
	if err != nil {
		return nil, err
	}
	if v.Manifest.Datanet != number || v.Manifest.Version != version {
		return nil, protocol.Errorf(protocol.KindInvalid, "root", "%s is version %d of datanet %d, not version %d of %d", root, v.Manifest.Version, v.Manifest.Datanet, version, number)
	}
	return v, nil
}

// mergeRecords shows every record in all of the parents' ways.
func (r *run) mergeRecords() ([]attrib.Record, error) {
	out := make([]attrib.Record, len(r.version.Records))
	for n, rendering := range r.job.Hyper.Examples() {
		renderer, err := finetune.NewRenderer(r.w.cfg.Bundle.Tokenizer, rendering.Prompt, rendering.Answer)
		if err != nil {
			return nil, protocol.Errorf(protocol.KindInvalid, "hyper.merge", "%w", err)
		}
		for i, rec := range r.version.Records {
			if !rec.Trainable() {
				return nil, protocol.Errorf(protocol.KindInvalid, "root", "record %s has no text: only text is learned from, and of pictures, sound and video their text fields", rec.CID())
			}
			e, err := renderer.Example(rec.ID, rec.Fields)
			if err != nil {
				return nil, protocol.Errorf(protocol.KindInvalid, "hyper.merge", "record %s: %w", rec.CID(), err)
			}
			if n == 0 {
				out[i] = attrib.Record{ID: rec.ID, Contributor: rec.Contributor, Prompt: e.Prompt, Answer: e.Answer}
			} else {
				out[i].Also = append(out[i].Also, attrib.Example{Prompt: e.Prompt, Answer: e.Answer})
			}
		}
	}
	return out, nil
}

func (r *run) mergeValues(ctx context.Context, parents []lora.Parent) (*lora.Adapter, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	started, last := time.Now(), time.Time{}
	merged, err := lora.Merge(ctx, mergeConfig(*r.job.Hyper.Merge, r.job.Hyper.Rank, r.job.Hyper.Seed), parents, func(done, total int) {
		if time.Since(last) < 200*time.Millisecond && done != total {
			return
		}
		last = time.Now()
		eta := time.Since(started) * time.Duration(total-done) / time.Duration(done)
		if err := r.tell(protocol.TrainingProgress{Phase: "merge", Step: done, Steps: total, ETA: eta.Milliseconds()}); err != nil {
			cancel(err) // nobody listens any more
		}
	})
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("merge: %w", context.Cause(ctx))
	case err != nil:
		return nil, protocol.Errorf(protocol.KindInvalid, "hyper.merge", "%w", err)
	}
	return merged, nil
}
