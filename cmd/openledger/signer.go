package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/contracts/keystore/clef"
	"github.com/openledger/openledger/protocol"
)

// external is the account of --as at --signer.
func (c *cli) external() (keystore.Signer, error) {
	if c.account == "" {
		return nil, protocol.Errorf(protocol.KindInvalid, "as", "no account is named: pass --as ADDRESS; 'openledger wallet list --signer URL' shows those that the signer has")
	}
	account, err := c.target(nil)
	if err != nil {
		return nil, err
	}
	return clef.New(clef.Config{URL: c.remote, Account: account, Method: chain.Method, Waiting: func(what string) { c.say("%s", what) }})
}

// owner is a worker's owner: the key of that name in the worker's wallet, made when there
// is none, or an account at --signer, which then is all that ever moves the stake.
func (c *cli) owner(w *node.Wallet) (keystore.Signer, error) {
	if c.remote != "" {
		return c.external()
	}
	return w.Ensure(ownerKey)
}

// needsKey says of each verb that cannot use an external signer why.
var needsKey = map[string]string{
	"openledger demo":            "it makes all its keys itself",
	"openledger devnet":          "it makes all its keys itself",
	"openledger chain run":       "its deployer's key is made with the chain",
	"openledger coordinator run": "its session key signs every job; the requesters' keys, which authorise it, can be external",
	"openledger worker run":      "the node key signs every receipt; the owner's key can be external: 'openledger worker init --signer URL --as ADDRESS'",
	"openledger wallet create":   "it makes a key in this wallet; make accounts of the signer with its own tools, such as 'clef newaccount'",
}

// checkSigner refuses --signer where a key must be in this process.
func checkSigner(cmd *cobra.Command) error {
	why, ok := needsKey[cmd.CommandPath()]
	if !ok || !cmd.Flags().Changed("signer") {
		return nil
	}
	return protocol.Errorf(protocol.KindInvalid, "signer", "'%s' cannot sign through an external signer: %s", cmd.CommandPath(), why)
}

// listExternal shows which accounts the signer lets us see.
func (c *cli) listExternal(cmd *cobra.Command) error {
	s, err := clef.New(clef.Config{URL: c.remote, Waiting: func(what string) { c.say("%s", what) }})
	if err != nil {
		return err
	}
	defer s.Close()
	version, err := s.Version(cmd.Context())
	if err != nil {
		return err
	}
	all, err := s.Accounts(cmd.Context())
	if err != nil {
		return err
	}
	list := make([]accountView, len(all))
	for i, a := range all {
		list[i].Account = a
	}
	return c.print(map[string]any{"accounts": list, "signer_api": version}, func(w io.Writer) {
		for _, a := range all {
			fmt.Fprintln(w, a.Hex())
		}
	})
}
