package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/holiman/uint256"
	"github.com/spf13/cobra"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/devchain"
	"github.com/openledger/openledger/contracts/genesis"
	"github.com/openledger/openledger/contracts/supply"
	"github.com/openledger/openledger/protocol"
)

// tokenFile holds the addresses of a token deployment in the home.
const tokenFile = "token.json"

func newToken(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "The token on L1: its supply by month, its deployment, its vesting vaults",
		Example: `  openledger token supply
  openledger token supply --at 12
  openledger token deploy --rpc http://127.0.0.1:8545 --config token.json --as deployer
  openledger token vaults --rpc http://127.0.0.1:8545`,
	}
	cmd.AddCommand(tokenSupply(c), tokenDeploy(c), tokenVerify(c), tokenVaults(c), tokenRelease(c))
	return cmd
}

// tokenFlags are what the token's verbs share.
type tokenFlags struct{ config, rpc, deployment string }

func (f *tokenFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.config, "config", "", "the token's configuration (default: the one that is built in)")
	cmd.Flags().StringVar(&f.rpc, "rpc", "http://127.0.0.1:8545", "JSON-RPC of the token's chain")
	cmd.Flags().StringVar(&f.deployment, "deployment", "", "file with the token's addresses (default: token.json in the home)")
}

func (f *tokenFlags) read() (supply.Config, error) {
	raw := genesis.Token
	if f.config != "" {
		var err error
		if raw, err = os.ReadFile(f.config); err != nil {
			return supply.Config{}, protocol.Errorf(protocol.KindInvalid, "config", "%w: name a file like contracts/genesis/token.json", err)
		}
	}
	return supply.Parse(raw)
}

func (f *tokenFlags) file(c *cli) string {
	if f.deployment != "" {
		return f.deployment
	}
	return c.Home().Path(tokenFile)
}

// deployed connects to the chain that has the token.
func (f *tokenFlags) deployed(ctx context.Context, c *cli) (*chain.Client, chain.TokenAddresses, error) {
	at, err := devchain.ReadTokenAddresses(f.file(c))
	if err != nil {
		return nil, at, fmt.Errorf("%w: deploy the token first, or name its file with --deployment", err)
	}
	client, err := chain.Dial(ctx, chain.Config{RPC: f.rpc, Logger: c.chainLogger()})
	if err != nil {
		return nil, at, err
	}
	if client.ChainID() != at.ChainID {
		client.Close()
		return nil, at, protocol.Errorf(protocol.KindInvalid, "rpc", "is chain %d, the token is on chain %d", client.ChainID(), at.ChainID)
	}
	return client, at, nil
}

// supplyRow is the schedule at the end of one month.
type supplyRow struct {
	Month       uint64                  `json:"month"`
	At          int64                   `json:"at"` // Unix seconds
	Buckets     map[string]*uint256.Int `json:"buckets_wei"`
	Circulating *uint256.Int            `json:"circulating_wei"`
	OnChain     *uint256.Int            `json:"on_chain_wei,omitempty"`
}

func tokenSupply(c *cli) *cobra.Command {
	var f tokenFlags
	var at int64
	var check bool
	cmd := &cobra.Command{
		Use:   "supply",
		Short: "Print what circulates, month by month after the token generation event",
		Long: `Supply computes the schedule from the token's configuration. With --check it also asks
the vaults on the chain what will have vested by then, and fails where they differ.`,
		Example: `  openledger token supply
  openledger token supply --at 12 --json
  openledger token supply --check --rpc http://127.0.0.1:8545`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			conf, err := f.read()
			if err != nil {
				return err
			}
			first, last := uint64(0), conf.Months()
			if cmd.Flags().Changed("at") {
				if at < 0 || uint64(at) > 1200 {
					return protocol.Errorf(protocol.KindInvalid, "at", "is month %d: give one from 0 to 1200", at)
				}
				first, last = uint64(at), uint64(at)
			}
			var rows []supplyRow
			for m := first; m <= last; m++ {
				rows = append(rows, scheduled(&conf, m))
			}
			if check {
				if err := f.compare(cmd.Context(), c, conf, rows); err != nil {
					return err
				}
			}
			return c.print(map[string]any{"symbol": conf.Symbol, "supply_wei": &conf.Supply, "months": rows}, func(w io.Writer) {
				printSupply(w, &conf, rows)
			})
		},
	}
	f.add(cmd)
	cmd.Flags().Int64Var(&at, "at", 0, "only this month after the token generation event")
	cmd.Flags().BoolVar(&check, "check", false, "compare with the vaults on the chain")
	return cmd
}

func scheduled(conf *supply.Config, month uint64) supplyRow {
	at := conf.At(month)
	r := supplyRow{Month: month, At: int64(at), Buckets: map[string]*uint256.Int{}}
	for i := range conf.Buckets {
		free := conf.Free(&conf.Buckets[i], at)
		r.Buckets[conf.Buckets[i].Name] = &free
	}
	sum := conf.Circulating(at)
	r.Circulating = &sum
	return r
}

// compare fills in what the chain says, and fails where it differs.
func (f *tokenFlags) compare(ctx context.Context, c *cli, conf supply.Config, rows []supplyRow) error {
	client, at, err := f.deployed(ctx, c)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := devchain.CheckToken(ctx, client, conf, at); err != nil {
		return err
	}
	for i := range rows {
		got, err := client.Circulating(ctx, at, uint64(rows[i].At))
		if err != nil {
			return err
		}
		rows[i].OnChain = &got
		if !got.Eq(rows[i].Circulating) {
			return protocol.Errorf(protocol.KindInvalid, "config", "says that %s wei circulate in month %d, the chain says %s: tokens were burnt, or the file is of another deployment",
				rows[i].Circulating.Dec(), rows[i].Month, got.Dec())
		}
	}
	return nil
}

// barWidth is the length of the bar that stands for the whole supply.
const barWidth = 40

func printSupply(w io.Writer, conf *supply.Config, rows []supplyRow) {
	header := []any{"month", "date"}
	for i := range conf.Buckets {
		header = append(header, conf.Buckets[i].Name)
	}
	t := newTable(w, append(header, "circulating", "share", "")...)
	for _, r := range rows {
		row := []any{r.Month, time.Unix(r.At, 0).UTC().Format(time.DateOnly)}
		for i := range conf.Buckets {
			row = append(row, millions(r.Buckets[conf.Buckets[i].Name]))
		}
		share := r.Circulating.Float64() / conf.Supply.Float64()
		row = append(row, millions(r.Circulating), fmt.Sprintf("%.2f %%", 100*share), strings.Repeat("▇", int(share*barWidth+0.5)))
		t.AppendRow(row)
	}
	t.Render()
	fmt.Fprintf(w, "millions of %s; supply %s\n", conf.Symbol, millions(&conf.Supply))
	if len(rows) > 0 && rows[0].OnChain != nil {
		fmt.Fprintln(w, "the vaults on the chain say the same")
	}
}

func millions(wei *uint256.Int) string { return fmt.Sprintf("%.2f", wei.Float64()/1e24) }

func tokenDeploy(c *cli) *cobra.Command {
	var f tokenFlags
	cmd := &cobra.Command{
		Use:   "deploy",
		Short: "Put the token and its vesting vaults on a chain, from one configuration",
		Long: `Deploy makes a vault for every bucket with a locked part, then the token, whose whole
supply is minted to vaults and beneficiaries: the deployer holds none. Interrupted, it
goes on where it stopped. The addresses go to token.json in the home.`,
		Example: `  openledger token deploy --rpc http://127.0.0.1:8545 --config token.json --as deployer`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			conf, err := f.read()
			if err != nil {
				return err
			}
			key, err := c.signer()
			if err != nil {
				return err
			}
			client, err := chain.Dial(cmd.Context(), chain.Config{RPC: f.rpc, Logger: c.logger()})
			if err != nil {
				return err
			}
			defer client.Close()
			if f.config == "" { // the built-in beneficiaries have no keys: their tokens would be lost
				dev, err := devchain.ParseParams(genesis.Dev)
				if err != nil {
					return err
				}
				if client.ChainID() != dev.ChainID {
					return protocol.Errorf(protocol.KindInvalid, "config", "is missing: nobody has a key to the built-in beneficiaries, so only development networks take them; name a file with your own, like contracts/genesis/token.json")
				}
			}
			at, err := devchain.DeployToken(cmd.Context(), client, devchain.TokenDeployment{File: f.file(c), Config: conf, Key: key, Logger: c.logger()})
			if err != nil {
				return err
			}
			return c.print(map[string]any{"token": at, "deployment": f.file(c)}, func(w io.Writer) {
				fmt.Fprintf(w, "%s is %s on chain %d\naddresses in %s\n", conf.Symbol, at.Token.Hex(), at.ChainID, f.file(c))
			})
		},
	}
	f.add(cmd)
	return cmd
}

func tokenVerify(c *cli) *cobra.Command {
	var f tokenFlags
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check that the token and its vaults are those that the sources and the configuration make",
		Long: `Verify compares the code of the token and of every vault with the compiled one (the
values of immutables aside), each vault's bucket, schedule and amount with the
configuration, and the supply. It ends with an error when anything differs. It trusts the
node that it asks: use your own.`,
		Example: `  openledger token verify --rpc http://127.0.0.1:8545
  openledger token verify --config token.json --deployment mainnet-token.json --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			conf, err := f.read()
			if err != nil {
				return err
			}
			client, at, err := f.deployed(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer client.Close()
			checks, err := devchain.VerifyToken(cmd.Context(), client, conf, at)
			if err != nil {
				return err
			}
			return c.printChecks(at.ChainID, checks)
		},
	}
	f.add(cmd)
	return cmd
}

func tokenVaults(c *cli) *cobra.Command {
	var f tokenFlags
	cmd := &cobra.Command{
		Use:     "vaults",
		Short:   "Show the vesting vaults: what they hold, released, and could release now",
		Example: `  openledger token vaults --rpc http://127.0.0.1:8545 --json`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			conf, err := f.read()
			if err != nil {
				return err
			}
			client, at, err := f.deployed(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer client.Close()
			_, now, err := client.Head(cmd.Context())
			if err != nil {
				return err
			}
			var vaults []chain.Vault
			for i := range conf.Buckets { // in the order of the configuration
				a, ok := at.Vaults[conf.Buckets[i].Name]
				if !ok {
					continue
				}
				v, err := client.VaultAt(cmd.Context(), at.Token, a, uint64(now))
				if err != nil {
					return err
				}
				vaults = append(vaults, v)
			}
			return c.print(map[string]any{"vaults": vaults}, func(w io.Writer) {
				t := newTable(w, "bucket", "beneficiary", "vests from", "until", "held", "released", "releasable")
				for _, v := range vaults {
					var due uint256.Int
					due.Sub(&v.Vested, &v.Released)
					t.AppendRow([]any{v.Bucket, v.Beneficiary.Hex(), day(v.Start), day(v.Start + v.Duration), node.FormatOpen(v.Held), node.FormatOpen(v.Released), node.FormatOpen(due)})
				}
				t.Render()
			})
		},
	}
	f.add(cmd)
	return cmd
}

func day(unix uint64) string { return time.Unix(int64(unix), 0).UTC().Format(time.DateOnly) }

func tokenRelease(c *cli) *cobra.Command {
	var f tokenFlags
	cmd := &cobra.Command{
		Use:     "release BUCKET",
		Short:   "Pay a vault's beneficiary what has vested; anybody may",
		Example: `  openledger token release team --rpc http://127.0.0.1:8545 --as anybody`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := c.signer()
			if err != nil {
				return err
			}
			client, at, err := f.deployed(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer client.Close()
			vault, ok := at.Vaults[args[0]]
			if !ok {
				return protocol.Errorf(protocol.KindNotFound, "bucket", "%q has no vault: see 'openledger token vaults'", args[0])
			}
			before, err := client.VaultAt(cmd.Context(), at.Token, vault, 0)
			if err != nil {
				return err
			}
			tx, err := client.As(key).ReleaseVault(cmd.Context(), at.Token, vault)
			if err != nil {
				return err
			}
			after, err := client.VaultAt(cmd.Context(), at.Token, vault, 0)
			if err != nil {
				return err
			}
			var paid uint256.Int
			paid.Sub(&after.Released, &before.Released)
			return c.print(map[string]any{"bucket": args[0], "released_wei": &paid, "tx": tx.Hash}, func(w io.Writer) {
				fmt.Fprintf(w, "%s released to %s\n", node.FormatOpen(paid), after.Beneficiary.Hex())
			})
		},
	}
	f.add(cmd)
	return cmd
}
