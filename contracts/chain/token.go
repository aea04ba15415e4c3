package chain

import (
	"context"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/contracts/bindings"
	"github.com/openledger/openledger/protocol"
)

// TokenAddresses says where the token and its vesting vaults are. It is what a token
// deployment's file holds.
type TokenAddresses struct {
	ChainID uint64                      `json:"chain_id"`
	Token   protocol.Account            `json:"token"`
	Vaults  map[string]protocol.Account `json:"vaults"` // by bucket
}

// Vault is what a vesting vault says of itself. Vested counts what was released.
type Vault struct {
	Bucket      string           `json:"bucket"`
	Beneficiary protocol.Account `json:"beneficiary"`
	Start       uint64           `json:"start"`    // Unix seconds
	Duration    uint64           `json:"duration"` // seconds
	Held        uint256.Int      `json:"held_wei"`
	Released    uint256.Int      `json:"released_wei"`
	Vested      uint256.Int      `json:"vested_wei"`
}

// Locked is what has not vested.
func (v Vault) Locked() uint256.Int {
	var all uint256.Int
	all.Add(&v.Held, &v.Released)
	return *all.Sub(&all, &v.Vested)
}

var (
	open  = bindings.NewOPEN()
	vault = bindings.NewVestingVault()
)

// TokenSupply is how many tokens there are, those in vaults included.
func (c *Client) TokenSupply(ctx context.Context, token protocol.Account) (uint256.Int, error) {
	return readAmount(ctx, c, "read the token's supply", token, open.PackTotalSupply(), open.UnpackTotalSupply)
}

// TokenBalance is what an account holds of the token.
func (c *Client) TokenBalance(ctx context.Context, token, holder protocol.Account) (uint256.Int, error) {
	return readAmount(ctx, c, "read a balance of the token", token, open.PackBalanceOf(holder), open.UnpackBalanceOf)
}

// VaultAt reads a vesting vault as it is, or will be, at a time in Unix seconds.
func (c *Client) VaultAt(ctx context.Context, token, at protocol.Account, unix uint64) (Vault, error) {
	v := Vault{}
	var err error
	if v.Bucket, err = read(ctx, c, "read a vault's bucket", at, vault.PackBucket(), vault.UnpackBucket); err != nil {
		return v, err
	}
	if v.Beneficiary, err = read(ctx, c, "read a vault's beneficiary", at, vault.PackOwner(), vault.UnpackOwner); err != nil {
		return v, err
	}
	for _, f := range []struct {
		what   string
		to     protocol.Account
		data   []byte
		amount *uint256.Int
		number *uint64
	}{
		{"read a vault's start", at, vault.PackStart(), nil, &v.Start},
		{"read a vault's duration", at, vault.PackDuration(), nil, &v.Duration},
		{"read a vault's balance", token, open.PackBalanceOf(at), &v.Held, nil},
		{"read what a vault released", at, vault.PackReleased0(token), &v.Released, nil},
		{"read what has vested", at, vault.PackVestedAmount0(token, unix), &v.Vested, nil},
	} {
		// All of them answer with one number.
		n, err := readAmount(ctx, c, f.what, f.to, f.data, open.UnpackTotalSupply)
		if err != nil {
			return v, err
		}
		if f.amount != nil {
			*f.amount = n
			continue
		}
		if !n.IsUint64() {
			return v, protocol.Errorf(protocol.KindCorrupt, "vault", "%s says %s seconds", at, n.Dec())
		}
		*f.number = n.Uint64()
	}
	return v, nil
}

// Circulating is what is not locked in a vault at a time in Unix seconds.
func (c *Client) Circulating(ctx context.Context, t TokenAddresses, unix uint64) (uint256.Int, error) {
	sum, err := c.TokenSupply(ctx, t.Token)
	if err != nil {
		return sum, err
	}
	for _, at := range t.Vaults { // a sum: the order does not matter
		v, err := c.VaultAt(ctx, t.Token, at, unix)
		if err != nil {
			return sum, err
		}
		locked := v.Locked()
		sum.Sub(&sum, &locked)
	}
	return sum, nil
}

// ReleaseVault pays a vault's beneficiary what has vested. Anybody may ask for it.
func (s *Sender) ReleaseVault(ctx context.Context, token, at protocol.Account) (Tx, error) {
	return s.Call(ctx, "release what has vested", at, uint256.Int{}, vault.PackRelease(token))
}
