package p2p

import (
	"context"
	"time"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/protocol/wire/pb"
)

// OrderAdapter asks a worker to load, pin, unpin or unload an adapter and waits until
// it has. When ctx ends the order is cancelled: a load under way stops, unless somebody
// else waits for it.
func (h *Host) OrderAdapter(ctx context.Context, worker protocol.PeerID, o protocol.AdapterOrder) (protocol.AdapterState, error) {
	m := wire.AdapterOrderToPB(o)
	if _, err := wire.AdapterOrderFromPB(m); err != nil {
		return protocol.AdapterState{}, err
	}
	ctx, cancel := context.WithDeadlineCause(ctx, time.UnixMilli(o.Deadline),
		protocol.Errorf(protocol.KindDeadline, "deadline", "%s did not %s the adapter by %d: set a later deadline", worker, o.Action, o.Deadline))
	defer cancel()
	x, err := h.call(ctx, worker, &pb.JobRequest{Body: &pb.JobRequest_Adapter{Adapter: m}})
	if err != nil {
		return protocol.AdapterState{}, err
	}
	defer x.end()
	reply, err := x.next(ctx, 0)
	if err != nil {
		x.cancel(err)
		return protocol.AdapterState{}, err
	}
	if reply.GetAdapter() == nil {
		return protocol.AdapterState{}, x.unexpected("a reply that does not belong to an adapter's order")
	}
	return wire.AdapterStateFromPB(reply.GetAdapter())
}
