package node_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/p2p"
	"github.com/openledger/openledger/protocol/wire"
)

func peerOf(t *testing.T) protocol.PeerID {
	t.Helper()
	id := node.Peer(net.coord.Addrs())
	require.NotEmpty(t, id)
	return id
}

// issuer gives vouchers when it is asked, like a coordinator that could not deliver them.
type issuer struct {
	mu    sync.Mutex
	give  func(protocol.SignedReceipt) (protocol.SignedVoucher, error)
	asked int
}

func (i *issuer) IssueVoucher(_ context.Context, _ protocol.PeerID, r protocol.SignedReceipt) (protocol.SignedVoucher, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.asked++
	return i.give(r)
}

func voucher(t *testing.T, by, who *keystore.Key, worker protocol.Account, cumulative uint256.Int) protocol.SignedVoucher {
	t.Helper()
	v, err := wire.SignVoucher(net.escrowDomain(), protocol.Voucher{Requester: who.Account(), Worker: worker, Cumulative: cumulative,
		Expires: time.Now().Add(24 * time.Hour).Unix()}, by.ECDSA())
	require.NoError(t, err)
	return v
}

// TestWorkerGuardsItself talks to a worker without a coordinator in between.
func TestWorkerGuardsItself(t *testing.T) {
	w := net.worker(t, net.identity(t))
	host := net.plainHost(t, node.Home{Dir: t.TempDir()})
	for _, a := range w.Addrs() {
		_, err := host.Connect(t.Context(), a)
		require.NoError(t, err)
	}
	const escrow = 1e15
	who := net.requester(t, escrow)
	job := func() protocol.InferenceJob {
		r := request("x", 5)
		return protocol.InferenceJob{ID: r.ID, Requester: who.Account(), Base: net.base, Prompt: r.Prompt, Sampling: r.Sampling, Price: price,
			Deadline: time.Now().Add(time.Minute).UnixMilli()}
	}
	signed := func(j protocol.InferenceJob) protocol.InferenceJob {
		j, err := wire.SignJob(net.escrowDomain(), j, w.owner.Account(), who.ECDSA())
		require.NoError(t, err)
		return j
	}
	for name, tt := range map[string]struct {
		change func(*protocol.InferenceJob)
		want   protocol.Kind
	}{
		"another base":       {func(j *protocol.InferenceJob) { j.Base[0] ^= 1 }, protocol.KindInvalid},
		"too cheap":          {func(j *protocol.InferenceJob) { j.Price.OutputPer1K = *uint256.NewInt(1) }, protocol.KindStale},
		"access for nothing": {func(j *protocol.InferenceJob) { j.Price.Access = *uint256.NewInt(1) }, protocol.KindInvalid},
		"over the escrow":    {func(j *protocol.InferenceJob) { j.Sampling.MaxTokens = 900 }, protocol.KindEscrow},
		"another's name":     {func(j *protocol.InferenceJob) { j.Requester = protocol.Account{1} }, protocol.KindUnauthorized},
		"too large":          {func(j *protocol.InferenceJob) { j.Sampling.MaxTokens = 60_000; j.Price.Access = uint256.Int{} }, protocol.KindEscrow},
		"unknown adapter": {func(j *protocol.InferenceJob) {
			j.Adapter = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"
		}, protocol.KindNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			j := job()
			tt.change(&j)
			j = signed(j)
			_, _, err := host.Infer(t.Context(), w.peer, j, p2p.InferEvents{})
			require.Equal(t, tt.want, protocol.KindOf(err), "%v", err)
		})
	}

	_, _, err := host.Infer(t.Context(), w.peer, job(), p2p.InferEvents{})
	require.Equal(t, protocol.KindUnauthorized, protocol.KindOf(err), "%v", err)
	changed := signed(job())
	changed.Prompt += "!"
	_, _, err = host.Infer(t.Context(), w.peer, changed, p2p.InferEvents{})
	require.Equal(t, protocol.KindUnauthorized, protocol.KindOf(err), "%v", err)

	one := signed(job())
	first, evidence, err := host.Infer(t.Context(), w.peer, one, p2p.InferEvents{})
	require.NoError(t, err)
	require.NoError(t, wire.VerifyReceipt(net.settlementDomain(), first))
	require.NoError(t, wire.CheckReceipt(first.Receipt, evidence))
	again, _, err := host.Infer(t.Context(), w.peer, one, p2p.InferEvents{})
	require.NoError(t, err)
	require.Equal(t, first, again, "the same job gets the same receipt")
	other := one
	other.Prompt = "y"
	other = signed(other)
	_, _, err = host.Infer(t.Context(), w.peer, other, p2p.InferEvents{})
	require.Equal(t, protocol.KindExists, protocol.KindOf(err), "%v", err)

	fee := first.Receipt.Fee().Total()
	more := *uint256.NewInt(escrow + 1)
	flipped := voucher(t, who, who, w.owner.Account(), fee)
	flipped.Signature[5] ^= 1
	soon, err := wire.SignVoucher(net.escrowDomain(), protocol.Voucher{Requester: who.Account(), Worker: w.owner.Account(), Cumulative: fee,
		Expires: time.Now().Add(time.Minute).Unix()}, who.ECDSA())
	require.NoError(t, err)
	var less uint256.Int
	less.SubUint64(&fee, 1)
	for name, tt := range map[string]struct {
		v    protocol.SignedVoucher
		want protocol.Kind
	}{
		"over the escrow":        {voucher(t, who, who, w.owner.Account(), more), protocol.KindEscrow},
		"for another worker":     {voucher(t, who, who, who.Account(), fee), protocol.KindInvalid},
		"signed by nobody known": {voucher(t, net.key(t, 0), who, w.owner.Account(), fee), protocol.KindUnauthorized},
		"a flipped bit":          {flipped, protocol.KindUnauthorized},
		"about to expire":        {soon, protocol.KindInvalid},
		"less than the receipt":  {voucher(t, who, who, w.owner.Account(), less), protocol.KindInvalid},
	} {
		t.Run("voucher "+name, func(t *testing.T) {
			err := host.SendVoucher(t.Context(), w.peer, tt.v, first.Receipt.ID)
			require.Equal(t, tt.want, protocol.KindOf(err), "%v", err)
		})
	}
	limited := net.key(t, 0)
	_, err = net.chain.Client.As(who).Authorize(t.Context(), limited.Account(), less, time.Now().Add(time.Hour).Unix())
	require.NoError(t, err)
	err = host.SendVoucher(t.Context(), w.peer, voucher(t, limited, who, w.owner.Account(), fee), first.Receipt.ID)
	require.Equal(t, protocol.KindEscrow, protocol.KindOf(err), "over the session's limit: %v", err)

	require.NoError(t, w.Settle(t.Context()))
	drawn, err := net.chain.Client.DrawnOf(t.Context(), who.Account(), w.owner.Account())
	require.NoError(t, err)
	require.True(t, drawn.IsZero(), "nothing can be drawn without a good voucher")

	// The voucher never came. The worker asks whom it is connected to, and is paid.
	give := voucher(t, who, who, w.owner.Account(), fee)
	i := &issuer{give: func(r protocol.SignedReceipt) (protocol.SignedVoucher, error) {
		if r.Receipt != first.Receipt {
			return protocol.SignedVoucher{}, protocol.Errorf(protocol.KindNotFound, "id", "not this one")
		}
		return give, nil
	}}
	host.HandleReceipts(i)
	require.Eventually(t, func() bool {
		require.NoError(t, w.Settle(t.Context()))
		drawn, err := net.chain.Client.DrawnOf(t.Context(), who.Account(), w.owner.Account())
		require.NoError(t, err)
		return drawn.Eq(&fee)
	}, time.Minute, 200*time.Millisecond, "the lost voucher is collected and drawn")
}

// TestAdapterOrdersAreAuthorised orders adapters from a worker without a coordinator in
// between: in whose name, and what for.
// Base, KV cache and adapters take no more than memory_bytes together: a worker whose
// settings want more says so at its start.
func TestWorkerStaysWithinItsMemory(t *testing.T) {
	id := net.identity(t)
	s := node.WorkerSettings{RPC: net.chain.RPC(), Addresses: net.chain.Addresses, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Price: price, Threads: 1,
		AdapterBytes: 1 << 20, MemoryBytes: 1 << 20, Binding: id.binding}
	require.NoError(t, node.WriteJSON(id.home.Path(node.WorkerFile), s))
	_, err := node.OpenWorker(t.Context(), id.home, id.hot, logger("worker"))
	require.ErrorContains(t, err, "do not fit into 1048576")
	require.ErrorContains(t, err, "lower kv tokens or adapter bytes")
	net.worker(t, id, func(s *node.WorkerSettings) { s.AdapterBytes, s.MemoryBytes = 1<<20, 4<<30 })
}

func TestAdapterOrdersAreAuthorised(t *testing.T) {
	w := net.worker(t, net.identity(t))
	host := net.plainHost(t, node.Home{Dir: t.TempDir()})
	for _, a := range w.Addrs() {
		_, err := host.Connect(t.Context(), a)
		require.NoError(t, err)
	}
	who, poor := net.requester(t, 1e15), net.key(t, 0)
	for name, tt := range map[string]struct {
		by, in *keystore.Key
		action protocol.AdapterAction
		want   protocol.Kind
	}{
		"not registered":         {who, who, protocol.AdapterLoad, protocol.KindNotFound},
		"nothing in the escrow":  {poor, poor, protocol.AdapterLoad, protocol.KindEscrow},
		"in another's name":      {poor, who, protocol.AdapterLoad, protocol.KindUnauthorized},
		"pin by a requester":     {who, who, protocol.AdapterPin, protocol.KindUnauthorized},
		"unload by a requester":  {who, who, protocol.AdapterUnload, protocol.KindUnauthorized},
		"unload in owner's name": {who, w.owner, protocol.AdapterUnload, protocol.KindUnauthorized},
		"unload by the owner":    {w.owner, w.owner, protocol.AdapterUnload, ""},
		"pin by the owner":       {w.owner, w.owner, protocol.AdapterPin, protocol.KindNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := wire.SignAdapterOrder(net.escrowDomain(), protocol.AdapterOrder{
				Requester: tt.in.Account(), Adapter: "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy", Action: tt.action,
				Deadline: time.Now().Add(time.Minute).UnixMilli(),
			}, w.owner.Account(), tt.by.ECDSA())
			require.NoError(t, err)
			state, err := host.OrderAdapter(t.Context(), w.peer, o)
			if tt.want == "" {
				require.NoError(t, err)
				require.Equal(t, protocol.AdapterState{Tier: protocol.TierNetwork}, state)
				return
			}
			require.Equal(t, tt.want, protocol.KindOf(err), "%v", err)
		})
	}
	_, err := net.coord.OrderAdapter(t.Context(), who.Account(), node.BaseName, protocol.AdapterLoad, "")
	require.Equal(t, protocol.KindInvalid, protocol.KindOf(err), "the base is no adapter: %v", err)
	_, err = net.coord.OrderAdapter(t.Context(), who.Account(), "nobody", protocol.AdapterLoad, w.peer)
	require.Equal(t, protocol.KindNotFound, protocol.KindOf(err), "%v", err)
}
