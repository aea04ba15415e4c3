package wire

import (
	"crypto/ecdsa"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire/pb"
)

// AdapterOrderToPB converts an order; it checks nothing.
func AdapterOrderToPB(o protocol.AdapterOrder) *pb.AdapterOrder {
	return &pb.AdapterOrder{
		Requester: o.Requester[:], Adapter: string(o.Adapter), Action: string(o.Action), Deadline: uint64(o.Deadline),
		Sources: o.Sources, Authorization: o.Authorization,
	}
}

// AdapterOrderFromPB is the strict inverse of AdapterOrderToPB.
func AdapterOrderFromPB(m *pb.AdapterOrder) (protocol.AdapterOrder, error) {
	f := &fields{prefix: "adapter_order."}
	o := protocol.AdapterOrder{
		Requester: f.account("requester", m.GetRequester()),
		Adapter:   f.cid("adapter", m.GetAdapter()),
		Action:    protocol.AdapterAction(f.text("action", m.GetAction(), maxAction)),
		Deadline:  f.time("deadline", m.GetDeadline()),
		Sources:   f.texts("sources", m.GetSources(), MaxSources, maxAddrBytes),
	}
	if o.Adapter == "" {
		f.fail("adapter", "is empty: name the adapter by its CID")
	}
	if !o.Action.Valid() {
		f.fail("action", "%q is none of load, pin, unpin and unload", o.Action)
	}
	o.Authorization = f.signature(m.GetAuthorization())
	return o, f.err
}

// AdapterStateToPB converts a state.
func AdapterStateToPB(s protocol.AdapterState) *pb.AdapterState {
	return &pb.AdapterState{Tier: uint32(s.Tier), Pinned: s.Pinned}
}

// AdapterStateFromPB is the strict inverse of AdapterStateToPB.
func AdapterStateFromPB(m *pb.AdapterState) (protocol.AdapterState, error) {
	f := &fields{prefix: "adapter_state."}
	s := protocol.AdapterState{Tier: protocol.Tier(f.count("tier", m.GetTier(), int(protocol.TierNetwork))), Pinned: m.GetPinned()}
	return s, f.err
}

// AdapterOrderData is the typed data of an order that is meant for one worker
// (contract: Escrow, which knows the session keys).
func AdapterOrderData(d Domain, o protocol.AdapterOrder, worker protocol.Account) TypedData {
	t := TypedData{domain: d, primary: "AdapterOrder"}
	t.account("requester", o.Requester)
	t.account("worker", worker)
	t.text("adapter", string(o.Adapter))
	t.text("action", string(o.Action))
	t.time("deadline", o.Deadline)
	return t
}

// SignAdapterOrder fills in an order's Authorization, by the requester's or a session
// key.
func SignAdapterOrder(d Domain, o protocol.AdapterOrder, worker protocol.Account, key *ecdsa.PrivateKey) (protocol.AdapterOrder, error) {
	var err error
	o.Authorization, err = Sign(AdapterOrderData(d, o, worker), key)
	return o, err
}

// AdapterOrderSigner gives the account that authorised an order for a worker, not
// whether it may speak for the requester.
func AdapterOrderSigner(d Domain, o protocol.AdapterOrder, worker protocol.Account) (protocol.Account, error) {
	return Recover(AdapterOrderData(d, o, worker), o.Authorization)
}
