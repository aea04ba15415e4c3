package keystore

import (
	"context"
	"math/big"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/openledger/openledger/protocol"
)

// Signer signs for one account: a [Key] in this process, or a program elsewhere that
// asks a person (contracts/keystore/clef). What comes back is by Account and over
// exactly what was asked.
type Signer interface {
	Account() protocol.Account
	// SignTx signs a transaction for a chain.
	SignTx(ctx context.Context, tx *types.Transaction, chainID *big.Int) (*types.Transaction, error)
	// SignTyped signs an EIP-712 statement: 65 bytes r, s, v with low s and v in {27,28}.
	SignTyped(ctx context.Context, t Typed) ([]byte, error)
	// SignText makes an EIP-191 (personal_sign) signature: 65 bytes as SignTyped's.
	SignText(ctx context.Context, text string) ([]byte, error)
}

// Typed is an EIP-712 statement (protocol/wire.TypedData): what is signed, and the
// eth_signTypedData_v4 document that a person is shown.
type Typed interface {
	Digest() (protocol.Hash, error)
	JSON() ([]byte, error)
}

var _ Signer = (*Key)(nil)

// SignTyped signs an EIP-712 statement.
func (k *Key) SignTyped(_ context.Context, t Typed) ([]byte, error) {
	digest, err := t.Digest()
	if err != nil {
		return nil, err
	}
	return k.SignHash(digest)
}

// SignText makes an EIP-191 signature.
func (k *Key) SignText(_ context.Context, text string) ([]byte, error) {
	return k.SignHash(protocol.Hash(accounts.TextHash([]byte(text))))
}
