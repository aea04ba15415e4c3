package coordinator

import (
	"context"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/scheduler"
)

// Offer is a worker that might have a job, as things stand now.
type Offer struct {
	scheduler.WhyNot
	Worker    protocol.Account
	Price     protocol.Price // access and markup included
	DecodeTPS float32
}

// Offers says what a request would come to at each worker of the base, without running
// it, and for which adapter. The prompt has so many tokens.
func (c *Coordinator) Offers(ctx context.Context, r api.Request, promptTokens int) (chain.Adapter, []Offer, error) {
	model, markup := r.Model, amount{}
	if r.Agent != nil {
		model, markup = r.Agent.Model, r.Agent.Markup
	}
	adapter, err := c.resolve(ctx, model)
	if err != nil {
		return adapter, nil, err
	}
	return adapter, c.offers(scheduler.Submit{
		Base: c.cfg.Base, Adapter: tagOf(adapter.Digest), PromptTokens: promptTokens, MaxTokens: r.Sampling.MaxTokens,
		Access: add(adapter.Access, markup),
	}, protocol.Price{Access: adapter.Access, Markup: markup}), nil
}

// TrainingOffers says which workers might train.
func (c *Coordinator) TrainingOffers() []Offer {
	return c.offers(scheduler.Submit{Base: c.cfg.Base, Training: true}, protocol.Price{})
}

// offers considers a job for a requester that has enough.
func (c *Coordinator) offers(e scheduler.Submit, price protocol.Price) []Offer {
	c.mu.Lock()
	defer c.mu.Unlock()
	workers := map[protocol.PeerID]protocol.Announcement{}
	var fees []amount
	at := func(p protocol.Price) protocol.Price {
		p.Access, p.Markup = price.Access, price.Markup
		return p
	}
	for _, w := range c.state.Workers() {
		workers[w.Announcement.Peer] = w.Announcement
		p := at(w.Announcement.Price)
		fees = append(fees, p.FeeFor(e.PromptTokens, e.MaxTokens).Total())
	}
	if !e.Training {
		e.EstimatedFee = quote(fees, *new(uint256.Int).SetAllOne())
		e.Budget = e.EstimatedFee
	}
	var out []Offer
	for _, y := range scheduler.Consider(c.state, e) {
		a := workers[y.Worker]
		out = append(out, Offer{WhyNot: y, Worker: a.Worker, Price: at(a.Price), DecodeTPS: a.DecodeTPS})
	}
	return out
}
