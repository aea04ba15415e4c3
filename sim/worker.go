package sim

import (
	"slices"

	"github.com/openledger/openledger/protocol"
)

// announcedAdapters is how many adapters fit in an announcement of 1 KB.
const announcedAdapters = 64

// worker is a batching engine in virtual time: each step reads a chunk of
// prompts and decodes one token of every sequence in the batch.
type worker struct {
	run      *run
	id       protocol.PeerID
	cost     *CostModel
	alive    bool
	life     int // deaths so far, so that events of an earlier life are void
	seq      uint64
	cache    *cache
	waiting  []*sequence // in order of arrival
	batch    []*sequence
	loads    []uint64 // adapters to load, in order; the first is being loaded
	loading  bool
	stepping bool
	delta    bool // an announcement is due soon

	busy    int64 // us spent stepping
	loadsBy [4]int
}

// sequence is one attempt of one request on this worker.
type sequence struct {
	job     *request
	attempt int
	tag     uint64
	reads   int // prompt tokens left to read
	pinned  bool
}

func (w *worker) freeKV() int {
	n := w.cost.KVTokens
	for _, list := range [][]*sequence{w.waiting, w.batch} {
		for _, q := range list {
			n -= q.job.Prompt + q.job.max
		}
	}
	return max(0, n)
}

func (w *worker) announcement(now int64) protocol.Announcement {
	w.seq++
	ms := now / 1000
	return protocol.Announcement{
		Peer: w.id, Sequence: w.seq, IssuedAt: ms, ExpiresAt: ms + protocol.AnnouncementTTL.Milliseconds(),
		Base: simBase, Profile: "sim", Slots: w.cost.Slots, Running: len(w.batch), Waiting: len(w.waiting),
		FreeKV: w.freeKV(), TotalKV: w.cost.KVTokens, DecodeTPS: float32(w.cost.decodeTPS()), Price: w.run.price,
		Adapters: w.cache.announced(announcedAdapters),
	}
}

// accept takes a dispatched job.
func (w *worker) accept(now int64, q *sequence) {
	w.waiting = append(w.waiting, q)
	if q.tag != 0 {
		w.want(now, q.tag)
		w.pin(q)
	}
	w.step(now)
}

// pin holds the adapter on the device if it is there.
func (w *worker) pin(q *sequence) bool {
	if q.tag == 0 || q.pinned {
		return true
	}
	e := w.cache.entries[q.tag]
	if e == nil || e.tier != protocol.TierDevice {
		return false
	}
	e.pins++
	w.cache.touch(e)
	q.pinned = true
	return true
}

func (w *worker) unpin(q *sequence) {
	if q.pinned {
		w.cache.entries[q.tag].pins--
		q.pinned = false
	}
}

// want queues a load unless the adapter is there or on its way.
func (w *worker) want(now int64, tag uint64) {
	if w.cache.tier(tag) == protocol.TierDevice || slices.Contains(w.loads, tag) {
		return
	}
	w.loads = append(w.loads, tag)
	w.load(now)
}

func (w *worker) load(now int64) {
	if w.loading || len(w.loads) == 0 {
		return
	}
	w.loading = true
	tier := w.cache.tier(w.loads[0])
	w.loadsBy[tier]++
	w.run.at(now+w.cost.LoadMS[tier]*1000, event{kind: evLoaded, w: w, life: w.life})
}

// loaded ends the first load; with every place on the device in use it waits.
func (w *worker) loaded(now int64) {
	if len(w.loads) == 0 {
		return
	}
	tag := w.loads[0]
	if !w.cache.admit(tag) {
		w.run.at(now+1000, event{kind: evLoaded, w: w, life: w.life})
		return
	}
	w.loads = slices.Delete(w.loads, 0, 1)
	w.loading = false
	for _, q := range w.waiting {
		if q.tag == tag {
			w.pin(q)
		}
	}
	w.announceSoon(now)
	w.load(now)
	w.step(now)
}

func (w *worker) announceSoon(now int64) {
	if !w.delta {
		w.delta = true
		w.run.at(now+w.cost.DeltaMS*1000, event{kind: evDelta, w: w, life: w.life})
	}
}

// step starts the next step if there is work and none is under way.
func (w *worker) step(now int64) {
	if w.stepping {
		return
	}
	for i := 0; i < len(w.waiting) && len(w.batch) < w.cost.Slots; {
		q := w.waiting[i]
		if !w.pin(q) {
			w.want(now, q.tag) // it may have been evicted while the job waited
			i++
			continue
		}
		w.waiting = slices.Delete(w.waiting, i, i+1)
		w.batch = append(w.batch, q)
	}
	if len(w.batch) == 0 {
		return
	}
	chunk, decoding := w.cost.ChunkTokens, 0
	for _, q := range w.batch {
		if q.reads == 0 {
			decoding++
		}
	}
	read := 0
	for _, q := range w.batch {
		n := min(q.reads, chunk)
		q.reads -= n
		chunk -= n
		read += n
		if n > 0 && q.reads == 0 {
			q.reads = -1 // read to the end in this step: gives its first token
		}
	}
	us := int64(float64(read) / w.cost.PrefillTPS * 1e6)
	us += int64((w.cost.StepMS + w.cost.StepSeqMS*float64(decoding)) * 1000)
	w.stepping = true
	w.busy += us
	w.run.at(now+us, event{kind: evStep, w: w, life: w.life})
}

// stepped ends a step: every sequence that has read its prompt gives a token.
func (w *worker) stepped(now int64) {
	w.stepping = false
	batch := slices.Clone(w.batch)
	for _, q := range batch {
		if q.reads > 0 || q.job.at != w || q.job.attempt != q.attempt {
			continue
		}
		q.reads = 0
		if q.job.tokens < q.job.Output {
			w.run.token(now, q)
		}
		if q.job.tokens >= q.job.Output {
			w.drop(q)
			w.run.finished(now, q)
		}
	}
	w.step(now)
}

// drop takes a sequence off the worker.
func (w *worker) drop(q *sequence) {
	w.unpin(q)
	if i := slices.Index(w.batch, q); i >= 0 {
		w.batch = slices.Delete(w.batch, i, i+1)
	}
	if i := slices.Index(w.waiting, q); i >= 0 {
		w.waiting = slices.Delete(w.waiting, i, i+1)
	}
}

// release stops working on a job.
func (w *worker) release(job *request) {
	for _, list := range [][]*sequence{w.waiting, w.batch} {
		for _, q := range list {
			if q.job == job {
				w.drop(q)
				return
			}
		}
	}
}

// die loses everything but the disk.
func (w *worker) die() {
	w.alive = false
	w.life++
	w.waiting, w.batch, w.loads = nil, nil, nil
	w.loading, w.stepping, w.delta = false, false, false
	w.cache.restart()
}
