package wire

import (
	"crypto/ecdsa"
	"errors"

	"github.com/openledger/openledger/protocol"
)

// Domain is the EIP-712 domain: name "OpenLedger", version "1", and the contract
// that checks the type (Escrow: Voucher; ModelRegistry: TrainingOrder;
// DatanetRegistry: Contribution, Review; WorkerStaking: Binding;
// AttributionSettlement: Receipt).
type Domain struct {
	ChainID  uint64
	Contract protocol.Account
}

// TypedData is one EIP-712 message: Digest is what is signed, JSON is the
// document that wallets take (eth_signTypedData_v4).
type TypedData struct{}

// Digest is the EIP-712 digest.
func (t TypedData) Digest() (protocol.Hash, error) { return protocol.Hash{}, errors.ErrUnsupported }

// JSON is the eth_signTypedData_v4 document.
func (t TypedData) JSON() ([]byte, error) { return nil, errors.ErrUnsupported }

// The typed data of each signed statement.
func ReceiptData(d Domain, r protocol.Receipt) TypedData             { return TypedData{} }
func VoucherData(d Domain, v protocol.Voucher) TypedData             { return TypedData{} }
func BindingData(d Domain, b protocol.Binding) TypedData             { return TypedData{} }
func ContributionData(d Domain, c protocol.Contribution) TypedData   { return TypedData{} }
func ReviewData(d Domain, r protocol.Review) TypedData               { return TypedData{} }
func TrainingOrderData(d Domain, o protocol.TrainingOrder) TypedData { return TypedData{} }

// Sign signs typed data: 65 bytes r, s, v with low s and v in {27,28}.
func Sign(t TypedData, key *ecdsa.PrivateKey) ([]byte, error) { return nil, errors.ErrUnsupported }

// Recover gives the account that signed typed data.
func Recover(t TypedData, signature []byte) (protocol.Account, error) {
	return protocol.Account{}, errors.ErrUnsupported
}

// Verify checks that signer signed typed data; field names the signature in errors.
func Verify(t TypedData, signer protocol.Account, field string, signature []byte) error {
	return errors.ErrUnsupported
}

// SignReceipt signs with the node key and fills NodeKey.
func SignReceipt(d Domain, r protocol.Receipt, key *ecdsa.PrivateKey) (protocol.SignedReceipt, error) {
	return protocol.SignedReceipt{}, errors.ErrUnsupported
}

// VerifyReceipt checks the signature against NodeKey (not whether NodeKey is the worker's).
func VerifyReceipt(d Domain, s protocol.SignedReceipt) error { return errors.ErrUnsupported }

// SignVoucher signs with the requester's or a session key and fills Signer.
func SignVoucher(d Domain, v protocol.Voucher, key *ecdsa.PrivateKey) (protocol.SignedVoucher, error) {
	return protocol.SignedVoucher{}, errors.ErrUnsupported
}

// VerifyVoucher checks the signature against Signer (not whether Signer may sign for Requester).
func VerifyVoucher(d Domain, s protocol.SignedVoucher) error { return errors.ErrUnsupported }

// SignBinding signs with the owner key.
func SignBinding(d Domain, b protocol.Binding, owner *ecdsa.PrivateKey) (protocol.SignedBinding, error) {
	return protocol.SignedBinding{}, errors.ErrUnsupported
}

// VerifyBinding checks the signature against Binding.Owner (not the time).
func VerifyBinding(d Domain, s protocol.SignedBinding) error { return errors.ErrUnsupported }

// SignContribution signs with the contributor's key.
func SignContribution(d Domain, c protocol.Contribution, key *ecdsa.PrivateKey) (protocol.SignedContribution, error) {
	return protocol.SignedContribution{}, errors.ErrUnsupported
}

// VerifyContribution checks the signature against Contribution.Contributor.
func VerifyContribution(d Domain, s protocol.SignedContribution) error { return errors.ErrUnsupported }

// SignReview signs with the datanet owner's key.
func SignReview(d Domain, r protocol.Review, owner *ecdsa.PrivateKey) (protocol.SignedReview, error) {
	return protocol.SignedReview{}, errors.ErrUnsupported
}

// VerifyReview checks that owner signed the review.
func VerifyReview(d Domain, owner protocol.Account, s protocol.SignedReview) error {
	return errors.ErrUnsupported
}

// SignTrainingOrder signs with the owner's key.
func SignTrainingOrder(d Domain, o protocol.TrainingOrder, owner *ecdsa.PrivateKey) ([]byte, error) {
	return nil, errors.ErrUnsupported
}

// VerifyTrainingOrder checks the signature against Order.Owner.
func VerifyTrainingOrder(d Domain, o protocol.TrainingOrder, signature []byte) error {
	return errors.ErrUnsupported
}
