package payout

import (
	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// Contributors lists what an access fee (wei) earns the contributors of its records, the
// retrieved ones too, as [Split] does: whoever the other parties are changes nothing here,
// so that they need not be known. Share.Datanet is set for retrieved records only.
func Contributors(access uint256.Int, params Params, att protocol.Attribution) ([]Share, error) {
	anyone := protocol.Account{1} // in the place of everybody else
	parties := Parties{Treasury: anyone, WorkerPayout: anyone, ModelOwner: anyone, Pool: anyone}
	for _, r := range att.Retrieved {
		parties.Datanets = append(parties.Datanets, DatanetParty{Datanet: r.Datanet, Owner: anyone, Pool: anyone})
	}
	all, err := Split(protocol.Fee{Access: access}, params, parties, att)
	if err != nil {
		return nil, err
	}
	var out []Share
	for _, s := range all {
		if s.Role == RoleContributor {
			out = append(out, s)
		}
	}
	return out, nil
}
