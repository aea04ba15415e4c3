package main

import (
	"fmt"
	"io"
	"time"

	"github.com/holiman/uint256"
	"github.com/spf13/cobra"

	"github.com/openledger/openledger/cmd/openledger/client"
	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/worker/settle"
)

func blocksOf(cl *client.Client) client.Blocks { return client.Blocks{Client: cl} }

// claims leaves out the batches that nobody can read now, and says so.
func (c *cli) claims(cl *client.Client, info api.NetworkInfo, ch *chain.Client) *settle.Claims {
	list := claims(cl, info, ch)
	list.Unreadable = func(b chain.BatchEvent, err error) {
		c.say("left out batch %d of worker %s, ask again later: %v", b.Nonce, b.Worker.Hex(), err)
	}
	return list
}

// claims recomputes batches from their documents, which it fetches by digest: the
// coordinator that sends them need not be trusted.
func claims(cl *client.Client, info api.NetworkInfo, ch *chain.Client) *settle.Claims {
	domain := wire.Domain{ChainID: info.ChainID, Contract: info.Contracts.Settlement}
	return &settle.Claims{Chain: ch, Blocks: blocksOf(cl), Checks: settle.Checks{
		Receipt:         func(r protocol.SignedReceipt) error { return wire.VerifyReceipt(domain, r) },
		AttributionRoot: wire.AttributionRoot,
	}}
}

func newRewards(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "rewards",
		Short:   "Rewards: what an account has earned, and claiming it",
		Example: "  openledger rewards show alice\n  openledger rewards claim --as alice",
	}
	cmd.AddCommand(rewardsShow(c), rewardsClaim(c))
	return cmd
}

// total adds earnings up.
func total(list []settle.Earning, keep func(settle.Earning) bool) uint256.Int {
	var sum uint256.Int
	for _, e := range list {
		if keep(e) {
			sum.Add(&sum, &e.Claim.Amount)
		}
	}
	return sum
}

func rewardsShow(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "show [ACCOUNT]",
		Short:   "Show what settled batches owe or have paid to an account",
		Example: "  openledger rewards show alice --json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			account, err := c.target(args)
			if err != nil {
				return err
			}
			cl, info, ch, err := c.network(cmd.Context())
			if err != nil {
				return err
			}
			defer ch.Close()
			list, _, err := c.claims(cl, info, ch).Earnings(cmd.Context(), account, info.Contracts.FromBlock)
			if err != nil {
				return err
			}
			earned := total(list, func(settle.Earning) bool { return true })
			open := total(list, func(e settle.Earning) bool { return e.Open() })
			return c.print(map[string]any{"account": account, "earnings": list, "earned": &earned, "unclaimed": &open}, func(w io.Writer) {
				t := newTable(w, "worker", "batch", "OPEN", "receipts", "status")
				for _, e := range list {
					status := "claimed"
					switch {
					case e.Claimed:
					case e.Status == chain.BatchDisputed || e.Status == chain.BatchRejected:
						status = string(e.Status)
					default:
						status = "open since " + time.Unix(e.ClaimableAt, 0).Format(time.DateTime)
					}
					t.AppendRow([]any{short(e.Claim.Worker.Hex()), e.Claim.Nonce, node.FormatOpen(e.Claim.Amount), len(e.Shares), status})
				}
				t.Render()
				fmt.Fprintf(w, "\nearned %s OPEN, unclaimed %s OPEN\n", node.FormatOpen(earned), node.FormatOpen(open))
			})
		},
	}
}

// blockLag is how far the time of the chain's next block may be behind the clock.
const blockLag = 3 * time.Second

func rewardsClaim(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "claim [ACCOUNT]",
		Short: "Claim everything that is open, in one transaction",
		Long: `Claim collects what settled batches owe to an account. Whoever sends the transaction
pays its gas; the money always goes to the account itself.`,
		Example: "  openledger rewards claim --as alice\n  openledger rewards claim 0x52908400098527886E0F7030069857D2E4169EE7 --as bob",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			account, err := c.target(args)
			if err != nil {
				return err
			}
			key, err := c.signer()
			if err != nil {
				return err
			}
			cl, info, ch, err := c.network(cmd.Context())
			if err != nil {
				return err
			}
			defer ch.Close()
			list, _, err := c.claims(cl, info, ch).Earnings(cmd.Context(), account, info.Contracts.FromBlock)
			if err != nil {
				return err
			}
			now := time.Now().Add(-blockLag).Unix()
			due := func(e settle.Earning) bool { return e.Due(now) }
			var open []chain.Claim
			for _, e := range list {
				if due(e) {
					open = append(open, e.Claim)
				}
			}
			amount := total(list, due)
			if len(open) == 0 {
				return c.print(map[string]any{"account": account, "claimed": "0"}, func(w io.Writer) { fmt.Fprintln(w, "nothing to claim") })
			}
			tx, err := ch.As(key).ClaimMany(cmd.Context(), open)
			if protocol.KindOf(err) == protocol.KindEscrow {
				return fmt.Errorf("%w; or let an account that has some send it: 'openledger rewards claim %s --as OTHER'", err, account.Hex())
			}
			if err != nil {
				return err
			}
			return c.print(map[string]any{"account": account, "claimed": &amount, "batches": len(open), "tx": tx.Hash, "gas_used": tx.GasUsed}, func(w io.Writer) {
				fmt.Fprintf(w, "claimed %s OPEN from %d batches\ntx %s, %d gas\n", node.FormatOpen(amount), len(open), tx.Hash, tx.GasUsed)
			})
		},
	}
}
