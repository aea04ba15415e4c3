package node_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/p2p"
	"github.com/openledger/openledger/protocol/payout"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store/datanet"
	"github.com/openledger/openledger/worker/attrib"
	"github.com/openledger/openledger/worker/settle"
)

// reading is a request that reads a datanet.
func reading(on taught, what string, tokens int) api.Request {
	r := request("", tokens)
	r.Messages = []protocol.Message{{Role: "user", Content: what}}
	r.Retrieve = []api.Retrieve{{Datanet: fmt.Sprint(on.version.Datanet), TopK: 2}}
	return r
}

// priced is published with a retrieval price.
func (n *network) priced(t *testing.T, wei uint256.Int) taught {
	t.Helper()
	on := n.published(t)
	_, err := n.chain.Client.As(on.owner).SetRetrievalPrice(t.Context(), on.version.Datanet, wei)
	require.NoError(t, err)
	return on
}

// quoteOf asks what a request that reads a datanet would cost; its parts are all of it.
func (n *network) quoteOf(t *testing.T, r api.Request) api.Quote {
	t.Helper()
	q := n.quote(t, map[string]any{"kind": "inference", "model": r.Model, "messages": user(r.Messages[0].Content), "max_tokens": r.Sampling.MaxTokens,
		"retrieval": map[string]any{"datanet": r.Retrieve[0].Datanet, "top_k": r.Retrieve[0].TopK}})
	var sum, contributed uint256.Int
	for _, p := range q.Parts {
		sum.Add(&sum, &p.Amount)
		if p.Role == "contributors" {
			require.Equal(t, r.Retrieve[0].Datanet, fmt.Sprint(p.Datanet))
			contributed.Add(&contributed, &p.Amount)
		}
	}
	require.Equal(t, q.Cost.Dec(), sum.Dec(), "the parts are all of it")
	require.Equal(t, q.Retrieval.IsZero(), contributed.IsZero())
	require.False(t, q.Most.Lt(&q.Cost))
	return q
}

func (n *network) settled(t *testing.T, w *running) {
	t.Helper()
	require.Eventually(t, func() bool { // vouchers come a moment after the answers
		require.NoError(t, w.Settle(t.Context()))
		n, err := n.chain.Client.NextNonce(t.Context(), w.owner.Account())
		require.NoError(t, err)
		return n > 0
	}, time.Minute, 10*time.Millisecond)
}

// An answer of the bare base reads a datanet: its records are found, quoted, cited, weighed
// and paid by the datanet's price, and a validator agrees with all of it.
func TestRetrievalIsCitedPaidAndJudged(t *testing.T) {
	w := net.worker(t, net.identity(t))
	who := net.requester(t, 2e18)
	fee := milliOpen(50)
	on := net.priced(t, fee)
	r := reading(on, "What is the lesson of the Fox and the Crow?", 24)
	q := net.quoteOf(t, r)
	a, _, err := net.ask(t.Context(), who, r)
	require.NoError(t, err)
	cost := a.Receipt.Receipt.Fee().Total()
	require.False(t, q.Cost.Lt(&cost), "it cost no more than the quote")
	require.LessOrEqual(t, int(a.Receipt.Receipt.PromptTokens), q.PromptTokens)
	require.Equal(t, fee, q.Retrieval)
	require.Equal(t, fee, q.Access)

	require.Len(t, a.Citations, 2)
	first := a.Citations[0]
	require.Equal(t, 1, first.Number)
	require.Equal(t, "The Fox and the Crow", first.Title, "what shares most words comes first")
	require.Equal(t, "Flatterers are not to be trusted.", first.Excerpt)
	require.Equal(t, on.owner.Account(), first.Contributor)
	require.Len(t, a.Retrieval, 1)
	require.Equal(t, api.MethodBM25, a.Retrieval[0].Method, "there are no vectors yet, and the answer says so")
	require.Equal(t, 0, a.Retrieval[0].Embedded)
	require.Equal(t, fee, a.Retrieval[0].Price)

	got := a.Receipt.Receipt
	require.Equal(t, fee, got.Access, "the bare base costs what the datanet asks")
	require.Zero(t, got.Adapter)
	view, err := net.coord.Receipt(t.Context(), got.ID)
	require.NoError(t, err)
	require.NoError(t, wire.CheckReceipt(view.Receipt, view.Evidence))
	read := view.Evidence.Attribution.Retrieved
	require.Len(t, read, 1)
	require.Equal(t, attrib.ContextAlgorithm, read[0].Algorithm)
	require.Len(t, read[0].Shares, 2)
	require.Equal(t, on.version.Datanet, read[0].Datanet)

	again, _, err := net.ask(t.Context(), who, r)
	require.NoError(t, err)
	require.Equal(t, a.Receipt, again.Receipt, "asked again: the same receipt")
	require.Equal(t, a.Citations, again.Citations)

	var e api.Explanation
	net.fetch(t, http.MethodGet, "/api/v1/receipts/"+got.ID.Hex()+"/attribution", &e)
	require.Equal(t, a.Citations, e.Read)
	var paid, earned, contributed uint256.Int
	for _, p := range e.Payments {
		paid.Add(&paid, &p.Amount)
		if p.Role == string(payout.RoleContributor) {
			contributed.Add(&contributed, &p.Amount)
		}
		if p.Datanet != 0 {
			require.Equal(t, on.version.Datanet, p.Datanet)
			earned.Add(&earned, &p.Amount)
		}
	}
	require.Equal(t, got.Fee().Total(), paid)
	require.False(t, earned.IsZero())
	require.True(t, earned.Lt(&fee), "the platform has its part of a datanet's price, too")

	var page struct {
		Contributors []datanet.Contributor `json:"contributors"`
	}
	require.Eventually(t, func() bool {
		net.fetch(t, http.MethodGet, fmt.Sprintf("/api/v1/datanets/%d/contributors", on.version.Datanet), &page)
		return len(page.Contributors) == 1 && !page.Contributors[0].Earned.IsZero()
	}, time.Minute, 20*time.Millisecond)
	require.Equal(t, contributed.Dec(), page.Contributors[0].Earned.Dec(), "what is read earns on the datanet's page, too")

	free, _, err := net.ask(t.Context(), who, reading(net.published(t), "What is the lesson of the Fox and the Crow?", 4))
	require.NoError(t, err)
	require.True(t, free.Receipt.Receipt.Access.IsZero(), "a datanet that asks nothing is read for nothing")

	net.settled(t, w)
	batch, err := net.chain.Client.Batch(t.Context(), w.owner.Account(), 0)
	require.NoError(t, err)
	shares := net.sharesOf(t, batch.DataDigest, got.ID)
	var sum uint256.Int
	roles := map[payout.Role]bool{}
	for _, s := range shares {
		sum.Add(&sum, &s.Amount)
		roles[s.Role] = true
		if s.Role == payout.RoleDatanet {
			require.Equal(t, on.owner.Account(), s.Account)
		}
	}
	all := got.Fee().Total()
	require.Equal(t, all.Dec(), sum.Dec(), "to the wei")
	require.True(t, roles[payout.RoleDatanet] && (roles[payout.RoleContributor] || roles[payout.RolePool]), "%v", roles)
	require.False(t, roles[payout.RoleOwner], "there is no adapter")

	f, err := net.validator(t).Check(t.Context(), w.owner.Account(), 0)
	require.NoError(t, err)
	require.False(t, f.Guilty, "%s: %s", f.Reason, f.Detail)
	require.Empty(t, f.Unable)
	require.Positive(t, f.Rerun)
}

// sharesOf recomputes a batch and gives what one receipt pays to whom.
func (n *network) sharesOf(t *testing.T, document, receipt protocol.Hash) []payout.Share {
	t.Helper()
	b, err := settle.Recompute(t.Context(), coordinatorBlocks{n}, document, settle.Checks{AttributionRoot: wire.AttributionRoot})
	require.NoError(t, err)
	require.NoError(t, settle.Audit(t.Context(), n.chain.Client, b))
	for i, e := range b.Document.Entries {
		if e.Receipt.Receipt.ID == receipt {
			return b.Shares[i]
		}
	}
	require.Fail(t, "the receipt is not in the batch")
	return nil
}

// coordinatorBlocks are what the coordinator has or finds.
type coordinatorBlocks struct{ n *network }

func (b coordinatorBlocks) Put(context.Context, []byte) (protocol.Hash, error) {
	return protocol.Hash{}, errors.ErrUnsupported
}

func (b coordinatorBlocks) Get(ctx context.Context, digest protocol.Hash) ([]byte, error) {
	return b.n.coord.Block(ctx, digest)
}

// With an adapter, its own attribution and price stay as they are beside the datanet's.
func TestRetrievalBesideAnAdapter(t *testing.T) {
	w := net.worker(t, net.identity(t), func(s *node.WorkerSettings) { s.Trains = true })
	on := net.published(t)
	name, cid := net.trained(t, on)
	other := net.priced(t, milliOpen(7))
	who := net.requester(t, 2e18)
	r := reading(other, askLesson, 12)
	r.Model = name
	a, _, err := net.ask(t.Context(), who, r)
	require.NoError(t, err)
	view, err := net.coord.Receipt(t.Context(), a.Receipt.Receipt.ID)
	require.NoError(t, err)
	at := view.Evidence.Attribution
	require.Equal(t, cid, view.Evidence.Job.Adapter)
	require.Equal(t, attrib.Algorithm, at.Algorithm)
	require.Equal(t, on.version.Datanet, a.Receipt.Receipt.Datanet)
	require.Len(t, at.Retrieved, 1)
	require.Equal(t, other.version.Datanet, at.Retrieved[0].Datanet)
	net.settled(t, w)
	f, err := net.validator(t).Check(t.Context(), w.owner.Account(), 0)
	require.NoError(t, err)
	require.False(t, f.Guilty, "%s: %s", f.Reason, f.Detail)
	require.Empty(t, f.Unable)
}

// The vectors of a version are made once, paid by whoever orders them; from then on
// records are found by both.
func TestRetrievalWithVectors(t *testing.T) {
	net.worker(t, net.identity(t))
	n := net.n.Add(1)
	on := net.publishedOf(t, map[string]string{"The Fox and the Crow": fmt.Sprintf("Flatterers are not to be trusted, says book %d.", n),
		"The Lion and the Mouse": fmt.Sprintf("A kindness is never wasted, says book %d.", n)})
	payer, who := net.requester(t, 1e18), net.requester(t, 1e18)
	id, version := on.version.Datanet, on.version.Number

	hybrid := reading(on, "What is the lesson of the Fox and the Crow?", 2)
	hybrid.Retrieve[0].Method = api.MethodHybrid
	_, _, err := net.ask(t.Context(), who, hybrid)
	require.Equal(t, protocol.KindInvalid, protocol.KindOf(err), "%v", err)
	require.ErrorContains(t, err, "no vector yet")

	embed := func() (s api.EmbeddingStatus) {
		t.Helper()
		_, err := net.coord.EmbedVersion(t.Context(), api.Caller{Account: payer.Account()}, id, version)
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			s, err = net.coord.EmbeddingStatus(t.Context(), id, version)
			require.NoError(t, err)
			return !s.Running
		}, time.Minute, 10*time.Millisecond)
		require.Empty(t, s.Error)
		require.Equal(t, 2, s.Embedded)
		return s
	}
	paid := embed()
	require.False(t, paid.Fee.IsZero())
	require.Equal(t, paid, embed(), "what is there is not made, nor paid, again")

	q := net.quoteOf(t, hybrid)
	a, _, err := net.ask(t.Context(), who, hybrid)
	require.NoError(t, err)
	use := a.Retrieval[0]
	require.Equal(t, api.MethodHybrid, use.Method)
	require.Equal(t, 2, use.Embedded)
	require.NotNil(t, use.Receipt)
	vector, err := net.coord.Receipt(t.Context(), *use.Receipt)
	require.NoError(t, err)
	require.Equal(t, who.Account(), vector.Receipt.Requester, "the question's vector is paid by who asks")
	asking, answering := vector.Receipt.Fee().Total(), a.Receipt.Receipt.Fee().Total()
	require.False(t, q.Question.Lt(&asking), "and is in the quote")
	require.False(t, q.Cost.Lt(answering.Add(&answering, &asking)))

	const crow = "What is the lesson of the Fox and the Crow?"
	search := api.Search{ID: protocol.Hash{7, byte(net.n.Add(1))}, Query: crow, Retrieve: hybrid.Retrieve[0]}
	found, err := net.coord.SearchDatanet(t.Context(), api.Caller{Account: who.Account()}, search)
	require.NoError(t, err)
	require.Equal(t, api.MethodHybrid, found.Method)
	require.Equal(t, "CC0-1.0", found.License)
	vector, err = net.coord.Receipt(t.Context(), *found.Receipt)
	require.NoError(t, err)
	require.Equal(t, vector.Receipt.Fee().Total(), found.Fee, "a search costs the question's vector")
	require.Equal(t, a.Retrieval[0].Price, found.Price)
	require.Len(t, found.Results, len(a.Citations))
	for i, f := range found.Results {
		require.Equal(t, a.Citations[i].Record, f.Record, "a search finds what an answer reads")
		require.Equal(t, a.Citations[i].Excerpt, f.Passage)
		require.Positive(t, f.Score)
	}
	search.Method, search.ID[2] = api.MethodBM25, 1
	found, err = net.coord.SearchDatanet(t.Context(), api.Caller{Account: net.key(t, 0).Account()}, search)
	require.NoError(t, err, "by words it is free: also for who has nothing")
	require.Equal(t, "The Fox and the Crow", found.Results[0].Title)
	require.True(t, found.Fee.IsZero())
	require.Nil(t, found.Receipt)
	search.Version = 9
	_, err = net.coord.SearchDatanet(t.Context(), api.Caller{Account: who.Account()}, search)
	require.Equal(t, protocol.KindNotFound, protocol.KindOf(err), "%v", err)
}

// A worker refuses a job that quotes what the datanet does not hold, that pays less than
// it asks, or that gives its price to somebody else: validators would convict it.
func TestRetrievalThatIsNotTrueIsRefused(t *testing.T) {
	w := net.worker(t, net.identity(t))
	who := net.requester(t, 1e18)
	on := net.priced(t, milliOpen(1))
	a, _, err := net.ask(t.Context(), who, reading(on, "What is the lesson of the Fox and the Crow?", 2))
	require.NoError(t, err)
	view, err := net.coord.Receipt(t.Context(), a.Receipt.Receipt.ID)
	require.NoError(t, err)
	for name, change := range map[string]func(*protocol.InferenceJob, *protocol.Retrieval){
		"another text":        func(_ *protocol.InferenceJob, r *protocol.Retrieval) { r.Sources[0].Text += " Buy now!" },
		"another title":       func(_ *protocol.InferenceJob, r *protocol.Retrieval) { r.Sources[0].Title = "x" },
		"another contributor": func(_ *protocol.InferenceJob, r *protocol.Retrieval) { r.Sources[0].Contributor = who.Account() },
		"another record":      func(_ *protocol.InferenceJob, r *protocol.Retrieval) { r.Sources[0].Record[3]++ },
		"another root":        func(_ *protocol.InferenceJob, r *protocol.Retrieval) { r.Root[0]++ },
		"another version":     func(_ *protocol.InferenceJob, r *protocol.Retrieval) { r.Version++ },
		"a lower price": func(j *protocol.InferenceJob, r *protocol.Retrieval) {
			r.Price.SubUint64(&r.Price, 1)
			j.Price.Access = r.Price
		},
	} {
		job := view.Evidence.Job
		read := job.Retrieval[0]
		read.Sources = append([]protocol.Source(nil), read.Sources...)
		job.ID[1]++
		job.Deadline = time.Now().Add(time.Minute).UnixMilli()
		change(&job, &read)
		job.Retrieval = []protocol.Retrieval{read}
		err := net.direct(t, w, who, job)
		require.Equal(t, protocol.KindInvalid, protocol.KindOf(err), "%s: %v", name, err)
		require.ErrorContains(t, err, "retrieval", name)
	}
}

// direct signs a job by its requester's own key and brings it to a worker.
func (n *network) direct(t *testing.T, w *running, who *keystore.Key, job protocol.InferenceJob) error {
	t.Helper()
	signed, err := wire.SignJob(n.escrowDomain(), job, w.owner.Account(), who.ECDSA())
	require.NoError(t, err)
	host := net.plainHost(t, node.Home{Dir: t.TempDir()})
	for _, a := range w.Addrs() {
		_, err := host.Connect(t.Context(), a)
		require.NoError(t, err)
	}
	_, _, err = host.Infer(t.Context(), w.peer, signed, p2p.InferEvents{})
	return err
}
