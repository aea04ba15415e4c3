package devchain

import (
	"bytes"
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/openledger/openledger/contracts/bindings"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
)

// Check is one finding of a verification. Problem is empty when it holds.
type Check struct {
	Contract string           `json:"contract"`
	Address  protocol.Account `json:"address"`
	What     string           `json:"what"`
	Problem  string           `json:"problem,omitempty"`
}

// Verify compares a deployment with what the sources here compile to: the runtime code
// of every contract (immutables aside), the transactions that made them (code and
// constructor arguments, which fix the immutables), the record's hashes, and who holds
// which role. An error means that it could not look; a difference is a Check with a
// Problem.
func Verify(ctx context.Context, client *chain.Client, r Record) ([]Check, error) {
	if client.ChainID() != r.ChainID {
		return nil, protocol.Errorf(protocol.KindInvalid, "deployment", "is of chain %d, the node is on chain %d", r.ChainID, client.ChainID())
	}
	v := verifier{ctx: ctx, client: client.With(r.Addresses), r: r}
	for _, c := range contractsOf(&r.Addresses, r.Params, r.Deployer) {
		if err := v.contract(c); err != nil {
			return v.out, err
		}
	}
	for _, c := range v.out {
		if c.What == runtimeCode && c.Problem != "" {
			return v.out, nil // what other code says about roles means nothing
		}
	}
	return v.out, v.roles()
}

const runtimeCode = "runtime code"

type verifier struct {
	ctx    context.Context
	client *chain.Client
	r      Record
	out    []Check
}

func (v *verifier) note(contract string, at protocol.Account, what, problem string) {
	v.out = append(v.out, Check{contract, at, what, problem})
}

func (v *verifier) contract(c deployed) error {
	a := bindings.Artifacts[c.artifact]
	code, err := v.client.Code(v.ctx, *c.at)
	if err != nil {
		return err
	}
	v.note(c.name, *c.at, runtimeCode, runtimeDiffers(code, a))
	var entry *DeployedContract
	for i := range v.r.Contracts {
		if v.r.Contracts[i].Name == c.name {
			entry = &v.r.Contracts[i]
		}
	}
	if entry == nil {
		v.note(c.name, *c.at, "record", "the file does not say which transaction made it: deploy it with 'openledger chain deploy'")
		return nil
	}
	problem := ""
	switch {
	case entry.Address != *c.at:
		problem = fmt.Sprintf("the file has two addresses: %s, and %s in its list", *c.at, entry.Address)
	case entry.Artifact != c.artifact || entry.Compiler != a.Compiler:
		problem = fmt.Sprintf("the file says %s by compiler %s, here it is %s by %s", entry.Artifact, entry.Compiler, c.artifact, a.Compiler)
	case entry.CodeHash != crypto.Keccak256Hash(code):
		problem = fmt.Sprintf("the code on the chain has hash %s, the file says %s", crypto.Keccak256Hash(code), entry.CodeHash)
	}
	v.note(c.name, *c.at, "record", problem)
	args := c.args()
	problem = ""
	if !bytes.Equal(args, entry.Args) {
		problem = fmt.Sprintf("the file has 0x%x; its parameters and addresses give 0x%x", []byte(entry.Args), args)
	}
	v.note(c.name, *c.at, "constructor arguments", problem)
	made, err := v.client.Creation(v.ctx, entry.Tx)
	if err != nil && protocol.KindOf(err) != protocol.KindNotFound {
		return err
	}
	problem = ""
	switch init := append(common.FromHex(a.Meta.Bin), args...); {
	case err != nil:
		problem = err.Error()
	case made.Contract != *c.at:
		problem = fmt.Sprintf("transaction %s made the contract %s", entry.Tx, made.Contract)
	case made.From != v.r.Deployer:
		problem = fmt.Sprintf("transaction %s is by %s, not by the deployer %s", entry.Tx, made.From, v.r.Deployer)
	case made.Block != entry.Block:
		problem = fmt.Sprintf("transaction %s is in block %d, the file says %d", entry.Tx, made.Block, entry.Block)
	case !bytes.Equal(made.Input, init):
		problem = fmt.Sprintf("transaction %s carries other code or arguments (byte %d is the first that differs)", entry.Tx, firstDifference(made.Input, init))
	}
	v.note(c.name, *c.at, "deployment transaction", problem)
	return nil
}

// runtimeDiffers says what is wrong with a contract's code; empty: nothing.
func runtimeDiffers(code []byte, a bindings.Artifact) string {
	if len(code) == 0 {
		return "there is no contract here"
	}
	if len(code) != a.Size {
		return fmt.Sprintf("has %d bytes, the compiled contract has %d", len(code), a.Size)
	}
	masked := bytes.Clone(code)
	for _, places := range a.Immutables {
		value := code[places[0] : places[0]+32]
		for _, at := range places {
			if !bytes.Equal(code[at:at+32], value) {
				return fmt.Sprintf("the immutable at byte %d has another value at byte %d", places[0], at)
			}
			clear(masked[at : at+32])
		}
	}
	if got := crypto.Keccak256Hash(masked); got != a.Hash {
		return fmt.Sprintf("its hash without immutables is %s, that of the compiled contract is %s", got, a.Hash)
	}
	return ""
}

func firstDifference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// roles checks that the contracts have the rights they need and, after the hand-over,
// that no account that somebody has a key of has any.
func (v *verifier) roles() error {
	for _, g := range grantsOf(v.r.Addresses) {
		has, err := v.client.HasRole(v.ctx, g.on, g.role, g.to)
		if err != nil {
			return err
		}
		problem := ""
		if !has {
			problem = fmt.Sprintf("%s does not have it", g.to)
		}
		v.note(v.name(g.on), g.on, "role "+string(g.role)+" of "+v.name(g.to), problem)
	}
	roles, err := v.client.Roles(v.ctx)
	if err != nil {
		return err
	}
	held := 0
	for _, h := range roles {
		// Everybody may execute what the timelock has let pass.
		if h.Contract || h.Account == (protocol.Account{}) && h.Role == chain.ExecutorRole {
			continue
		}
		held++
		if v.r.HandedOver {
			v.note(h.On, h.Account, "role "+string(h.Role), "is held by an account, though the deployment was handed over to governance")
		}
	}
	if v.r.HandedOver && held == 0 {
		v.note("governance", v.r.Timelock, "no account holds a role", "")
	}
	return nil
}

// name is what the addresses call a contract.
func (v *verifier) name(at protocol.Account) string {
	for _, c := range contractsOf(&v.r.Addresses, v.r.Params, v.r.Deployer) {
		if *c.at == at {
			return c.name
		}
	}
	return at.Hex()
}
