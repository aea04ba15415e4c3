package coordinator

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/coordinator/retrieval"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
	"github.com/openledger/openledger/store/datanet"
	"github.com/openledger/openledger/store/ipfs"
)

const (
	// sourceBytes is how much text an answer gets to read when its request does not say;
	// it is halved until the prompt fits the model, down to leastBytes.
	sourceBytes = 4000
	leastBytes  = 250
	// candidates are taken of each list before they are merged.
	candidates = 50
	// openVersions is how many versions stay indexed in memory.
	openVersions = 4
)

// library keeps versions of datanets open for retrieval.
type library struct {
	mu   sync.Mutex // held while a version is opened: one at a time
	used []*opened  // the one used last comes last

	embedding embeddings
}

// opened is a version with its index.
type opened struct {
	protocol.Version
	digest protocol.Hash
	index  *retrieval.Index

	mu      sync.Mutex
	vectors [][]float32 // of the index's documents, as far as they are known
	missing int
}

// open finds a version, by number or the newest, and indexes it.
func (c *Coordinator) open(ctx context.Context, id uint64, number uint32) (*opened, error) {
	if number == 0 {
		newest, err := c.chain.LatestVersion(ctx, id)
		if err != nil {
			return nil, err
		}
		if number = newest; number == 0 {
			return nil, protocol.Errorf(protocol.KindNotFound, "retrieval.version", "datanet %d has no published version: its owner publishes one with 'openledger datanet publish'", id)
		}
	}
	l := &c.library
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.IndexFunc(l.used, func(o *opened) bool { return o.Datanet == id && o.Number == number }); i >= 0 {
		o := l.used[i]
		l.used = append(slices.Delete(l.used, i, i+1), o)
		return o, nil
	}
	v, err := c.chain.Version(ctx, id, number)
	if err != nil {
		return nil, err
	}
	content, err := datanet.OpenVersion(ctx, c.ipfs, v.Root, c.workerAddrs())
	if err != nil {
		return nil, err
	}
	o := &opened{Version: v}
	if o.digest, err = ipfs.Digest(v.Root); err != nil {
		return nil, err
	}
	var docs []retrieval.Document
	for i := range content.Records {
		r := &content.Records[i]
		if text := r.Text(); text != "" { // others have nothing to search or to read
			docs = append(docs, retrieval.Document{Record: r.ID, Contributor: r.Contributor, Title: r.Title(), Text: text})
		}
	}
	o.index = retrieval.New(docs)
	if err := c.readVectors(o); err != nil {
		return nil, err
	}
	if len(l.used) == openVersions {
		l.used = slices.Delete(l.used, 0, 1)
	}
	l.used = append(l.used, o)
	return o, nil
}

// findDatanet reads a datanet's number or name; of two with one name the first counts.
func (c *Coordinator) findDatanet(ctx context.Context, name string) (uint64, error) {
	if id, err := strconv.ParseUint(name, 10, 64); err == nil {
		d, err := c.chain.Datanet(ctx, id)
		return d.ID, err
	}
	all, err := c.chain.Datanets(ctx)
	if err != nil {
		return 0, err
	}
	for _, d := range all {
		if d.Name == name {
			return d.ID, nil
		}
	}
	return 0, protocol.Errorf(protocol.KindNotFound, "retrieval.datanet", "there is no datanet %q; GET /api/v1/datanets lists them", name)
}

// question is what records are looked for by: what the user said last.
func question(messages []protocol.Message) string {
	for _, m := range slices.Backward(messages) {
		if m.Role == "user" {
			return m.Content
		}
	}
	return ""
}

// ranking is what was found in one version, the best first.
type ranking struct {
	*opened
	asked api.Retrieve
	docs  []retrieval.Ranked
	use   api.RetrievalUse

	vector *protocol.SignedReceipt // of the question's vector, if it was made
}

// rank finds records for each datanet that a request reads. The question's vector is a job
// of its own, paid by the caller, and made only where vectors are ready.
func (c *Coordinator) rank(ctx context.Context, by api.Caller, request protocol.Hash, about string, retrieve []api.Retrieve) ([]ranking, error) {
	var vector []float32
	var receipt *protocol.SignedReceipt
	out := make([]ranking, len(retrieve))
	for i, asked := range retrieve {
		id, err := c.findDatanet(ctx, asked.Datanet)
		if err != nil {
			return nil, err
		}
		o, err := c.open(ctx, id, asked.Version)
		if err != nil {
			return nil, err
		}
		vectors, missing := o.known()
		use := api.RetrievalUse{Datanet: id, Version: o.Number, Method: api.MethodBM25, Records: len(vectors), Embedded: len(vectors) - missing}
		if use.Price, err = c.chain.RetrievalPrice(ctx, id); err != nil {
			return nil, err
		}
		lists := [][]int{o.index.BM25(about, candidates)}
		ready := missing == 0 && len(vectors) > 0
		if asked.Method == api.MethodHybrid && !ready {
			return nil, protocol.Errorf(protocol.KindInvalid, "retrieval.method", "%d of %d records of datanet %d have no vector yet: order them with 'openledger datanet embed %d', or leave the method out", missing, len(vectors), id, id)
		}
		if ready && asked.Method != api.MethodBM25 {
			if vector == nil {
				if vector, receipt, err = c.embedQuestion(ctx, by, request, about); err != nil {
					return nil, err
				}
			}
			lists = append(lists, retrieval.Nearest(vector, vectors, candidates))
			use.Method, use.Receipt = api.MethodHybrid, &receipt.Receipt.ID
		}
		out[i] = ranking{opened: o, asked: asked, docs: retrieval.Fuse(asked.TopK, lists...), use: use, vector: receipt}
	}
	return out, nil
}

// passages cuts the records that were found into what a job gets to read, of so many bytes
// of each datanet where the request does not say.
func passages(found []ranking, about string, bytes int) (out []protocol.Retrieval) {
	for _, f := range found {
		if len(f.docs) == 0 {
			continue // nothing was read, so nothing is paid
		}
		limit := f.asked.MaxBytes
		if limit == 0 {
			limit = bytes
		}
		r := protocol.Retrieval{Datanet: f.Datanet, Version: f.Number, Root: f.digest, Price: f.use.Price}
		for _, i := range f.docs {
			d := &f.index.Documents[i.Doc]
			if text := retrieval.Passage(d.Text, about, min(limit/len(f.docs), protocol.MaxSourceBytes)); text != "" {
				r.Sources = append(r.Sources, protocol.Source{Record: d.Record, Contributor: d.Contributor, Title: d.Title, Text: text})
			}
		}
		if len(r.Sources) > 0 {
			out = append(out, r)
		}
	}
	return out
}

// inferReading answers a request that reads datanets: what is found becomes part of its
// job. When the prompt is too long for the model, it reads less, unless the request says
// how much.
func (c *Coordinator) inferReading(ctx context.Context, by api.Caller, r api.Request, onText func(api.Delta) error) (api.Answer, error) {
	about := question(r.Messages)
	found, err := c.rank(ctx, by, r.ID, about, r.Retrieve)
	if err != nil {
		return api.Answer{}, err
	}
	if r.Agent != nil {
		for _, f := range found[len(r.Agent.Retrieve):] {
			for _, own := range found[:len(r.Agent.Retrieve)] {
				if f.Datanet == own.Datanet && f.Number != own.Number { // workers refuse it: it is not what the manifest says
					return api.Answer{}, protocol.Errorf(protocol.KindInvalid, "retrieval", "the agent reads version %d of datanet %d, the request names version %d: leave the datanet out, or ask for the agent's version", own.Number, own.Datanet, f.Number)
				}
			}
		}
	}
	fixed := slices.ContainsFunc(r.Retrieve, func(a api.Retrieve) bool { return a.MaxBytes != 0 })
	for bytes := sourceBytes; ; bytes /= 2 {
		a, err := c.infer(ctx, by, r, passages(found, about, bytes), onText)
		var typed *protocol.Error
		if errors.As(err, &typed) && typed.Kind == protocol.KindInvalid && typed.Field == fieldTooLong && !fixed && bytes/2 >= leastBytes {
			continue
		}
		for i := range found {
			a.Retrieval = append(a.Retrieval, found[i].use)
		}
		return a, err
	}
}

// fieldTooLong is the field that workers name when a prompt does not fit their model.
const fieldTooLong = "messages"

// embedQuestion makes the vector of a question.
func (c *Coordinator) embedQuestion(ctx context.Context, by api.Caller, id protocol.Hash, text string) ([]float32, *protocol.SignedReceipt, error) {
	a, err := c.Infer(ctx, by, *c.questionJob(id, text), func(api.Delta) error { return nil })
	if err != nil {
		return nil, nil, err
	}
	return a.Vectors, &a.Receipt, nil
}

// questionJob is the job of a question's vector, whose ID follows from the answer's.
func (c *Coordinator) questionJob(id protocol.Hash, text string) *api.Request {
	return &api.Request{ID: sha256.Sum256(append(id[:], "/question"...)), Model: c.cfg.Base.Hex(), Embedding: &protocol.EmbeddingJob{
		Algorithm: protocol.EmbeddingAlgorithm, Inputs: []protocol.EmbeddingInput{{Text: cut(text)}}}}
}

// Citations are what an answer read, numbered as in its prompt.
func Citations(e protocol.Evidence) (out []api.Citation) {
	for i := range e.Job.Retrieval {
		r := &e.Job.Retrieval[i]
		var shares []protocol.RecordShare
		if i < len(e.Attribution.Retrieved) {
			shares = e.Attribution.Retrieved[i].Shares
		}
		for _, s := range r.Sources {
			n := len(out) + 1
			one := api.Citation{Number: n, Datanet: r.Datanet, Version: r.Version, Record: s.Record, CID: ipfs.RawCIDOf(s.Record), Contributor: s.Contributor,
				Title: s.Title, Excerpt: s.Text, Used: []api.TextRange{}}
			for _, share := range shares {
				if share.Record == s.Record {
					one.Weight, one.Score = share.Weight, float64(share.Influence)/(2*65536) // the weigher's fixed point: twice the mean, in 1/65536 nat
				}
			}
			ranges := append(retrieval.Repeats(e.Text, s.Text), marks(e.Text, n)...)
			slices.SortFunc(ranges, func(x, y retrieval.Range) int { return x.Start - y.Start })
			for _, u := range ranges {
				one.Used = append(one.Used, api.TextRange{Start: u.Start, End: u.End})
			}
			out = append(out, one)
		}
	}
	return out
}

// marks are the places where a text has a source's number in brackets.
func marks(text string, number int) (out []retrieval.Range) {
	mark := "[" + strconv.Itoa(number) + "]"
	for from := 0; ; {
		i := strings.Index(text[from:], mark)
		if i < 0 {
			return out
		}
		start := len([]rune(text[:from+i]))
		out = append(out, retrieval.Range{Start: start, End: start + len(mark)})
		from += i + len(mark)
	}
}

// key names the vector of a document.
func (c *Coordinator) vectorKey(d *retrieval.Document) protocol.Hash {
	return store.VectorKey(c.cfg.Base, protocol.EmbeddingAlgorithm, embedded(d))
}
