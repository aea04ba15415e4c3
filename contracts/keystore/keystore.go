// Package keystore keeps secp256k1 keys in encrypted v3 key files, one file per
// account, in the format that every Ethereum wallet reads
// (https://github.com/ethereum/go-ethereum/tree/master/accounts/keystore).
//
// Invariants: a key file is written whole (temporary file, sync, rename) with
// mode 0600 in a directory of mode 0700; a password or a secret never appears
// in an error, a log line or the String of a Key; an opened Key is the only
// place where the secret is in memory.
//
// It does not ask for passwords: they come from the caller, which reads them from
// a file or a flag. It sends no transactions: see contracts/chain.
package keystore

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	gethks "github.com/ethereum/go-ethereum/accounts/keystore"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/google/uuid"

	"github.com/openledger/openledger/protocol"
)

// maxKeyFileBytes bounds a key file: a v3 file is about 500 bytes.
const maxKeyFileBytes = 16 << 10

// Config says where the key files are and how costly they are to guess.
type Config struct {
	// Dir holds the key files. It is made when it does not exist.
	Dir string
	// Light uses a scrypt cost of milliseconds in place of about a second. Only for
	// chains whose money is worth nothing.
	Light bool
}

// Validate says which field is wrong.
func (c *Config) Validate() error {
	if c.Dir == "" {
		return protocol.Errorf(protocol.KindInvalid, "keystore.dir", "is empty: name the folder for the key files")
	}
	return nil
}

// Store is a folder of key files.
type Store struct {
	dir  string
	n, p int
}

// Open opens the folder, making it when it does not exist.
func Open(cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the key folder: %w", err)
	}
	s := &Store{dir: cfg.Dir, n: gethks.StandardScryptN, p: gethks.StandardScryptP}
	if cfg.Light {
		// One lane and not the six of geth's light files, which take a tenth of a second: a
		// development network opens a dozen keys when it starts, and each verb one or two.
		s.n, s.p = gethks.LightScryptN, 1
	}
	return s, nil
}

// Create makes a new key, writes its file and opens it.
func (s *Store) Create(password string) (*Key, error) {
	k, err := ecdsa.GenerateKey(crypto.S256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate a key: %w", err)
	}
	return s.put(k, password)
}

// Import writes the file of a key that was made elsewhere. The secret is 64
// hexadecimal digits, with or without 0x.
func (s *Store) Import(secret, password string) (*Key, error) {
	k, err := crypto.HexToECDSA(strings.TrimPrefix(strings.TrimSpace(secret), "0x"))
	if err != nil {
		// The parser's error may quote the secret: it is dropped on purpose.
		return nil, protocol.Errorf(protocol.KindInvalid, "secret", "is not a private key: give 64 hexadecimal digits")
	}
	return s.put(k, password)
}

func (s *Store) put(k *ecdsa.PrivateKey, password string) (*Key, error) {
	addr := crypto.PubkeyToAddress(k.PublicKey)
	switch _, err := s.path(addr); {
	case err == nil:
		return nil, protocol.Errorf(protocol.KindExists, "account", "%s is already in %s: open it, or remove its file first", addr, s.dir)
	case protocol.KindOf(err) != protocol.KindNotFound:
		return nil, err
	}
	id, err := uuid.NewRandom()
	if err != nil {
		return nil, fmt.Errorf("draw a key id: %w", err)
	}
	blob, err := gethks.EncryptKey(&gethks.Key{Id: id, Address: addr, PrivateKey: k}, password, s.n, s.p)
	if err != nil {
		return nil, fmt.Errorf("encrypt the key of %s: %w", addr, err)
	}
	name := fmt.Sprintf("UTC--%s--%s", time.Now().UTC().Format("2006-01-02T15-04-05.000000000Z"), strings.ToLower(addr.Hex()[2:]))
	if err := writeFile(s.dir, name, blob); err != nil {
		return nil, fmt.Errorf("write the key file of %s: %w", addr, err)
	}
	return &Key{addr: addr, secret: k}, nil
}

// writeFile writes a file so that it is there whole or not at all.
func writeFile(dir, name string, blob []byte) (err error) {
	f, err := os.CreateTemp(dir, ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	if _, err = f.Write(blob); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), filepath.Join(dir, name)); err != nil {
		return err
	}
	return f.Close()
}

// List gives the accounts that have a file here, in order of address.
func (s *Store) List() ([]protocol.Account, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("list the key folder: %w", err)
	}
	var out []protocol.Account
	for _, e := range entries {
		if a, ok := accountOf(e); ok {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, func(a, b protocol.Account) int { return a.Cmp(b) })
	return slices.Compact(out), nil
}

// accountOf reads the account from the name of a key file: UTC--<time>--<address>.
func accountOf(e fs.DirEntry) (protocol.Account, bool) {
	i := strings.LastIndex(e.Name(), "--")
	if i < 0 || e.IsDir() || !common.IsHexAddress(e.Name()[i+2:]) {
		return protocol.Account{}, false
	}
	return common.HexToAddress(e.Name()[i+2:]), true
}

func (s *Store) path(a protocol.Account) (string, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return "", fmt.Errorf("list the key folder: %w", err)
	}
	for _, e := range entries {
		if b, ok := accountOf(e); ok && a == b {
			return filepath.Join(s.dir, e.Name()), nil
		}
	}
	return "", protocol.Errorf(protocol.KindNotFound, "account", "no key of %s in %s: create or import it, or name another keystore folder", a, s.dir)
}

// Load opens the key of an account.
func (s *Store) Load(a protocol.Account, password string) (*Key, error) {
	path, err := s.path(a)
	if err != nil {
		return nil, err
	}
	k, err := LoadFile(path, password)
	if err != nil {
		return nil, err
	}
	if k.addr != a {
		return nil, protocol.Errorf(protocol.KindCorrupt, "account", "the file named for %s holds the key of %s: rename it", a, k.addr)
	}
	return k, nil
}

// LoadFile opens one key file.
func LoadFile(path, password string) (*Key, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("open the key file: %w", err)
	}
	if info.Size() > maxKeyFileBytes {
		return nil, protocol.Errorf(protocol.KindInvalid, "key file", "%s has %d bytes: a key file has at most %d", path, info.Size(), maxKeyFileBytes)
	}
	blob, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the key file: %w", err)
	}
	return Decrypt(blob, password)
}

// maxScryptN bounds the work that a foreign key file may ask for (n·r·128 bytes of
// memory); the standard cost is 1<<18.
const maxScryptN = 1 << 20

// Decrypt opens the bytes of a v3 key file.
func Decrypt(blob []byte, password string) (*Key, error) {
	if len(blob) > maxKeyFileBytes {
		return nil, protocol.Errorf(protocol.KindInvalid, "key file", "has %d bytes: a key file has at most %d", len(blob), maxKeyFileBytes)
	}
	var head struct {
		Version int `json:"version"`
		Crypto  struct {
			KDF    string `json:"kdf"`
			Params struct {
				N     int    `json:"n"`
				R     int    `json:"r"`
				P     int    `json:"p"`
				C     int    `json:"c"`
				DKLen int    `json:"dklen"`
				PRF   string `json:"prf"`
				Salt  string `json:"salt"`
			} `json:"kdfparams"`
		} `json:"crypto"`
	}
	if err := json.Unmarshal(blob, &head); err != nil {
		return nil, protocol.Errorf(protocol.KindInvalid, "key file", "is not a v3 key file: %w", err)
	}
	if head.Version != 3 {
		return nil, protocol.Errorf(protocol.KindInvalid, "key file", "has version %d: only version 3 is read", head.Version)
	}
	p := head.Crypto.Params
	switch head.Crypto.KDF {
	case "scrypt":
		if p.N < 2 || p.N > maxScryptN || p.R < 1 || p.R > 8 || p.P < 1 || p.P > 16 || p.DKLen != 32 {
			return nil, protocol.Errorf(protocol.KindInvalid, "key file", "asks for scrypt n=%d r=%d p=%d dklen=%d, outside n<=%d r<=8 p<=16 dklen=32", p.N, p.R, p.P, p.DKLen, maxScryptN)
		}
	case "pbkdf2":
		if p.C < 1 || p.C > 10_000_000 || p.DKLen != 32 {
			return nil, protocol.Errorf(protocol.KindInvalid, "key file", "asks for pbkdf2 c=%d dklen=%d, outside c<=10000000 dklen=32", p.C, p.DKLen)
		}
	default:
		return nil, protocol.Errorf(protocol.KindInvalid, "key file", "uses the key derivation %q: only scrypt and pbkdf2 are read", head.Crypto.KDF)
	}
	k, err := gethks.DecryptKey(blob, password)
	if errors.Is(err, gethks.ErrDecrypt) {
		return nil, protocol.Errorf(protocol.KindUnauthorized, "password", "does not open this key file")
	}
	if err != nil {
		return nil, protocol.Errorf(protocol.KindInvalid, "key file", "cannot be opened: %w", err)
	}
	return &Key{addr: k.Address, secret: k.PrivateKey}, nil
}

// Key is an opened key. Its secret is never printed.
type Key struct {
	addr   protocol.Account
	secret *ecdsa.PrivateKey
}

// FromECDSA wraps a key that is in memory already, for tests and throw-away keys.
func FromECDSA(k *ecdsa.PrivateKey) *Key {
	return &Key{addr: crypto.PubkeyToAddress(k.PublicKey), secret: k}
}

// Generate makes a key that is in no file.
func Generate() (*Key, error) {
	k, err := crypto.GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("generate a key: %w", err)
	}
	return FromECDSA(k), nil
}

// Account is the key's account.
func (k *Key) Account() protocol.Account { return k.addr }

// ECDSA is the secret itself, for the libraries that want it.
func (k *Key) ECDSA() *ecdsa.PrivateKey { return k.secret }

// SignHash signs a 32-byte digest: 65 bytes, the last 27 or 28.
func (k *Key) SignHash(h protocol.Hash) ([]byte, error) {
	sig, err := crypto.Sign(h[:], k.secret)
	if err != nil {
		return nil, fmt.Errorf("sign with %s: %w", k.addr, err)
	}
	sig[64] += 27
	return sig, nil
}

// SignTx signs a transaction for a chain.
func (k *Key) SignTx(_ context.Context, tx *types.Transaction, chainID *big.Int) (*types.Transaction, error) {
	signed, err := types.SignTx(tx, types.LatestSignerForChainID(chainID), k.secret)
	if err != nil {
		return nil, fmt.Errorf("sign a transaction with %s: %w", k.addr, err)
	}
	return signed, nil
}

// String is the account: the secret stays out of logs.
func (k *Key) String() string { return k.addr.Hex() }

// GoString is the account too, so that %#v does not print the secret.
func (k *Key) GoString() string { return "keystore.Key(" + k.addr.Hex() + ")" }
