package wire

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"

	"google.golang.org/protobuf/proto"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire/pb"
)

// MaxEvidenceBytes leaves room for the receipt in the same frame.
const MaxEvidenceBytes = protocol.MaxFrameBytes - 4096

// OutputHash is SHA2-256 of the tokens as little-endian uint32.
func OutputHash(tokens []uint32) protocol.Hash {
	b := make([]byte, 0, 4*len(tokens))
	for _, t := range tokens {
		b = binary.LittleEndian.AppendUint32(b, t)
	}
	return sha256.Sum256(b)
}

// HyperHash is SHA2-256 of the JSON of h, as a TrainingOrder commits to it.
func HyperHash(h protocol.Hyper) (protocol.Hash, error) {
	b, err := json.Marshal(h)
	if err != nil {
		return protocol.Hash{}, protocol.Errorf(protocol.KindInvalid, "hyper", "cannot be encoded: %w", err)
	}
	return sha256.Sum256(b), nil
}

// EncodeAttribution is the canonical form of an attribution. It refuses an
// attribution whose order, weights or sizes are not valid.
func EncodeAttribution(a protocol.Attribution) ([]byte, error) {
	m := attributionToPB(a)
	f := &fields{prefix: "attribution."}
	f.attribution(m)
	if f.err != nil {
		return nil, f.err
	}
	return canonical(m, "attribution", MaxEvidenceBytes)
}

// DecodeAttribution reads EncodeAttribution's bytes and no other encoding.
func DecodeAttribution(b []byte) (protocol.Attribution, error) {
	var m pb.Attribution
	if err := decodeCanonical(b, &m, "attribution", MaxEvidenceBytes); err != nil {
		return protocol.Attribution{}, err
	}
	f := &fields{prefix: "attribution."}
	a := f.attribution(&m)
	if f.err != nil {
		return protocol.Attribution{}, f.err
	}
	return a, nil
}

// AttributionRoot is SHA2-256 of EncodeAttribution; the zero hash for no
// attribution at all (bare base).
func AttributionRoot(a protocol.Attribution) (protocol.Hash, error) {
	b, err := EncodeAttribution(a)
	if err != nil || len(b) == 0 {
		return protocol.Hash{}, err
	}
	return sha256.Sum256(b), nil
}

// EncodeEvidence is the canonical form of evidence, the block behind a receipt.
// Resume and Sources of the job are left out: Resumed says how much of the output the
// former was.
func EncodeEvidence(e protocol.Evidence) ([]byte, error) {
	m := evidenceToPB(e)
	if _, err := evidenceFromPB(m); err != nil {
		return nil, err
	}
	return canonical(m, "evidence", MaxEvidenceBytes)
}

// DecodeEvidence reads EncodeEvidence's bytes and no other encoding.
func DecodeEvidence(b []byte) (protocol.Evidence, error) {
	var m pb.Evidence
	if err := decodeCanonical(b, &m, "evidence", MaxEvidenceBytes); err != nil {
		return protocol.Evidence{}, err
	}
	return evidenceFromPB(&m)
}

// EvidenceDigest is SHA2-256 of EncodeEvidence.
func EvidenceDigest(e protocol.Evidence) (protocol.Hash, error) {
	b, err := EncodeEvidence(e)
	if err != nil {
		return protocol.Hash{}, err
	}
	return sha256.Sum256(b), nil
}

// CheckReceipt compares a receipt with its evidence: every hash, count, party
// and the fee that the job's price asks. It verifies no signature.
func CheckReceipt(r protocol.Receipt, e protocol.Evidence) error {
	bad := func(field, format string, args ...any) error {
		return protocol.Errorf(protocol.KindCorrupt, field, format, args...)
	}
	digest, err := EvidenceDigest(e)
	if err != nil {
		return err
	}
	root, err := AttributionRoot(e.Attribution)
	if err != nil {
		return err
	}
	fee, output := e.Job.Price.FeeFor(len(e.Prompt), len(e.Output)), OutputHash(e.Output)
	if e.Job.Embedding != nil {
		output = VectorsHash(e.Vectors)
	}
	switch {
	case r.Evidence != digest:
		return bad("evidence", "receipt names %s but the evidence hashes to %s", r.Evidence, digest)
	case r.ID != e.Job.ID:
		return bad("id", "receipt is for job %s but the evidence for %s", r.ID, e.Job.ID)
	case r.Requester != e.Job.Requester:
		return bad("requester", "differs between receipt and evidence")
	case r.Base != e.Job.Base:
		return bad("base", "differs between receipt and evidence")
	case (r.Adapter == protocol.Hash{}) != (e.Job.Adapter == ""):
		return bad("adapter", "differs between receipt and evidence")
	case int64(r.PromptTokens) != int64(len(e.Prompt)):
		return bad("prompt_tokens", "receipt counts %d but the evidence has %d", r.PromptTokens, len(e.Prompt))
	case int64(r.OutputTokens) != int64(len(e.Output)):
		return bad("output_tokens", "receipt counts %d but the evidence has %d", r.OutputTokens, len(e.Output))
	case r.OutputHash != output:
		return bad("output_hash", "does not match the output")
	case r.AttributionRoot != root:
		return bad("attribution_root", "does not match the attribution")
	case !sameRetrieval(e.Job.Retrieval, e.Attribution.Retrieved):
		return bad("attribution_root", "is of other records than the job was given to read")
	case r.DatanetRoot != e.Attribution.Root:
		return bad("datanet_root", "differs between receipt and attribution")
	case r.Compute != fee.Compute:
		return bad("compute", "is %s but the price asks %s", r.Compute.Dec(), fee.Compute.Dec())
	case r.Access != fee.Access:
		return bad("access", "is %s but the price asks %s", r.Access.Dec(), fee.Access.Dec())
	case r.Agent != e.Job.Agent || r.AgentVersion != e.Job.AgentVersion:
		return bad("agent", "is version %d of %d but the job asked version %d of %d", r.AgentVersion, r.Agent, e.Job.AgentVersion, e.Job.Agent)
	case r.Markup != fee.Markup:
		return bad("markup", "is %s but the price asks %s", r.Markup.Dec(), fee.Markup.Dec())
	}
	return nil
}

// EncodeSignedReceipt is the stored form of a signed receipt.
func EncodeSignedReceipt(s protocol.SignedReceipt) ([]byte, error) {
	m := SignedReceiptToPB(s)
	if _, err := SignedReceiptFromPB(m); err != nil {
		return nil, err
	}
	return canonical(m, "receipt", protocol.MaxFrameBytes)
}

// DecodeSignedReceipt reads EncodeSignedReceipt's bytes and no other encoding.
func DecodeSignedReceipt(b []byte) (protocol.SignedReceipt, error) {
	var m pb.SignedReceipt
	if err := decodeCanonical(b, &m, "receipt", protocol.MaxFrameBytes); err != nil {
		return protocol.SignedReceipt{}, err
	}
	return SignedReceiptFromPB(&m)
}

func canonical(m proto.Message, field string, limit int) ([]byte, error) {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, protocol.Errorf(protocol.KindInvalid, field, "cannot be encoded: %w", err)
	}
	if len(b) > limit {
		return nil, protocol.Errorf(protocol.KindInvalid, field, "has %d bytes, more than %d", len(b), limit)
	}
	return b, nil
}

// decodeCanonical refuses bytes that do not encode back to themselves, unknown
// fields included, so that one document has one digest.
func decodeCanonical(b []byte, m proto.Message, field string, limit int) error {
	if len(b) > limit {
		return protocol.Errorf(protocol.KindInvalid, field, "has %d bytes, more than %d", len(b), limit)
	}
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(b, m); err != nil {
		return protocol.Errorf(protocol.KindCorrupt, field, "is not a valid message: %w", err)
	}
	again, err := canonical(m, field, limit)
	if err != nil {
		return err
	}
	if !bytes.Equal(b, again) {
		return protocol.Errorf(protocol.KindCorrupt, field, "is not in canonical form")
	}
	return nil
}
