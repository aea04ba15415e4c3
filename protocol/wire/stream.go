package wire

import (
	"errors"
	"strings"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire/pb"
)

// ErrorToPB converts any error; one without a kind goes as KindInternal, and a
// message that is too long is cut.
func ErrorToPB(err error) *pb.Error {
	var e *protocol.Error
	m := &pb.Error{Kind: string(protocol.KindInternal), Message: err.Error()}
	if errors.As(err, &e) {
		m.Kind, m.Field = string(e.Kind), e.Field
		if err.Error() == e.Error() {
			m.Message = e.Message
		}
	}
	m.Field = cut(strings.ToValidUTF8(m.Field, "?"), protocol.MaxNameBytes)
	m.Message = cut(strings.ToValidUTF8(m.Message, "?"), MaxErrorBytes)
	return m
}

// ErrorFromPB gives the error that a peer sent. A kind that we do not know
// becomes KindInternal.
func ErrorFromPB(m *pb.Error) *protocol.Error {
	e := &protocol.Error{Kind: protocol.KindInternal, Field: cut(m.GetField(), protocol.MaxNameBytes), Message: cut(m.GetMessage(), MaxErrorBytes)}
	switch k := protocol.Kind(m.GetKind()); k {
	case protocol.KindInvalid, protocol.KindNotFound, protocol.KindExists, protocol.KindUnauthorized, protocol.KindForbidden, protocol.KindEscrow,
		protocol.KindStale, protocol.KindBusy, protocol.KindUnavailable, protocol.KindDeadline, protocol.KindCancelled, protocol.KindCorrupt:
		e.Kind = k
	}
	return e
}

// DoneToPB converts the end of an inference.
func DoneToPB(r protocol.SignedReceipt, e protocol.Evidence) (*pb.InferenceDone, error) {
	m := &pb.InferenceDone{Receipt: SignedReceiptToPB(r), Evidence: evidenceToPB(e)}
	if _, _, err := DoneFromPB(m); err != nil {
		return nil, err
	}
	return m, nil
}

// DoneFromPB is the strict inverse of DoneToPB.
func DoneFromPB(m *pb.InferenceDone) (protocol.SignedReceipt, protocol.Evidence, error) {
	r, err := SignedReceiptFromPB(m.GetReceipt())
	if err != nil {
		return protocol.SignedReceipt{}, protocol.Evidence{}, err
	}
	e, err := evidenceFromPB(m.GetEvidence())
	if err != nil {
		return protocol.SignedReceipt{}, protocol.Evidence{}, err
	}
	return r, e, nil
}

// VoucherDeliveryFromPB decodes a voucher that is delivered for a receipt.
func VoucherDeliveryFromPB(m *pb.VoucherDelivery) (protocol.SignedVoucher, protocol.Hash, error) {
	v, err := SignedVoucherFromPB(m.GetVoucher())
	if err != nil {
		return v, protocol.Hash{}, err
	}
	f := &fields{}
	id := f.hash("receipt", m.GetReceipt())
	return v, id, f.err
}

func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && s[limit]&0xc0 == 0x80 { // not inside a rune
		limit--
	}
	return s[:limit]
}
