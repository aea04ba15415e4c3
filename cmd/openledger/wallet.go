package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/holiman/uint256"
	"github.com/spf13/cobra"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
)

// accountView is an account as the wallet's verbs show it.
type accountView struct {
	Name    string           `json:"name,omitempty"`
	Account protocol.Account `json:"account"`
	Balance *uint256.Int     `json:"balance,omitempty"` // wei
	Escrow  *uint256.Int     `json:"escrow,omitempty"`  // wei
}

func newWallet(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "wallet",
		Short: "Accounts: make, list, show balances, send OPEN, fill the escrow",
		Example: `  openledger wallet create alice
  openledger wallet list
  openledger wallet balance --as alice
  openledger wallet send 0x52908400098527886E0F7030069857D2E4169EE7 12.5 --as alice
  openledger wallet deposit 100 --as alice`,
	}
	cmd.AddCommand(walletCreate(c), walletList(c), walletBalance(c), walletSend(c), walletDeposit(c))
	return cmd
}

func walletCreate(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "create NAME",
		Short:   "Make an account; its key is kept in an encrypted file (Web3 Secret Storage v3)",
		Example: "  openledger wallet create alice\n  openledger wallet create cold --password-file ~/secret",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			w, err := c.wallet()
			if err != nil {
				return err
			}
			key, err := w.Create(args[0])
			if err != nil {
				return err
			}
			v := accountView{Name: args[0], Account: key.Account()}
			return c.print(v, func(w io.Writer) { fmt.Fprintf(w, "%s  %s\n", v.Account.Hex(), v.Name) })
		},
	}
}

func walletList(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the accounts in this wallet, or those of an external signer",
		Example: "  openledger wallet list --json\n  openledger wallet list --signer http://127.0.0.1:8550",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.remote != "" {
				return c.listExternal(cmd)
			}
			w, err := c.wallet()
			if err != nil {
				return err
			}
			list, err := accounts(w)
			if err != nil {
				return err
			}
			return c.print(map[string]any{"accounts": list}, func(w io.Writer) {
				t := newTable(w, "account", "name")
				for _, a := range list {
					t.AppendRow([]any{a.Account.Hex(), a.Name})
				}
				t.Render()
			})
		},
	}
}

func accounts(w *node.Wallet) ([]accountView, error) {
	names, err := w.Names()
	if err != nil {
		return nil, err
	}
	all, err := w.Accounts()
	if err != nil {
		return nil, err
	}
	of := map[protocol.Account]string{}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		of[names[name]] = name
	}
	out := make([]accountView, len(all))
	for i, a := range all {
		out[i] = accountView{Name: of[a], Account: a}
	}
	slices.SortStableFunc(out, func(a, b accountView) int { return slices.Compare([]byte(a.Name), []byte(b.Name)) })
	return out, nil
}

// target is the account that an argument or --as names.
func (c *cli) target(args []string) (protocol.Account, error) {
	name := c.account
	if len(args) > 0 {
		name = args[0]
	}
	if account, err := node.ParseAccount("account", name); err == nil {
		return account, nil
	}
	w, err := c.wallet()
	if err != nil {
		return protocol.Account{}, err
	}
	names, err := w.Names()
	if err != nil {
		return protocol.Account{}, err
	}
	account, ok := names[name]
	if !ok {
		return protocol.Account{}, protocol.Errorf(protocol.KindNotFound, "account", "there is no account %q in this wallet: name one with --as, or give an address", name)
	}
	return account, nil
}

// targets are the accounts that arguments name, each once, or the one of --as.
func (c *cli) targets(args []string) ([]protocol.Account, error) {
	if len(args) == 0 {
		account, err := c.target(nil)
		return []protocol.Account{account}, err
	}
	out := make([]protocol.Account, len(args))
	for i := range args {
		account, err := c.target(args[i : i+1])
		if err != nil {
			return nil, err
		}
		if at := slices.Index(out[:i], account); at >= 0 {
			return nil, protocol.Errorf(protocol.KindInvalid, "account", "%q and %q are the same account: name it once", args[at], args[i])
		}
		out[i] = account
	}
	return out, nil
}

func walletBalance(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "balance [ACCOUNT]",
		Short:   "Show what an account holds, and what its escrow holds",
		Example: "  openledger wallet balance alice\n  openledger wallet balance 0x52908400098527886E0F7030069857D2E4169EE7 --json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			account, err := c.target(args)
			if err != nil {
				return err
			}
			_, _, ch, err := c.network(cmd.Context())
			if err != nil {
				return err
			}
			defer ch.Close()
			balance, err := ch.Balance(cmd.Context(), account)
			if err != nil {
				return err
			}
			escrow, err := ch.EscrowOf(cmd.Context(), account)
			if err != nil {
				return err
			}
			v := accountView{Account: account, Balance: &balance, Escrow: &escrow}
			return c.print(v, func(w io.Writer) {
				fmt.Fprintf(w, "account  %s\nbalance  %s OPEN\nescrow   %s OPEN\n", account.Hex(), node.FormatOpen(balance), node.FormatOpen(escrow))
			})
		},
	}
}

func walletSend(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "send ACCOUNT AMOUNT",
		Short:   "Send OPEN to an account",
		Example: "  openledger wallet send 0x52908400098527886E0F7030069857D2E4169EE7 12.5 --as alice",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			to, err := c.target(args[:1])
			if err != nil {
				return err
			}
			amount, err := node.ParseOpen("amount", args[1])
			if err != nil {
				return err
			}
			return c.transact(cmd, fmt.Sprintf("sent %s OPEN to %s", node.FormatOpen(amount), to.Hex()), func(s *chain.Sender) (chain.Tx, error) {
				return s.Send(cmd.Context(), to, amount)
			})
		},
	}
}

func walletDeposit(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "deposit AMOUNT",
		Short:   "Put OPEN in escrow and let the coordinator's session key spend it on answers",
		Example: "  openledger wallet deposit 100 --as alice",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			amount, err := node.ParseOpen("amount", args[0])
			if err != nil {
				return err
			}
			_, info, ch, err := c.network(cmd.Context())
			if err != nil {
				return err
			}
			ch.Close()
			return c.transact(cmd, fmt.Sprintf("deposited %s OPEN; the coordinator may spend as much for a year", node.FormatOpen(amount)), func(s *chain.Sender) (chain.Tx, error) {
				session, err := s.Client().SessionOf(cmd.Context(), s.Account(), info.SessionKey)
				if err != nil {
					return chain.Tx{}, err
				}
				o := protocol.Opening{Session: info.SessionKey, Amount: amount}
				o.Limit, o.Expiry = session.Extended(amount, time.Now().AddDate(1, 0, 0).Unix())
				return s.OpenEscrow(cmd.Context(), o)
			})
		},
	}
}

// transact signs with --as, sends, and says how it went.
func (c *cli) transact(cmd *cobra.Command, done string, send func(*chain.Sender) (chain.Tx, error)) error {
	key, err := c.signer()
	if err != nil {
		return err
	}
	_, _, ch, err := c.network(cmd.Context())
	if err != nil {
		return err
	}
	defer ch.Close()
	tx, err := send(ch.As(key))
	if err != nil {
		return err
	}
	v := map[string]any{"tx": tx.Hash, "block": tx.Block, "gas_used": tx.GasUsed}
	return c.print(v, func(w io.Writer) {
		fmt.Fprintf(w, "%s\ntx %s in block %d, %d gas\n", done, tx.Hash, tx.Block, tx.GasUsed)
	})
}
