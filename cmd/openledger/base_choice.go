package main

import (
	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
)

// checkBase compares the chosen base model with the network's and returns its path,
// empty for the embedded one.
func (c *cli) checkBase(info api.NetworkInfo) (string, error) {
	b, err := node.OpenBase(c.baseModel)
	if err != nil {
		return "", err
	}
	if err := b.Close(); err != nil {
		return "", err
	}
	if protocol.Hash(b.Hash) != info.Base {
		return "", protocol.Errorf(protocol.KindInvalid, "base-model", "this model's hash is %s, the network serves %s (%s): name its folder or file with --base-model",
			protocol.Hash(b.Hash), info.BaseName, info.Base)
	}
	return c.baseModel, nil
}
