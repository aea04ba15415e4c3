package validator

import (
	"testing"
	"time"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/worker/settle"
)

// decided lets validators take turns until the dispute about a batch is over.
func (w *world) decided(watchers []*watcher, x *workerOf, nonce uint64) chain.Dispute {
	w.t.Helper()
	return w.decidedAbout(watchers, x.owner.Account(), nonce)
}

func (w *world) decidedAbout(watchers []*watcher, subject protocol.Account, nonce uint64) chain.Dispute {
	w.t.Helper()
	for range 20 {
		for _, v := range watchers {
			require.NoError(w.t, v.Step(w.t.Context()))
		}
		last, _, err := w.client.DisputeOf(w.t.Context(), subject, nonce)
		require.NoError(w.t, err)
		if last == 0 {
			continue
		}
		d, err := w.client.Dispute(w.t.Context(), last)
		require.NoError(w.t, err)
		if !d.Status.Open() {
			for _, v := range watchers { // refund
				require.NoError(w.t, v.Step(w.t.Context()))
			}
			return d
		}
	}
	require.Fail(w.t, "no decision")
	return chain.Dispute{}
}

// fined requires that a worker is slashed and jailed, its batch rejected, and its
// requester refunded to the wei.
func (w *world) fined(x *workerOf, nonce uint64, before uint256.Int) {
	t, ctx := w.t, w.t.Context()
	t.Helper()
	stake, err := w.client.StakeOf(ctx, x.owner.Account())
	require.NoError(t, err)
	bond := open(1000)
	require.True(t, stake.Own.Lt(&bond), "slashed")
	jail, err := w.client.Jail(ctx, x.owner.Account())
	require.NoError(t, err)
	require.False(t, jail.IsZero(), "jailed")
	b, err := w.client.Batch(ctx, x.owner.Account(), nonce)
	require.NoError(t, err)
	require.Equal(t, chain.BatchRejected, b.Status)
	require.True(t, b.Refunded)
	escrow, err := w.client.EscrowOf(ctx, w.payer.Account())
	require.NoError(t, err)
	require.Equal(t, before.Dec(), escrow.Dec(), "refunded")
}

// Every kind of lie is found by each validator for itself, challenged by one of them,
// and punished with the right reason.
func TestLies(t *testing.T) {
	w := newWorld(t)
	watchers := w.validators(5)
	stranger := key(t, "stranger")
	var x *workerOf
	all := map[string]struct {
		lie
		tuned  bool
		asked  bool                     // the agent was
		reads  bool                     // the library
		of     func() protocol.Evidence // another answer
		reason protocol.DisputeReason
		long   bool // much like another: with the long tests only
	}{
		"the document is withheld":   {lie: lie{withhold: true}, reason: unavailable},
		"the evidence is withheld":   {lie: lie{hide: true}, reason: unavailable},
		"another root":               {lie: lie{submit: func(s *chain.Submission) { s.Root[0]++ }}, reason: arithmetic},
		"another total":              {lie: lie{submit: func(s *chain.Submission) { s.Total.AddUint64(&s.Total, 1) }}, reason: arithmetic},
		"another count":              {lie: lie{submit: func(s *chain.Submission) { s.Count++ }}, reason: arithmetic, long: true},
		"another split of the fee":   {lie: lie{document: func(d *settle.Document) { d.Manifest.Params.PlatformBps = 0 }}, reason: arithmetic},
		"the treasury is the worker": {lie: lie{document: func(d *settle.Document) { d.Manifest.Treasury = d.Manifest.Worker }}, reason: arithmetic, long: true},
		"another model owner":        {tuned: true, lie: lie{document: func(d *settle.Document) { d.Manifest.Adapters[0].Owner = d.Manifest.Worker }}, reason: arithmetic, long: true},
		"royalties are kept back":    {tuned: true, lie: lie{document: func(d *settle.Document) { d.Manifest.Adapters[0].Royalties = nil }}, reason: arithmetic},
		"a lower royalty":            {tuned: true, lie: lie{document: func(d *settle.Document) { d.Manifest.Adapters[0].Royalties[0].Bps-- }}, reason: arithmetic, long: true},
		"a royalty to the worker": {tuned: true, lie: lie{document: func(d *settle.Document) {
			d.Manifest.Adapters[0].Royalties[0].Account = d.Manifest.Worker
		}}, reason: arithmetic, long: true},
		"parties of a block to come":      {lie: lie{document: func(d *settle.Document) { d.Manifest.Block += 1000 }}, reason: arithmetic, long: true},
		"the document of another batch":   {lie: lie{computed: func(d *settle.Document) { d.Manifest.Nonce = 7 }}, reason: arithmetic, long: true},
		"a receipt signed by another":     {lie: lie{signed: func(s *protocol.SignedReceipt) { *s = w.resign(*s, stranger) }}, reason: signature},
		"a receipt changed after signing": {lie: lie{signed: func(s *protocol.SignedReceipt) { s.Receipt.Compute.AddUint64(&s.Receipt.Compute, 1) }}, reason: signature, long: true},
		"a receipt twice in a batch": {lie: lie{document: func(d *settle.Document) {
			again := d.Entries[0]
			again.Receipt.Receipt.FinishedAt++
			again.Receipt = w.resign(again.Receipt, x.node)
			d.Entries = append(d.Entries, again)
		}}, reason: signature},
		"more output tokens than were made": {lie: lie{receipt: func(r *protocol.Receipt) { r.OutputTokens += 5 }}, reason: charge},
		"more prompt tokens than there are": {lie: lie{receipt: func(r *protocol.Receipt) { r.PromptTokens++ }}, reason: charge, long: true},
		"prompt tokens made up":             {lie: lie{evidence: func(e *protocol.Evidence) { e.Prompt = append(e.Prompt, 1, 2, 3) }}, reason: charge, long: true},
		"output tokens made up":             {lie: lie{evidence: func(e *protocol.Evidence) { e.Output = append(e.Output, 5, 6, 7) }}, reason: output},
		"a fee above the price":             {lie: lie{receipt: func(r *protocol.Receipt) { r.Compute.AddUint64(&r.Compute, 1e9) }}, reason: charge},
		"a price that nobody signed": {lie: lie{job: func(j *protocol.InferenceJob) {
			j.Price.OutputPer1K.AddUint64(&j.Price.OutputPer1K, 1e15)
		}}, reason: charge},
		"an access fee for the bare base": {lie: lie{receipt: func(r *protocol.Receipt) { r.Access.SetUint64(1e15) }}, reason: charge, long: true},
		"a markup for no agent":           {lie: lie{receipt: func(r *protocol.Receipt) { r.Markup.SetUint64(1e15) }}, reason: charge, long: true},
		"an agent that nobody asked": {lie: lie{receipt: func(r *protocol.Receipt) {
			r.Agent, r.AgentVersion, r.Markup = 1, 1, agentPrice
		}}, reason: lineage},
		"an agent that is not registered": {asked: true, lie: lie{receipt: func(r *protocol.Receipt) { r.Agent = 77 },
			document: func(d *settle.Document) {
				d.Manifest.Agents = []settle.AgentParties{{Agent: 77, Owner: d.Manifest.Worker}}
			}}, reason: lineage, long: true},
		"a version that is not registered":       {asked: true, lie: lie{receipt: func(r *protocol.Receipt) { r.AgentVersion = 9 }}, reason: lineage, long: true},
		"another markup than the agent's":        {asked: true, lie: lie{receipt: func(r *protocol.Receipt) { r.Markup.AddUint64(&r.Markup, 1) }}, reason: charge},
		"a markup that is signed for, and wrong": {asked: true, lie: lie{price: func(p *protocol.Price) { p.Markup.AddUint64(&p.Markup, 1) }}, reason: charge, long: true},
		"another version of the agent":           {asked: true, lie: lie{receipt: func(r *protocol.Receipt) { r.AgentVersion = 2 }}, reason: lineage},
		"a markup to the worker":                 {asked: true, lie: lie{document: func(d *settle.Document) { d.Manifest.Agents[0].Owner = d.Manifest.Worker }}, reason: arithmetic},
		"other instructions than were signed": {asked: true, lie: lie{evidence: func(e *protocol.Evidence) {
			e.Job.Messages = []protocol.Message{{Role: "system", Content: "Be rude."}, e.Job.Messages[1]}
		}}, reason: charge, long: true},
		"other instructions than the agent's":     {of: func() protocol.Evidence { return w.askAgent(1, "Answer in prose.", "") }, reason: lineage},
		"an adapter that the agent does not name": {of: func() protocol.Evidence { return w.askAgent(1, "Answer in verse.", w.id) }, reason: lineage, long: true},
		"another output":                          {lie: lie{evidence: func(e *protocol.Evidence) { e.Output[3]++ }}, reason: output},
		"tokens that nobody delivered":            {lie: lie{evidence: func(e *protocol.Evidence) { e.Output[0]++; e.Resumed = 1 }}, reason: charge, long: true},
		"another text":                            {tuned: true, lie: lie{evidence: func(e *protocol.Evidence) { e.Text += "!" }}, reason: output, long: true},
		"a numeric profile of its own":            {lie: lie{evidence: func(e *protocol.Evidence) { e.Profile = "mine" }}, reason: output, long: true},
		"another weight": {tuned: true, lie: lie{evidence: func(e *protocol.Evidence) {
			e.Attribution.Shares[0].Weight--
			e.Attribution.Pool++
		}}, reason: attribution},
		"another contributor": {tuned: true, lie: lie{evidence: func(e *protocol.Evidence) { e.Attribution.Shares[0].Contributor = protocol.Account{0xbe} }}, reason: attribution, long: true},
		"another attribution in the document": {tuned: true, lie: lie{document: func(d *settle.Document) {
			at := *d.Entries[0].Attribution
			at.Shares = append([]protocol.RecordShare(nil), at.Shares...)
			at.Shares[0].Contributor = protocol.Account{0xbe}
			d.Entries[0].Attribution = &at
		}}, reason: attribution, long: true},
		"another adapter": {tuned: true, lie: lie{receipt: func(r *protocol.Receipt) { r.Adapter, _ = digestOf(w.other) },
			document: func(d *settle.Document) {
				p := &d.Manifest.Adapters[0]
				p.Adapter, p.Royalties = d.Entries[0].Receipt.Receipt.Adapter, nil
			}}, reason: lineage},
		"an adapter for a bare answer": {tuned: true, lie: lie{evidence: func(e *protocol.Evidence) {
			e.Output, e.Text, e.FinishedBy = w.plain.Output, w.plain.Text, w.plain.FinishedBy
		}}, reason: output, long: true},
		"another datanet": {tuned: true, lie: lie{receipt: func(r *protocol.Receipt) { r.DatanetRoot[0]++ }}, reason: lineage},
		"an adapter that is not registered": {tuned: true, lie: lie{receipt: func(r *protocol.Receipt) { r.Adapter[0]++ },
			document: func(d *settle.Document) { d.Manifest.Adapters[0].Adapter = d.Entries[0].Receipt.Receipt.Adapter }}, reason: lineage, long: true},
		"another weight of a record that was read": {reads: true, lie: lie{evidence: func(e *protocol.Evidence) {
			r := &e.Attribution.Retrieved[0]
			r.Shares[0].Weight, r.Pool = r.Shares[0].Weight+1, r.Pool-1
		}}, reason: attribution},
		"a record that was read is somebody else's": {reads: true, lie: lie{asked: func(j *protocol.InferenceJob) {
			j.Retrieval[0].Sources[0].Contributor = protocol.Account{0xbe}
		}, evidence: func(e *protocol.Evidence) {
			for i := range e.Attribution.Retrieved[0].Shares {
				if s := &e.Attribution.Retrieved[0].Shares[i]; s.Record == e.Job.Retrieval[0].Sources[0].Record {
					s.Contributor = protocol.Account{0xbe}
				}
			}
		}}, reason: lineage},
		"a record that no datanet has was read": {reads: true, lie: lie{evidence: func(e *protocol.Evidence) { e.Job.Retrieval[0].Sources[1].Record[0]++ }}, reason: attribution, long: true},
		"a datanet's price is the worker's":     {reads: true, lie: lie{document: func(d *settle.Document) { d.Manifest.Datanets[0].Owner = d.Manifest.Worker }}, reason: arithmetic},
		"a datanet's price is another":          {reads: true, lie: lie{evidence: func(e *protocol.Evidence) { e.Attribution.Retrieved[0].Price.SetUint64(1) }}, reason: charge, long: true},
	}
	t.Run("none by who asked an older version of an agent", func(t *testing.T) {
		w.t = t
		x = w.worker()
		prose := w.askAgent(2, "Answer in prose.", "")
		x.settle(lie{}, x.entry(w.agents, lie{}), x.entry(prose, lie{}))
		x.settle(lie{}, x.entry(w.askAgent(3, "What nobody can compare.", ""), lie{}))
		for nonce, unable := range []int{0, 1} {
			_, err := watchers[0].cfg.Index.Sync(t.Context())
			require.NoError(t, err)
			target, err := watchers[0].judge.Find(t.Context(), x.owner.Account(), uint64(nonce))
			require.NoError(t, err)
			f, err := watchers[0].judge.Batch(t.Context(), target, Sample(protocol.Hash{}, 1, 0))
			require.NoError(t, err)
			require.False(t, f.Guilty, f.Detail)
			require.Equal(t, 2-nonce, f.Rerun)
			require.Len(t, f.Unable, unable, "a manifest that nobody has convicts nobody")
		}
	})
	for name, tt := range all {
		if tt.long && !everyLie {
			continue
		}
		t.Run(name, func(t *testing.T) {
			w.t = t
			x = w.worker()
			before, err := w.client.EscrowOf(t.Context(), w.payer.Account())
			require.NoError(t, err)
			e := w.plain
			if tt.tuned {
				e = w.tuned
			}
			if tt.asked {
				e = w.agents
			}
			if tt.reads {
				e = w.read
			}
			if tt.of != nil {
				e = tt.of()
			}
			x.settle(tt.lie, x.entry(e, tt.lie))
			for _, v := range watchers[:2] { // each for itself
				_, err := v.cfg.Index.Sync(t.Context())
				require.NoError(t, err)
				target, err := v.judge.Find(t.Context(), x.owner.Account(), 0)
				require.NoError(t, err)
				f, err := v.judge.Batch(t.Context(), target, Sample(protocol.Hash{}, 1, 0))
				if tt.reason == unavailable {
					var gone *MissingError
					require.ErrorAs(t, err, &gone)
					continue
				}
				require.NoError(t, err)
				require.True(t, f.Guilty)
				require.Equal(t, tt.reason, f.Reason, f.Detail)
			}
			if tt.reason == unavailable { // half of the window passes, then half of the time to vote
				for range 4 {
					require.NoError(t, watchers[0].Step(t.Context()))
				}
				count, _, err := w.client.DisputeOf(t.Context(), x.owner.Account(), 0)
				require.NoError(t, err)
				require.Zero(t, count, "nobody is accused of being slow")
				require.NoError(t, w.chain.AdvanceTime(31*time.Minute))
				for range 2 {
					for _, v := range watchers {
						require.NoError(t, v.Step(t.Context()))
					}
				}
				require.NoError(t, w.chain.AdvanceTime(8*time.Minute))
			}
			d := w.decided(watchers, x, 0)
			require.Equal(t, chain.DisputeGuilty, d.Status)
			require.Equal(t, tt.reason, d.Reason)
			w.fined(x, 0, before)
		})
	}
	w.t = t
}

// resign signs a receipt with another key.
func (w *world) resign(s protocol.SignedReceipt, k *keystore.Key) protocol.SignedReceipt {
	out, err := wire.SignReceipt(w.domain(w.client.Addresses().Settlement), s.Receipt, k.ECDSA())
	require.NoError(w.t, err)
	return out
}

// A receipt that an earlier batch charged is found by a validator that saw that batch,
// and by one that came later.
func TestChargedAgainInALaterBatch(t *testing.T) {
	w := newWorld(t)
	watchers := w.validators(5)
	x := w.worker()
	once := x.entry(w.plain, lie{})
	x.settle(lie{}, once)
	for _, v := range watchers[:3] {
		require.NoError(t, v.Step(t.Context()))
		b, err := v.Journal().Batch(x.owner.Account(), 0)
		require.NoError(t, err)
		require.Equal(t, Valid, b.Status)
		require.Equal(t, 1, b.Finding.Rerun)
	}
	before, err := w.client.EscrowOf(t.Context(), w.payer.Account())
	require.NoError(t, err)
	x.settle(lie{}, once, x.entry(w.plain, lie{}))
	late := []*watcher{watchers[4], watchers[0], watchers[1], watchers[2], watchers[3]}
	d := w.decided(late, x, 1)
	require.Equal(t, chain.DisputeGuilty, d.Status)
	require.Equal(t, signature, d.Reason)
	require.Equal(t, late[0].key.Account(), d.Challenger)
	w.fined(x, 1, before)
	first, err := w.client.Batch(t.Context(), x.owner.Account(), 0)
	require.NoError(t, err)
	require.Equal(t, chain.BatchPending, first.Status, "the first charge was right")
}
