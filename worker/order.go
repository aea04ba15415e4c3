package worker

import (
	"context"
	"slices"
	"time"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
)

// maxLoads bounds the loads that others than operators have this worker do at a time.
const maxLoads = 4

// Adapter carries an order out. Anybody whose escrow could pay for an answer may have
// an adapter loaded: it takes the place of the least recently used one that is idle,
// as a request would. What takes memory from others (pin, unpin, unload) is for this
// worker's owner and the accounts that it named as operators.
func (w *Worker) Adapter(ctx context.Context, from protocol.PeerID, o protocol.AdapterOrder) (protocol.AdapterState, error) {
	if err := w.checkAdapterOrder(ctx, o); err != nil {
		return protocol.AdapterState{}, err
	}
	operator := w.operator(o.Requester)
	if !operator {
		if o.Action != protocol.AdapterLoad {
			return protocol.AdapterState{}, protocol.Errorf(protocol.KindUnauthorized, "action", "only this worker's owner and its operators may %s an adapter, and %s is neither: 'operators' in worker.json names them", o.Action, o.Requester.Hex())
		}
		if err := w.mayLoad(ctx, o.Requester); err != nil {
			return protocol.AdapterState{}, err
		}
		select {
		case w.loads <- struct{}{}:
			defer func() { <-w.loads }()
		default:
			return protocol.AdapterState{}, protocol.Errorf(protocol.KindBusy, "", "%d adapters are being loaded already: try again later", maxLoads)
		}
	}
	var err error
	switch o.Action {
	case protocol.AdapterLoad, protocol.AdapterPin:
		err = w.load(ctx, o.Adapter, o.Sources, o.Action == protocol.AdapterPin)
	case protocol.AdapterUnpin:
		w.unpin(o.Adapter)
	case protocol.AdapterUnload:
		err = w.unload(o.Adapter)
	}
	if err != nil {
		return protocol.AdapterState{}, err
	}
	w.log.Info("adapter order done", "adapter", o.Adapter, "action", o.Action, "requester", o.Requester, "from", from)
	s := protocol.AdapterState{Tier: w.tierOf(o.Adapter), Pinned: w.adapters.tier.Pinned(string(o.Adapter))}
	return s, nil
}

func (w *Worker) operator(a protocol.Account) bool {
	return a == w.Owner() || slices.Contains(w.cfg.Operators, a)
}

// checkAdapterOrder makes sure that the requester wants this from this worker, now.
func (w *Worker) checkAdapterOrder(ctx context.Context, o protocol.AdapterOrder) error {
	if o.Deadline <= time.Now().UnixMilli() {
		return protocol.Errorf(protocol.KindDeadline, "deadline", "it has passed")
	}
	signer, err := wire.AdapterOrderSigner(w.escrowDomain, o, w.Owner())
	if err != nil {
		return err
	}
	return w.speaksFor(ctx, signer, o.Requester)
}

// mayLoad refuses who could not pay for an answer anyway.
func (w *Worker) mayLoad(ctx context.Context, requester protocol.Account) error {
	undrawn, balance, err := w.escrowOf(ctx, requester)
	if err != nil {
		return err
	}
	if !balance.Gt(&undrawn) {
		return protocol.Errorf(protocol.KindEscrow, "requester", "%s has nothing in its escrow to pay for answers: deposit first", requester.Hex())
	}
	return nil
}
