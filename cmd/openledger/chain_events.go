package main

import (
	"context"
	"io"
	"math/big"
	"strconv"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/spf13/cobra"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
)

func chainEvents(c *cli) *cobra.Command {
	var contract, about string
	var from, to uint64
	cmd := &cobra.Command{
		Use:   "events",
		Short: "List what the contracts reported, of every kind",
		Long: `Events lists what the contracts of the network reported, the oldest first, with all
parameters. --about keeps those of which some indexed parameter is an account, a hash or a
number (of an agent, a datanet, an epoch, a dispute).`,
		Example: `  openledger chain events --contract agents --about 1
  openledger chain events --about alice --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			subject, err := c.subject(about)
			if err != nil {
				return err
			}
			if to != 0 && to < from {
				return protocol.Errorf(protocol.KindInvalid, "to", "block %d is before --from %d", to, from)
			}
			return c.printReports(cmd, func(ctx context.Context, ch *chain.Client, fn func(chain.Report) error) error {
				return ch.ReportsOf(ctx, contract, subject, from, to, fn)
			})
		},
	}
	cmd.Flags().StringVar(&contract, "contract", "", "only those of one contract, by its name in the deployments file")
	cmd.Flags().StringVar(&about, "about", "", "only those about an account (address or name), a hash or a number")
	cmd.Flags().Uint64Var(&from, "from", 0, "first block")
	cmd.Flags().Uint64Var(&to, "to", 0, "last block (default: the newest)")
	return cmd
}

// subject reads what events are about; zero: everything.
func (c *cli) subject(text string) (protocol.Hash, error) {
	if text == "" {
		return protocol.Hash{}, nil
	}
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		return common.BigToHash(new(big.Int).SetUint64(n)), nil
	}
	if raw, err := hexutil.Decode(text); err == nil && len(raw) == common.HashLength {
		return common.BytesToHash(raw), nil
	}
	account, err := c.target([]string{text})
	if err != nil {
		return protocol.Hash{}, protocol.Errorf(protocol.KindInvalid, "about", "%q is no number, no hash and no account: %w", text, err)
	}
	return chain.Topic(account), nil
}

// printReports prints the events that each calls its function with.
func (c *cli) printReports(cmd *cobra.Command, each func(context.Context, *chain.Client, func(chain.Report) error) error) error {
	_, _, ch, err := c.network(cmd.Context())
	if err != nil {
		return err
	}
	defer ch.Close()
	list := []chain.Report{}
	if err := each(cmd.Context(), ch, func(r chain.Report) error {
		list = append(list, r)
		return nil
	}); err != nil {
		return err
	}
	return c.print(map[string]any{"events": list}, func(w io.Writer) {
		t := newTable(w, "block", "contract", "event", "transaction")
		for i := range list {
			t.AppendRow([]any{list[i].Block, list[i].Contract, list[i].String(), short(list[i].Tx.Hex())})
		}
		t.Render()
	})
}

func agentHistory(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "history AGENT",
		Short:   "List what happened to an agent: versions, owners, stake, slashes",
		Example: "  openledger agent history poet --as alice --json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.printReports(cmd, func(ctx context.Context, ch *chain.Client, fn func(chain.Report) error) error {
				id, err := c.agentID(ctx, ch, args[0])
				if err != nil {
					return err
				}
				if _, err := ch.Agent(ctx, id); err != nil {
					return err
				}
				return ch.AgentHistory(ctx, id, fn)
			})
		},
	}
}

func datanetHistory(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "history DATANET",
		Short:   "List what happened to a datanet: versions, stakes of contributors, cases",
		Example: "  openledger datanet history 1 --json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := datanetID(args[0])
			if err != nil {
				return err
			}
			return c.printReports(cmd, func(ctx context.Context, ch *chain.Client, fn func(chain.Report) error) error {
				if _, err := ch.Datanet(ctx, id); err != nil {
					return err
				}
				return ch.DatanetHistory(ctx, id, fn)
			})
		},
	}
}
