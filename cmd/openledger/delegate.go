package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
)

func newDelegate(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "delegate",
		Short: "Who may act in your name: order trainings, publish datanets, contribute",
		Long: `An account may let another key act in its name, for some things and for a time. The
coordinator needs it for what clients ask with an API key alone: files and fine-tuning of
the OpenAI API. What a delegate makes belongs to the account; it cannot move its money. A
newer authorisation replaces the one before it, and revoke ends it at once.`,
		Example: `  openledger delegate authorize --as alice
  openledger delegate authorize --scopes train --lasts 24h --as alice
  openledger delegate show alice
  openledger delegate revoke --as alice`,
	}
	cmd.AddCommand(delegateAuthorize(c), delegateShow(c), delegateRevoke(c), delegateRenounce(c))
	return cmd
}

type delegateFlags struct {
	key, relay      string
	scopes          []string
	lasts, validFor time.Duration
	sign            bool
}

func delegateAuthorize(c *cli) *cobra.Command {
	var f delegateFlags
	cmd := &cobra.Command{
		Use:   "authorize",
		Short: "Let a key act in your name, in place of what it was authorised for before",
		Long: `Authorize sends a transaction. With --sign it only signs, and prints what anybody else can
send with --relay, who then pays for the gas.`,
		Example: `  openledger delegate authorize --as alice
  openledger delegate authorize --scopes train,publish --lasts 2160h --as alice
  openledger delegate authorize --sign --as alice > delegation.json
  openledger delegate authorize --relay delegation.json --as bob`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.relay != "" {
				return c.relayDelegation(cmd, f.relay)
			}
			return c.authorizeDelegate(cmd, f)
		},
	}
	cmd.Flags().StringVar(&f.key, "key", "", "the delegate (default: the coordinator's key)")
	cmd.Flags().StringSliceVar(&f.scopes, "scopes", []string{"train", "publish", "contribute"}, "what it may do")
	cmd.Flags().DurationVar(&f.lasts, "lasts", 30*24*time.Hour, "how long it may; at most a year")
	cmd.Flags().BoolVar(&f.sign, "sign", false, "only sign, and print the delegation for --relay")
	cmd.Flags().DurationVar(&f.validFor, "valid-for", time.Hour, "how long what --sign prints can be sent")
	cmd.Flags().StringVar(&f.relay, "relay", "", "file with a signed delegation to send, or - for standard input")
	cmd.MarkFlagsMutuallyExclusive("sign", "relay")
	return cmd
}

func (c *cli) authorizeDelegate(cmd *cobra.Command, f delegateFlags) error {
	scopes, err := protocol.ParseDelegateScopes(f.scopes)
	if err != nil {
		return err
	}
	if f.lasts < time.Second || f.validFor < time.Second {
		return protocol.Errorf(protocol.KindInvalid, "lasts, valid-for", "must be at least a second")
	}
	key, err := c.signer()
	if err != nil {
		return err
	}
	delegate, err := c.sessionKey(cmd.Context(), f.key)
	if err != nil {
		return err
	}
	expiry := time.Now().Add(f.lasts).Unix()
	if !f.sign {
		return c.transact(cmd, fmt.Sprintf("%s may %s in the name of %s until %s", delegate.Hex(), scopes, key.Account().Hex(), minute(expiry)), func(s *chain.Sender) (chain.Tx, error) {
			return s.AuthorizeDelegate(cmd.Context(), delegate, scopes, expiry)
		})
	}
	_, info, ch, err := c.network(cmd.Context())
	if err != nil {
		return err
	}
	defer ch.Close()
	signed := protocol.SignedDelegation{Delegation: protocol.Delegation{Owner: key.Account(), Delegate: delegate, Scopes: scopes, Expiry: expiry,
		Deadline: time.Now().Add(f.validFor).Unix()}}
	if signed.Delegation.Nonce, err = ch.DelegationNonce(cmd.Context(), key.Account()); err != nil {
		return err
	}
	domain := wire.Domain{ChainID: info.ChainID, Contract: info.Contracts.Delegates}
	if signed.Signature, err = key.SignTyped(cmd.Context(), wire.DelegationData(domain, signed.Delegation)); err != nil {
		return err
	}
	enc := json.NewEncoder(c.out)
	enc.SetIndent("", "  ")
	return enc.Encode(&signed)
}

// relayDelegation sends what another account signed.
func (c *cli) relayDelegation(cmd *cobra.Command, file string) error {
	in := c.in
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return protocol.Errorf(protocol.KindInvalid, "relay", "%w", err)
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	var signed protocol.SignedDelegation
	if err := json.NewDecoder(io.LimitReader(in, 64<<10)).Decode(&signed); err != nil {
		return protocol.Errorf(protocol.KindInvalid, "relay", "it is not what 'openledger delegate authorize --sign' prints: %w", err)
	}
	g := signed.Delegation
	return c.transact(cmd, fmt.Sprintf("%s may %s in the name of %s until %s", g.Delegate.Hex(), g.Scopes, g.Owner.Hex(), minute(g.Expiry)), func(s *chain.Sender) (chain.Tx, error) {
		return s.AuthorizeDelegateFor(cmd.Context(), signed)
	})
}

// delegateView is a delegate's authority as the verbs show it.
type delegateView struct {
	chain.Delegate
	Names []string `json:"scope_names"`
	Now   bool     `json:"now"` // whether any of it holds now
}

func delegateShow(c *cli) *cobra.Command {
	var key string
	cmd := &cobra.Command{
		Use:     "show [ACCOUNT]",
		Short:   "Show what a key may do in an account's name",
		Example: "  openledger delegate show alice --json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			owner, err := c.target(args)
			if err != nil {
				return err
			}
			delegate, err := c.sessionKey(cmd.Context(), key)
			if err != nil {
				return err
			}
			_, _, ch, err := c.network(cmd.Context())
			if err != nil {
				return err
			}
			defer ch.Close()
			v := delegateView{}
			if v.Delegate, err = ch.DelegateOf(cmd.Context(), owner, delegate); err != nil {
				return err
			}
			v.Names = v.Scopes.Names()
			if v.Now, err = ch.IsDelegate(cmd.Context(), owner, delegate, v.Scopes); err != nil {
				return err
			}
			return c.print(v, func(w io.Writer) {
				switch {
				case v.Until == 0:
					fmt.Fprintf(w, "%s was never authorised by %s\n", delegate.Hex(), owner.Hex())
				case v.Now:
					fmt.Fprintf(w, "%s may %s in the name of %s until %s\n", delegate.Hex(), v.Scopes, owner.Hex(), minute(v.Until))
				default:
					fmt.Fprintf(w, "%s could %s in the name of %s until %s\n", delegate.Hex(), v.Scopes, owner.Hex(), minute(v.Until))
				}
			})
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "the delegate (default: the coordinator's key)")
	return cmd
}

func delegateRevoke(c *cli) *cobra.Command {
	var key string
	cmd := &cobra.Command{
		Use:     "revoke",
		Short:   "End a key's authority at once, and make void what you signed and nobody sent",
		Example: "  openledger delegate revoke --as alice",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			delegate, err := c.sessionKey(cmd.Context(), key)
			if err != nil {
				return err
			}
			return c.transact(cmd, delegate.Hex()+" may do nothing in your name any more", func(s *chain.Sender) (chain.Tx, error) {
				return s.RevokeDelegate(cmd.Context(), delegate)
			})
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "the delegate (default: the coordinator's key)")
	return cmd
}

func delegateRenounce(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "renounce OWNER",
		Short:   "End what the signing key may do in an owner's name: for a key that may be in other hands",
		Example: "  openledger delegate renounce 0x52908400098527886E0F7030069857D2E4169EE7 --as session",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			owner, err := node.ParseAccount("owner", args[0])
			if err != nil {
				return err
			}
			return c.transact(cmd, "renounced what it might do in the name of "+owner.Hex(), func(s *chain.Sender) (chain.Tx, error) {
				return s.RenounceDelegate(cmd.Context(), owner)
			})
		},
	}
}
