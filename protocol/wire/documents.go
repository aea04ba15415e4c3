package wire

import (
	"errors"

	"github.com/openledger/openledger/protocol"
)

// OutputHash is SHA2-256 of the tokens as little-endian uint32.
func OutputHash(tokens []uint32) protocol.Hash { return protocol.Hash{} }

// HyperHash is SHA2-256 of the JSON of h, as a TrainingOrder commits to it.
func HyperHash(h protocol.Hyper) (protocol.Hash, error) {
	return protocol.Hash{}, errors.ErrUnsupported
}

// EncodeAttribution is the canonical form of an attribution.
func EncodeAttribution(a protocol.Attribution) ([]byte, error) { return nil, errors.ErrUnsupported }

// DecodeAttribution reads EncodeAttribution's bytes.
func DecodeAttribution(b []byte) (protocol.Attribution, error) {
	return protocol.Attribution{}, errors.ErrUnsupported
}

// AttributionRoot is SHA2-256 of EncodeAttribution.
func AttributionRoot(a protocol.Attribution) (protocol.Hash, error) {
	return protocol.Hash{}, errors.ErrUnsupported
}

// EncodeEvidence is the canonical form of evidence (the block behind a receipt).
// Resume, Deadline and Sources of the job are left out.
func EncodeEvidence(e protocol.Evidence) ([]byte, error) { return nil, errors.ErrUnsupported }

// DecodeEvidence reads EncodeEvidence's bytes.
func DecodeEvidence(b []byte) (protocol.Evidence, error) {
	return protocol.Evidence{}, errors.ErrUnsupported
}

// EvidenceDigest is SHA2-256 of EncodeEvidence.
func EvidenceDigest(e protocol.Evidence) (protocol.Hash, error) {
	return protocol.Hash{}, errors.ErrUnsupported
}

// CheckReceipt compares a receipt with its evidence: hashes, token counts, ids.
func CheckReceipt(r protocol.Receipt, e protocol.Evidence) error { return errors.ErrUnsupported }

// EncodeSignedReceipt and its like are for stores and batch documents.
func EncodeSignedReceipt(s protocol.SignedReceipt) ([]byte, error) {
	return nil, errors.ErrUnsupported
}

// DecodeSignedReceipt reads EncodeSignedReceipt's bytes.
func DecodeSignedReceipt(b []byte) (protocol.SignedReceipt, error) {
	return protocol.SignedReceipt{}, errors.ErrUnsupported
}
