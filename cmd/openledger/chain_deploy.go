package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/devchain"
	"github.com/openledger/openledger/contracts/genesis"
	"github.com/openledger/openledger/protocol"
)

func chainDeploy(c *cli) *cobra.Command {
	var rpc, params, deployments string
	var handOver bool
	cmd := &cobra.Command{
		Use:   "deploy",
		Short: "Put the contracts on an external chain and write their addresses",
		Long: `Deploy connects to any Ethereum JSON-RPC and deploys the contracts as the account named
with --as, which becomes their administrator; then it registers the embedded base model.
With --hand-over it then makes the timelock the administrator and gives up every role,
for ever: from then on only governance changes parameters or registers base models.
Interrupted, it goes on where it stopped. What was deployed goes to <name>.json in the
folder of --deployments (addresses, transactions, constructor arguments, compiler,
code hashes), for 'openledger coordinator run --deployment' and 'openledger chain
verify'; at the end the deployment is verified.`,
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
			file, err := deploymentFile(deployments, p)
			if err != nil {
				return err
			}
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
			r, err := devchain.ReadRecord(file)
			if err != nil {
				return err
			}
			if handOver {
				if err := devchain.HandOver(cmd.Context(), client.With(at), key); err != nil {
					return err
				}
				r.HandedOver = true
				if err := devchain.WriteRecord(file, r); err != nil {
					return err
				}
			}
			checks, err := devchain.Verify(cmd.Context(), client, r)
			if err != nil {
				return err
			}
			if err := differences(checks); err != nil {
				return err
			}
			return c.print(map[string]any{"contracts": at, "deployment": file, "handed_over": r.HandedOver, "checks": len(checks)}, func(w io.Writer) {
				fmt.Fprintf(w, "settlement %s on chain %d\ndeployment %s, %d checks passed\n", at.Settlement.Hex(), at.ChainID, file, len(checks))
			})
		},
	}
	cmd.Flags().StringVar(&rpc, "rpc", "http://127.0.0.1:8545", "JSON-RPC of the chain")
	cmd.Flags().StringVar(&deployments, "deployments", filepath.Join("contracts", "deployments"), "folder for the file of this deployment")
	cmd.Flags().BoolVar(&handOver, "hand-over", false, "give every right to governance; this cannot be undone")
	cmd.Flags().StringVar(&params, "params", "", "deployment parameters (default: those of development networks; the chain id must match)")
	return cmd
}

// deploymentFile is where the deployment that the parameters name is kept.
func deploymentFile(dir string, p devchain.Params) (string, error) {
	if p.Name == "" || p.Name != filepath.Base(p.Name) || strings.HasPrefix(p.Name, ".") {
		return "", protocol.Errorf(protocol.KindInvalid, "name", "%q of the parameters cannot be the name of a file: use something like mainnet", p.Name)
	}
	return filepath.Join(dir, p.Name+".json"), nil
}

func chainVerify(c *cli) *cobra.Command {
	var rpc, deployment string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check that the contracts on a chain are those that the sources compile to",
		Long: `Verify reads a deployments file and compares: the code of every contract on the chain
with the compiled one (the values of immutables aside), the transaction that made it
(code and constructor arguments), the file's own hashes, the contracts' roles over each
other, and, after a hand-over, that no account holds a role. It ends with an error when
anything differs. It trusts the node that it asks: use your own.`,
		Example: `  openledger chain verify --deployment contracts/deployments/dev.json --rpc http://127.0.0.1:8545
  openledger chain verify --deployment mainnet.json --rpc https://rpc.example.org --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := devchain.ReadRecord(deployment)
			if err != nil {
				return err
			}
			client, err := chain.Dial(cmd.Context(), chain.Config{RPC: rpc, Logger: c.logger()})
			if err != nil {
				return err
			}
			defer client.Close()
			checks, err := devchain.Verify(cmd.Context(), client, r)
			if err != nil {
				return err
			}
			return c.printChecks(r.ChainID, checks)
		},
	}
	cmd.Flags().StringVar(&rpc, "rpc", "http://127.0.0.1:8545", "JSON-RPC of the chain")
	cmd.Flags().StringVar(&deployment, "deployment", filepath.Join("contracts", "deployments", "dev.json"), "deployments file")
	return cmd
}

// printChecks prints a verification, and is an error when a check found a difference.
func (c *cli) printChecks(chainID uint64, checks []devchain.Check) error {
	bad := differences(checks)
	if err := c.print(map[string]any{"ok": bad == nil, "chain_id": chainID, "checks": checks}, func(w io.Writer) {
		t := newTable(w, "contract", "address", "what", "")
		for _, k := range checks {
			if k.Problem == "" {
				k.Problem = "ok"
			}
			t.AppendRow([]any{k.Contract, k.Address.Hex(), k.What, k.Problem})
		}
		t.Render()
	}); err != nil {
		return err
	}
	return bad
}

// differences is an error when a check found one.
func differences(checks []devchain.Check) error {
	n, first := 0, devchain.Check{}
	for _, k := range checks {
		if k.Problem != "" {
			if n++; n == 1 {
				first = k
			}
		}
	}
	if n == 0 {
		return nil
	}
	return protocol.Errorf(protocol.KindCorrupt, "deployment", "%d of %d checks failed; the first: %s (%s): %s", n, len(checks), first.Contract, first.What, first.Problem)
}
