package keystore

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

func open(t *testing.T) *Store {
	t.Helper()
	s, err := Open(Config{Dir: filepath.Join(t.TempDir(), "keys"), Light: true})
	require.NoError(t, err)
	return s
}

func TestCreateListLoad(t *testing.T) {
	s := open(t)
	a, err := s.Create("one")
	require.NoError(t, err)
	b, err := s.Create("two")
	require.NoError(t, err)
	all, err := s.List()
	require.NoError(t, err)
	require.Len(t, all, 2)
	require.ElementsMatch(t, []protocol.Account{a.Account(), b.Account()}, all)

	got, err := s.Load(a.Account(), "one")
	require.NoError(t, err)
	require.True(t, a.ECDSA().Equal(got.ECDSA()))

	_, err = s.Load(b.Account(), "one")
	require.Equal(t, protocol.KindUnauthorized, protocol.KindOf(err))
	_, err = s.Load(common.Address{1}, "one")
	require.Equal(t, protocol.KindNotFound, protocol.KindOf(err))
}

func TestFilesArePrivate(t *testing.T) {
	s := open(t)
	_, err := s.Create("pw")
	require.NoError(t, err)
	entries, err := os.ReadDir(s.dir)
	require.NoError(t, err)
	require.Len(t, entries, 1, "no temporary file is left")
	info, err := entries[0].Info()
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	dir, err := os.Stat(s.dir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), dir.Mode().Perm())
}

func TestImport(t *testing.T) {
	s := open(t)
	secret := "0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
	k, err := s.Import(secret, "pw")
	require.NoError(t, err)
	require.Equal(t, common.HexToAddress("0x2c7536E3605D9C16a7a3D7b1898e529396a65c23"), k.Account())
	_, err = s.Import(secret, "pw")
	require.Equal(t, protocol.KindExists, protocol.KindOf(err))
	_, err = s.Import("zz"+secret[4:], "pw")
	require.Equal(t, protocol.KindInvalid, protocol.KindOf(err))
	require.NotContains(t, err.Error(), secret[10:20])
}

func TestSecretIsNeverPrinted(t *testing.T) {
	k, err := Generate()
	require.NoError(t, err)
	secret := hex.EncodeToString(crypto.FromECDSA(k.ECDSA()))
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		out := fmt.Sprintf(format, k)
		require.NotContains(t, out, secret)
		require.NotContains(t, out, new(big.Int).SetBytes(crypto.FromECDSA(k.ECDSA())).String())
	}
}

func TestSign(t *testing.T) {
	k, err := Generate()
	require.NoError(t, err)
	h := crypto.Keccak256Hash([]byte("hello"))
	sig, err := k.SignHash(h)
	require.NoError(t, err)
	require.Len(t, sig, 65)
	require.Contains(t, []byte{27, 28}, sig[64])
	raw := bytes.Clone(sig)
	raw[64] -= 27
	pub, err := crypto.SigToPub(h[:], raw)
	require.NoError(t, err)
	require.Equal(t, k.Account(), crypto.PubkeyToAddress(*pub))

	id := big.NewInt(7)
	tx, err := k.SignTx(t.Context(), types.NewTx(&types.DynamicFeeTx{ChainID: id, Gas: 21000}), id)
	require.NoError(t, err)
	from, err := types.Sender(types.LatestSignerForChainID(id), tx)
	require.NoError(t, err)
	require.Equal(t, k.Account(), from)
}

func TestCostlyFilesAreRefused(t *testing.T) {
	for _, params := range []string{
		`"kdf":"scrypt","kdfparams":{"n":1073741824,"r":8,"p":1,"dklen":32}`,
		`"kdf":"scrypt","kdfparams":{"n":262144,"r":800,"p":1,"dklen":32}`,
		`"kdf":"pbkdf2","kdfparams":{"c":1000000000,"dklen":32}`,
		`"kdf":"argon2","kdfparams":{}`,
	} {
		_, err := Decrypt([]byte(`{"version":3,"crypto":{`+params+`}}`), "pw")
		require.Equal(t, protocol.KindInvalid, protocol.KindOf(err), params)
	}
}

func FuzzDecrypt(f *testing.F) {
	f.Add([]byte(`{"version":3,"crypto":{"cipher":"aes-128-ctr","ciphertext":"00","cipherparams":{"iv":"00"},"kdf":"scrypt","kdfparams":{"dklen":32,"n":2,"p":1,"r":1,"salt":"00"},"mac":"00"},"id":"1"}`))
	f.Add([]byte(`{"version":3,"crypto":{"kdf":"pbkdf2","kdfparams":{"c":1,"dklen":32,"prf":"hmac-sha256","salt":"00"},"mac":"00"}}`))
	f.Add([]byte(`{"version":1}`))
	f.Add([]byte(``))
	f.Fuzz(func(t *testing.T, blob []byte) {
		if k, err := Decrypt(blob, "pw"); err == nil {
			require.NotNil(t, k.ECDSA())
		}
	})
}
