package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/devchain"
)

// sessionKey signs vouchers for the requesters that authorise it.
const sessionKey = "session"

func newCoordinator(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "coordinator",
		Short: "Run a coordinator with its HTTP API, and issue API keys",
		Example: `  openledger coordinator run --home ./coord --rpc http://127.0.0.1:8545 --deployment ./chain/deployment.json
  openledger coordinator key --as alice`,
	}
	cmd.AddCommand(coordinatorRun(c), coordinatorKey(c))
	return cmd
}

func coordinatorRun(c *cli) *cobra.Command {
	var rpc, deployment, listen string
	var toolHosts []string
	var peer node.PeerConfig
	var x402 bool
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Admit, route and pay requests until interrupted",
		Long: `Run connects to any chain that the contracts are deployed on, joins the peers, and
serves the OpenAI-compatible API. Requesters authorise its session key in the escrow.`,
		Example: `  openledger coordinator run --home ./coord --rpc http://127.0.0.1:8545 --deployment ./chain/deployment.json --listen 127.0.0.1:8420
  openledger coordinator run --home ./coord --tool-host tools.lan:9000   # agents' tools may be there, too`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			at, err := devchain.ReadAddresses(deployment)
			if err != nil {
				return err
			}
			n, err := c.openCoordinator(cmd, rpc, at, listen, peer, false, nil, x402, toolHosts)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, n.Close()) }()
			if err := c.print(map[string]any{"api": n.API.URL(), "addresses": n.Addrs(), "session_key": n.SessionAccount()}, func(w io.Writer) {
				fmt.Fprintf(w, "API          %s\nsession key  %s\n", n.API.URL(), n.SessionAccount().Hex())
				for _, a := range n.Addrs() {
					fmt.Fprintf(w, "bootstrap    %s\n", a)
				}
			}); err != nil {
				return err
			}
			return n.Run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringVar(&rpc, "rpc", "http://127.0.0.1:8545", "JSON-RPC of the chain")
	f.StringVar(&deployment, "deployment", node.DeploymentFile, "file with the contracts' addresses")
	f.StringVar(&listen, "listen", "127.0.0.1:8420", "TCP address of the HTTP API")
	f.StringSliceVar(&peer.Listen, "p2p", nil, "multiaddrs to listen on (default: QUIC and TCP on all interfaces, any port)")
	f.StringSliceVar(&peer.Bootstrap, "bootstrap", nil, "multiaddrs of peers to join")
	f.BoolVar(&peer.NAT, "nat", false, "find a way through a home router")
	f.BoolVar(&x402, "x402", false, "let requests without an API key be paid one by one (HTTP 402)")
	f.StringSliceVar(&toolHosts, "tool-host", nil, "host, or host:port, where agents' tool servers may be at a private address and without TLS; elsewhere they must be public and https")
	return cmd
}

// openCoordinator opens the coordinator of this home.
func (c *cli) openCoordinator(cmd *cobra.Command, rpc string, at chain.Addresses, listen string, peer node.PeerConfig, light bool, faucet *node.FaucetSettings, x402 bool, toolHosts []string) (*node.Coordinator, error) {
	w, err := c.Home().Wallet(c.password, light)
	if err != nil {
		return nil, err
	}
	session, err := w.Ensure(sessionKey)
	if err != nil {
		return nil, err
	}
	bundle, err := node.OpenBase(c.baseModel)
	if err != nil {
		return nil, err
	}
	if err := bundle.Close(); err != nil {
		return nil, err
	}
	return node.OpenCoordinator(cmd.Context(), node.CoordinatorConfig{
		Home: node.Home{Dir: c.Home().Path("coordinator")}, RPC: rpc, Addresses: at, API: listen, Peer: peer,
		BaseModel: c.baseModel, Context: bundle.Config.MaxPositions,
		Base: bundle.Hash, BaseName: node.NameOfBase(c.baseModel), SessionKey: session, Faucet: faucet, X402: x402, ToolHosts: toolHosts, Logger: c.logger(),
	})
}
