package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// AgentPages shows agents, and helps to write their manifests.
type AgentPages interface {
	// AgentList lists all agents of the registry, in the order of their ids.
	AgentList(ctx context.Context) ([]AgentView, error)
	// AgentPage is one agent with its versions.
	AgentPage(ctx context.Context, id uint64) (AgentPage, error)
	// DraftManifest checks a manifest as people write it, and gives its canonical bytes.
	DraftManifest(ctx context.Context, owner protocol.Account, manifest []byte) (ManifestDraft, error)
}

// AgentView is an agent as the registry has it, with what its newest manifest says where
// that is here. Amounts are wei, times Unix seconds.
type AgentView struct {
	ID          uint64           `json:"id"`
	Model       string           `json:"model"` // by which it is asked
	Name        string           `json:"name"`
	Owner       protocol.Account `json:"owner"`
	Version     uint32           `json:"version"` // the newest
	Manifest    protocol.CID     `json:"manifest"`
	Price       uint256.Int      `json:"price"` // per request
	Active      bool             `json:"active"`
	Stake       uint256.Int      `json:"stake"`
	Created     int64            `json:"created"`
	Description string           `json:"description,omitempty"`
	Adapter     protocol.CID     `json:"adapter,omitempty"` // that answers; none: the base
}

// AgentPage is an agent in full.
type AgentPage struct {
	AgentView
	PendingOwner *protocol.Account `json:"pending_owner,omitempty"` // to whom it is offered
	Leaving      uint256.Int       `json:"leaving"`                 // stake on its way out
	ReleaseAt    int64             `json:"release_at,omitempty"`    // of it
	MinStake     uint256.Int       `json:"min_stake"`               // of an agent that can be asked
	// Document is the newest manifest; nil: nobody within reach has it.
	Document json.RawMessage `json:"document,omitempty"`
	// Refused says why it cannot be asked here now; empty: it can.
	Refused  string         `json:"refused,omitempty"`
	Versions []AgentVersion `json:"versions"` // the newest first
}

// AgentVersion is one version of an agent.
type AgentVersion struct {
	Version  uint32       `json:"version"`
	Manifest protocol.CID `json:"manifest"`
	Price    uint256.Int  `json:"price"` // wei per request
	At       int64        `json:"at"`    // Unix seconds
}

// ManifestDraft is a checked manifest, in the form that is signed.
type ManifestDraft struct {
	Bytes    []byte       `json:"bytes"` // canonical; base64 in JSON
	CID      protocol.CID `json:"cid"`   // of them
	MinStake uint256.Int  `json:"min_stake"`
}

// agents serves GET /api/v1/agents.
func (s *Server) agents(w http.ResponseWriter, r *http.Request) error {
	all, err := s.cfg.AgentPages.AgentList(r.Context())
	if err != nil {
		return err
	}
	words := strings.Fields(strings.ToLower(r.URL.Query().Get("q")))
	owner := r.URL.Query().Get("owner")
	found := []AgentView{}
	for i := range all {
		a := &all[i]
		text := strings.ToLower(a.Model + " " + a.Description)
		if owner != "" && !strings.EqualFold(owner, a.Owner.Hex()) {
			continue
		}
		has := true
		for _, word := range words {
			has = has && strings.Contains(text, word)
		}
		if has {
			found = append(found, *a)
		}
	}
	return writeJSON(w, http.StatusOK, map[string]any{"agents": found})
}

// agent serves GET /api/v1/agents/{id}.
func (s *Server) agent(w http.ResponseWriter, r *http.Request) error {
	id, err := pathUint(r, "id", 64)
	if err != nil {
		return err
	}
	v, err := s.cfg.AgentPages.AgentPage(r.Context(), id)
	if err != nil {
		return err
	}
	v.Versions = list(v.Versions)
	return writeJSON(w, http.StatusOK, v)
}

// draftManifest serves POST /api/v1/agents/manifest. It stores nothing.
func (s *Server) draftManifest(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Owner    protocol.Account `json:"owner"`
		Manifest json.RawMessage  `json:"manifest"`
	}
	if err := readJSON(r, &in); err != nil {
		return err
	}
	if len(in.Manifest) == 0 {
		return invalid("manifest", "it is missing: docs/agents.md has its fields")
	}
	d, err := s.cfg.AgentPages.DraftManifest(r.Context(), in.Owner, in.Manifest)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, d)
}
