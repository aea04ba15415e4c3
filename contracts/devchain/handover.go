package devchain

import (
	"context"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
)

// HandOver makes the timelock the administrator of every governed contract and takes
// all rights from the deployer, the last one on the timelock itself: from then on only
// governance changes anything. Interrupted, it goes on where it stopped. It cannot be
// undone.
func HandOver(ctx context.Context, client *chain.Client, deployer chain.Key) error {
	at, s := client.Addresses(), client.As(deployer)
	grants := []struct {
		role chain.Role
		on   protocol.Account
	}{
		{chain.RegistrarRole, at.Models},
		{chain.DisputeRole, at.Agents}, {chain.DisputeRole, at.Contributors},
		{chain.AdminRole, at.Treasury}, {chain.AdminRole, at.Fees}, {chain.AdminRole, at.Staking},
		{chain.AdminRole, at.Escrow}, {chain.AdminRole, at.Models}, {chain.AdminRole, at.Settlement},
		{chain.AdminRole, at.Validators}, {chain.AdminRole, at.Disputes}, {chain.AdminRole, at.Epochs},
		{chain.AdminRole, at.Agents}, {chain.AdminRole, at.Contributors},
	}
	for _, g := range grants {
		// What is given up already was granted before.
		if has, err := client.HasRole(ctx, g.on, chain.AdminRole, s.Account()); err != nil {
			return err
		} else if !has {
			continue
		}
		if err := s.GrantRole(ctx, g.on, g.role, at.Timelock); err != nil {
			return err
		}
		if err := s.RenounceRole(ctx, g.on, g.role); err != nil {
			return err
		}
	}
	return s.RenounceRole(ctx, at.Timelock, chain.AdminRole)
}
