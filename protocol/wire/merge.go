package wire

import (
	"fmt"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire/pb"
)

// MaxParents bounds the adapters of a merge, and their renderings.
const MaxParents = protocol.MaxParents

func mergeToPB(m *protocol.Merge) *pb.Merge {
	if m == nil {
		return nil
	}
	out := &pb.Merge{Method: m.Method, Density: m.Density, Frequency: m.Frequency}
	for _, p := range m.Parents {
		out.Parents = append(out.Parents, &pb.MergeParent{Adapter: string(p.Adapter), Weight: p.Weight})
	}
	for _, r := range m.Renderings {
		out.Renderings = append(out.Renderings, &pb.Rendering{PromptTemplate: r.Prompt, AnswerTemplate: r.Answer})
	}
	return out
}

func (f *fields) merge(m *pb.Merge) *protocol.Merge {
	if m == nil {
		return nil
	}
	out := &protocol.Merge{
		Method:    f.text("method", m.GetMethod(), protocol.MaxNameBytes),
		Density:   f.number("density", m.GetDensity()),
		Frequency: m.GetFrequency(),
	}
	if n := len(m.GetParents()); n == 0 || n > MaxParents {
		f.fail("parents", "has %d entries, want 1 to %d", n, MaxParents)
		return nil
	}
	if n := len(m.GetRenderings()); n == 0 || n > MaxParents {
		f.fail("renderings", "has %d entries, want 1 to %d", n, MaxParents)
		return nil
	}
	for i, p := range m.GetParents() {
		f.in(fmt.Sprintf("parents[%d]", i), func() {
			out.Parents = append(out.Parents, protocol.MergeParent{Adapter: f.cid("adapter", p.GetAdapter()), Weight: f.number("weight", p.GetWeight())})
			if p.GetAdapter() == "" {
				f.fail("adapter", "is empty")
			}
		})
	}
	for i, r := range m.GetRenderings() {
		f.in(fmt.Sprintf("renderings[%d]", i), func() {
			out.Renderings = append(out.Renderings, protocol.Rendering{
				Prompt: f.text("prompt_template", r.GetPromptTemplate(), MaxTemplate),
				Answer: f.text("answer_template", r.GetAnswerTemplate(), MaxTemplate),
			})
		})
	}
	return out
}
