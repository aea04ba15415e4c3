package api

import (
	"encoding/base64"
	"net/http"

	"github.com/openledger/openledger/protocol"
)

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
