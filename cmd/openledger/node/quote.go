package node

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/coordinator"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/payout"
	"github.com/openledger/openledger/worker/audit"
	"github.com/openledger/openledger/worker/settle"
)

// QuoteInference counts the prompt's tokens as a worker will, and divides the cost at the
// worker that would get the request as its batch would. What shows only when it is asked,
// what is found in datanets and what tools give, is taken at its most.
func (x *explainer) QuoteInference(ctx context.Context, r api.Request, promptTokens int) (api.Quote, error) {
	if promptTokens == 0 {
		t, err := x.tokenizer()
		if err != nil {
			return api.Quote{}, err
		}
		prompt, err := audit.Prompt(t, protocol.InferenceJob{Messages: r.Messages, Prompt: r.Prompt, Tools: r.Tools, TemplateArgs: r.TemplateArgs})
		if err != nil {
			return api.Quote{}, err
		}
		promptTokens = len(prompt)
	}
	b, err := x.coord.Bound(ctx, &r, promptTokens)
	if err != nil {
		return api.Quote{}, err
	}
	q := api.Quote{Kind: "inference", Model: r.Model, PromptTokens: b.Prompt, MaxTokens: b.MaxTokens, Rounds: b.Rounds, Retrieval: b.Retrieval()}
	if q.Most, err = x.coord.Most(b); err != nil {
		return q, err
	}
	offers := x.coord.Offers(b)
	best := ranked(offers)
	if best == nil { // the last has just left
		return q, protocol.Errorf(protocol.KindUnavailable, "model", "no worker serves this base now: try again in a moment")
	}
	fee, question := b.FeeAt(best.Price)
	q.Cost, q.Compute, q.Access, q.Markup, q.Question = fee.Total(), fee.Compute, fee.Access, fee.Markup, question
	q.CostOpen, q.MostOpen = FormatOpen(q.Cost), FormatOpen(q.Most)
	x.quoteTime(&q, b, offers)
	switch {
	case b.Rounds > 1:
		q.Note = "The most that it costs: so many rounds, each with as long a prompt as the model takes, since what tools give and how often they are called shows when it is asked. Nothing is reserved or promised."
	case len(b.Reads) > 0:
		q.Note = "The most that it costs: with the longest records that may be found. Nothing is searched, reserved or promised."
	default:
		q.Note = "The most that it costs: an answer that ends earlier costs less. Nothing is reserved or promised."
	}
	receipt := protocol.Receipt{Worker: best.Worker, Adapter: b.Adapter.Digest, Datanet: b.Adapter.Datanet, DatanetRoot: b.Adapter.DatanetRoot,
		PromptTokens: uint32(b.Prompt), OutputTokens: uint32(b.MaxTokens), Compute: fee.Compute, Access: fee.Access, Markup: fee.Markup}
	if r.Agent != nil {
		receipt.Agent, receipt.AgentVersion = r.Agent.ID, r.Agent.Version
	}
	// Whose records it will rest on is not known: what is theirs stands as one part.
	at := protocol.Attribution{Pool: protocol.WeightScale}
	for _, d := range b.Reads {
		if price := d.Price; !price.IsZero() {
			price.Mul(&price, uint256.NewInt(uint64(b.Rounds)))
			at.Retrieved = append(at.Retrieved, protocol.RetrievedShares{Datanet: d.Datanet, Price: price, Pool: protocol.WeightScale})
		}
	}
	shares, err := settle.Preview(ctx, x.client, protocol.SignedReceipt{Receipt: receipt}, at, settle.Checks{})
	if err != nil {
		return q, err
	}
	for _, s := range shares {
		p := api.QuotePart{Role: string(s.Role), Account: &s.Account, Datanet: s.Datanet, Amount: s.Amount}
		if s.Role == payout.RolePool {
			p.Role, p.Account = "contributors", nil
		}
		q.Parts = append(q.Parts, p)
	}
	return q, nil
}

// quoteTime says how long the answer takes at each worker: of several rounds, the first.
func (x *explainer) quoteTime(q *api.Quote, b *coordinator.Bound, offers []coordinator.Offer) {
	q.Time.Basis = "the workers' announced speeds and their queues now, with the largest answer"
	if b.Rounds > 1 {
		q.Time.Basis += ", in one round; what tools take comes on top"
	}
	for _, o := range offers {
		w := quoted(o)
		fee, _ := b.FeeAt(o.Price)
		w.Cost = fee.Total()
		if o.FirstToken > 0 {
			first := ceilMS(float64(o.FirstToken) / 1e3)
			w.FirstToken = &first
			if o.DecodeTPS > 0 && o.Eligible {
				q.Time.Include(first + ceilMS(float64(q.MaxTokens)/float64(o.DecodeTPS)*1e3))
			}
		}
		q.Workers = append(q.Workers, w)
	}
	if first := q.Workers[0].FirstToken; first != nil && offers[0].DecodeTPS > 0 {
		all := *first + ceilMS(float64(q.MaxTokens)/float64(offers[0].DecodeTPS)*1e3)
		q.Time.FirstToken, q.Time.Expected = first, &all
	}
}

// QuoteTraining judges by the trainings that this coordinator saw end.
func (x *explainer) QuoteTraining(ctx context.Context, datanet uint64, version uint32, h protocol.Hyper) (api.Quote, error) {
	versions, err := x.coord.Versions(ctx, datanet)
	if err != nil {
		return api.Quote{}, err
	}
	i := len(versions) - 1
	if version != 0 {
		i = slices.IndexFunc(versions, func(v protocol.Version) bool { return v.Number == version })
	}
	if i < 0 {
		return api.Quote{}, protocol.Errorf(protocol.KindNotFound, "version", "datanet %d has no such published version: publish one first", datanet)
	}
	d := DefaultHyper()
	epochs, batch := cmp.Or(h.Epochs, d.Epochs), cmp.Or(h.BatchSize, d.BatchSize)
	switch {
	case epochs < 1 || epochs > protocol.MaxHyperEpochs:
		return api.Quote{}, protocol.Errorf(protocol.KindInvalid, "hyper.epochs", "must be between 1 and %d", protocol.MaxHyperEpochs)
	case batch < 1 || batch > protocol.MaxHyperBatch:
		return api.Quote{}, protocol.Errorf(protocol.KindInvalid, "hyper.batch_size", "must be between 1 and %d", protocol.MaxHyperBatch)
	case !(h.EvalRatio >= 0 && h.EvalRatio <= protocol.MaxHyperEvalRatio):
		return api.Quote{}, protocol.Errorf(protocol.KindInvalid, "hyper.eval_ratio", "must be between 0 and %v", protocol.MaxHyperEvalRatio)
	}
	q := api.Quote{Kind: "training", Records: versions[i].Records, CostOpen: "0", MostOpen: "0",
		Note: "Workers are paid for answers, not for training: an order costs nothing but a signature. Nothing is reserved or promised."}
	if h.HeldOut != "" {
		q.Note += " Records that their field " + h.HeldOut + " holds out are counted as if they were trained on."
	}
	learned := max(int(math.Round(float64(q.Records)*(1-float64(h.EvalRatio)))), 1)
	batch *= max(h.Accumulation, 1)
	q.Steps = (learned + batch - 1) / batch * epochs
	offers := x.coord.TrainingOffers()
	ranked(offers)
	for _, o := range offers {
		q.Workers = append(q.Workers, quoted(o))
	}
	jobs, err := x.coord.TrainingJobs(ctx)
	if err != nil {
		return q, err
	}
	var paces []float64 // ms a step
	for _, j := range jobs {
		if r := j.Result; r != nil && r.Steps > 0 && r.Seconds > 0 {
			paces = append(paces, r.Seconds*1e3/float64(r.Steps))
		}
	}
	slices.Sort(paces)
	q.Time.Basis = "no training ended here yet to judge by"
	if n := len(paces); n > 0 {
		q.Time.Basis = "the time a step took in the trainings that ended here: the middle one, the fastest, the slowest"
		for _, p := range paces {
			q.Time.Include(ceilMS(p * float64(q.Steps)))
		}
		expected := ceilMS(paces[n/2] * float64(q.Steps))
		q.Time.Expected = &expected
	}
	return q, nil
}

// ranked puts first who would get the job now, or else who could; nil: there is nobody.
func ranked(offers []coordinator.Offer) *coordinator.Offer {
	rank := func(o coordinator.Offer) int {
		switch {
		case o.Chosen:
			return 0
		case o.Eligible:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(offers, func(a, b coordinator.Offer) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Score, b.Score))
	})
	if len(offers) == 0 {
		return nil
	}
	return &offers[0]
}

func quoted(o coordinator.Offer) api.QuoteWorker {
	return api.QuoteWorker{Peer: o.WhyNot.Worker, Worker: o.Worker, Chosen: o.Chosen, Eligible: o.Eligible, Reason: o.Reason, TokensPerSecond: o.DecodeTPS}
}

func ceilMS(ms float64) int64 { return int64(math.Ceil(math.Min(ms, 1e15))) }
