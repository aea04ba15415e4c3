package wire

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/binary"
	"encoding/json"
	"math/big"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// Name and version of every EIP-712 domain.
const (
	DomainName    = "OpenLedger"
	DomainVersion = "1"
)

const signatureBytes = crypto.SignatureLength

// Domain is the EIP-712 domain: the chain and the contract that checks the type
// (Escrow: Voucher, Opening; a Payment stands in its domain, too; AgentRegistry: AgentOrder; ModelRegistry: TrainingOrder;
// DatanetRegistry: Contribution, Review and batches of them; WorkerStaking: Binding; AttributionSettlement:
// Receipt; DisputeCommittee: Verdict).
type Domain struct {
	ChainID  uint64
	Contract protocol.Account
}

// TypedData is one EIP-712 message: Digest is what is signed, JSON is the
// document that wallets take (eth_signTypedData_v4).
type TypedData struct {
	domain  Domain
	primary string
	members []member
	err     error
}

// member is one field: its name, Solidity type, value for people (JSON) and word
// of the encoding.
type member struct {
	name, kind string
	value      any
	word       [32]byte
}

func (t *TypedData) add(name, kind string, value any, word [32]byte) {
	t.members = append(t.members, member{name, kind, value, word})
}

func (t *TypedData) hash(name string, h protocol.Hash) { t.add(name, "bytes32", h.Hex(), h) }

func (t *TypedData) account(name string, a protocol.Account) {
	t.add(name, "address", a.Hex(), accountWord(a))
}

func (t *TypedData) amount(name string, v uint256.Int) {
	t.add(name, "uint256", v.Dec(), v.Bytes32())
}

// accounts, amounts and hashes are arrays: their encoding is the hash of their words.
func (t *TypedData) accounts(name string, list []protocol.Account) {
	values, words := make([]string, len(list)), make([]byte, 0, 32*len(list))
	for i, a := range list {
		values[i] = a.Hex()
		w := accountWord(a)
		words = append(words, w[:]...)
	}
	t.add(name, "address[]", values, crypto.Keccak256Hash(words))
}

func (t *TypedData) amounts(name string, list []uint256.Int) {
	values, words := make([]string, len(list)), make([]byte, 0, 32*len(list))
	for i := range list {
		values[i] = list[i].Dec()
		w := list[i].Bytes32()
		words = append(words, w[:]...)
	}
	t.add(name, "uint256[]", values, crypto.Keccak256Hash(words))
}

func (t *TypedData) hashes(name string, list []protocol.Hash) {
	values, words := make([]string, len(list)), make([]byte, 0, 32*len(list))
	for i, h := range list {
		values[i] = h.Hex()
		words = append(words, h[:]...)
	}
	t.add(name, "bytes32[]", values, crypto.Keccak256Hash(words))
}

func (t *TypedData) uint(name string, bits int, v uint64) {
	// A decimal string keeps numbers above 2^53 whole in JavaScript.
	t.add(name, "uint"+strconv.Itoa(bits), strconv.FormatUint(v, 10), uintWord(v))
}

func (t *TypedData) flag(name string, v bool) {
	var w [32]byte
	if v {
		w[31] = 1
	}
	t.add(name, "bool", v, w)
}

func (t *TypedData) time(name string, v int64) {
	if v < 0 && t.err == nil {
		t.err = protocol.Errorf(protocol.KindInvalid, name, "%d is before 1970", v)
	}
	t.uint(name, 64, uint64(v))
}

func (t *TypedData) text(name, s string) {
	t.add(name, "string", s, crypto.Keccak256Hash([]byte(s)))
}

func (t *TypedData) typeString() string {
	var b strings.Builder
	b.WriteString(t.primary + "(")
	for i, m := range t.members {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(m.kind + " " + m.name)
	}
	b.WriteByte(')')
	return b.String()
}

const domainType = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"

// Digest is the EIP-712 digest.
func (t TypedData) Digest() (protocol.Hash, error) {
	if t.err != nil {
		return protocol.Hash{}, t.err
	}
	message := crypto.Keccak256([]byte(t.typeString()))
	for _, m := range t.members {
		message = append(message, m.word[:]...)
	}
	return digestOf(t.domain.separator(), crypto.Keccak256Hash(message)), nil
}

// JSON is the eth_signTypedData_v4 document.
func (t TypedData) JSON() ([]byte, error) {
	if t.err != nil {
		return nil, t.err
	}
	type field struct {
		Name string `json:"name"`
		Type string `json:"type"`
	}
	var kinds []field
	message := make(map[string]any, len(t.members))
	for _, m := range t.members {
		kinds = append(kinds, field{m.name, m.kind})
		message[m.name] = m.value
	}
	return json.Marshal(map[string]any{
		"types": map[string]any{
			"EIP712Domain": []field{{"name", "string"}, {"version", "string"}, {"chainId", "uint256"}, {"verifyingContract", "address"}},
			t.primary:      kinds,
		},
		"primaryType": t.primary,
		"domain": map[string]any{
			"name": DomainName, "version": DomainVersion,
			"chainId": strconv.FormatUint(t.domain.ChainID, 10), "verifyingContract": t.domain.Contract.Hex(),
		},
		"message": message,
	})
}

// Sign signs typed data: 65 bytes r, s, v with low s and v in {27,28}.
func Sign(t TypedData, key *ecdsa.PrivateKey) ([]byte, error) {
	digest, err := t.Digest()
	if err != nil {
		return nil, err
	}
	sig, err := crypto.Sign(digest[:], key)
	if err != nil {
		return nil, protocol.Errorf(protocol.KindInternal, "signature", "signing failed: %w", err)
	}
	sig[64] += 27
	return sig, nil
}

// Recover gives the account that signed typed data. Signatures with a high s, or
// a v other than 27 and 28, are refused so that each has one form only.
func Recover(t TypedData, signature []byte) (protocol.Account, error) {
	digest, err := t.Digest()
	if err != nil {
		return protocol.Account{}, err
	}
	return recoverDigest(digest, signature)
}

func recoverDigest(digest protocol.Hash, signature []byte) (protocol.Account, error) {
	bad := func(format string, args ...any) error {
		return protocol.Errorf(protocol.KindUnauthorized, "signature", format, args...)
	}
	if len(signature) != signatureBytes {
		return protocol.Account{}, bad("has %d bytes, want %d", len(signature), signatureBytes)
	}
	v := signature[64]
	if v != 27 && v != 28 {
		return protocol.Account{}, bad("has v = %d, want 27 or 28", v)
	}
	r, s := signature[:32], signature[32:64]
	if bytes.Equal(r, zeroWord[:]) || bytes.Compare(r, curveOrder[:]) >= 0 || bytes.Equal(s, zeroWord[:]) || bytes.Compare(s, halfOrder[:]) > 0 {
		return protocol.Account{}, bad("has r or s out of range, or a high s")
	}
	plain := [signatureBytes]byte(signature)
	plain[64] = v - 27
	key, err := crypto.Ecrecover(digest[:], plain[:])
	if err != nil {
		return protocol.Account{}, bad("does not belong to any key: %w", err)
	}
	return accountOf(key), nil
}

var (
	zeroWord   [32]byte
	curveOrder = [32]byte(crypto.S256().Params().N.FillBytes(make([]byte, 32)))
	halfOrder  = [32]byte(new(big.Int).Rsh(crypto.S256().Params().N, 1).FillBytes(make([]byte, 32)))
)

// Verify checks that signer signed typed data.
func Verify(t TypedData, signer protocol.Account, signature []byte) error {
	digest, err := t.Digest()
	if err != nil {
		return err
	}
	return verifyDigest(t.primary, digest, signer, signature)
}

func verifyDigest(primary string, digest protocol.Hash, signer protocol.Account, signature []byte) error {
	got, err := recoverDigest(digest, signature)
	if err != nil {
		return err
	}
	if got != signer || signer == (protocol.Account{}) {
		return protocol.Errorf(protocol.KindUnauthorized, "signature", "of %s is by %s, not by %s: sign with the right key, chain and contract", primary, got, signer)
	}
	return nil
}

func accountWord(a protocol.Account) (w [32]byte) {
	copy(w[12:], a[:])
	return w
}

func uintWord(v uint64) (w [32]byte) {
	binary.BigEndian.PutUint64(w[24:], v)
	return w
}
