package api

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// Headers of x402, version 2 (https://github.com/coinbase/x402): base64 of JSON.
const (
	PaymentRequiredHeader  = "PAYMENT-REQUIRED"
	PaymentSignatureHeader = "PAYMENT-SIGNATURE"
	PaymentResponseHeader  = "PAYMENT-RESPONSE"

	x402Version   = 2
	paymentScheme = "exact"
	// NoKey is what clients send in the place of an API key that must send one.
	NoKey = "x402"
	// maxPaymentHeader bounds PAYMENT-SIGNATURE in bytes; a payment takes about 1,500.
	maxPaymentHeader = 8 << 10
	// paymentSeconds is how long a payment should be good for.
	paymentSeconds = 300
)

// PaymentRequired asks for a payment.
type PaymentRequired struct {
	Version  int             `json:"x402Version"`
	Error    string          `json:"error,omitempty"` // why
	Resource PaymentResource `json:"resource"`
	Accepts  []PaymentTerms  `json:"accepts"`
}

// PaymentResource is what is paid for.
type PaymentResource struct {
	URL         string `json:"url"`
	Description string `json:"description,omitempty"`
	MimeType    string `json:"mimeType,omitempty"`
}

// PaymentTerms are a way to pay.
type PaymentTerms struct {
	Scheme            string       `json:"scheme"`
	Network           string       `json:"network"` // CAIP-2
	Amount            string       `json:"amount"`  // the most that is charged, wei
	Asset             string       `json:"asset"`   // the escrow, which holds the payer's OPEN
	PayTo             string       `json:"payTo"`   // the coordinator's session key
	MaxTimeoutSeconds int          `json:"maxTimeoutSeconds"`
	Extra             PaymentExtra `json:"extra"`
}

// PaymentExtra is what the terms have beyond x402's own. Name and Version are those of the
// EIP-712 domain, Method says what is signed in it.
type PaymentExtra struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Method  string `json:"assetTransferMethod"`
	// Request is protocol.RequestDigest, for a nonce that is good for this request only.
	Request *protocol.Hash `json:"request,omitempty"`
}

// PaymentResult says what became of a payment.
type PaymentResult struct {
	Success     bool              `json:"success"`
	ErrorReason string            `json:"errorReason,omitempty"`
	Payer       *protocol.Account `json:"payer,omitempty"`
	Transaction string            `json:"transaction"` // empty: fees are drawn later, in a worker's batch
	Network     string            `json:"network"`
	Amount      string            `json:"amount,omitempty"` // charged, wei; not known when a stream begins
	Extra       *PaymentCharge    `json:"extra,omitempty"`
}

// PaymentCharge tells what was charged for.
type PaymentCharge struct {
	Authorized string          `json:"authorized"` // at most, wei
	Receipts   []protocol.Hash `json:"receipts"`
}

// paid is a payment as it came.
type paid struct {
	terms  PaymentTerms // that were accepted
	signed protocol.SignedPayment
	salt   *protocol.Hash
}

// parsePayment reads PAYMENT-SIGNATURE.
func parsePayment(header string) (*paid, error) {
	if len(header) > maxPaymentHeader {
		return nil, badPayment("", "it is longer than %d bytes", maxPaymentHeader)
	}
	raw, err := base64.StdEncoding.DecodeString(header)
	if err != nil {
		return nil, badPayment("", "it is not base64: %v", err)
	}
	var in struct {
		Version  int          `json:"x402Version"`
		Accepted PaymentTerms `json:"accepted"`
		Payload  struct {
			Signature     string `json:"signature"`
			Salt          string `json:"salt"`
			Authorization struct {
				From        string `json:"from"`
				To          string `json:"to"`
				Value       string `json:"value"`
				ValidAfter  string `json:"validAfter"`
				ValidBefore string `json:"validBefore"`
				Nonce       string `json:"nonce"`
			} `json:"authorization"`
		} `json:"payload"`
	}
	if err := json.NewDecoder(bytes.NewReader(raw)).Decode(&in); err != nil {
		return nil, badPayment("", "it is not a payment in JSON: %v", err)
	}
	if in.Version != x402Version {
		return nil, badPayment("x402Version", "it is %d: this server takes version %d", in.Version, x402Version)
	}
	out := &paid{terms: in.Accepted}
	p, a := &out.signed.Payment, &in.Payload.Authorization
	for _, f := range []struct {
		name, text string
		into       []byte
	}{{"from", a.From, p.From[:]}, {"to", a.To, p.To[:]}, {"nonce", a.Nonce, p.Nonce[:]}} {
		if err := fixedHex(f.text, f.into); err != nil {
			return nil, badPayment(f.name, "%v", err)
		}
	}
	for _, f := range []struct {
		name, text string
		into       *uint256.Int
	}{{"value", a.Value, &p.Value}, {"validAfter", a.ValidAfter, &p.ValidAfter}, {"validBefore", a.ValidBefore, &p.ValidBefore}} {
		if err := word(f.text, f.into); err != nil {
			return nil, badPayment(f.name, "%v", err)
		}
	}
	out.signed.Signature = make([]byte, 65)
	if err := fixedHex(in.Payload.Signature, out.signed.Signature); err != nil {
		return nil, badPayment("signature", "%v", err)
	}
	if in.Payload.Salt != "" {
		out.salt = new(protocol.Hash)
		if err := fixedHex(in.Payload.Salt, out.salt[:]); err != nil {
			return nil, badPayment("salt", "%v", err)
		}
	}
	return out, nil
}

// badPayment is an error of a payment that cannot be read.
func badPayment(field, format string, args ...any) error {
	name := PaymentSignatureHeader
	if field != "" {
		name += "." + field
	}
	return protocol.Errorf(protocol.KindInvalid, name, format, args...)
}

// fixedHex reads as many bytes as into has.
func fixedHex(s string, into []byte) error {
	if len(s) != 2+2*len(into) || s[0] != '0' || s[1]|0x20 != 'x' {
		return protocol.Errorf(protocol.KindInvalid, "", "it must be 0x and %d hex digits", 2*len(into))
	}
	_, err := hex.Decode(into, []byte(s[2:]))
	return err
}

// word reads a 256-bit number: decimal, or hex after 0x.
func word(s string, into *uint256.Int) error {
	digits, base := s, 10
	if len(s) > 2 && s[0] == '0' && s[1]|0x20 == 'x' {
		digits, base = s[2:], 16
	}
	if len(digits) == 0 || len(digits) > 78 || strings.ContainsAny(digits, "+-_") {
		return protocol.Errorf(protocol.KindInvalid, "", "it must be a whole number in a string")
	}
	n, ok := new(big.Int).SetString(digits, base)
	if !ok || into.SetFromBig(n) {
		return protocol.Errorf(protocol.KindInvalid, "", "it must be a whole number below 2^256 in a string")
	}
	return nil
}

// differs names the first of the accepted terms that these are not.
func (t *PaymentTerms) differs(accepted *PaymentTerms) (field, reason string) {
	same := func(a, b string) bool {
		return common.IsHexAddress(b) && common.HexToAddress(a) == common.HexToAddress(b)
	}
	switch {
	case accepted.Scheme != t.Scheme:
		return "scheme", "invalid_scheme"
	case accepted.Network != t.Network:
		return "network", "invalid_network"
	case !same(t.Asset, accepted.Asset):
		return "asset", "invalid_payment_requirements"
	case !same(t.PayTo, accepted.PayTo):
		return "payTo", "invalid_exact_evm_payload_recipient_mismatch"
	}
	return "", ""
}

// encodeHeader is JSON in base64.
func encodeHeader(v any) string {
	raw, err := json.Marshal(v)
	if err != nil { // strings, numbers and hashes only
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(raw)
}
