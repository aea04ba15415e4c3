package api

import (
	"net/http"
	"strings"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// GovernedSetting is a parameter that a proposal can change, as it is now.
type GovernedSetting struct {
	Name     string           `json:"name"`
	Contract protocol.Account `json:"contract"` // it is a parameter of
	About    string           `json:"about"`
	Together string           `json:"together,omitempty"` // what the values have to fulfil together
	Fields   []GovernedField  `json:"fields"`
}

// GovernedField is one value of a setting, in its unit (an account is its 160 bits), with
// the bounds within which its contract takes it.
type GovernedField struct {
	Name  string      `json:"name"`
	Unit  string      `json:"unit"` // chain.Unit
	About string      `json:"about"`
	Value uint256.Int `json:"value"`
	Min   uint256.Int `json:"min"`
	Max   uint256.Int `json:"max"`
	// Bounded is whether Max is less than what a number of the contract's width can be.
	Bounded bool `json:"bounded"`
}

// SettingCall is the call of a proposal that changes a setting, and what the chain says of
// it now.
type SettingCall struct {
	Call ProposedCall `json:"call"`
	// Tried is whether the chain was asked what became of the call if it were executed now;
	// Refused is why it would be refused.
	Tried   bool   `json:"tried"`
	Refused string `json:"refused,omitempty"`
}

// maxSettingValues is more than any setting has.
const maxSettingValues = 16

// settings serves GET /api/v1/governance/settings.
func (s *Server) settings(w http.ResponseWriter, r *http.Request) error {
	all, err := s.cfg.Governing.Settings(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]any{"settings": list(all)})
}

// settingCall serves GET /api/v1/governance/settings/{name}/call?values=1,2.
func (s *Server) settingCall(w http.ResponseWriter, r *http.Request) error {
	parts := strings.Split(r.URL.Query().Get("values"), ",")
	if len(parts) > maxSettingValues {
		return protocol.Errorf(protocol.KindInvalid, "values", "are %d: no setting has more than %d", len(parts), maxSettingValues)
	}
	values := make([]uint256.Int, len(parts))
	for i, p := range parts {
		if err := values[i].SetFromDecimal(p); err != nil {
			return protocol.Errorf(protocol.KindInvalid, "values", "%.80q is no whole number from 0 to 2^256-1: write one for each field of the setting, with commas between", p)
		}
	}
	call, err := s.cfg.Governing.SettingCall(r.Context(), r.PathValue("name"), values)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, &call)
}
