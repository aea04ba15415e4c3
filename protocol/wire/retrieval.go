package wire

import (
	"fmt"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire/pb"
)

func retrievalToPB(in []protocol.Retrieval) (out []*pb.Retrieval) {
	for i := range in {
		r := &in[i]
		m := &pb.Retrieval{Datanet: r.Datanet, Version: r.Version, Root: hashBytes(r.Root), Price: amountBytes(r.Price)}
		for k := range r.Sources {
			s := &r.Sources[k]
			m.Sources = append(m.Sources, &pb.Source{Record: hashBytes(s.Record), Contributor: s.Contributor.Bytes(), Title: s.Title, Text: s.Text})
		}
		out = append(out, m)
	}
	return out
}

// retrieval decodes what a job is given to read, and says how many bytes it takes in the
// prompt.
func (f *fields) retrieval(m *pb.InferenceJob, j *protocol.InferenceJob) (size int) {
	in := m.GetRetrieval()
	if len(in) == 0 {
		return 0
	}
	if len(in) > protocol.MaxRetrievals {
		f.fail("retrieval", "has %d entries, more than %d", len(in), protocol.MaxRetrievals)
		return 0
	}
	user := false
	for _, c := range m.GetMessages() {
		user = user || c.GetRole() == "user"
	}
	if !user {
		f.fail("retrieval", "goes with messages, one of them by the user")
	}
	var price uint256.Int
	sources, seen := 0, map[protocol.Hash]bool{}
	for i, r := range in {
		f.in(fmt.Sprintf("retrieval[%d]", i), func() {
			out := protocol.Retrieval{Datanet: r.GetDatanet(), Version: r.GetVersion(), Root: f.hash("root", r.GetRoot()), Price: f.amount("price", r.GetPrice())}
			if out.Datanet == 0 || out.Version == 0 {
				f.fail("datanet", "and version must be set")
			}
			if _, over := price.AddOverflow(&price, &out.Price); over || price.Gt(&j.Price.Access) {
				f.fail("price", "is more than the job's access price, of which it is a part")
			}
			if sources += len(r.GetSources()); len(r.GetSources()) == 0 || sources > protocol.MaxSources {
				f.fail("sources", "are %d so far: at least one of each datanet, at most %d of all", sources, protocol.MaxSources)
				return
			}
			for k, s := range r.GetSources() {
				f.in(fmt.Sprintf("sources[%d]", k), func() {
					source := protocol.Source{
						Record:      f.hash("record", s.GetRecord()),
						Contributor: f.account("contributor", s.GetContributor()),
						Title:       f.text("title", s.GetTitle(), maxLicense),
						Text:        f.text("text", s.GetText(), protocol.MaxSourceBytes),
					}
					if source.Text == "" {
						f.fail("text", "is empty")
					}
					if seen[source.Record] {
						f.fail("record", "is there twice")
					}
					seen[source.Record] = true
					size += len(source.Title) + len(source.Text)
					out.Sources = append(out.Sources, source)
				})
			}
			j.Retrieval = append(j.Retrieval, out)
		})
		if f.err != nil {
			return size
		}
	}
	return size
}

func (f *fields) retrieved(in []*pb.RetrievedShares) (out []protocol.RetrievedShares) {
	if len(in) > protocol.MaxRetrievals {
		f.fail("retrieved", "has %d entries, more than %d", len(in), protocol.MaxRetrievals)
		return nil
	}
	for i, m := range in {
		f.in(fmt.Sprintf("retrieved[%d]", i), func() {
			r := protocol.RetrievedShares{
				Algorithm: f.text("algorithm", m.GetAlgorithm(), protocol.MaxNameBytes),
				Datanet:   m.GetDatanet(),
				Root:      f.hash("root", m.GetRoot()),
				Price:     f.amount("price", m.GetPrice()),
				Pool:      m.GetPool(),
			}
			if r.Algorithm == "" || r.Datanet == 0 {
				f.fail("algorithm", "and datanet must be set")
			}
			if len(m.GetShares()) > protocol.MaxSources {
				f.fail("shares", "has %d entries, more than %d", len(m.GetShares()), protocol.MaxSources)
				return
			}
			var sum uint64
			if r.Shares, sum = f.shares(m.GetShares()); f.err != nil {
				return
			}
			if r.Pool > protocol.WeightScale || sum+r.Pool != protocol.WeightScale {
				f.fail("pool", "weights and pool add up to %d, not to %d", sum+r.Pool, uint64(protocol.WeightScale))
			}
			out = append(out, r)
		})
		if f.err != nil {
			return out
		}
	}
	return out
}

// sameRetrieval says whether an attribution is of what its job was given to read.
func sameRetrieval(job []protocol.Retrieval, at []protocol.RetrievedShares) bool {
	if len(job) != len(at) {
		return false
	}
	for i := range job {
		r, s := &job[i], &at[i]
		if r.Datanet != s.Datanet || r.Root != s.Root || r.Price != s.Price || len(r.Sources) != len(s.Shares) {
			return false
		}
		of := make(map[protocol.Hash]protocol.Account, len(r.Sources))
		for _, source := range r.Sources {
			of[source.Record] = source.Contributor
		}
		for _, share := range s.Shares {
			if contributor, ok := of[share.Record]; !ok || contributor != share.Contributor {
				return false
			}
		}
	}
	return true
}
