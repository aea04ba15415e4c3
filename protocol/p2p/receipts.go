package p2p

import (
	"context"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/protocol/wire/pb"
)

const receiptFrame = 8 << 10

// HandleReceipts serves /openledger/receipt/1.
func (h *Host) HandleReceipts(issuer VoucherIssuer) {
	h.libp2p.SetStreamHandler(ReceiptProtocol, func(s network.Stream) {
		h.serve(s, func(ctx context.Context, c *conversation) error {
			var request pb.ReceiptRequest
			if err := c.read(&request, receiptFrame, h.cfg.Timeouts.Request); err != nil {
				return err
			}
			reply := &pb.ReceiptReply{}
			ctx, cancel := context.WithTimeout(ctx, h.cfg.Timeouts.Request)
			defer cancel()
			v, err := issue(ctx, c.peer(), issuer, &request)
			if err == nil {
				reply.Body = &pb.ReceiptReply_Voucher{Voucher: wire.SignedVoucherToPB(v)}
				return c.write(reply, receiptFrame)
			}
			reply.Body = &pb.ReceiptReply_Error{Error: wire.ErrorToPB(err)}
			if werr := c.write(reply, receiptFrame); werr != nil {
				return werr
			}
			return told{err}
		})
	})
}

func issue(ctx context.Context, from protocol.PeerID, issuer VoucherIssuer, request *pb.ReceiptRequest) (protocol.SignedVoucher, error) {
	receipt, err := wire.SignedReceiptFromPB(request.GetReceipt())
	if err != nil {
		return protocol.SignedVoucher{}, err
	}
	return issuer.IssueVoucher(ctx, from, receipt)
}

// RequestVoucher asks a coordinator for the voucher that covers a receipt, for
// instance when a restart came between the receipt and its voucher. The
// signature is the caller's to verify (wire.VerifyVoucher).
func (h *Host) RequestVoucher(ctx context.Context, coordinator protocol.PeerID, r protocol.SignedReceipt) (protocol.SignedVoucher, error) {
	c, err := h.open(ctx, coordinator, ReceiptProtocol)
	if err != nil {
		return protocol.SignedVoucher{}, err
	}
	defer c.reset()
	if err := c.write(&pb.ReceiptRequest{Receipt: wire.SignedReceiptToPB(r)}, receiptFrame); err != nil {
		return protocol.SignedVoucher{}, err
	}
	var reply pb.ReceiptReply
	if err := c.read(&reply, receiptFrame, 2*h.cfg.Timeouts.Request); err != nil {
		if ctx.Err() != nil {
			err = ended(ctx)
		}
		return protocol.SignedVoucher{}, err
	}
	if reply.GetError() != nil {
		return protocol.SignedVoucher{}, wire.ErrorFromPB(reply.GetError())
	}
	v, err := wire.SignedVoucherFromPB(reply.GetVoucher())
	if err != nil {
		return protocol.SignedVoucher{}, err
	}
	if v.Voucher.Requester != r.Receipt.Requester || v.Voucher.Worker != r.Receipt.Worker {
		return protocol.SignedVoucher{}, protocol.Errorf(protocol.KindCorrupt, "voucher", "%s answers with a voucher for other parties", coordinator)
	}
	return v, nil
}
