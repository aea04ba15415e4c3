package main

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/spf13/cobra"

	"github.com/openledger/openledger/cmd/openledger/client"
	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
)

func coordinatorKey(c *cli) *cobra.Command {
	cmd := keyCreate(c, "key")
	cmd.Short = "Issue, list, revoke and rotate the API keys of an account, and show their usage"
	cmd.Long = `Key asks the coordinator for an API key; the request is signed by the account whose
escrow the key will spend, within what the account deposited ('openledger wallet
deposit'). The key is shown once and kept as a hash only.`
	cmd.Example = `  openledger coordinator key --as alice --label laptop
  openledger coordinator key create --as alice --label agent --scope inference --model marrowland-facts --budget 5 --budget-per-day 0.5 --expires 720h
  openledger coordinator key list --as alice
  openledger coordinator key revoke 0x8c1d… --as alice`
	cmd.AddCommand(keyCreate(c, "create"), keyList(c), keyUsage(c), keyRevoke(c), keyRotate(c))
	return cmd
}

// keyFlags are the limits of a key as the command line takes them.
type keyFlags struct {
	label, budget, perDay string
	scopes, models        []string
	expires               time.Duration
	requests, tokens      int
}

func (f *keyFlags) limits() (api.KeyLimits, error) {
	out := api.KeyLimits{Models: f.models, RequestsPerMinute: f.requests, TokensPerMinute: f.tokens}
	for _, s := range f.scopes {
		out.Scopes = append(out.Scopes, api.Scope(s))
	}
	if f.expires < 0 {
		return out, protocol.Errorf(protocol.KindInvalid, "--expires", "must not be negative")
	}
	if f.expires > 0 {
		out.Expires = time.Now().Add(f.expires).UnixMilli()
	}
	if f.budget != "" {
		n, err := node.ParseOpen("--budget", f.budget)
		if err != nil {
			return out, err
		}
		out.Budget = &n
	}
	if f.perDay != "" {
		n, err := node.ParseOpen("--budget-per-day", f.perDay)
		if err != nil {
			return out, err
		}
		out.BudgetPerDay = &n
	}
	return out, nil
}

func keyCreate(c *cli, use string) *cobra.Command {
	var f keyFlags
	cmd := &cobra.Command{
		Use:   use,
		Short: "Issue an API key that spends the escrow of the account that signs",
		Long: `Create asks the coordinator for an API key. Scopes are inference, training, datanets
and read; a key without any has all. Amounts are in OPEN; a request that the rest of a
budget may not cover is refused before it runs.`,
		Example: `  openledger coordinator key create --as alice --label laptop
  openledger coordinator key create --as alice --scope inference --requests-per-minute 60 --tokens-per-minute 20000`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			key, err := c.signer()
			if err != nil {
				return err
			}
			limits, err := f.limits()
			if err != nil {
				return err
			}
			cl, err := c.coordinator()
			if err != nil {
				return err
			}
			issued, err := requestKey(cmd, cl, key, f.label, limits)
			if err != nil {
				return err
			}
			return c.print(issued, func(w io.Writer) { fmt.Fprintln(w, issued.Secret) })
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.label, "label", "", "what the key is for")
	fl.StringSliceVar(&f.scopes, "scope", nil, "what it may be used for: inference, training, datanets, read (default: all)")
	fl.StringSliceVar(&f.models, "model", nil, "models that it may ask (default: all)")
	fl.DurationVar(&f.expires, "expires", 0, "how long it is good for (default: for ever)")
	fl.IntVar(&f.requests, "requests-per-minute", 0, "requests a minute (default: no limit)")
	fl.IntVar(&f.tokens, "tokens-per-minute", 0, "tokens of prompts and answers a minute (default: no limit)")
	fl.StringVar(&f.budget, "budget", "", "OPEN that it may spend in all (default: what the escrow holds)")
	fl.StringVar(&f.perDay, "budget-per-day", "", "OPEN that it may spend a day, UTC (default: no limit)")
	return cmd
}

func issueKey(cmd *cobra.Command, cl *client.Client, key keystore.Signer, label string) (string, error) {
	issued, err := requestKey(cmd, cl, key, label, api.KeyLimits{})
	return issued.Secret, err
}

func requestKey(cmd *cobra.Command, cl *client.Client, key keystore.Signer, label string, limits api.KeyLimits) (api.IssuedKey, error) {
	var out api.IssuedKey
	info, err := cl.Network(cmd.Context())
	if err != nil {
		return out, err
	}
	r := api.KeyRequest{Requester: key.Account(), Label: label, At: time.Now().UnixMilli(), KeyLimits: limits}
	if r.Signature, err = key.SignText(cmd.Context(), api.KeyRequestText(info.Peer, r)); err != nil {
		return out, err
	}
	if err := cl.Call(cmd.Context(), http.MethodPost, "/api/v1/keys", r, &out); err != nil {
		return out, err
	}
	if out.Secret == "" {
		return out, protocol.Errorf(protocol.KindInternal, "", "the coordinator issued an empty key")
	}
	return out, nil
}

// keyAction signs for a request about keys and sends it.
func (c *cli) keyAction(cmd *cobra.Command, action, path string, id protocol.Hash, out any) error {
	return c.signedKeys(cmd, action, path, id, map[string]any{}, out)
}

// signedKeys signs for a request about keys and sends it with what else it says.
func (c *cli) signedKeys(cmd *cobra.Command, action, path string, id protocol.Hash, in map[string]any, out any) error {
	key, err := c.signer()
	if err != nil {
		return err
	}
	cl, err := c.coordinator()
	if err != nil {
		return err
	}
	info, err := cl.Network(cmd.Context())
	if err != nil {
		return err
	}
	r := api.SignedRequest{At: time.Now().UnixMilli()}
	if r.Signature, err = key.SignText(cmd.Context(), api.KeyActionText(info.Peer, action, key.Account(), id, r.At)); err != nil {
		return err
	}
	in["account"], in["at"], in["signature"] = key.Account(), r.At, r.Signature
	return cl.Call(cmd.Context(), http.MethodPost, path, in, out)
}

func keyID(arg string) (protocol.Hash, error) {
	b := common.FromHex(arg)
	if len(b) != common.HashLength {
		return protocol.Hash{}, protocol.Errorf(protocol.KindInvalid, "key", "%q is not the id of a key: 'openledger coordinator key list' shows them", arg)
	}
	return common.BytesToHash(b), nil
}

func keyList(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List an account's API keys with their limits and what they spent",
		Example: "  openledger coordinator key list --as alice --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var out struct {
				Keys []api.Key `json:"keys"`
			}
			if err := c.keyAction(cmd, api.ActionList, "/api/v1/keys/list", protocol.Hash{}, &out); err != nil {
				return err
			}
			return c.print(&out, func(w io.Writer) {
				t := newTable(w, "id", "label", "state", "may", "per minute", "spent OPEN", "today")
				for _, k := range out.Keys {
					t.AppendRow([]any{k.ID.Hex(), k.Label, keyState(k), keyMay(k), keyRates(k), keySpent(k), node.FormatOpen(k.SpentToday)})
				}
				t.Render()
			})
		},
	}
}

func keyUsage(c *cli) *cobra.Command {
	days := 30
	cmd := &cobra.Command{
		Use:   "usage",
		Short: "Show what an account's API keys were used for, by day, key and model",
		Long: `Usage adds up the receipts of all API keys of an account at this coordinator, also of those
that ended, by UTC day, key and model. Requests that were paid one by one have no key.`,
		Example: "  openledger coordinator key usage --as alice\n  openledger coordinator key usage --as alice --days 7 --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var out struct {
				Usage []api.KeyUsageRow `json:"usage"`
				Fee   uint256.Int       `json:"fee"`
			}
			if err := c.signedKeys(cmd, api.ActionList, "/api/v1/keys/usage", protocol.Hash{}, map[string]any{"days": days}, &out); err != nil {
				return err
			}
			return c.print(&out, func(w io.Writer) {
				t := newTable(w, "day", "key", "label", "model", "requests", "tokens in", "out", "OPEN")
				for _, r := range out.Usage {
					t.AppendRow([]any{r.Day, r.Key.Hex()[:10], r.Label, r.Model, r.Requests, r.PromptTokens, r.OutputTokens, node.FormatOpen(r.Fee)})
				}
				t.Render()
				fmt.Fprintf(w, "\n%s OPEN in %d days\n", node.FormatOpen(out.Fee), days)
			})
		},
	}
	cmd.Flags().IntVar(&days, "days", days, "days (UTC) up to today, 366 at most")
	return cmd
}

func keyState(k api.Key) string {
	switch {
	case k.RevokedAt != 0:
		return "revoked"
	case k.Expires != 0 && time.Now().UnixMilli() >= k.Expires:
		return "expired"
	case k.Expires != 0:
		return "until " + time.UnixMilli(k.Expires).UTC().Format(time.DateTime)
	}
	return "valid"
}

func keyMay(k api.Key) string {
	var parts []string
	for _, s := range k.Scopes {
		parts = append(parts, string(s))
	}
	if len(parts) == 0 {
		parts = []string{"all"}
	}
	if len(k.Models) > 0 {
		parts = append(parts, "on "+strings.Join(k.Models, ", "))
	}
	return strings.Join(parts, " ")
}

func keySpent(k api.Key) string {
	if k.Budget == nil {
		return node.FormatOpen(k.Spent)
	}
	return node.FormatOpen(k.Spent) + " of " + node.FormatOpen(*k.Budget)
}

func keyRates(k api.Key) string {
	var parts []string
	if k.RequestsPerMinute > 0 {
		parts = append(parts, strconv.Itoa(k.RequestsPerMinute)+" requests")
	}
	if k.TokensPerMinute > 0 {
		parts = append(parts, strconv.Itoa(k.TokensPerMinute)+" tokens")
	}
	return strings.Join(parts, ", ")
}

func keyRevoke(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "revoke ID",
		Short:   "End an API key at once",
		Example: "  openledger coordinator key revoke 0x8c1d931bf5b1ef060f136ed72baa79e1970828d73d4aaaa49d7185a5eafcc8cb --as alice",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := keyID(args[0])
			if err != nil {
				return err
			}
			var out api.Key
			if err := c.keyAction(cmd, api.ActionRevoke, "/api/v1/keys/"+id.Hex()+"/revoke", id, &out); err != nil {
				return err
			}
			return c.print(&out, func(w io.Writer) { fmt.Fprintf(w, "revoked %s\n", id.Hex()) })
		},
	}
}

func keyRotate(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "rotate ID",
		Short:   "Give an API key a new secret; the old one ends, limits and what it spent stay",
		Example: "  openledger coordinator key rotate 0x8c1d931bf5b1ef060f136ed72baa79e1970828d73d4aaaa49d7185a5eafcc8cb --as alice",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := keyID(args[0])
			if err != nil {
				return err
			}
			var out api.IssuedKey
			if err := c.keyAction(cmd, api.ActionRotate, "/api/v1/keys/"+id.Hex()+"/rotate", id, &out); err != nil {
				return err
			}
			return c.print(&out, func(w io.Writer) { fmt.Fprintln(w, out.Secret) })
		},
	}
}
