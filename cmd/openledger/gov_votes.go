package main

import (
	"context"
	"fmt"
	"io"

	"github.com/holiman/uint256"
	"github.com/spf13/cobra"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
)

func govWrap(c *cli) *cobra.Command {
	return govAmount(c, "wrap", "Turn OPEN into GOPEN, one to one; it votes once you delegate it", "wrapped", (*chain.Sender).WrapVotes)
}

func govUnwrap(c *cli) *cobra.Command {
	return govAmount(c, "unwrap", "Turn GOPEN back into OPEN", "unwrapped", (*chain.Sender).UnwrapVotes)
}

func govAmount(c *cli, verb, short, done string, send func(*chain.Sender, context.Context, uint256.Int) (chain.Tx, error)) *cobra.Command {
	return &cobra.Command{
		Use:     verb + " AMOUNT",
		Short:   short,
		Example: "  openledger gov " + verb + " 20000 --as alice",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			amount, err := node.ParseOpen("amount", args[0])
			if err != nil {
				return err
			}
			return c.transact(cmd, fmt.Sprintf("%s %s OPEN", done, node.FormatOpen(amount)), func(s *chain.Sender) (chain.Tx, error) {
				return send(s, cmd.Context(), amount)
			})
		},
	}
}

func govDelegate(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "delegate ACCOUNT",
		Short:   "Give your votes to an account, which may be your own",
		Example: "  openledger gov delegate alice --as alice",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			to, err := c.target(args)
			if err != nil {
				return err
			}
			return c.transact(cmd, "votes delegated to "+to.Hex(), func(s *chain.Sender) (chain.Tx, error) {
				return s.DelegateVotes(cmd.Context(), to)
			})
		},
	}
}

func govVotes(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "votes [ACCOUNT]",
		Short:   "Show an account's GOPEN, its delegate and its votes",
		Example: "  openledger gov votes alice --json",
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
			v, err := ch.VoiceOf(cmd.Context(), account)
			if err != nil {
				return err
			}
			return c.print(&v, func(w io.Writer) {
				delegate := v.Delegate.Hex()
				if v.Delegate == (protocol.Account{}) {
					delegate = "nobody: its GOPEN does not vote until it delegates"
				}
				fmt.Fprintf(w, "account   %s\nGOPEN     %s\ndelegate  %s\nvotes     %s\n", account.Hex(), node.FormatOpen(v.Balance), delegate, node.FormatOpen(v.Votes))
			})
		},
	}
}

func govRoles(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "roles",
		Short: "List who holds which role on which contract",
		Long: `Roles reads every grant since the deployment and lists those that hold. After
'openledger chain deploy --hand-over' only contracts are left: anybody else who can
change something would be listed as an account.`,
		Example: "  openledger gov roles --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, _, ch, err := c.network(cmd.Context())
			if err != nil {
				return err
			}
			defer ch.Close()
			roles, err := ch.Roles(cmd.Context())
			if err != nil {
				return err
			}
			return c.print(map[string]any{"roles": roles}, func(w io.Writer) {
				t := newTable(w, "contract", "role", "holder", "")
				for _, r := range roles {
					holder, kind := r.Account.Hex(), "account"
					switch {
					case r.Account == (protocol.Account{}):
						holder, kind = "everybody", ""
					case r.Contract:
						kind = "contract"
					}
					t.AppendRow([]any{r.On, string(r.Role), holder, kind})
				}
				t.Render()
			})
		},
	}
}
