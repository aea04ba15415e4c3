package chain

import (
	"strings"
	"sync"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/accounts/abi/bind/v2"

	"github.com/openledger/openledger/contracts/bindings"
	"github.com/openledger/openledger/protocol"
)

// errorABIs are the interfaces whose typed errors a call may end with. A contract
// passes on the errors of those it calls, so all are looked through.
var errorABIs = sync.OnceValue(func() []*abi.ABI {
	var out []*abi.ABI
	for _, m := range []*bind.MetaData{
		&bindings.AttributionSettlementMetaData, &bindings.EpochDistributorMetaData, &bindings.EscrowMetaData, &bindings.WorkerStakingMetaData,
		&bindings.DatanetRegistryMetaData, &bindings.ModelRegistryMetaData, &bindings.FeeParametersMetaData,
		&bindings.TreasuryMetaData, &bindings.DatanetPoolMetaData, &bindings.GOPENMetaData,
		&bindings.TimelockMetaData, &bindings.OpenGovernorMetaData, &bindings.OPENMetaData,
		&bindings.VestingVaultMetaData, &bindings.DisputeCommitteeMetaData, &bindings.ValidatorPoolMetaData,
		&bindings.AgentRegistryMetaData, &bindings.ContributorStakingMetaData, &bindings.DelegateRegistryMetaData,
	} {
		if parsed, err := m.ParseABI(); err == nil {
			out = append(out, parsed)
		}
	}
	return out
})

// Method is the signature of the contracts' function that call data is for, such as
// "bond(uint256)"; empty when no contract has it.
func Method(data []byte) string {
	if len(data) < 4 {
		return ""
	}
	for _, parsed := range errorABIs() {
		if m, err := parsed.MethodById(data[:4]); err == nil {
			return m.Sig
		}
	}
	return ""
}

// kindOf classifies a contract's typed error by what the caller can do about it.
func kindOf(name string) protocol.Kind {
	switch {
	case strings.HasPrefix(name, "Unknown"), name == "NoWithdrawal", name == "NoReserveLowering":
		return protocol.KindNotFound
	case name == "InsufficientEscrow", name == "SessionLimitExceeded":
		return protocol.KindEscrow
	case strings.HasSuffix(name, "Exists"), strings.HasPrefix(name, "Already"), strings.HasSuffix(name, "AlreadyRegistered"),
		name == "NameTaken", name == "OrderNonceUsed":
		return protocol.KindExists
	case strings.HasSuffix(name, "Gap"), strings.HasSuffix(name, "Stale"), name == "InvalidAccountNonce":
		return protocol.KindStale
	case strings.HasSuffix(name, "Expired"):
		return protocol.KindDeadline
	case strings.HasPrefix(name, "Not"), name == "InvalidSignature", name == "AccessControlUnauthorizedAccount":
		return protocol.KindUnauthorized
	case strings.HasPrefix(name, "Still"), name == "WithdrawalPending", name == "ChallengeWindowOpen", name == "InsufficientCover",
		name == "EpochWindowOpen", name == "BuildOpen", name == "BatchHeld", name == "WorkerJailed", name == "BatchDisputed",
		name == "TooEarlyToDraw", name == "PeriodOpen", name == "BondLocked":
		return protocol.KindBusy
	default:
		return protocol.KindInvalid
	}
}
