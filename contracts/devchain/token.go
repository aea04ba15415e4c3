package devchain

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/openledger/openledger/contracts/bindings"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/supply"
	"github.com/openledger/openledger/protocol"
)

// TokenDeployment says which supply to put on a chain (L1), as whom, and where to write
// down its addresses.
type TokenDeployment struct {
	// File keeps the addresses, those of a deployment that was interrupted included.
	// Empty: they are not kept.
	File   string
	Config supply.Config
	Key    chain.Key
	Logger *slog.Logger
}

// DeployToken puts a vault for every bucket with a locked part and then the token on
// the chain, or finds them there. The whole supply is minted to vaults and
// beneficiaries in the transaction that makes the token: the deployer never holds any.
func DeployToken(ctx context.Context, client *chain.Client, d TokenDeployment) (chain.TokenAddresses, error) {
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	out := chain.TokenAddresses{ChainID: client.ChainID(), Vaults: map[string]protocol.Account{}}
	if err := d.Config.Validate(); err != nil {
		return out, err
	}
	if d.File != "" {
		known, err := readJSON[chain.TokenAddresses](d.File, "token deployment")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return out, err
		}
		if err == nil && known.ChainID == out.ChainID && known.Vaults != nil {
			out = known
		}
	}
	there := func(at protocol.Account) (bool, error) {
		if at == (protocol.Account{}) {
			return false, nil
		}
		return client.HasCode(ctx, at)
	}
	deploy := func(what, code string, args []byte, into func(protocol.Account)) error {
		at, tx, err := client.As(d.Key).Deploy(ctx, what, append(common.FromHex(code), args...))
		if err != nil {
			return err
		}
		into(at)
		d.Logger.Info("deployed", "contract", what, "address", at, "block", tx.Block, "gas", tx.GasUsed)
		return writeJSON(d.File, "token deployment", out)
	}
	fresh := false
	for i := range d.Config.Buckets {
		b := &d.Config.Buckets[i]
		locked := b.Locked()
		if locked.IsZero() {
			continue
		}
		if ok, err := there(out.Vaults[b.Name]); err != nil {
			return out, err
		} else if ok {
			continue
		}
		fresh = true
		args := bindings.NewVestingVault().PackConstructor(b.Name, b.Beneficiary, d.Config.Start(b), d.Config.Duration(b))
		if err := deploy("vault "+b.Name, bindings.VestingVaultMetaData.Bin, args, func(at protocol.Account) { out.Vaults[b.Name] = at }); err != nil {
			return out, err
		}
	}
	if ok, err := there(out.Token); err != nil {
		return out, err
	} else if ok && fresh {
		return out, protocol.Errorf(protocol.KindInvalid, "deployment", "the token %s is on the chain, but some of its vaults were not in %s: its supply cannot be laid out again; give another file", out.Token, d.File)
	} else if ok {
		return out, CheckToken(ctx, client, d.Config, out)
	}
	var holders []protocol.Account
	var amounts []*big.Int
	mint := func(to protocol.Account, amount uint256.Int) {
		if !amount.IsZero() {
			holders, amounts = append(holders, to), append(amounts, amount.ToBig())
		}
	}
	for i := range d.Config.Buckets {
		b := &d.Config.Buckets[i]
		mint(b.Beneficiary, b.AtTGE)
		mint(out.Vaults[b.Name], b.Locked())
	}
	args := bindings.NewOPEN().PackConstructor(d.Config.Name, d.Config.Symbol, holders, amounts)
	if err := deploy("token", bindings.OPENMetaData.Bin, args, func(at protocol.Account) { out.Token = at }); err != nil {
		return out, err
	}
	return out, CheckToken(ctx, client, d.Config, out)
}

// CheckToken compares the vaults on the chain with the configuration: buckets, starts,
// durations, and what they were given. Beneficiaries may have passed their vault on.
func CheckToken(ctx context.Context, client *chain.Client, c supply.Config, at chain.TokenAddresses) error {
	for i := range c.Buckets {
		problem, err := vaultDiffers(ctx, client, c, &c.Buckets[i], at)
		if err != nil {
			return err
		}
		if problem != "" {
			return protocol.Errorf(protocol.KindInvalid, "deployment", "vault %s of bucket %s %s: they are different deployments", at.Vaults[c.Buckets[i].Name], c.Buckets[i].Name, problem)
		}
	}
	return nil
}

// vaultDiffers says how a bucket's vault differs from the configuration; empty: it does
// not, or the bucket needs none.
func vaultDiffers(ctx context.Context, client *chain.Client, c supply.Config, b *supply.Bucket, at chain.TokenAddresses) (string, error) {
	locked := b.Locked()
	if locked.IsZero() {
		return "", nil
	}
	v, err := client.VaultAt(ctx, at.Token, at.Vaults[b.Name], c.At(c.Months()))
	if err != nil {
		return "", err
	}
	if v.Bucket == b.Name && v.Start == c.Start(b) && v.Duration == c.Duration(b) && !v.Vested.Lt(&locked) {
		return "", nil
	}
	return fmt.Sprintf("is of bucket %q and vests %s wei from %d over %d s, the configuration says %s from %d over %d s",
		v.Bucket, v.Vested.Dec(), v.Start, v.Duration, locked.Dec(), c.Start(b), c.Duration(b)), nil
}

// VerifyToken compares a token's deployment with what the sources here compile to and with
// its configuration: the runtime code of the token and of every vault (immutables aside),
// what each vault holds for whom and when, and that no more tokens exist than the
// configuration makes. An error means that it could not look.
func VerifyToken(ctx context.Context, client *chain.Client, c supply.Config, at chain.TokenAddresses) ([]Check, error) {
	var out []Check
	whole := true
	code := func(name, artifact string, a protocol.Account) error {
		have, err := client.Code(ctx, a)
		if err != nil {
			return err
		}
		problem := runtimeDiffers(have, bindings.Artifacts[artifact])
		whole = whole && problem == ""
		out = append(out, Check{name, a, runtimeCode, problem})
		return nil
	}
	if err := code("token", "OPEN", at.Token); err != nil {
		return out, err
	}
	for i := range c.Buckets {
		if locked := c.Buckets[i].Locked(); locked.IsZero() {
			continue
		}
		if err := code("vault "+c.Buckets[i].Name, "VestingVault", at.Vaults[c.Buckets[i].Name]); err != nil {
			return out, err
		}
	}
	if !whole {
		return out, nil // what other code says means nothing
	}
	for i := range c.Buckets {
		b := &c.Buckets[i]
		if locked := b.Locked(); locked.IsZero() {
			continue
		}
		problem, err := vaultDiffers(ctx, client, c, b, at)
		if err != nil {
			return out, err
		}
		out = append(out, Check{"vault " + b.Name, at.Vaults[b.Name], "bucket, schedule and amount", problem})
	}
	exist, err := client.TokenSupply(ctx, at.Token)
	if err != nil {
		return out, err
	}
	problem := ""
	if exist.Gt(&c.Supply) {
		problem = fmt.Sprintf("%s wei exist, the configuration makes %s", exist.Dec(), c.Supply.Dec())
	}
	return append(out, Check{"token", at.Token, "supply", problem}), nil
}

// ReadTokenAddresses reads the file of a token deployment.
func ReadTokenAddresses(path string) (chain.TokenAddresses, error) {
	return readJSON[chain.TokenAddresses](path, "token deployment")
}
