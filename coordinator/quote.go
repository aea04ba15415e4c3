package coordinator

import (
	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/scheduler"
)

// Offer is a worker that might have a job, as things stand now.
type Offer struct {
	scheduler.WhyNot
	Worker    protocol.Account
	Price     protocol.Price // its ask; access and markup are not its own
	DecodeTPS float32
}

// Offers are the workers of the base that might answer a request, without running it.
func (c *Coordinator) Offers(b *Bound) []Offer {
	e := scheduler.Submit{Base: c.cfg.Base, Adapter: tagOf(b.Adapter.Digest), PromptTokens: b.Prompt, MaxTokens: b.MaxTokens, Access: add(b.Access, b.Markup)}
	if !b.Exact {
		e.PromptLeast = 1
	}
	e.EstimatedFee = quote(c.feesOf(&b.jobs()[0]), *new(uint256.Int).SetAllOne())
	e.Budget = e.EstimatedFee
	return c.offers(e)
}

// TrainingOffers says which workers might train.
func (c *Coordinator) TrainingOffers() []Offer {
	return c.offers(scheduler.Submit{Base: c.cfg.Base, Training: true})
}

// offers considers a job for a requester that has enough.
func (c *Coordinator) offers(e scheduler.Submit) (out []Offer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	workers := map[protocol.PeerID]protocol.Announcement{}
	for _, w := range c.state.Workers() {
		workers[w.Announcement.Peer] = w.Announcement
	}
	for _, y := range scheduler.Consider(c.state, e) {
		a := workers[y.Worker]
		out = append(out, Offer{WhyNot: y, Worker: a.Worker, Price: a.Price, DecodeTPS: a.DecodeTPS})
	}
	return out
}
