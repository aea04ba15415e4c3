package wire

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// Limits of single fields; whole frames and documents have their own.
const (
	MaxMessages   = 1024
	MaxRoleBytes  = 32
	MaxStops      = 16
	MaxStopBytes  = 256
	MaxSources    = 16
	MaxTextBytes  = 512 << 10 // generated text of one evidence
	MaxTokens     = 1 << 18   // prompt, resume, output
	MaxShares     = 4096
	MaxSpans      = 1024 // per share
	MaxTargets    = 64
	MaxTemplate   = 8 << 10
	MaxErrorBytes = 1 << 10
	maxCIDBytes   = 128
	maxPeerBytes  = 64
	maxAddrBytes  = 256
	maxProfile    = 64
	maxLicense    = 256
	maxReason     = 4 << 10
	maxAction     = 16
)

// fields decodes the fields of one message and keeps the first error.
type fields struct {
	prefix string
	err    error
}

func (f *fields) fail(name, format string, args ...any) {
	if f.err == nil {
		f.err = protocol.Errorf(protocol.KindInvalid, f.prefix+name, format, args...)
	}
}

// in runs fn with the fields of a nested message.
func (f *fields) in(name string, fn func()) {
	old := f.prefix
	f.prefix += name + "."
	fn()
	f.prefix = old
}

func (f *fields) hash(name string, b []byte) protocol.Hash {
	if len(b) != len(protocol.Hash{}) {
		f.fail(name, "has %d bytes, want %d", len(b), len(protocol.Hash{}))
		return protocol.Hash{}
	}
	return protocol.Hash(b)
}

// hashes are up to limit of them; none are nil.
func (f *fields) hashes(name string, in [][]byte, limit int) []protocol.Hash {
	if len(in) > limit {
		f.fail(name, "has %d entries, more than %d", len(in), limit)
		return nil
	}
	var out []protocol.Hash
	for i, b := range in {
		out = append(out, f.hash(fmt.Sprintf("%s[%d]", name, i), b))
	}
	return out
}

func hashesToPB(in []protocol.Hash) [][]byte {
	var out [][]byte
	for i := range in {
		out = append(out, in[i][:])
	}
	return out
}

// optionalHash takes no bytes as the zero hash.
func (f *fields) optionalHash(name string, b []byte) protocol.Hash {
	if len(b) == 0 {
		return protocol.Hash{}
	}
	h := f.hash(name, b)
	if h == (protocol.Hash{}) {
		f.fail(name, "is zero: leave it out")
	}
	return h
}

func (f *fields) account(name string, b []byte) protocol.Account {
	if len(b) != len(protocol.Account{}) {
		f.fail(name, "has %d bytes, want %d", len(b), len(protocol.Account{}))
		return protocol.Account{}
	}
	return protocol.Account(b)
}

func (f *fields) amount(name string, b []byte) uint256.Int {
	var a uint256.Int
	switch {
	case len(b) > 32:
		f.fail(name, "has %d bytes, more than 32", len(b))
	case len(b) > 0 && b[0] == 0:
		f.fail(name, "has leading zeros")
	default:
		a.SetBytes(b)
	}
	return a
}

// count is a non-negative int of at most limit.
func (f *fields) count(name string, v uint32, limit int) int {
	if int64(v) > int64(limit) {
		f.fail(name, "%d is more than %d", v, limit)
		return 0
	}
	return int(v)
}

// time is one that fits in int64.
func (f *fields) time(name string, v uint64) int64 {
	if v > math.MaxInt64 {
		f.fail(name, "%d is not a time", v)
		return 0
	}
	return int64(v)
}

// json is a JSON value that begins with a byte, without spaces around; empty for none.
func (f *fields) json(name, s string, first byte) string {
	if s == "" {
		return ""
	}
	if s = f.text(name, s, protocol.MaxPromptBytes); s != "" && (s[0] != first || !json.Valid([]byte(s))) {
		f.fail(name, "is not JSON that begins with %q", first)
	}
	return s
}

func (f *fields) text(name, s string, limit int) string {
	if len(s) > limit {
		f.fail(name, "has %d bytes, more than %d", len(s), limit)
		return ""
	}
	return s
}

func (f *fields) texts(name string, in []string, limit, each int) []string {
	if len(in) > limit {
		f.fail(name, "has %d entries, more than %d", len(in), limit)
		return nil
	}
	for i, s := range in {
		f.text(fmt.Sprintf("%s[%d]", name, i), s, each)
	}
	return in
}

func (f *fields) tokens(name string, in []uint32) []uint32 {
	if len(in) > MaxTokens {
		f.fail(name, "has %d tokens, more than %d", len(in), MaxTokens)
		return nil
	}
	return in
}

func (f *fields) float(name string, v float32) float32 {
	if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) || v < 0 {
		f.fail(name, "%v is not a finite number from 0 up", v)
		return 0
	}
	return v
}

// number is any float64 but NaN and infinities.
func (f *fields) number(name string, v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		f.fail(name, "%v is not a finite number", v)
		return 0
	}
	return v
}

func (f *fields) signature(b []byte) []byte {
	if len(b) != signatureBytes {
		f.fail("signature", "has %d bytes, want %d", len(b), signatureBytes)
		return nil
	}
	return b
}

// cid checks the text form only (base32 CIDv1); the empty CID means none.
func (f *fields) cid(name, s string) protocol.CID {
	if s == "" {
		return ""
	}
	if len(s) > maxCIDBytes || !strings.HasPrefix(s, "b") || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz234567") != "" {
		f.fail(name, "is not a base32 CIDv1")
		return ""
	}
	return protocol.CID(s)
}

// peer checks the text form only (base58).
func (f *fields) peer(name, s string) protocol.PeerID {
	const base58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	if s == "" || len(s) > maxPeerBytes || strings.Trim(s, base58) != "" {
		f.fail(name, "is not a base58 peer id")
		return ""
	}
	return protocol.PeerID(s)
}

// Helpers of the way out.

func hashBytes(h protocol.Hash) []byte { return h[:] }

func optionalHashBytes(h protocol.Hash) []byte {
	if h == (protocol.Hash{}) {
		return nil
	}
	return h[:]
}

func amountBytes(a uint256.Int) []byte { return a.Bytes() }

// number32 maps what does not fit to a value that decoding refuses.
func number32(n int) uint32 {
	if n < 0 || n > math.MaxUint32 {
		return math.MaxUint32
	}
	return uint32(n)
}
