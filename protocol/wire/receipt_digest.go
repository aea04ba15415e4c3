package wire

import (
	"sync"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/openledger/openledger/protocol"
)

// receiptType is the type string of ReceiptData, of which the test makes sure.
const receiptType = "Receipt(bytes32 id,address requester,address worker,bytes32 base,bytes32 adapter,uint64 agent,uint32 agentVersion,uint64 datanet," +
	"bytes32 datanetRoot,uint32 promptTokens,uint32 outputTokens,uint256 compute,uint256 access,uint256 markup,bytes32 outputHash," +
	"bytes32 attributionRoot,bytes32 evidence,uint64 finishedAt)"

var (
	receiptTypeHash = crypto.Keccak256Hash([]byte(receiptType))
	domainTypeHash  = crypto.Keccak256Hash([]byte(domainType))
	nameHash        = crypto.Keccak256Hash([]byte(DomainName))
	versionHash     = crypto.Keccak256Hash([]byte(DomainVersion))
)

// ReceiptDigest is ReceiptData(d, r).Digest() without the texts for people: settlement
// and auditors check receipts by the ten thousand.
func ReceiptDigest(d Domain, r *protocol.Receipt) (protocol.Hash, error) {
	if r.FinishedAt < 0 {
		return protocol.Hash{}, protocol.Errorf(protocol.KindInvalid, "finishedAt", "%d is before 1970", r.FinishedAt)
	}
	compute, access, markup := r.Compute.Bytes32(), r.Access.Bytes32(), r.Markup.Bytes32()
	words := [...][32]byte{
		receiptTypeHash, r.ID, accountWord(r.Requester), accountWord(r.Worker), r.Base, r.Adapter, uintWord(r.Agent), uintWord(uint64(r.AgentVersion)), uintWord(r.Datanet),
		r.DatanetRoot, uintWord(uint64(r.PromptTokens)), uintWord(uint64(r.OutputTokens)), compute, access, markup, r.OutputHash,
		r.AttributionRoot, r.Evidence, uintWord(uint64(r.FinishedAt)),
	}
	var b [len(words) * 32]byte
	for i := range words {
		copy(b[i*32:], words[i][:])
	}
	h := hashers.Get().(*hasher)
	defer hashers.Put(h)
	if h.domain != d {
		h.domain, h.separator = d, d.separator()
	}
	h.buf = append(h.buf[:0], b[:]...)
	message := h.sum()
	h.buf = append(append(append(h.buf[:0], 0x19, 0x01), h.separator[:]...), message[:]...)
	return h.sum(), nil
}

// hasher keeps what hashing allocates, and the domain that comes again and again.
type hasher struct {
	state     crypto.KeccakState
	buf       []byte
	out       protocol.Hash
	domain    Domain
	separator protocol.Hash
}

var hashers = sync.Pool{New: func() any {
	return &hasher{state: crypto.NewKeccakState(), separator: Domain{}.separator()}
}}

// sum is Keccak-256 of buf.
func (h *hasher) sum() protocol.Hash {
	h.state.Reset()
	_, _ = h.state.Write(h.buf)   // a hash takes whatever there is
	_, _ = h.state.Read(h.out[:]) // and has always more to give
	return h.out
}

// accountOf is the account of an uncompressed public key (65 bytes).
func accountOf(key []byte) protocol.Account {
	h := hashers.Get().(*hasher)
	defer hashers.Put(h)
	h.buf = append(h.buf[:0], key[1:]...)
	sum := h.sum()
	return protocol.Account(sum[12:])
}

// separator is the hash of the domain.
func (d Domain) separator() protocol.Hash {
	chainID, contract := uintWord(d.ChainID), accountWord(d.Contract)
	var b [5 * 32]byte
	copy(b[0:], domainTypeHash[:])
	copy(b[32:], nameHash[:])
	copy(b[64:], versionHash[:])
	copy(b[96:], chainID[:])
	copy(b[128:], contract[:])
	return crypto.Keccak256Hash(b[:])
}

// digestOf is what is signed: EIP-712's prefix, the domain and the message.
func digestOf(separator, message protocol.Hash) protocol.Hash {
	var b [2 + 64]byte
	b[0], b[1] = 0x19, 0x01
	copy(b[2:], separator[:])
	copy(b[34:], message[:])
	return crypto.Keccak256Hash(b[:])
}
