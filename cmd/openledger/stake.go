package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/holiman/uint256"
	"github.com/spf13/cobra"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
)

func newStake(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "stake",
		Short: "Stake on workers: show, bond, delegate, unbond, withdraw",
		Example: `  openledger stake show 0x52908400098527886E0F7030069857D2E4169EE7
  openledger stake delegate 0x52908400098527886E0F7030069857D2E4169EE7 500 --as alice
  openledger stake unbond 0x52908400098527886E0F7030069857D2E4169EE7 500 --as alice
  openledger stake withdraw --as alice`,
	}
	cmd.AddCommand(stakeShow(c), stakeBond(c), stakeDelegate(c), stakeUnbond(c), stakeWithdraw(c))
	return cmd
}

// stakeView is what staking says of a worker and of an account's stake on its way out.
type stakeView struct {
	Worker     protocol.Account    `json:"worker"`
	Active     bool                `json:"active"`
	Stake      chain.Stake         `json:"stake"`
	Stakers    []chain.Staker      `json:"stakers"`
	Unbondings []chain.Unbonding   `json:"unbondings"` // of the same account, from any worker
	Rules      chain.StakingParams `json:"rules"`
}

func stakeShow(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "show [WORKER]",
		Short:   "Show a worker's stake and stakers, and the account's own unbondings",
		Example: "  openledger stake show alice --json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			account, err := c.target(args)
			if err != nil {
				return err
			}
			_, _, ch, err := c.network(cmd.Context())
			if err != nil {
				return err
			}
			defer ch.Close()
			v, err := readStake(cmd.Context(), ch, account)
			if err != nil {
				return err
			}
			return c.print(&v, func(w io.Writer) { printStake(w, v) })
		},
	}
}

func readStake(ctx context.Context, ch *chain.Client, account protocol.Account) (v stakeView, err error) {
	v.Worker = account
	if v.Stake, err = ch.StakeOf(ctx, account); err != nil {
		return v, err
	}
	if v.Active, err = ch.IsActive(ctx, account); err != nil {
		return v, err
	}
	if v.Stakers, err = ch.Stakers(ctx, account); err != nil {
		return v, err
	}
	if v.Unbondings, err = ch.Unbondings(ctx, account); err != nil {
		return v, err
	}
	v.Rules, err = ch.StakingParams(ctx)
	return v, err
}

func printStake(w io.Writer, v stakeView) {
	state := "not serving: it needs a registered binding and the minimum bond"
	if v.Active {
		state = "active"
	}
	fmt.Fprintf(w, "worker    %s (%s)\nbond      %s OPEN, at least %s\ndelegated %s OPEN, at least %s each\n", v.Worker.Hex(), state,
		node.FormatOpen(v.Stake.Own), node.FormatOpen(v.Rules.MinStake), node.FormatOpen(v.Stake.Delegated), node.FormatOpen(v.Rules.MinDelegation))
	if len(v.Stakers) > 0 {
		t := newTable(w, "staker", "OPEN")
		for _, s := range v.Stakers {
			t.AppendRow([]any{s.Account.Hex(), node.FormatOpen(s.Amount)})
		}
		t.Render()
	}
	if len(v.Unbondings) > 0 {
		t := newTable(w, "unbonding", "from worker", "OPEN now", "free at (UTC)")
		for _, u := range v.Unbondings {
			t.AppendRow([]any{u.ID.Dec(), u.Worker.Hex(), node.FormatOpen(u.Amount), minute(u.ReleaseAt)})
		}
		t.Render()
	}
}

func stakeBond(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "bond AMOUNT",
		Short:   "Add to your own bond as a worker's owner",
		Example: "  openledger stake bond 1000 --as alice",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			amount, err := node.ParseOpen("amount", args[0])
			if err != nil {
				return err
			}
			return c.transact(cmd, fmt.Sprintf("bonded %s OPEN", node.FormatOpen(amount)), func(s *chain.Sender) (chain.Tx, error) {
				return s.Bond(cmd.Context(), amount)
			})
		},
	}
}

// onWorker is a verb that names a worker and an amount.
func (c *cli) onWorker(verb, short, done string, send func(*chain.Sender, context.Context, protocol.Account, uint256.Int) (chain.Tx, error)) *cobra.Command {
	return &cobra.Command{
		Use:     verb + " WORKER AMOUNT",
		Short:   short,
		Example: "  openledger stake " + verb + " 0x52908400098527886E0F7030069857D2E4169EE7 500 --as alice",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			worker, err := c.target(args[:1])
			if err != nil {
				return err
			}
			amount, err := node.ParseOpen("amount", args[1])
			if err != nil {
				return err
			}
			return c.transact(cmd, fmt.Sprintf(done, node.FormatOpen(amount), worker.Hex()), func(s *chain.Sender) (chain.Tx, error) {
				return send(s, cmd.Context(), worker, amount)
			})
		},
	}
}

func stakeDelegate(c *cli) *cobra.Command {
	return c.onWorker("delegate", "Stake on a worker: you share what its stakers earn, and its slashes", "delegated %s OPEN to %s", (*chain.Sender).Delegate)
}

func stakeUnbond(c *cli) *cobra.Command {
	return c.onWorker("unbond", "Begin to take stake off a worker; until it is free it can still be slashed", "%s OPEN leave %s: withdraw them when the unbonding period is over", (*chain.Sender).Unbond)
}

func stakeWithdraw(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "withdraw",
		Short:   "Take out every unbonding that is free",
		Example: "  openledger stake withdraw --as alice",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			key, err := c.signer()
			if err != nil {
				return err
			}
			_, _, ch, err := c.network(cmd.Context())
			if err != nil {
				return err
			}
			defer ch.Close()
			all, err := ch.Unbondings(cmd.Context(), key.Account())
			if err != nil {
				return err
			}
			_, now, err := ch.Head(cmd.Context())
			if err != nil {
				return err
			}
			var sum uint256.Int
			var txs []protocol.Hash
			var next int64
			for _, u := range all {
				if u.ReleaseAt > now {
					if next == 0 || u.ReleaseAt < next {
						next = u.ReleaseAt
					}
					continue
				}
				tx, err := ch.As(key).WithdrawStake(cmd.Context(), u.ID)
				if err != nil {
					return err
				}
				sum.Add(&sum, &u.Amount)
				txs = append(txs, tx.Hash)
			}
			if len(txs) == 0 {
				if next == 0 {
					return protocol.Errorf(protocol.KindNotFound, "unbonding", "%s has no stake on its way out: see 'openledger stake unbond'", key.Account().Hex())
				}
				return protocol.Errorf(protocol.KindInvalid, "unbonding", "nothing is free before %s", time.Unix(next, 0).UTC().Format(time.RFC3339))
			}
			return c.print(map[string]any{"withdrawn": &sum, "txs": txs}, func(w io.Writer) {
				fmt.Fprintf(w, "withdrew %s OPEN in %d transactions\n", node.FormatOpen(sum), len(txs))
			})
		},
	}
}
