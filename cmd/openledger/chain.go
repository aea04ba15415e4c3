package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/holiman/uint256"
	"github.com/spf13/cobra"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
)

// deployerKey administers a development chain's contracts and holds its money.
const deployerKey = "deployer"

func newChain(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "chain",
		Short:   "A development chain in this process, or the contracts on another chain",
		Example: "  openledger chain run --home ./chain --listen 127.0.0.1:8545",
	}
	cmd.AddCommand(chainRun(c), chainDeploy(c), chainVerify(c), chainEvents(c))
	return cmd
}

func chainRun(c *cli) *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the chain until interrupted; its state survives",
		Long: `Run starts go-ethereum in this process with JSON-RPC on loopback; on the first start
it deploys the contracts and registers the embedded base model. All OPEN is in the account "deployer" of the home's
wallet. It is for development: one block producer, no finality.`,
		Example: "  openledger chain run --home ./chain",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			w, err := c.Home().Wallet(c.password, true)
			if err != nil {
				return err
			}
			key, err := w.Ensure(deployerKey)
			if err != nil {
				return err
			}
			n, err := node.OpenChain(cmd.Context(), node.ChainConfig{Home: c.Home(), Listen: listen, Deployer: key,
				Fund: map[protocol.Account]uint256.Int{key.Account(): node.Open(1_000_000_000)}, Logger: c.chainLogger()})
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, n.Close()) }()
			bundle, err := node.OpenBase(c.baseModel)
			if err != nil {
				return err
			}
			if err := errors.Join(c.ensureBase(cmd.Context(), n.Client, key, bundle.Hash), bundle.Close()); err != nil {
				return err
			}
			deployment := c.Home().Path(node.DeploymentFile)
			if err := c.print(map[string]any{"rpc": n.RPC(), "chain_id": n.ChainID(), "deployment": deployment, "deployer": key.Account(), "contracts": n.Addresses}, func(w io.Writer) {
				fmt.Fprintf(w, "JSON-RPC    %s (chain %d)\ncontracts   %s\ndeployer    %s\n", n.RPC(), n.ChainID(), deployment, key.Account().Hex())
			}); err != nil {
				return err
			}
			return n.Run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8545", "loopback address of JSON-RPC")
	return cmd
}

// ensureBase registers the network's base model, which adapters' orders name.
func (c *cli) ensureBase(ctx context.Context, ch *chain.Client, registrar chain.Key, hash protocol.Hash) error {
	_, err := ch.BaseModel(ctx, hash)
	if protocol.KindOf(err) == protocol.KindNotFound {
		name, uri := node.NameOfBase(c.baseModel), "embedded:"+node.BaseName
		if c.baseModel != "" { // whoever serves it has its files; the hash says which
			uri = "file:" + name
		}
		_, err = ch.As(registrar).RegisterBase(ctx, hash, name, uri)
	}
	return err
}
