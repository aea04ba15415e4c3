package coordinator

import (
	"context"
	"sync"
	"time"

	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/scheduler"
	"github.com/openledger/openledger/store"
)

// day is how far back the newest sums go.
const day = 24 * time.Hour

// shelf counts datanets and the records of their newest versions, as of a block.
type shelf struct {
	mu       sync.Mutex
	block    uint64
	known    bool
	datanets int
	records  int
	versions map[uint64]protocol.Version // the newest read of each datanet
}

// count counts again when there is a new block.
func (s *shelf) count(ctx context.Context, c *Coordinator) (datanets, records int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	block, _, err := c.chain.Head(ctx)
	if err != nil || s.known && block == s.block {
		return s.datanets, s.records, err
	}
	list, err := c.chain.Datanets(ctx)
	if err != nil {
		return 0, 0, err
	}
	if s.versions == nil {
		s.versions = map[uint64]protocol.Version{}
	}
	for i := range list {
		id := list[i].ID
		number, err := c.chain.LatestVersion(ctx, id)
		if err != nil {
			return 0, 0, err
		}
		v := s.versions[id]
		if number != v.Number {
			if v, err = c.chain.Version(ctx, id, number); err != nil {
				return 0, 0, err
			}
			s.versions[id] = v
		}
		records += v.Records
	}
	s.block, s.known, s.datanets, s.records = block, true, len(list), records
	return s.datanets, s.records, nil
}

// Stats says what the network has done, and what runs now.
func (c *Coordinator) Stats(ctx context.Context) (api.Stats, error) {
	at := now()
	since := at - day.Milliseconds()
	since -= since % time.Hour.Milliseconds()
	out := api.Stats{At: at, Since: since}
	sums, err := c.book.Sums(since)
	if err != nil {
		return out, err
	}
	out.Total, out.Day = activity(&sums.Answers, &sums.Settlements), activity(&sums.Recent, &sums.RecentSettlements)
	if out.Datanets, out.Records, err = c.shelf.count(ctx, c); err != nil {
		return out, err
	}
	models, err := c.Models(ctx)
	if err != nil {
		return out, err
	}
	for i := range models {
		switch m := &models[i]; {
		case m.Agent != nil:
			out.Agents++
		case m.CID != "":
			out.Adapters++
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.state.Stats()
	out.Workers, out.Running, out.Training = s.Workers, len(c.jobs), len(c.training)
	return out, nil
}

func activity(t *store.Tally, s *store.Settled) api.Activity {
	out := api.Activity{Requests: t.Requests, PromptTokens: t.PromptTokens, OutputTokens: t.OutputTokens, Compute: t.Compute, Access: t.Access, Markup: t.Markup,
		Batches: s.Batches, Receipts: s.Receipts, Settled: s.Amount}
	for _, p := range s.Paid {
		out.Paid = append(out.Paid, api.PaidTo(p))
	}
	return out
}

// Feed has what happens here, as it happens.
func (c *Coordinator) Feed() *api.Feed { return c.feed }

// told publishes which workers came and went by an event of the scheduler; c.mu is held.
func (c *Coordinator) told(ev scheduler.Event) {
	switch e := ev.(type) {
	case *scheduler.Announce:
		c.tell(e.Announcement.Peer)
	case scheduler.Expire:
		c.tell(e.Worker)
	case scheduler.Tick: // announcements run out
		for id := range c.listed {
			c.tell(id)
		}
	}
}

func (c *Coordinator) tell(id protocol.PeerID) {
	w, _ := c.state.Worker(id)
	_, was := c.listed[id]
	if w.Listed == was {
		return
	}
	e := api.WorkerEvent{Peer: id, State: "joined"}
	if w.Listed {
		c.listed[id] = w.Announcement.Worker
	} else {
		e.State = "left"
	}
	e.Worker = c.listed[id]
	if !w.Listed {
		delete(c.listed, id)
	}
	c.feed.Publish(api.Event{Type: api.EventWorker, Worker: &e})
}

// tellTraining publishes a fine-tune's state.
func (c *Coordinator) tellTraining(s *api.TrainingStatus) {
	c.feed.Publish(api.Event{Type: api.EventTraining, Training: &api.TrainingEvent{ID: s.ID, Name: s.Name, State: s.State}})
}

// tellReceipt publishes an accepted answer.
func (c *Coordinator) tellReceipt(r *protocol.Receipt) {
	c.feed.Publish(api.Event{Type: api.EventReceipt, Receipt: &api.ReceiptEvent{ID: r.ID, Worker: r.Worker, Adapter: r.Adapter, Datanet: r.Datanet,
		PromptTokens: int(r.PromptTokens), OutputTokens: int(r.OutputTokens), Fee: r.Fee().Total()}})
}
