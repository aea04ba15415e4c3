package chain

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/openledger/openledger/contracts/bindings"
	"github.com/openledger/openledger/protocol"
)

// Role names a right on a contract (OpenZeppelin's AccessControl).
type Role string

// The roles that the contracts know.
const (
	AdminRole      Role = "admin" // grants and takes all roles, and changes parameters
	SettlementRole Role = "settlement"
	SlasherRole    Role = "slasher"
	CommitteeRole  Role = "committee" // draws and penalises validators
	RegistrarRole  Role = "registrar"
	ProposerRole   Role = "proposer"
	CancellerRole  Role = "canceller"
	ExecutorRole   Role = "executor"
	// DistributorRole holds and sweeps batches; DisputeRole freezes and resolves batches
	// and epochs, slashes agents and decides contributors' appeals.
	DistributorRole Role = "distributor"
	DisputeRole     Role = "dispute"
)

var allRoles = []Role{AdminRole, SettlementRole, SlasherRole, CommitteeRole, RegistrarRole, ProposerRole, CancellerRole, ExecutorRole, DistributorRole, DisputeRole}

// id is what the contracts call the role.
func (r Role) id() protocol.Hash {
	if r == AdminRole {
		return protocol.Hash{}
	}
	return protocol.Hash(crypto.Keccak256([]byte(strings.ToUpper(string(r)) + "_ROLE")))
}

// RoleHolder is somebody who may do something on a contract.
type RoleHolder struct {
	On       string           `json:"on"` // the contract, as in Addresses
	Role     Role             `json:"role"`
	Account  protocol.Account `json:"account"` // zero: everybody
	Contract bool             `json:"contract"`
}

// access has the functions of AccessControl, which every governed contract shares.
var access = bindings.NewTreasury()

// governed are the contracts with roles, by name.
func (a Addresses) governed() []namedAddress {
	return []namedAddress{
		{"treasury", a.Treasury}, {"fees", a.Fees}, {"staking", a.Staking}, {"escrow", a.Escrow}, {"models", a.Models},
		{"settlement", a.Settlement}, {"validators", a.Validators}, {"disputes", a.Disputes}, {"epochs", a.Epochs},
		{"agents", a.Agents}, {"contributors", a.Contributors}, {"timelock", a.Timelock},
	}
}

type namedAddress struct {
	name string
	at   protocol.Account
}

// Roles lists who holds which role on which contract: everybody who was ever granted
// one, since the deployment's block, and has it now.
func (c *Client) Roles(ctx context.Context) ([]RoleHolder, error) {
	on := map[protocol.Account]string{}
	var at []common.Address
	for _, g := range c.cfg.Addresses.governed() {
		on[g.at] = g.name
		at = append(at, g.at)
	}
	granted := [][]common.Hash{{crypto.Keccak256Hash([]byte("RoleGranted(bytes32,address,address)"))}}
	var out []RoleHolder
	if _, err := c.rawLogs(ctx, 0, 0, at, granted, func(l *types.Log) error {
		h, ok, err := c.holder(ctx, on[l.Address], l)
		if ok && !slices.Contains(out, h) {
			out = append(out, h)
		}
		return err
	}); err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(a, b RoleHolder) int {
		return cmp.Or(cmp.Compare(a.On, b.On), cmp.Compare(a.Role, b.Role), bytes.Compare(a.Account[:], b.Account[:]))
	})
	return out, nil
}

func (c *Client) holder(ctx context.Context, on string, l *types.Log) (RoleHolder, bool, error) {
	if len(l.Topics) != 4 {
		return RoleHolder{}, false, protocol.Errorf(protocol.KindCorrupt, "log", "a grant of a role on %s has %d topics", l.Address, len(l.Topics))
	}
	h := RoleHolder{On: on, Role: Role(l.Topics[1].Hex()), Account: common.BytesToAddress(l.Topics[2][:])}
	for _, r := range allRoles {
		if r.id() == l.Topics[1] {
			h.Role = r
		}
	}
	has, err := read(ctx, c, "read a role", l.Address, access.PackHasRole(l.Topics[1], h.Account), access.UnpackHasRole)
	if err != nil || !has {
		return h, false, err
	}
	h.Contract, err = c.HasCode(ctx, h.Account)
	return h, true, err
}

// HasRole says whether an account has a role on a contract.
func (c *Client) HasRole(ctx context.Context, on protocol.Account, role Role, account protocol.Account) (bool, error) {
	return read(ctx, c, "read a role", on, access.PackHasRole(role.id(), account), access.UnpackHasRole)
}

// GrantRole gives a role, unless the account has it. It needs the admin role.
func (s *Sender) GrantRole(ctx context.Context, on protocol.Account, role Role, to protocol.Account) error {
	has, err := s.c.HasRole(ctx, on, role, to)
	if err != nil || has {
		return err
	}
	_, err = s.Call(ctx, "grant the "+string(role)+" role", on, uint256.Int{}, access.PackGrantRole(role.id(), to))
	return err
}

// RenounceRole gives up the sender's own role, if it has it.
func (s *Sender) RenounceRole(ctx context.Context, on protocol.Account, role Role) error {
	has, err := s.c.HasRole(ctx, on, role, s.Account())
	if err != nil || !has {
		return err
	}
	_, err = s.Call(ctx, "give up the "+string(role)+" role", on, uint256.Int{}, access.PackRenounceRole(role.id(), s.Account()))
	return err
}
