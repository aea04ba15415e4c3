package api

import (
	"context"
	"net/http"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// Faucet gives OPEN to new accounts of a development network.
type Faucet interface {
	// Drip funds an account, at most once a day.
	Drip(ctx context.Context, to protocol.Account) (Grant, error)
}

// Grant is what an account was given.
type Grant struct {
	Account protocol.Account `json:"account"`
	Amount  uint256.Int      `json:"amount"`  // wei
	TxHash  protocol.Hash    `json:"tx_hash"` // is in a block
	NextAt  int64            `json:"next_at"` // when it may ask again, Unix ms
}

// drip serves POST /api/v1/faucet.
func (s *Server) drip(w http.ResponseWriter, r *http.Request) error {
	if s.cfg.Faucet == nil {
		return protocol.Errorf(protocol.KindNotFound, "path", "this network has no faucet, only development networks have one: buy OPEN, or ask somebody to send you some")
	}
	var in struct {
		Account protocol.Account `json:"account"`
	}
	if err := readJSON(r, &in); err != nil {
		return err
	}
	if in.Account == (protocol.Account{}) {
		return invalid("account", "name the account to fund")
	}
	grant, err := s.cfg.Faucet.Drip(r.Context(), in.Account)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, grant)
}
