package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/chain"
)

func adapterPrice(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "price NAME OPEN",
		Short:   "Set what an answer of your adapter costs besides the computing; answers under way keep the old price",
		Example: "  openledger adapter price fable-lessons 0.02 --as owner",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			amount, err := node.ParseOpen("price", args[1])
			if err != nil {
				return err
			}
			key, err := c.signer()
			if err != nil {
				return err
			}
			_, _, ch, err := c.network(cmd.Context())
			if err != nil {
				return err
			}
			a, err := ownAdapter(cmd.Context(), ch, key.Account(), args[0])
			ch.Close()
			if err != nil {
				return err
			}
			return c.transact(cmd, fmt.Sprintf("an answer of %s costs %s OPEN", args[0], node.FormatOpen(amount)), func(s *chain.Sender) (chain.Tx, error) {
				return s.SetAccess(cmd.Context(), a.Digest, amount)
			})
		},
	}
}
