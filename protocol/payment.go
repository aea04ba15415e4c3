package protocol

import (
	"crypto/sha256"

	"github.com/holiman/uint256"
)

// Payment is what a payer signs (EIP-712) to pay one request from its escrow: the
// TransferWithAuthorization of EIP-3009, in the escrow's domain. It moves nothing by
// itself and no contract takes it: the session key that it is made out to draws what the
// request cost, at most Value, within what the payer authorised it for on the chain.
type Payment struct {
	From        Account     `json:"from"`
	To          Account     `json:"to"`           // session key of a coordinator
	Value       uint256.Int `json:"value"`        // at most, wei
	ValidAfter  uint256.Int `json:"valid_after"`  // Unix seconds
	ValidBefore uint256.Int `json:"valid_before"` // Unix seconds
	Nonce       Hash        `json:"nonce"`        // the payer's, for one request
}

// SignedPayment is a payment with the payer's signature.
type SignedPayment struct {
	Payment   Payment `json:"payment"`
	Signature []byte  `json:"signature"`
}

// ID names what a payer pays by a nonce: its job, and what it spends.
func (p *Payment) ID() Hash {
	return sha256.Sum256(append(append([]byte("openledger payment\x00"), p.From[:]...), p.Nonce[:]...))
}

// RequestDigest names an HTTP request to be paid: SHA2-256 of method, path and body.
func RequestDigest(method, path string, body []byte) Hash {
	return sha256.Sum256(append([]byte(method+" "+path+"\n"), body...))
}

// PaymentNonce is a nonce that is good for one request only: SHA2-256 of a salt and
// RequestDigest.
func PaymentNonce(salt, request Hash) Hash {
	return sha256.Sum256(append(salt[:], request[:]...))
}
