package api

import (
	"net/http"

	"github.com/openledger/openledger/protocol"
)

// adapterRequest is the optional body of an adapter's order.
type adapterRequest struct {
	Worker protocol.PeerID `json:"worker"`
}

// AdapterPlacement is where an adapter is on one worker after an order, or why the
// order was not carried out there.
type AdapterPlacement struct {
	Worker protocol.PeerID `json:"worker"`
	Tier   string          `json:"tier,omitempty"` // "device", "host", "disk" or "network"
	Pinned bool            `json:"pinned"`
	Error  string          `json:"error,omitempty"`
}

// TierNames are the tiers of adapters in words.
var TierNames = [...]string{protocol.TierDevice: "device", protocol.TierHost: "host", protocol.TierDisk: "disk", protocol.TierNetwork: "network"}

// orderAdapter serves POST /api/v1/adapters/{id}/{action}.
func (s *Server) orderAdapter(w http.ResponseWriter, r *http.Request, by Caller) error {
	action := protocol.AdapterAction(r.PathValue("action"))
	if !action.Valid() {
		return protocol.Errorf(protocol.KindNotFound, "path", "an adapter can be told to load, pin, unpin or unload, not to %q", action)
	}
	var in adapterRequest
	if r.ContentLength != 0 {
		if err := readJSON(r, &in); err != nil {
			return err
		}
	}
	placed, err := s.cfg.Adapters.OrderAdapter(r.Context(), by.Account, r.PathValue("id"), action, in.Worker)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]any{"adapter": r.PathValue("id"), "action": action, "workers": list(placed)})
}
