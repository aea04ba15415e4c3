package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// AgentPrefix begins the model ids of agents: agent/NAME, or agent/OWNER/NAME with the
// owner's address, each with @VERSION after it for another version than the newest.
const AgentPrefix = "agent/"

// Agent is an agent as a request gets it that names it.
type Agent struct {
	ID           uint64
	Version      uint32
	Model        string          // that answers: an adapter's CID, or the base's hash
	Markup       uint256.Int     // wei per request
	Instructions string          // begin every chat
	Tools        json.RawMessage // functions in OpenAI's form; nil for none
	Retrieve     []Retrieve      // what every answer reads
	Servers      Toolbox         // tools that are run here; nil for none. Close it
}

// AgentModel is what a model that is an agent has besides.
type AgentModel struct {
	ID          uint64       `json:"id"`
	Version     uint32       `json:"version"` // the newest, which is asked
	Manifest    protocol.CID `json:"manifest"`
	Adapter     protocol.CID `json:"adapter,omitempty"` // that answers; none: the base
	Description string       `json:"description,omitempty"`
	Markup      uint256.Int  `json:"markup"` // wei per request, on top of what its model costs
	Stake       uint256.Int  `json:"stake"`
}

// Agents keeps what agents are made of.
type Agents interface {
	// StoreManifest keeps the manifest of a version that is registered on the chain.
	StoreManifest(ctx context.Context, agent uint64, version uint32, manifest []byte) (protocol.CID, error)
	// Agent finds the agent that a model id names. agent/NAME is the one that was
	// registered first under the name.
	Agent(ctx context.Context, model string) (Agent, error)
}

// ask puts what an agent is told before a request's messages, and its functions and those
// of its servers before the request's own.
func (r *completionRequest) ask(a *Agent, servers []json.RawMessage) error {
	if len(r.Messages) == 0 {
		return nil // which is refused as of any model
	}
	instructions, err := marshal(a.Instructions)
	if err != nil {
		return err
	}
	r.Messages = append([]chatMessage{{Role: "system", Content: instructions}}, r.Messages...)
	if a.Tools == nil && len(servers) == 0 {
		return nil
	}
	var all, own []json.RawMessage
	if a.Tools != nil {
		if err := json.Unmarshal(a.Tools, &all); err != nil {
			return err
		}
	}
	all = append(all, servers...)
	if given(r.Tools) {
		if json.Unmarshal(r.Tools, &own) != nil {
			return invalid("tools", "it must be a list")
		}
	}
	r.Tools, err = marshal(append(all, own...))
	return err
}

// maxManifest bounds an agent's manifest.
const maxManifest = 64 << 10

// storeManifest takes the canonical bytes of an agent's manifest as they are.
func (s *Server) storeManifest(w http.ResponseWriter, r *http.Request) error {
	id, err := pathUint(r, "id", 64)
	if err != nil {
		return err
	}
	number, err := pathUint(r, "version", 32)
	if err != nil {
		return err
	}
	var in struct {
		Bytes string `json:"bytes"` // base64
	}
	if err := readJSON(r, &in); err != nil {
		return err
	}
	body, err := base64.StdEncoding.DecodeString(in.Bytes)
	if err != nil {
		return protocol.Errorf(protocol.KindInvalid, "bytes", "they are not base64: %w", err)
	}
	if len(body) > maxManifest {
		return protocol.Errorf(protocol.KindInvalid, "bytes", "are %d, the limit is %d", len(body), maxManifest)
	}
	cid, err := s.cfg.Agents.StoreManifest(r.Context(), id, uint32(number), body)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, map[string]protocol.CID{"cid": cid})
}
