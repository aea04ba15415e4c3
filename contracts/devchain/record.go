package devchain

import (
	"slices"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
)

// Record is what a deployments file holds: where the contracts are, and what is needed
// to check that they are the ones that the sources here compile to.
type Record struct {
	chain.Addresses
	Name       string             `json:"name"`
	Deployer   protocol.Account   `json:"deployer"`
	HandedOver bool               `json:"handed_over"`
	Params     Params             `json:"parameters"`
	Contracts  []DeployedContract `json:"contracts"`
}

// DeployedContract is one contract of a deployment.
type DeployedContract struct {
	Name     string           `json:"name"` // as in the addresses
	Artifact string           `json:"artifact"`
	Compiler string           `json:"compiler"`
	Address  protocol.Account `json:"address"`
	Tx       protocol.Hash    `json:"tx"`
	Block    uint64           `json:"block"`
	Args     hexutil.Bytes    `json:"constructor_args"` // ABI-encoded
	CodeHash protocol.Hash    `json:"code_hash"`        // keccak256 of the code on the chain
}

// put keeps one entry for each contract.
func (r *Record) put(c DeployedContract) {
	if i := slices.IndexFunc(r.Contracts, func(x DeployedContract) bool { return x.Name == c.Name }); i >= 0 {
		r.Contracts[i] = c
		return
	}
	r.Contracts = append(r.Contracts, c)
}

// ReadRecord reads a deployments file.
func ReadRecord(path string) (Record, error) { return readJSON[Record](path, "deployments") }

// WriteRecord writes a deployments file, whole or not at all.
func WriteRecord(path string, r Record) error { return writeJSON(path, "deployments", &r) }

// ReadAddresses reads where the contracts are from a deployments file.
func ReadAddresses(path string) (chain.Addresses, error) {
	r, err := ReadRecord(path)
	return r.Addresses, err
}
