package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/devchain"
	"github.com/openledger/openledger/coordinator/mcpclient"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store/datanet"
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
	var deployment string
	var cfg node.CoordinatorConfig
	perDay := byteSize(datanet.DefaultUploadsPerDay)
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Admit, route and pay requests until interrupted",
		Long: `Run connects to any chain that the contracts are deployed on, joins the peers, and
serves the OpenAI-compatible API. Requesters authorise its session key in the escrow.`,
		Example: `  openledger coordinator run --home ./coord --rpc http://127.0.0.1:8545 --deployment ./chain/deployment.json --listen 127.0.0.1:8420
  openledger coordinator run --home ./coord --tool-host tools.lan:9000   # agents' tools may be there, too`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := mcpclient.CheckHosts("--tool-host", cfg.ToolHosts); err != nil {
				return err
			}
			if cfg.UploadsPerDay = int64(perDay); perDay < 1 {
				return protocol.Errorf(protocol.KindInvalid, "--uploads-per-day", "must be at least a byte: write 500MiB, or 2GiB")
			}
			if cfg.Addresses, err = devchain.ReadAddresses(deployment); err != nil {
				return err
			}
			n, err := c.openCoordinator(cmd, cfg, false)
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
	f.StringVar(&cfg.RPC, "rpc", "http://127.0.0.1:8545", "JSON-RPC of the chain")
	f.StringVar(&deployment, "deployment", node.DeploymentFile, "file with the contracts' addresses")
	f.StringVar(&cfg.API, "listen", "127.0.0.1:8420", "TCP address of the HTTP API")
	f.StringSliceVar(&cfg.Peer.Listen, "p2p", nil, "multiaddrs to listen on (default: QUIC and TCP on all interfaces, any port)")
	f.StringSliceVar(&cfg.Peer.Bootstrap, "bootstrap", nil, "multiaddrs of peers to join")
	f.BoolVar(&cfg.Peer.NAT, "nat", false, "find a way through a home router")
	f.BoolVar(&cfg.X402, "x402", false, "let requests without an API key be paid one by one (HTTP 402)")
	f.StringSliceVar(&cfg.ToolHosts, "tool-host", nil, "host, or host:port, where agents' tool servers may be at a private address and without TLS; elsewhere they must be public and https")
	f.Var(&perDay, "uploads-per-day", "how much one account may upload for datanets in a day (UTC): bytes, or with KiB, MiB, GiB or TiB")
	return cmd
}

// openCoordinator opens the coordinator of this home: what a configuration leaves out are
// its folder, its keys and its base model.
func (c *cli) openCoordinator(cmd *cobra.Command, cfg node.CoordinatorConfig, light bool) (*node.Coordinator, error) {
	w, err := c.Home().Wallet(c.password, light)
	if err != nil {
		return nil, err
	}
	if cfg.SessionKey, err = w.Ensure(sessionKey); err != nil {
		return nil, err
	}
	bundle, err := node.OpenBase(c.baseModel)
	if err != nil {
		return nil, err
	}
	if err := bundle.Close(); err != nil {
		return nil, err
	}
	cfg.Home, cfg.Logger = node.Home{Dir: c.Home().Path("coordinator")}, c.logger()
	cfg.BaseModel, cfg.Base, cfg.BaseName, cfg.Context = c.baseModel, bundle.Hash, node.NameOfBase(c.baseModel), bundle.Config.MaxPositions
	return node.OpenCoordinator(cmd.Context(), cfg)
}
