package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store/ipfs"
)

// Check compares a job for the agent with its manifest: the model is told the instructions
// first and as they are, the manifest's model answers, its price is the markup, its functions
// come before others, and its datanets are read in the versions that it names. An error of
// kind corrupt names the field of the job that differs.
//
// What a requester may add is no difference: messages after the instructions, functions after
// the agent's, further datanets. Nor is what a round may leave out: all functions (a last
// round, tool_choice "none"), and datanets, in which nothing may have been found.
func (m *Manifest) Check(job *protocol.InferenceJob) error {
	price, err := m.PriceWei()
	if err != nil {
		return err
	}
	if job.Price.Markup != price {
		return differs("price.markup", "the agent's manifest asks %s wei per request, the job pays %s", m.Price, job.Price.Markup.Dec())
	}
	if err := m.checkModel(job); err != nil {
		return err
	}
	if want := (protocol.Message{Role: "system", Content: m.Instructions}); len(job.Messages) == 0 || job.Messages[0] != want {
		return differs("messages", "they do not begin with the instructions of the agent's manifest, as a message of the system")
	}
	for i := range job.Retrieval {
		r := &job.Retrieval[i]
		if slices.ContainsFunc(m.Datanets, func(d Retrieval) bool { return d.Datanet == r.Datanet && d.Version != r.Version }) {
			return differs("retrieval", "the agent's manifest names another version of datanet %d than %d", r.Datanet, r.Version)
		}
	}
	return m.checkFunctions(job.Tools)
}

func (m *Manifest) checkModel(job *protocol.InferenceJob) error {
	if m.Adapter == "" {
		if job.Adapter != "" {
			return differs("adapter", "the agent's manifest names the bare base %s, the job adapter %s", m.Base, job.Adapter)
		}
		if job.Base.Hex() != m.Base {
			return differs("base", "the agent's manifest names base %s, the job %s", m.Base, job.Base)
		}
		return nil
	}
	if job.Adapter == m.Adapter {
		return nil
	}
	// One digest may be written as different CIDs; the registry knows digests.
	want, err := ipfs.Digest(m.Adapter)
	if err != nil {
		return err
	}
	if have, err := ipfs.Digest(job.Adapter); err != nil || have != want {
		return differs("adapter", "the agent's manifest names %s, the job %q", m.Adapter, job.Adapter)
	}
	return nil
}

// checkFunctions compares token by token, so that white space and escapes do not count, and
// the order of members does: it is in the prompt.
func (m *Manifest) checkFunctions(tools string) error {
	want, err := m.Functions()
	if err != nil || want == nil || tools == "" {
		return err
	}
	var mine, all []json.RawMessage
	if err := json.Unmarshal(want, &mine); err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(tools), &all); err != nil {
		return differs("tools", "they are no list of functions: %w", err)
	}
	for i := range mine {
		if i >= len(all) || !sameJSON(mine[i], all[i]) {
			return differs("tools", "they do not begin with the functions of the agent's manifest: %s is not in its place", m.Tools[i].Name)
		}
	}
	return nil
}

// sameJSON says whether two texts have the same tokens. Both are JSON.
func sameJSON(a, b []byte) bool {
	x, y := json.NewDecoder(bytes.NewReader(a)), json.NewDecoder(bytes.NewReader(b))
	x.UseNumber()
	y.UseNumber()
	for {
		s, serr := x.Token()
		t, terr := y.Token()
		if serr != nil || terr != nil {
			return errors.Is(serr, io.EOF) && errors.Is(terr, io.EOF)
		}
		if s != t {
			return false
		}
	}
}

func differs(field, format string, args ...any) error {
	return protocol.Errorf(protocol.KindCorrupt, field, format, args...)
}
