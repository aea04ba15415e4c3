package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/holiman/uint256"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/openledger/openledger/cmd/openledger/client"
	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
)

// Accounts of a development network, beside the deployer.
const (
	requesterKey = "requester" // its escrow pays for the API key's requests
	netOwnerKey  = "owner"     // creates datanets and orders adapters
	delegatorKey = "delegator" // stakes on every worker
	faucetKey    = "faucet"    // funds accounts that ask for it
)

// The faucet of a development network, in OPEN.
const (
	faucetGrant = 1_000
	faucetTotal = 1_000_000
)

// devnet is a development network in this process: chain, coordinator, API.
type devnet struct {
	c        *cli
	wallet   *node.Wallet
	deployer *keystore.Key
	chain    *node.Chain
	coord    *node.Coordinator
	api      *client.Client
	apiKey   string

	tasks *errgroup.Group
	stop  context.CancelFunc
}

// devnetConfig says where a development network listens.
type devnetConfig struct {
	rpc, api string
	peer     node.PeerConfig
}

// openDevnet starts chain, coordinator and API, with accounts, escrow and an API key.
// Everything that is there from an earlier run is used again.
func (c *cli) openDevnet(cmd *cobra.Command, cfg devnetConfig) (_ *devnet, err error) {
	ctx := cmd.Context()
	d := &devnet{c: c}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	if d.wallet, err = c.Home().Wallet(c.password, true); err != nil {
		return nil, err
	}
	if d.deployer, err = d.wallet.Ensure(deployerKey); err != nil {
		return nil, err
	}
	d.chain, err = node.OpenChain(ctx, node.ChainConfig{Home: c.Home(), Listen: cfg.rpc, Deployer: d.deployer,
		Fund: map[protocol.Account]uint256.Int{d.deployer.Account(): node.Open(1_000_000_000)}, Logger: c.chainLogger()})
	if err != nil {
		return nil, err
	}
	faucet, err := d.wallet.Ensure(faucetKey)
	if err != nil {
		return nil, err
	}
	if d.coord, err = c.openCoordinator(cmd, node.CoordinatorConfig{
		RPC: d.chain.RPC(), Addresses: d.chain.Addresses, API: cfg.api, Peer: cfg.peer, X402: true, ToolHosts: []string{"127.0.0.1", "localhost", "::1"},
		Faucet: &node.FaucetSettings{Key: faucet, Amount: node.Open(faucetGrant), Total: node.Open(faucetTotal)},
	}, true); err != nil {
		return nil, err
	}
	run, stop := context.WithCancel(ctx)
	d.tasks, run = errgroup.WithContext(run)
	d.stop = stop
	d.tasks.Go(func() error { return d.chain.Run(run) })
	d.tasks.Go(func() error { return d.coord.Run(run) })
	return d, d.furnish(ctx, cmd)
}

// furnish registers the base, funds the accounts, and issues the API key.
func (d *devnet) furnish(ctx context.Context, cmd *cobra.Command) error {
	var err error
	if d.api, err = client.New(d.coord.API.URL(), ""); err != nil {
		return err
	}
	info, err := d.api.Network(ctx)
	if err != nil {
		return err
	}
	if err := d.c.ensureBase(ctx, d.chain.Client, d.deployer, info.Base); err != nil {
		return err
	}
	requester, err := d.account(ctx, requesterKey, 10_000)
	if err != nil {
		return err
	}
	if _, err := d.account(ctx, netOwnerKey, 10_000); err != nil {
		return err
	}
	if _, err := d.account(ctx, faucetKey, faucetTotal+100); err != nil { // and gas
		return err
	}
	if err := node.EnsureRequester(ctx, d.chain.Client, requester, node.Open(1000), d.coord.SessionAccount()); err != nil {
		return err
	}
	// Files and fine-tuning of the API act in the requester's name; the coordinator's key pays
	// for the transactions.
	if err := d.fund(ctx, d.coord.SessionAccount(), 100); err != nil {
		return err
	}
	if err := node.EnsureDelegate(ctx, d.chain.Client, requester, d.coord.SessionAccount()); err != nil {
		return err
	}
	keyFile := d.c.Home().Path("api.key")
	if d.apiKey = readLine(keyFile); d.apiKey == "" {
		if d.apiKey, err = issueKey(cmd, d.api, requester, "devnet"); err != nil {
			return err
		}
		if err := node.WriteFile(keyFile, []byte(d.apiKey+"\n"), 0o600); err != nil {
			return err
		}
	}
	d.api, err = client.New(d.coord.API.URL(), d.apiKey)
	return err
}

// account opens a named account and sees that it has some OPEN.
func (d *devnet) account(ctx context.Context, name string, open uint64) (*keystore.Key, error) {
	key, err := d.wallet.Ensure(name)
	if err != nil {
		return nil, err
	}
	return key, d.fund(ctx, key.Account(), open)
}

// fund tops an account up to an amount when it has less than half of it.
func (d *devnet) fund(ctx context.Context, to protocol.Account, open uint64) error {
	want := node.Open(open)
	have, err := d.chain.Client.Balance(ctx, to)
	if err != nil {
		return err
	}
	var half uint256.Int
	half.Rsh(&want, 1)
	if !have.Lt(&half) {
		return nil
	}
	want.Sub(&want, &have)
	_, err = d.chain.Client.As(d.deployer).Send(ctx, to, want)
	return err
}

// workerHome prepares the i-th worker's home: keys, stake, a delegation, settings.
func (d *devnet) workerHome(ctx context.Context, i int, s node.WorkerSettings) (node.Home, error) {
	home := node.Home{Dir: d.c.Home().Path("workers", strconv.Itoa(i))}
	w, err := home.Wallet("", true)
	if err != nil {
		return home, err
	}
	owner, err := w.Ensure(ownerKey)
	if err != nil {
		return home, err
	}
	hot, err := w.Ensure(nodeKey)
	if err != nil {
		return home, err
	}
	at := d.chain.Addresses
	staking := wire.Domain{ChainID: d.chain.ChainID(), Contract: at.Staking}
	var old node.WorkerSettings
	if err := node.ReadJSON(home.Path(node.WorkerFile), &old); err == nil && !node.EndsSoon(old.Binding) {
		s.Binding = old.Binding
	} else if s.Binding, err = node.Bind(ctx, home, staking, owner, hot.Account(), owner.Account()); err != nil {
		return home, err
	}
	if err := d.fund(ctx, owner.Account(), 3000); err != nil {
		return home, err
	}
	if err := node.EnsureWorker(ctx, d.chain.Client, owner, hot.Account(), s.Binding, node.Open(2000)); err != nil {
		return home, err
	}
	if err := d.delegate(ctx, owner.Account()); err != nil {
		return home, err
	}
	s.RPC, s.Addresses, s.Bootstrap, s.Trains = d.chain.RPC(), at, d.coord.Addrs(), true
	s.Price.InputPer1K, s.Price.OutputPer1K = milliOpen(1), milliOpen(2)
	return home, node.WriteJSON(home.Path(node.WorkerFile), s)
}

func milliOpen(n uint64) uint256.Int {
	var v uint256.Int
	v.Mul(uint256.NewInt(n), uint256.NewInt(1e15))
	return v
}

// delegate puts a second staker behind a worker, so that stakers' shares go to more
// than the worker itself.
func (d *devnet) delegate(ctx context.Context, worker protocol.Account) error {
	key, err := d.account(ctx, delegatorKey, 10_000)
	if err != nil {
		return err
	}
	staked, err := d.chain.Client.StakedBy(ctx, worker, key.Account())
	if err != nil || !staked.IsZero() {
		return err
	}
	_, err = d.chain.Client.As(key).Delegate(ctx, worker, node.Open(500))
	return err
}

// close stops everything, the newest first.
func (d *devnet) close() error {
	var errs []error
	if d.stop != nil {
		d.stop()
		if err := d.tasks.Wait(); !errors.Is(err, context.Canceled) {
			errs = append(errs, err)
		}
	}
	if d.coord != nil {
		errs = append(errs, d.coord.Close())
	}
	if d.chain != nil {
		errs = append(errs, d.chain.Close())
	}
	return errors.Join(errs...)
}

func newDevnet(c *cli) *cobra.Command {
	var cfg devnetConfig
	var workers int
	var settle string
	cmd := &cobra.Command{
		Use:   "devnet",
		Short: "Run a whole network in this process: chain, coordinator, workers, API",
		Long: `Devnet starts a development chain with the contracts, a coordinator with its API, and
workers, and prints where they are. Its accounts are in the home's wallet: owner (for
datanets and adapters), requester (whose escrow pays for the API key), deployer (has all
the OPEN), delegator, faucet (POST /api/v1/faucet funds an account once a day). Stop it with Ctrl-C; started again, it continues.`,
		Example: `  openledger devnet
  openledger datanet create notes --license CC0-1.0 --as owner
  openledger infer openledger-tiny 'Hello'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			c.say("starting chain, coordinator and %d workers in %s", workers, c.home)
			d, err := c.openDevnet(cmd, cfg)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, d.close()) }()
			run, stop := context.WithCancel(cmd.Context())
			tasks, ctx := errgroup.WithContext(run)
			var opened []*node.Worker
			defer func() { // also when a later worker did not start: first stop, then close
				stop()
				_ = tasks.Wait() // its error is returned below, or another came first
				for _, n := range slices.Backward(opened) {
					err = errors.Join(err, n.Close())
				}
			}()
			for i := range workers {
				home, err := d.workerHome(cmd.Context(), i, node.WorkerSettings{SettleEvery: settle, BaseModel: c.baseModel})
				if err != nil {
					return err
				}
				w, err := home.Wallet("", true)
				if err != nil {
					return err
				}
				hot, err := w.Key(nodeKey)
				if err != nil {
					return err
				}
				n, err := node.OpenWorker(cmd.Context(), home, hot, c.logger().With("worker", i))
				if err != nil {
					return err
				}
				opened = append(opened, n)
				tasks.Go(func() error { return n.Run(ctx) })
			}
			if err := c.printDevnet(cmd.Context(), d, workers); err != nil {
				return err
			}
			tasks.Go(func() error {
				<-ctx.Done()
				d.stop() // a worker that failed takes the rest with it
				return ctx.Err()
			})
			tasks.Go(func() error { return d.tasks.Wait() })
			if err := tasks.Wait(); cmd.Context().Err() == nil {
				return err
			}
			c.say("stopped; 'openledger devnet --home %s' continues", c.home)
			return nil
		},
	}
	f := cmd.Flags()
	f.IntVar(&workers, "workers", 2, "workers in this process; 0 leaves them to 'openledger worker run'")
	f.StringVar(&cfg.rpc, "rpc-listen", "127.0.0.1:8545", "loopback address of the chain's JSON-RPC")
	f.StringVar(&cfg.api, "listen", "127.0.0.1:8420", "TCP address of the HTTP API")
	f.StringSliceVar(&cfg.peer.Listen, "p2p", []string{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"}, "multiaddrs to listen on")
	f.StringVar(&settle, "settle-every", "15s", "how often workers send their receipts to the chain, together")
	return cmd
}

func (c *cli) printDevnet(ctx context.Context, d *devnet, workers int) error {
	info, err := d.api.Network(ctx)
	if err != nil {
		return err
	}
	list, err := accounts(d.wallet)
	if err != nil {
		return err
	}
	for i := range list {
		balance, err := d.chain.Client.Balance(ctx, list[i].Account)
		if err != nil {
			return err
		}
		list[i].Balance = &balance
	}
	keyFile := c.Home().Path("api.key")
	return c.print(map[string]any{"api": d.coord.API.URL(), "api_key_file": keyFile, "network": info, "accounts": list, "workers": workers}, func(w io.Writer) {
		fmt.Fprintf(w, "\nAPI        %s/v1 (OpenAI-compatible; the key is in %s)\nchain      %s (id %d)\nbase       %s %s\nworkers    %d in this process\n", d.coord.API.URL(), keyFile, info.RPC, info.ChainID, info.BaseName, info.Base, workers)
		for _, a := range info.Bootstrap {
			fmt.Fprintf(w, "bootstrap  %s\n", a)
		}
		fmt.Fprintln(w)
		t := newTable(w, "account", "name", "OPEN")
		for _, a := range list {
			t.AppendRow([]any{a.Account.Hex(), a.Name, node.FormatOpen(*a.Balance)})
		}
		t.Render()
		fmt.Fprintf(w, "\ntry: openledger infer %s 'Once upon a time'\n", info.BaseName)
	})
}
