package node_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store/ipfs"
)

// sample reads one series of a metrics endpoint; 0 if it is not there.
func sample(t *testing.T, url, series string) float64 {
	t.Helper()
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, url+"/metrics", nil)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	for line := range strings.Lines(string(raw)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), series+" "); ok {
			v, err := strconv.ParseFloat(value, 64)
			require.NoError(t, err)
			return v
		}
	}
	return 0
}

func (r *running) sample(t *testing.T, series string) float64 {
	t.Helper()
	return sample(t, "http://"+r.MetricsAddr(), series)
}

// announcedTier is where a worker last said that it has an adapter.
func (n *network) announcedTier(t *testing.T, worker protocol.PeerID, adapter protocol.CID) protocol.Tier {
	t.Helper()
	digest, err := ipfs.Digest(adapter)
	require.NoError(t, err)
	list, err := n.coord.Workers(context.Background())
	require.NoError(t, err)
	for _, w := range list {
		if i := slices.IndexFunc(w.Adapters, func(a api.WorkerAdapter) bool { return a.Tag == protocol.AdapterTag(digest) }); w.Peer == worker && i >= 0 {
			require.Equal(t, adapter, w.Adapters[i].CID)
			require.NotEmpty(t, w.Adapters[i].Name)
			require.NotZero(t, w.Payout)
			return w.Adapters[i].Tier
		}
	}
	return protocol.TierNetwork
}

// stream starts a long request and gives it back when its first token is here; it then
// stands still until end is called.
func (n *network) stream(t *testing.T, who *keystore.Key, model string, tokens int) (end func() protocol.Account) {
	t.Helper()
	r := request(askLesson, tokens)
	r.Model = model
	first, release := make(chan struct{}), make(chan struct{})
	type ended struct {
		a   api.Answer
		err error
	}
	done := make(chan ended, 1)
	chunks := 0
	go func() {
		a, err := n.coord.Infer(context.WithoutCancel(t.Context()), api.Caller{Account: who.Account()}, r, func(api.Delta) error {
			if chunks++; chunks == 1 {
				close(first)
				<-release
			}
			return nil
		})
		done <- ended{a, err}
	}()
	select {
	case <-first:
	case e := <-done:
		require.NoError(t, e.err)
		require.FailNow(t, "it ended without text")
	case <-time.After(time.Minute):
		require.FailNow(t, "no first token")
	}
	return func() protocol.Account {
		t.Helper()
		close(release)
		e := <-done
		require.NoError(t, e.err)
		return e.a.Receipt.Receipt.Worker
	}
}

// When all slots of the workers that have an adapter are taken, the scheduler has another
// worker load it before the first request comes there: its announcement says so, and the
// request finds it.
func TestPrefetchedAdapterIsThereBeforeItsRequests(t *testing.T) {
	few := func(s *node.WorkerSettings) { s.MaxBatch, s.Trains = 2, true }
	home := net.worker(t, net.identity(t), few)
	name, id := net.trained(t, net.published(t))
	who := net.requester(t, 5e18)
	r := request(askLesson, 4)
	r.Model = name
	_, _, err := net.ask(t.Context(), who, r)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return net.announcedTier(t, home.peer, id) == protocol.TierDevice }, time.Minute, 20*time.Millisecond)

	other := net.worker(t, net.identity(t), few)
	const done = `openledger_adapter_prefetches_total{outcome="ok"}`
	const loads, hits = `openledger_lora_loads_total{tier="device"}`, `openledger_lora_hits_total{tier="device"}`
	before := sample(t, net.coord.API.URL(), done)
	require.Equal(t, protocol.TierNetwork, net.announcedTier(t, other.peer, id))

	end := []func() protocol.Account{net.stream(t, who, name, 900)}
	require.Equal(t, before, sample(t, net.coord.API.URL(), done), "a slot is free where the adapter is")
	end = append(end, net.stream(t, who, name, 900))
	require.Eventually(t, func() bool { return net.announcedTier(t, other.peer, id) == protocol.TierDevice }, time.Minute, 20*time.Millisecond,
		"the other worker announces that it has it on the device")
	require.Equal(t, before+1, sample(t, net.coord.API.URL(), done))
	require.Equal(t, 1.0, other.sample(t, loads))
	require.Zero(t, other.sample(t, hits), "nobody has asked there")
	require.Zero(t, other.sample(t, `openledger_adapter_requests_total{adapter="`+string(id)+`"}`))

	r = request(askLesson, 4)
	r.Model = name
	a, _, err := net.ask(t.Context(), who, r)
	require.NoError(t, err)
	require.Equal(t, other.owner.Account(), a.Receipt.Receipt.Worker, "the request goes where a slot is free")
	require.Equal(t, 1.0, other.sample(t, hits), "and finds the adapter there")
	require.Equal(t, 1.0, other.sample(t, loads), "it is loaded once")
	for _, e := range end {
		require.Equal(t, home.owner.Account(), e())
	}
}
