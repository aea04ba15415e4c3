package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/holiman/uint256"
	"github.com/spf13/cobra"

	"github.com/openledger/openledger/cmd/openledger/client"
	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/worker/epoch"
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
	cmd.Example = "  openledger claim --as alice\n  openledger claim alice 0x52908400098527886E0F7030069857D2E4169EE7 --as bob --json"
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

// claimedFor is what a claim came to for one account.
type claimedFor struct {
	Account protocol.Account `json:"account"`
	Claimed uint256.Int      `json:"claimed"`
	Batches int              `json:"batches"` // paid singly
}

// claimed is what a claim came to, in all.
type claimed struct {
	Accounts []claimedFor  `json:"accounts"`
	Claimed  uint256.Int   `json:"claimed"`
	Batches  int           `json:"batches"` // paid singly, one for each account that it paid
	Epoch    uint32        `json:"epoch"`   // paid from; 0: nothing was due there
	Tx       protocol.Hash `json:"tx"`      // the last one
	GasUsed  uint64        `json:"gas_used"`
}

func (r *claimed) sent(tx chain.Tx) {
	r.Tx = tx.Hash
	r.GasUsed += tx.GasUsed
}

func (r *claimed) add(account protocol.Account, amount *uint256.Int) {
	r.Claimed.Add(&r.Claimed, amount)
	for i := range r.Accounts {
		if a := &r.Accounts[i]; a.Account == account {
			a.Claimed.Add(&a.Claimed, amount)
		}
	}
}

func rewardsClaim(c *cli) *cobra.Command {
	var only bool
	cmd := &cobra.Command{
		Use:   "claim [ACCOUNT...]",
		Short: "Claim everything that is open",
		Long: `Claim collects what is owed to an account, or to several at once. What finalised epochs
owe takes one transaction for up to 100 accounts, whatever the number of workers and
batches; batches that no epoch has taken yet are claimed by their own proofs, together.
With --epochs-only those wait for an epoch, which is cheaper. Whoever sends the
transactions pays their gas, less for each account when they are claimed for together; the
money always goes to the accounts themselves.`,
		Example: "  openledger rewards claim --as alice\n  openledger rewards claim --epochs-only --as alice\n  openledger rewards claim bob 0x52908400098527886E0F7030069857D2E4169EE7 --as alice",
		RunE: func(cmd *cobra.Command, args []string) error {
			accounts, err := c.targets(args)
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
			out := claimed{Accounts: make([]claimedFor, len(accounts))}
			for i, a := range accounts {
				out.Accounts[i].Account = a
			}
			owed, err := epochs(cl, info, ch).OwedTo(cmd.Context(), accounts)
			if err != nil {
				return err
			}
			if err := out.fromEpochs(cmd.Context(), ch.As(key), owed); err != nil {
				return whyRefused(cmd.Context(), ch, accounts, err)
			}
			if !only {
				list, _, err := c.claims(cl, info, ch).EarningsOf(cmd.Context(), accounts, info.Contracts.FromBlock)
				if err != nil {
					return err
				}
				if err := out.fromBatches(cmd.Context(), ch.As(key), list); err != nil {
					return whyRefused(cmd.Context(), ch, accounts, err)
				}
			}
			return c.print(&out, out.show)
		},
	}
	cmd.Flags().BoolVar(&only, "epochs-only", false, "claim only from finalised epochs")
	return cmd
}

// fromEpochs claims what finalised epochs owe. What counts is what the chain paid: somebody
// else may have claimed for some of the accounts meanwhile.
func (r *claimed) fromEpochs(ctx context.Context, s *chain.Sender, owed []epoch.Owed) error {
	var due []chain.EpochClaim
	for _, o := range owed {
		if !o.Due.IsZero() {
			due = append(due, o.Claim())
			r.Epoch = o.Epoch
		}
	}
	var sent []chain.Tx
	var err error
	if len(due) == 1 { // costs less
		var tx chain.Tx
		if tx, err = s.ClaimEpochs(ctx, due[0]); err == nil {
			sent = append(sent, tx)
		}
	} else {
		sent, err = s.ClaimEpochsMany(ctx, due)
	}
	for _, tx := range sent {
		r.sent(tx)
		paid, perr := s.Client().EpochsPaid(tx)
		if perr != nil {
			return perr
		}
		for _, p := range paid {
			r.add(p.Account, &p.Amount)
		}
	}
	if err != nil && len(sent) > 0 {
		return fmt.Errorf("%w; %s OPEN were paid before that: the same command goes on from there", err, node.FormatOpen(r.Claimed))
	}
	return err
}

// fromBatches claims singly what batches owe that no epoch has taken yet, account by
// account.
func (r *claimed) fromBatches(ctx context.Context, s *chain.Sender, list [][]settle.Earning) error {
	now, err := s.Client().Now(ctx)
	if err != nil {
		return err
	}
	var open []chain.Claim
	for i, earnings := range list {
		for _, e := range earnings {
			if e.Due(now) {
				open = append(open, e.Claim)
				r.Accounts[i].Batches++
			}
		}
	}
	if len(open) == 0 {
		return nil
	}
	tx, err := s.ClaimMany(ctx, open)
	if err != nil {
		return err
	}
	r.Batches = len(open)
	r.sent(tx)
	for _, o := range open {
		r.add(o.Account, &o.Amount)
	}
	return nil
}

func (r *claimed) show(w io.Writer) {
	if r.Claimed.IsZero() {
		fmt.Fprintln(w, "nothing to claim")
		return
	}
	if len(r.Accounts) > 1 {
		t := newTable(w, "account", "OPEN", "batches")
		for _, a := range r.Accounts {
			t.AppendRow([]any{a.Account.Hex(), node.FormatOpen(a.Claimed), a.Batches})
		}
		t.Render()
		fmt.Fprintln(w)
	}
	from := fmt.Sprintf("%d batches", r.Batches)
	if r.Epoch != 0 {
		from = fmt.Sprintf("the epochs up to %d and %s", r.Epoch, from)
	}
	fmt.Fprintf(w, "claimed %s OPEN from %s\ntx %s, %d gas\n", node.FormatOpen(r.Claimed), from, r.Tx, r.GasUsed)
}

// whyRefused says what to do about a claim that failed. A contract can refuse money, and
// has the claims beside its own refused then.
func whyRefused(ctx context.Context, ch *chain.Client, accounts []protocol.Account, err error) error {
	switch protocol.KindOf(err) {
	case protocol.KindEscrow:
		names := make([]string, len(accounts))
		for i, a := range accounts {
			names[i] = a.Hex()
		}
		return fmt.Errorf("%w; or let an account that has some send it: 'openledger rewards claim %s --as OTHER'", err, strings.Join(names, " "))
	case protocol.KindCancelled, protocol.KindUnavailable, protocol.KindDeadline:
		return err
	}
	var contracts []string
	for _, a := range accounts {
		if ok, cerr := ch.HasCode(ctx, a); cerr == nil && ok {
			contracts = append(contracts, a.Hex())
		}
	}
	switch {
	case len(contracts) == 0:
		return err
	case len(accounts) == 1:
		return fmt.Errorf("%w; the account is a contract, which can refuse money", err)
	default:
		return fmt.Errorf("%w; these are contracts, which can refuse money: %s: claim without the one that does", err, strings.Join(contracts, ", "))
	}
}
