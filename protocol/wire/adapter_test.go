package wire

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire/pb"
)

func sampleAdapterOrder() protocol.AdapterOrder {
	return protocol.AdapterOrder{
		Requester: protocol.Account{2}, Adapter: sampleCID, Action: protocol.AdapterPin, Deadline: 1_700_000_000_000,
		Sources: []string{"/ip4/127.0.0.1/tcp/4001"}, Authorization: bytes.Repeat([]byte{1}, 65),
	}
}

func TestAdapterOrderComesBackAsItWent(t *testing.T) {
	o, err := AdapterOrderFromPB(travels(t, AdapterOrderToPB(sampleAdapterOrder()), &pb.AdapterOrder{}))
	require.NoError(t, err)
	require.Equal(t, sampleAdapterOrder(), o)
	want := protocol.AdapterState{Tier: protocol.TierDisk, Pinned: true}
	s, err := AdapterStateFromPB(travels(t, AdapterStateToPB(want), &pb.AdapterState{}))
	require.NoError(t, err)
	require.Equal(t, want, s)
	_, err = AdapterStateFromPB(&pb.AdapterState{Tier: 4})
	requireField(t, "adapter_state.tier", err)

	for field, edit := range map[string]func(*pb.AdapterOrder){
		"adapter_order.requester":  func(m *pb.AdapterOrder) { m.Requester = m.Requester[1:] },
		"adapter_order.adapter":    func(m *pb.AdapterOrder) { m.Adapter = "" },
		"adapter_order.action":     func(m *pb.AdapterOrder) { m.Action = "erase" },
		"adapter_order.deadline":   func(m *pb.AdapterOrder) { m.Deadline = 1 << 63 },
		"adapter_order.sources":    func(m *pb.AdapterOrder) { m.Sources = make([]string, MaxSources+1) },
		"adapter_order.sources[0]": func(m *pb.AdapterOrder) { m.Sources[0] = strings.Repeat("x", maxAddrBytes+1) },
		"adapter_order.signature":  func(m *pb.AdapterOrder) { m.Authorization = nil },
	} {
		m := AdapterOrderToPB(sampleAdapterOrder())
		edit(m)
		_, err := AdapterOrderFromPB(m)
		requireField(t, field, err)
	}
}

// The signature is over everything that an order does: another worker, adapter, action
// or time needs another one.
func TestAdapterOrderIsAuthorised(t *testing.T) {
	key, err := crypto.GenerateKey()
	require.NoError(t, err)
	me := crypto.PubkeyToAddress(key.PublicKey)
	d := Domain{ChainID: 5, Contract: protocol.Account{9}}
	worker := protocol.Account{7}
	o, err := SignAdapterOrder(d, sampleAdapterOrder(), worker, key)
	require.NoError(t, err)
	got, err := AdapterOrderSigner(d, o, worker)
	require.NoError(t, err)
	require.Equal(t, me, got)
	for name, edit := range map[string]func(*protocol.AdapterOrder, *protocol.Account){
		"worker":    func(_ *protocol.AdapterOrder, w *protocol.Account) { w[0]++ },
		"requester": func(o *protocol.AdapterOrder, _ *protocol.Account) { o.Requester[0]++ },
		"adapter":   func(o *protocol.AdapterOrder, _ *protocol.Account) { o.Adapter += "a" },
		"action":    func(o *protocol.AdapterOrder, _ *protocol.Account) { o.Action = protocol.AdapterUnload },
		"deadline":  func(o *protocol.AdapterOrder, _ *protocol.Account) { o.Deadline++ },
	} {
		other, w := o, worker
		edit(&other, &w)
		got, err := AdapterOrderSigner(d, other, w)
		require.True(t, err != nil || got != me, name)
	}
}

func FuzzAdapterOrder(f *testing.F) {
	b, err := proto.Marshal(AdapterOrderToPB(sampleAdapterOrder()))
	require.NoError(f, err)
	f.Add(b)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var m pb.AdapterOrder
		if proto.Unmarshal(b, &m) != nil {
			return
		}
		o, err := AdapterOrderFromPB(&m)
		if err != nil {
			return
		}
		again, err := AdapterOrderFromPB(AdapterOrderToPB(o))
		require.NoError(t, err)
		require.Equal(t, o, again)
	})
}
