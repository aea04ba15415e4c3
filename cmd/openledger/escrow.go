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

func newEscrow(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "escrow",
		Short: "The money that pays for answers: open, show, reserve, session keys, withdraw",
		Long: `The escrow holds what a requester pays answers from; 'openledger wallet deposit' fills it
and lets the coordinator's session key spend it. A withdrawal waits, so that workers can
still settle what they are owed.`,
		Example: `  openledger escrow open 100 --as alice
  openledger escrow show alice
  openledger escrow reserve worker 25 --as alice
  openledger escrow withdraw 50 --as alice
  openledger escrow finish --as alice
  openledger escrow revoke --as alice`,
	}
	cmd.AddCommand(escrowOpen(c), escrowShow(c), escrowReserve(c), escrowRelease(c), escrowAuthorize(c), escrowRevoke(c), escrowWithdraw(c),
		escrowStep(c, "finish", "Take out the withdrawal whose wait is over", "withdrawn", (*chain.Sender).ExecuteWithdrawal),
		escrowStep(c, "cancel", "Take a requested withdrawal back", "withdrawal cancelled", (*chain.Sender).CancelWithdrawal))
	return cmd
}

// escrowView is a requester's escrow as the verbs show it.
type escrowView struct {
	Account    protocol.Account  `json:"account"`
	Held       *uint256.Int      `json:"held"`
	Available  *uint256.Int      `json:"available"` // held, less reserves and a requested withdrawal
	Reserves   []chain.Reserve   `json:"reserves"`
	Session    chain.Session     `json:"session"` // of the coordinator's key
	SessionKey protocol.Account  `json:"session_key"`
	Withdrawal *chain.Withdrawal `json:"withdrawal,omitempty"`
}

func escrowShow(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "show [ACCOUNT]",
		Short:   "Show what the escrow holds, what the coordinator may spend, and a requested withdrawal",
		Example: "  openledger escrow show alice --json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			account, err := c.target(args)
			if err != nil {
				return err
			}
			_, info, ch, err := c.network(cmd.Context())
			if err != nil {
				return err
			}
			defer ch.Close()
			v, err := readEscrow(cmd.Context(), ch, account, info.SessionKey)
			if err != nil {
				return err
			}
			return c.print(&v, func(w io.Writer) { printEscrow(w, v) })
		},
	}
}

func readEscrow(ctx context.Context, ch *chain.Client, account, session protocol.Account) (escrowView, error) {
	v := escrowView{Account: account, SessionKey: session}
	held, err := ch.EscrowOf(ctx, account)
	if err != nil {
		return v, err
	}
	available, err := ch.AvailableOf(ctx, account)
	if err != nil {
		return v, err
	}
	v.Held, v.Available = &held, &available
	if v.Session, err = ch.SessionOf(ctx, account, session); err != nil {
		return v, err
	}
	if v.Reserves, err = ch.Reserves(ctx, account); err != nil {
		return v, err
	}
	leaving, err := ch.WithdrawalOf(ctx, account)
	if err == nil && leaving.ReleaseAt != 0 {
		v.Withdrawal = &leaving
	}
	return v, err
}

func printEscrow(w io.Writer, v escrowView) {
	fmt.Fprintf(w, "account   %s\nheld      %s OPEN\navailable %s OPEN\n", v.Account.Hex(), node.FormatOpen(*v.Held), node.FormatOpen(*v.Available))
	if v.Session.Expires == 0 {
		fmt.Fprintf(w, "session   the coordinator's key %s may spend nothing\n", v.SessionKey.Hex())
	} else {
		fmt.Fprintf(w, "session   %s may spend %s OPEN, has spent %s, until %s\n", v.SessionKey.Hex(), node.FormatOpen(v.Session.Limit), node.FormatOpen(v.Session.Spent), minute(v.Session.Expires))
	}
	for _, r := range v.Reserves {
		fmt.Fprintf(w, "reserved  %s OPEN for %s", node.FormatOpen(r.Amount), r.Worker.Hex())
		if r.LowersAt != 0 {
			fmt.Fprintf(w, ", lowered to %s at %s", node.FormatOpen(r.Target), minute(r.LowersAt))
		}
		fmt.Fprintln(w)
	}
	if v.Withdrawal != nil {
		fmt.Fprintf(w, "leaving   %s OPEN, free at %s\n", node.FormatOpen(v.Withdrawal.Amount), minute(v.Withdrawal.ReleaseAt))
	}
}

// sessionKey is the key that --key names: the coordinator's by default.
func (c *cli) sessionKey(ctx context.Context, named string) (protocol.Account, error) {
	if named != "" {
		return node.ParseAccount("key", named)
	}
	_, info, ch, err := c.network(ctx)
	if err != nil {
		return protocol.Account{}, err
	}
	ch.Close()
	return info.SessionKey, nil
}

func escrowAuthorize(c *cli) *cobra.Command {
	var key string
	var lasts time.Duration
	cmd := &cobra.Command{
		Use:     "authorize LIMIT",
		Short:   "Let a session key spend up to a limit, over its whole life",
		Example: "  openledger escrow authorize 100 --lasts 720h --as alice",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			limit, err := node.ParseOpen("limit", args[0])
			if err != nil {
				return err
			}
			if lasts < time.Second {
				return protocol.Errorf(protocol.KindInvalid, "lasts", "is %s: give at least a second", lasts)
			}
			session, err := c.sessionKey(cmd.Context(), key)
			if err != nil {
				return err
			}
			return c.transact(cmd, fmt.Sprintf("%s may spend %s OPEN", session.Hex(), node.FormatOpen(limit)), func(s *chain.Sender) (chain.Tx, error) {
				return s.Authorize(cmd.Context(), session, limit, time.Now().Add(lasts).Unix())
			})
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "the session key (default: the coordinator's)")
	cmd.Flags().DurationVar(&lasts, "lasts", 30*24*time.Hour, "how long it may")
	return cmd
}

func escrowRevoke(c *cli) *cobra.Command {
	var key string
	cmd := &cobra.Command{
		Use:     "revoke",
		Short:   "End a session key's right; after the withdrawal delay its vouchers draw no more",
		Example: "  openledger escrow revoke --as alice",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			session, err := c.sessionKey(cmd.Context(), key)
			if err != nil {
				return err
			}
			return c.transact(cmd, session.Hex()+" is revoked", func(s *chain.Sender) (chain.Tx, error) {
				return s.Revoke(cmd.Context(), session)
			})
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "the session key (default: the coordinator's)")
	return cmd
}

func escrowWithdraw(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "withdraw AMOUNT",
		Short:   "Ask for money back; it is free after the withdrawal delay, with 'escrow finish'",
		Example: "  openledger escrow withdraw 50 --as alice",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			amount, err := node.ParseOpen("amount", args[0])
			if err != nil {
				return err
			}
			return c.transact(cmd, fmt.Sprintf("%s OPEN will be free after the withdrawal delay", node.FormatOpen(amount)), func(s *chain.Sender) (chain.Tx, error) {
				return s.RequestWithdrawal(cmd.Context(), amount)
			})
		},
	}
}

// escrowStep is a verb without arguments.
func escrowStep(c *cli, verb, short, done string, send func(*chain.Sender, context.Context) (chain.Tx, error)) *cobra.Command {
	return &cobra.Command{
		Use:     verb,
		Short:   short,
		Example: "  openledger escrow " + verb + " --as alice",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.transact(cmd, done, func(s *chain.Sender) (chain.Tx, error) { return send(s, cmd.Context()) })
		},
	}
}
