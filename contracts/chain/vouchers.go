package chain

import (
	"github.com/openledger/openledger/contracts/bindings"
	"github.com/openledger/openledger/protocol"
)

// signatureBytes is the length of r, s and v.
const signatureBytes = 65

// vouchersOf are vouchers as settlement takes them: without the worker, which must be
// the batch's, and without the signer, which follows from the signature.
func vouchersOf(worker protocol.Account, in []protocol.SignedVoucher) ([]bindings.SignedVoucher, error) {
	out := make([]bindings.SignedVoucher, len(in))
	for i, v := range in {
		switch {
		case v.Voucher.Worker != worker:
			return nil, protocol.Errorf(protocol.KindInvalid, "voucher.worker", "is %s, and the batch is of %s", v.Voucher.Worker.Hex(), worker.Hex())
		case v.Voucher.Expires < 0:
			return nil, protocol.Errorf(protocol.KindInvalid, "voucher.expires", "%d is no time in Unix seconds", v.Voucher.Expires)
		}
		r, vs, err := compact(v.Signature)
		if err != nil {
			return nil, err
		}
		out[i] = bindings.SignedVoucher{
			Requester: v.Voucher.Requester, Cumulative: big256(v.Voucher.Cumulative), Expires: uint64(v.Voucher.Expires), R: r, Vs: vs,
		}
	}
	return out, nil
}

// compact packs a signature into two words (EIP-2098): the top bit of s, which is low,
// takes the parity that v stands for.
func compact(signature []byte) (r, vs [32]byte, err error) {
	if len(signature) != signatureBytes {
		return r, vs, protocol.Errorf(protocol.KindInvalid, "voucher.signature", "has %d bytes, want %d", len(signature), signatureBytes)
	}
	r, vs = [32]byte(signature[:32]), [32]byte(signature[32:64])
	if vs[0]&0x80 != 0 {
		return r, vs, protocol.Errorf(protocol.KindInvalid, "voucher.signature", "has a high s")
	}
	switch v := signature[64]; v {
	case 27:
	case 28:
		vs[0] |= 0x80
	default:
		return r, vs, protocol.Errorf(protocol.KindInvalid, "voucher.signature", "has v = %d, want 27 or 28", v)
	}
	return r, vs, nil
}
