package coordinator

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store"
)

// PaymentTerms are those of every payment: it is signed in the escrow's domain, and made
// out to the session key.
func (c *Coordinator) PaymentTerms() api.PaymentTerms {
	return api.PaymentTerms{
		Network: "eip155:" + strconv.FormatUint(c.escrowDomain.ChainID, 10), Asset: c.escrowDomain.Contract.Hex(), PayTo: c.SessionAccount().Hex(),
		Extra: api.PaymentExtra{Name: wire.DomainName, Version: wire.DomainVersion, Method: "eip3009"},
	}
}

// MostOf is what admission reserves for jobs whose requesters have enough: the prompts at
// their longest, the largest answers, at the dearest acceptable ask. Of what an answer
// reads it is the most that can be found; nothing is searched.
func (c *Coordinator) MostOf(ctx context.Context, jobs []api.Request) (uint256.Int, error) {
	var sum amount
	for i := range jobs {
		most, err := c.mostOf(ctx, &jobs[i])
		if err != nil {
			return amount{}, err
		}
		if _, over := sum.AddOverflow(&sum, &most); over {
			return amount{}, protocol.Errorf(protocol.KindInvalid, "model", "what this would cost does not fit in 256 bits")
		}
	}
	return sum, nil
}

func (c *Coordinator) mostOf(ctx context.Context, r *api.Request) (amount, error) {
	model, price := r.Model, protocol.Price{}
	reads := r.Retrieve
	if a := r.Agent; a != nil {
		model, price.Markup = a.Model, a.Markup
		reads = slices.Concat(a.Retrieve, reads)
	}
	adapter, err := c.resolve(ctx, model)
	if err != nil {
		return amount{}, err
	}
	price.Access = adapter.Access
	prompt := estimateTokens(protocol.InferenceJob{Messages: r.Messages, Prompt: r.Prompt, Tools: r.Tools, TemplateArgs: r.TemplateArgs, Embedding: r.Embedding})
	var vector amount
	for _, asked := range reads {
		tokens, cost, hybrid, err := c.mostRead(ctx, asked)
		if err != nil {
			return amount{}, err
		}
		prompt += tokens
		if _, over := price.Access.AddOverflow(&price.Access, &cost); over {
			return amount{}, protocol.Errorf(protocol.KindInvalid, "retrieval", "the datanets' prices do not fit in 256 bits")
		}
		if hybrid && vector.IsZero() {
			if vector, err = c.mostOf(ctx, c.questionJob(r.ID, question(r.Messages))); err != nil {
				return amount{}, err
			}
		}
	}
	fees := c.feesAt(price, prompt, r.Sampling.MaxTokens)
	if len(fees) == 0 {
		return amount{}, protocol.Errorf(protocol.KindUnavailable, "model", "no worker serves this base now: try again in a moment")
	}
	return add(vector, quote(fees, *new(uint256.Int).SetAllOne())), nil
}

// feesAt are what each worker asks for the largest answer.
func (c *Coordinator) feesAt(price protocol.Price, prompt, maxTokens int) (fees []amount) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.state.Workers() {
		p := w.Announcement.Price
		p.Access, p.Markup = price.Access, price.Markup
		fees = append(fees, p.FeeFor(prompt, maxTokens).Total())
	}
	return fees
}

// mostRead bounds what an answer reads of one datanet: as estimateTokens counts it, with
// the longest titles and as much text as is taken. hybrid says whether the question is
// embedded first.
func (c *Coordinator) mostRead(ctx context.Context, asked api.Retrieve) (tokens int, price amount, hybrid bool, err error) {
	id, err := c.findDatanet(ctx, asked.Datanet)
	if err != nil {
		return 0, price, false, err
	}
	o, err := c.open(ctx, id, asked.Version)
	if err != nil {
		return 0, price, false, err
	}
	if price, err = c.chain.RetrievalPrice(ctx, id); err != nil {
		return 0, price, false, err
	}
	title := 0
	for i := range o.index.Documents {
		title = max(title, len(o.index.Documents[i].Title))
	}
	text := asked.MaxBytes
	if text == 0 {
		text = sourceBytes
	}
	vectors, missing := o.known()
	return asked.TopK*(title+aroundSource) + text + beforeSources, price, missing == 0 && len(vectors) > 0 && asked.Method != api.MethodBM25, nil
}

// TakePayment implements api.Payments. Its errors name the payment's field.
func (c *Coordinator) TakePayment(_ context.Context, p protocol.SignedPayment, request protocol.Hash, most amount) (api.Caller, error) {
	if p.Payment.To != c.SessionAccount() {
		return api.Caller{}, protocol.Errorf(protocol.KindUnauthorized, "to", "it is made out to %s: make it out to %s", p.Payment.To.Hex(), c.SessionAccount().Hex())
	}
	if err := wire.VerifyPayment(c.escrowDomain, p); err != nil {
		return api.Caller{}, err
	}
	value := p.Payment.Value
	_, err := c.book.TakePayment(store.PaymentRecord{Signed: p, Request: request, At: now()}, func(spent amount) error {
		if !spent.IsZero() {
			return nil // it was answered: at most it is answered again
		}
		at := uint256.NewInt(uint64(time.Now().Unix()))
		switch {
		case at.Lt(&p.Payment.ValidAfter):
			return protocol.Errorf(protocol.KindEscrow, "validAfter", "it is not valid before %s, and it is %s (Unix seconds): sign another", p.Payment.ValidAfter.Dec(), at.Dec())
		case !at.Lt(&p.Payment.ValidBefore):
			return protocol.Errorf(protocol.KindEscrow, "validBefore", "it was valid until %s, and it is %s (Unix seconds): sign another", p.Payment.ValidBefore.Dec(), at.Dec())
		case value.Lt(&most):
			return protocol.Errorf(protocol.KindEscrow, "value", "it is of %s wei, and this may cost %s: sign a payment of that, or ask for fewer tokens with max_tokens", value.Dec(), most.Dec())
		}
		return nil
	})
	if err != nil {
		return api.Caller{}, err
	}
	return api.Caller{Account: p.Payment.From, Key: p.Payment.ID(), Paid: true, KeyLimits: api.KeyLimits{Scopes: []api.Scope{api.ScopeInference}, Budget: &value}}, nil
}

// Charged is what the receipts of a payment add up to.
func (c *Coordinator) Charged(payment protocol.Hash) (uint256.Int, error) {
	s, err := c.book.SpendingOf(payment)
	return s.Total, err
}

// CountPayment counts one request without an API key.
func (c *Coordinator) CountPayment(outcome string) {
	c.metrics.payments.WithLabelValues(outcome).Inc()
}
