package coordinator

import (
	"context"
	"slices"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
)

// Bound is what a request's price is made of at the most that it can come to, but for what
// the workers ask that answer it: one implementation for quotes and for payments of single
// requests. Nothing is searched, run or called to find it.
type Bound struct {
	Adapter   chain.Adapter // zero for the bare base
	Rounds    int           // jobs that answer it, one after another
	Prompt    int           // tokens of each round's prompt
	MaxTokens int           // of all rounds' answers together
	Access    amount        // wei a round: the adapter's, and that of what is read
	Markup    amount        // wei a round
	Reads     []Read        // in each round, a datanet once
	Question  int           // tokens of the job for the question's vector, in each round; 0: there is none
	Exact     bool          // the prompt has just so many tokens
}

// Read is a datanet that an answer reads, and what it asks for that.
type Read struct {
	Datanet uint64
	Price   amount
}

// Retrieval is what the datanets ask in all rounds.
func (b *Bound) Retrieval() (sum uint256.Int) {
	for _, r := range b.Reads {
		sum.Add(&sum, &r.Price)
	}
	return times(b.Rounds, sum)
}

// bounded are jobs of one size.
type bounded struct {
	count, prompt, output int
	access, markup        amount
	question              bool
}

// jobs are those of the dearest course. An answer's tokens are divided between its rounds:
// fees are convex in them and rounded up, so that nothing costs more than all of them in one
// round and one token in each of the others.
func (b *Bound) jobs() []bounded {
	out := []bounded{{count: 1, prompt: b.Prompt, output: b.MaxTokens, access: b.Access, markup: b.Markup}}
	if b.Rounds > 1 {
		out = append(out, bounded{count: b.Rounds - 1, prompt: b.Prompt, output: 1, access: b.Access, markup: b.Markup})
	}
	if b.Question > 0 {
		out = append(out, bounded{count: b.Rounds, prompt: b.Question, question: true})
	}
	return out
}

// feeAt is what one job of the size costs at a worker's prices.
func (j *bounded) feeAt(ask protocol.Price) protocol.Fee {
	ask.Access, ask.Markup = j.access, j.markup
	return ask.FeeFor(j.prompt, j.output)
}

// FeeAt is what all of it costs where one worker does it, and of that the questions' vectors.
func (b *Bound) FeeAt(ask protocol.Price) (all protocol.Fee, question uint256.Int) {
	for _, j := range b.jobs() {
		f := j.feeAt(ask)
		compute := times(j.count, f.Compute)
		all.Compute = add(all.Compute, compute)
		all.Access = add(all.Access, times(j.count, f.Access))
		all.Markup = add(all.Markup, times(j.count, f.Markup))
		if j.question {
			question = compute
		}
	}
	return all, question
}

// Most is what it costs where each job is done by the dearest acceptable worker, as
// admission prices it. A round that would still cost more, since asks differ much in what
// they weigh, is refused by the payment's budget: nobody is charged more than this.
func (c *Coordinator) Most(b *Bound) (sum uint256.Int, err error) {
	for _, j := range b.jobs() {
		fees := c.feesOf(&j)
		if len(fees) == 0 {
			return amount{}, protocol.Errorf(protocol.KindUnavailable, "model", "no worker serves this base now: try again in a moment")
		}
		sum = add(sum, times(j.count, quote(fees, *new(uint256.Int).SetAllOne())))
	}
	return sum, nil
}

// feesOf are what each worker asks for a job.
func (c *Coordinator) feesOf(j *bounded) (fees []amount) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.state.Workers() {
		fees = append(fees, j.feeAt(w.Announcement.Price).Total())
	}
	return fees
}

// maxPriceBits bounds what datanet, adapter and agent ask together for a round: above it,
// the sum of all rounds might not fit.
const maxPriceBits = 192

// Bound prices a request. promptTokens are those of its prompt without what it reads; 0:
// it is judged by its bytes.
func (c *Coordinator) Bound(ctx context.Context, r *api.Request, promptTokens int) (*Bound, error) {
	model := r.Model
	b := &Bound{Rounds: max(r.Rounds, 1), Prompt: promptTokens, MaxTokens: r.Sampling.MaxTokens}
	reads := r.Retrieve
	if a := r.Agent; a != nil {
		model, b.Markup = a.Model, a.Markup
		reads = slices.Concat(a.Retrieve, reads)
	}
	var err error
	if b.Adapter, err = c.resolve(ctx, model); err != nil {
		return nil, err
	}
	b.Access = b.Adapter.Access
	b.Exact = promptTokens > 0 && len(reads) == 0 && b.Rounds == 1
	if promptTokens == 0 {
		b.Prompt = estimateTokens(protocol.InferenceJob{Messages: r.Messages, Prompt: r.Prompt, Tools: r.Tools, TemplateArgs: r.TemplateArgs, Embedding: r.Embedding})
	}
	for _, asked := range reads {
		if err := c.boundRead(ctx, b, asked, r); err != nil {
			return nil, err
		}
	}
	if b.Rounds > 1 { // what tools give comes on top
		b.Prompt = c.cfg.Context
	}
	if r.Embedding == nil && !b.Exact {
		b.Prompt = min(b.Prompt, c.cfg.Context)
	}
	if sum := add(b.Access, b.Markup); b.Access.BitLen() > maxPriceBits || b.Markup.BitLen() > maxPriceBits || sum.BitLen() > maxPriceBits {
		return nil, protocol.Errorf(protocol.KindInvalid, "model", "what the adapter, the agent and the datanets ask for does not fit in %d bits", maxPriceBits)
	}
	return b, nil
}

// boundRead adds what an answer reads of one datanet: as estimateTokens counts it, with
// the longest titles and as much text as is taken.
func (c *Coordinator) boundRead(ctx context.Context, b *Bound, asked api.Retrieve, r *api.Request) error {
	id, err := c.findDatanet(ctx, asked.Datanet)
	if err != nil {
		return err
	}
	o, err := c.open(ctx, id, asked.Version)
	if err != nil {
		return err
	}
	price, err := c.chain.RetrievalPrice(ctx, id)
	if err != nil {
		return err
	}
	title := 0
	for i := range o.index.Documents {
		title = max(title, len(o.index.Documents[i].Title))
	}
	text := asked.MaxBytes
	if text == 0 {
		text = sourceBytes
	}
	b.Prompt += asked.TopK*(title+aroundSource) + text + beforeSources
	if _, over := b.Access.AddOverflow(&b.Access, &price); over {
		return protocol.Errorf(protocol.KindInvalid, "retrieval", "the datanets' prices do not fit in 256 bits")
	}
	if i := slices.IndexFunc(b.Reads, func(r Read) bool { return r.Datanet == id }); i >= 0 {
		b.Reads[i].Price = add(b.Reads[i].Price, price)
	} else {
		b.Reads = append(b.Reads, Read{Datanet: id, Price: price})
	}
	vectors, missing := o.known()
	if missing != 0 || len(vectors) == 0 || asked.Method == api.MethodBM25 || b.Question > 0 {
		return nil
	}
	// The bytes of what was not told yet are not known: it is cut there.
	b.Question = embeddedBytes + questionAround
	if len(r.Messages) > 0 {
		b.Question = estimateTokens(protocol.InferenceJob{Embedding: c.questionJob(r.ID, question(r.Messages)).Embedding})
	}
	return nil
}

// questionAround is what estimateTokens adds to a text that is embedded.
const questionAround = 8 + 16

// times is n amounts, none of which has more than maxPriceBits bits.
func times(n int, a amount) amount {
	var out amount
	out.Mul(&a, uint256.NewInt(uint64(n)))
	return out
}
