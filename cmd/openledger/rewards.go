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

// newClaim is 'rewards claim' among the first verbs, since it is what most come for.
func newClaim(c *cli) *cobra.Command {
	cmd := rewardsClaim(c)
	cmd.Example = "  openledger claim --as alice\n  openledger claim 0x52908400098527886E0F7030069857D2E4169EE7 --as bob --json"
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
			owed, err := epochs(cl, info, ch).Owed(cmd.Context(), account)
			if err != nil {
				return err
			}
			earned := total(list, func(settle.Earning) bool { return true })
			// What was swept from batches is in the epochs, or on its way there.
			open := total(list, func(e settle.Earning) bool { return e.Open() })
			if _, under := open.SubOverflow(&open, &owed.Claimed); under {
				open.Clear() // batches that nobody can read now were left out
			}
			return c.print(map[string]any{"account": account, "earnings": list, "epochs": &owed, "earned": &earned, "unclaimed": &open}, func(w io.Writer) {
				t := newTable(w, "worker", "batch", "OPEN", "receipts", "status")
				for _, e := range list {
					t.AppendRow([]any{short(e.Claim.Worker.Hex()), e.Claim.Nonce, node.FormatOpen(e.Claim.Amount), len(e.Shares), status(&e)})
				}
				t.Render()
				if owed.Epoch != 0 {
					fmt.Fprintf(w, "\nepochs owe %s OPEN, claimed %s of it\n", node.FormatOpen(owed.Cumulative), node.FormatOpen(owed.Claimed))
				}
				fmt.Fprintf(w, "\nearned %s OPEN, unclaimed %s OPEN\n", node.FormatOpen(earned), node.FormatOpen(open))
			})
		},
	}
}

func status(e *settle.Earning) string {
	switch {
	case e.Claimed:
		return "claimed"
	case e.Status == chain.BatchDisputed || e.Status == chain.BatchRejected:
		return string(e.Status)
	case e.Status == chain.BatchSwept:
		return "in the epochs"
	case e.Held:
		return "waits for an epoch that is being made"
	default:
		return "open since " + time.Unix(e.ClaimableAt, 0).Format(time.DateTime)
	}
}

// claimed is what a claim came to.
type claimed struct {
	Account protocol.Account `json:"account"`
	Claimed uint256.Int      `json:"claimed"`
	Batches int              `json:"batches"` // paid singly
	Epoch   uint32           `json:"epoch"`   // paid from; 0: nothing was due there
	Tx      protocol.Hash    `json:"tx"`      // the last one
	GasUsed uint64           `json:"gas_used"`
}

func (r *claimed) add(amount *uint256.Int, tx chain.Tx) {
	r.Claimed.Add(&r.Claimed, amount)
	r.Tx = tx.Hash
	r.GasUsed += tx.GasUsed
}

func rewardsClaim(c *cli) *cobra.Command {
	var only bool
	cmd := &cobra.Command{
		Use:   "claim [ACCOUNT]",
		Short: "Claim everything that is open",
		Long: `Claim collects what is owed to an account. What finalised epochs owe takes one
transaction, whatever the number of workers and batches; batches that no epoch has taken
yet are claimed by their own proofs, together. With --epochs-only those wait for an epoch,
which is cheaper. Whoever sends the transactions pays their gas; the money always goes to
the account itself.`,
		Example: "  openledger rewards claim --as alice\n  openledger rewards claim --epochs-only --as alice\n  openledger rewards claim 0x52908400098527886E0F7030069857D2E4169EE7 --as bob",
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
			out := claimed{Account: account}
			explain := func(err error) error {
				if protocol.KindOf(err) == protocol.KindEscrow {
					return fmt.Errorf("%w; or let an account that has some send it: 'openledger rewards claim %s --as OTHER'", err, account.Hex())
				}
				return err
			}
			owed, err := epochs(cl, info, ch).Owed(cmd.Context(), account)
			if err != nil {
				return err
			}
			if !owed.Due.IsZero() {
				tx, err := ch.As(key).ClaimEpochs(cmd.Context(), account, owed.Cumulative, owed.Proof)
				if err != nil {
					return explain(err)
				}
				out.Epoch = owed.Epoch
				out.add(&owed.Due, tx)
			}
			if !only {
				list, _, err := c.claims(cl, info, ch).Earnings(cmd.Context(), account, info.Contracts.FromBlock)
				if err != nil {
					return err
				}
				now, err := ch.Now(cmd.Context())
				if err != nil {
					return err
				}
				due := func(e settle.Earning) bool { return e.Due(now) }
				var open []chain.Claim
				for _, e := range list {
					if due(e) {
						open = append(open, e.Claim)
					}
				}
				if out.Batches = len(open); len(open) > 0 {
					tx, err := ch.As(key).ClaimMany(cmd.Context(), open)
					if err != nil {
						return explain(err)
					}
					sum := total(list, due)
					out.add(&sum, tx)
				}
			}
			return c.print(&out, func(w io.Writer) {
				if out.Claimed.IsZero() {
					fmt.Fprintln(w, "nothing to claim")
					return
				}
				from := fmt.Sprintf("%d batches", out.Batches)
				if out.Epoch != 0 {
					from = fmt.Sprintf("the epochs up to %d and %s", out.Epoch, from)
				}
				fmt.Fprintf(w, "claimed %s OPEN from %s\ntx %s, %d gas\n", node.FormatOpen(out.Claimed), from, out.Tx, out.GasUsed)
			})
		},
	}
	cmd.Flags().BoolVar(&only, "epochs-only", false, "claim only from finalised epochs")
	return cmd
}
