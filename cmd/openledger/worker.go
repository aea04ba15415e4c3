package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/holiman/uint256"
	"github.com/spf13/cobra"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
)

// Names of a worker's keys in its wallet.
const (
	ownerKey = "owner" // cold: stake, withdraw
	nodeKey  = "node"  // hot: signs receipts, sends batches
)

func newWorker(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "worker",
		Short: "Run a worker: serve, train, get paid",
		Example: `  openledger worker init --home ./w1 --stake 1000
  openledger worker doctor --home ./w1
  openledger worker run --home ./w1`,
	}
	cmd.AddCommand(workerInit(c), workerRun(c), workerStatus(c), workerDoctor(c), workerBench(c))
	return cmd
}

func workerInit(c *cli) *cobra.Command {
	var stake, in, out, payout string
	s := node.WorkerSettings{Trains: true}
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make a worker's keys and settings, stake, and register it on the chain",
		Long: `Init makes three keys in the home's wallet folder: the owner's (cold: it stakes and
withdraws), the node's (hot: it signs receipts) and the libp2p identity. The owner
signs a statement that binds them and stakes. When the owner has no OPEN yet, init says
how much to send where; run it again afterwards.`,
		Example: "  openledger worker init --home ./w1 --api http://127.0.0.1:8420 --stake 1000",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			amount, err := node.ParseOpen("stake", stake)
			if err != nil {
				return err
			}
			if err := node.CheckThreads(&s); err != nil {
				return err
			}
			if s.Price.InputPer1K, err = node.ParseOpen("price-in", in); err != nil {
				return err
			}
			if s.Price.OutputPer1K, err = node.ParseOpen("price-out", out); err != nil {
				return err
			}
			_, info, ch, err := c.network(cmd.Context())
			if err != nil {
				return err
			}
			defer ch.Close()
			w, err := c.wallet()
			if err != nil {
				return err
			}
			owner, err := c.owner(w)
			if err != nil {
				return err
			}
			hot, err := w.Ensure(nodeKey)
			if err != nil {
				return err
			}
			to := owner.Account()
			if payout != "" {
				if to, err = node.ParseAccount("payout", payout); err != nil {
					return err
				}
			}
			staking := wire.Domain{ChainID: info.ChainID, Contract: info.Contracts.Staking}
			if s.Binding, err = node.Bind(cmd.Context(), c.Home(), staking, owner, hot.Account(), to); err != nil {
				return err
			}
			s.RPC, s.Addresses = info.RPC, addressesOf(info)
			if s.BaseModel, err = c.checkBase(info); err != nil {
				return err
			}
			if len(s.Bootstrap) == 0 {
				s.Bootstrap = info.Bootstrap
			}
			if err := enough(cmd, ch, owner.Account(), amount); err != nil {
				return err
			}
			if err := node.EnsureWorker(cmd.Context(), ch, owner, hot.Account(), s.Binding, amount); err != nil {
				return err
			}
			if err := node.WriteJSON(c.Home().Path(node.WorkerFile), s); err != nil {
				return err
			}
			return c.print(map[string]any{"home": c.home, "owner": owner.Account(), "node_key": hot.Account(), "peer": s.Binding.Binding.Peer, "stake": &amount}, func(w io.Writer) {
				fmt.Fprintf(w, "owner     %s, %s OPEN staked\nnode key  %s\npeer      %s\n\nrun it:   openledger worker run --home %s\n",
					owner.Account().Hex(), node.FormatOpen(amount), hot.Account().Hex(), s.Binding.Binding.Peer, c.home)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&stake, "stake", "1000", "OPEN to stake; what is unsettled may not exceed it")
	f.StringVar(&in, "price-in", "0.001", "OPEN per 1,000 prompt tokens")
	f.StringVar(&out, "price-out", "0.002", "OPEN per 1,000 generated tokens")
	f.StringVar(&payout, "payout", "", "account that earnings go to (default: the owner)")
	f.StringSliceVar(&s.Bootstrap, "bootstrap", nil, "multiaddrs of peers to join (default: the coordinator's)")
	f.StringSliceVar(&s.Listen, "listen", nil, "multiaddrs to listen on (default: QUIC and TCP on all interfaces, any port)")
	f.StringVar(&s.Metrics, "metrics", "", "TCP address for Prometheus metrics and health (default: none)")
	f.BoolVar(&s.NAT, "nat", false, "find a way through a home router: port mapping, hole punching, relays")
	f.Uint64Var(&s.Confirmations, "confirmations", 1, "blocks that must hold a transaction before it counts as there for good; one more than the deepest reorganisation to expect")
	f.BoolVar(&s.Trains, "trains", true, "accept training jobs")
	f.IntVar(&s.Threads, "threads", 0, "threads (default: all cores)")
	f.BoolVar(&s.PinThreads, "pin-threads", false, "tie each thread to a processor of its own (Linux)")
	f.StringVar(&s.CheckpointEvery, "checkpoint-every", "5s", "how often training saves its state")
	f.StringVar(&s.SettleEvery, "settle-every", "30s", "how often receipts go to the chain, together")
	return cmd
}

// enough says what to send where when the owner cannot stake yet.
func enough(cmd *cobra.Command, ch *chain.Client, owner protocol.Account, stake uint256.Int) error {
	staked, err := ch.StakeOf(cmd.Context(), owner)
	if err != nil {
		return err
	}
	if !staked.Own.Lt(&stake) {
		return nil
	}
	balance, err := ch.Balance(cmd.Context(), owner)
	if err != nil {
		return err
	}
	need := stake
	need.Sub(&need, &staked.Own)
	gas := node.Open(2) // stake, binding, and the node key's own gas
	need.Add(&need, &gas)
	if !balance.Lt(&need) {
		return nil
	}
	return protocol.Errorf(protocol.KindEscrow, "stake", "the owner %s has %s OPEN and needs %s: send them with 'openledger wallet send %s %s --as FROM', then run init again",
		owner.Hex(), node.FormatOpen(balance), node.FormatOpen(need), owner.Hex(), node.FormatOpen(need))
}

func workerRun(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "run",
		Short:   "Serve and train until interrupted",
		Example: "  openledger worker run --home ./w1 -v",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if _, err := os.Stat(c.Home().Path(node.WorkerFile)); err != nil {
				return protocol.Errorf(protocol.KindNotFound, "home", "%w: run 'openledger worker init' first", err)
			}
			w, err := c.wallet()
			if err != nil {
				return err
			}
			hot, err := w.Key(nodeKey)
			if err != nil {
				return err
			}
			n, err := node.OpenWorker(cmd.Context(), c.Home(), hot, c.logger())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, n.Close()) }()
			if err := c.print(map[string]any{"peer": node.Peer(n.Addrs()), "addresses": n.Addrs()}, func(w io.Writer) {
				for _, a := range n.Addrs() {
					fmt.Fprintln(w, "listening on", a)
				}
			}); err != nil {
				return err
			}
			return n.Run(cmd.Context())
		},
	}
}

func workerStatus(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "status",
		Short:   "Show the workers that the coordinator has heard of",
		Example: "  openledger worker status --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.coordinator()
			if err != nil {
				return err
			}
			list, err := cl.Workers(cmd.Context())
			if err != nil {
				return err
			}
			return c.print(map[string]any{"workers": list}, func(w io.Writer) {
				t := newTable(w, "peer", "worker", "running", "waiting", "slots", "adapters", "tok/s", "stake OPEN", "")
				for _, x := range list {
					t.AppendRow([]any{short(string(x.Peer)), short(x.Worker.Hex()), x.Running, x.Waiting, x.Slots, len(x.Adapters),
						fmt.Sprintf("%.0f", x.DecodeTPS), node.FormatOpen(x.Stake), x.Reason})
				}
				t.Render()
			})
		},
	}
}
