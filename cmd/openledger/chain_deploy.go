package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/devchain"
	"github.com/openledger/openledger/contracts/genesis"
)

func chainDeploy(c *cli) *cobra.Command {
	var rpc, params string
	var handOver bool
	cmd := &cobra.Command{
		Use:   "deploy",
		Short: "Put the contracts on an external chain and write their addresses",
		Long: `Deploy connects to any Ethereum JSON-RPC and deploys the contracts as the account named
with --as, which becomes their administrator; then it registers the embedded base model.
With --hand-over it then makes the timelock the administrator and gives up every role,
for ever: from then on only governance changes parameters or registers base models.
Interrupted, it goes on where it stopped. The addresses go to deployment.json in the
home, for 'openledger coordinator run --deployment'.`,
		Example: `  openledger chain deploy --rpc http://127.0.0.1:8545 --params genesis.json --as admin
  openledger chain deploy --rpc http://127.0.0.1:8545 --hand-over --as admin`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			raw := genesis.Dev
			if params != "" {
				if raw, err = os.ReadFile(params); err != nil {
					return err
				}
			}
			p, err := devchain.ParseParams(raw)
			if err != nil {
				return err
			}
			key, err := c.signer()
			if err != nil {
				return err
			}
			client, err := chain.Dial(cmd.Context(), chain.Config{RPC: rpc, Logger: c.logger()})
			if err != nil {
				return err
			}
			defer client.Close()
			file := c.Home().Path(node.DeploymentFile)
			at, err := devchain.Deploy(cmd.Context(), client, devchain.Deployment{File: file, Params: p, Key: key, Logger: c.logger()})
			if err != nil {
				return err
			}
			bundle, err := node.OpenBase(c.baseModel)
			if err != nil {
				return err
			}
			if err := errors.Join(c.ensureBase(cmd.Context(), client.With(at), key, bundle.Hash), bundle.Close()); err != nil {
				return err
			}
			if handOver {
				if err := devchain.HandOver(cmd.Context(), client.With(at), key); err != nil {
					return err
				}
			}
			return c.print(map[string]any{"contracts": at, "deployment": file, "handed_over": handOver}, func(w io.Writer) {
				fmt.Fprintf(w, "settlement %s on chain %d\naddresses in %s\n", at.Settlement.Hex(), at.ChainID, file)
			})
		},
	}
	cmd.Flags().StringVar(&rpc, "rpc", "http://127.0.0.1:8545", "JSON-RPC of the chain")
	cmd.Flags().BoolVar(&handOver, "hand-over", false, "give every right to governance; this cannot be undone")
	cmd.Flags().StringVar(&params, "params", "", "deployment parameters (default: those of development networks; the chain id must match)")
	return cmd
}
