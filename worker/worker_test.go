package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/worker/adapter"
	"github.com/openledger/openledger/worker/engine"
)

func TestConfigNamesWhatIsWrong(t *testing.T) {
	_, err := New(Config{})
	require.Equal(t, protocol.KindInvalid, protocol.KindOf(err))
	require.ErrorContains(t, err, "db")
	var c Config
	c.EnsureDefaults()
	require.Equal(t, *uint256.NewInt(1e18), c.Credit)
	require.NotNil(t, c.Logger)
}

func TestInFlightCountsEachJobOnce(t *testing.T) {
	var f inFlight
	cost := *uint256.NewInt(5)
	job := &protocol.InferenceJob{ID: protocol.Hash{1}, Requester: protocol.Account{1}}
	leave, ok := f.enter(job, cost)
	require.True(t, ok)
	_, ok = f.enter(job, cost)
	require.False(t, ok, "the same job does not run twice at once")
	other := &protocol.InferenceJob{ID: protocol.Hash{2}, Requester: protocol.Account{1}}
	leaveOther, ok := f.enter(other, cost)
	require.True(t, ok)
	require.Equal(t, *uint256.NewInt(10), f.of(job.Requester))
	require.Equal(t, uint256.Int{}, f.of(protocol.Account{2}))
	leave()
	require.Equal(t, cost, f.of(job.Requester))
	leaveOther()
	require.Equal(t, uint256.Int{}, f.of(job.Requester))
	_, ok = f.enter(job, cost)
	require.True(t, ok, "it may come again afterwards")
}

func TestAdapterIsOpenedOnce(t *testing.T) {
	var s adapterSet
	var opened atomic.Int32
	goOn := make(chan struct{})
	open := func(context.Context) (*adapter.Adapter, error) {
		opened.Add(1)
		<-goOn
		return &adapter.Adapter{}, nil
	}
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			a, err := s.get(context.Background(), "one", open)
			if err != nil || a == nil {
				t.Errorf("%v, %v", a, err)
			}
		})
	}
	require.Eventually(t, func() bool { return opened.Load() == 1 }, 5*time.Second, time.Millisecond)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.get(gone, "one", open)
	require.ErrorIs(t, err, context.Canceled, "who goes away does not wait for it")
	close(goOn)
	wait.Wait()
	require.EqualValues(t, 1, opened.Load())
}

func TestAdapterThatFailedIsTriedAgain(t *testing.T) {
	var s adapterSet
	boom := errors.New("no provider")
	_, err := s.get(t.Context(), "one", func(context.Context) (*adapter.Adapter, error) { return nil, boom })
	require.ErrorIs(t, err, boom)
	a, err := s.get(t.Context(), "one", func(context.Context) (*adapter.Adapter, error) { return &adapter.Adapter{}, nil })
	require.NoError(t, err)
	require.NotNil(t, a)
}

func TestOpenAdaptersAreBounded(t *testing.T) {
	var s adapterSet
	for i := range maxOpenAdapters + 10 {
		_, err := s.get(t.Context(), protocol.CID(fmt.Sprint(i)), func(context.Context) (*adapter.Adapter, error) {
			a := &adapter.Adapter{}
			a.Registered.Digest = protocol.Hash{byte(i), 1}
			return a, nil
		})
		require.NoError(t, err)
	}
	require.Len(t, s.open, maxOpenAdapters)
	newest := fmt.Sprint(maxOpenAdapters + 9)
	list := s.announced([]string{newest}, 3)
	require.Len(t, list, 3, "an announcement has room for so many")
	require.Equal(t, protocol.ResidentAdapter{Tag: protocol.AdapterTag(protocol.Hash{byte(maxOpenAdapters + 9), 1}), Tier: protocol.TierDevice}, list[0])
	require.Equal(t, protocol.TierHost, list[1].Tier)
}

func TestEngineErrorsHaveTheirKind(t *testing.T) {
	for want, err := range map[protocol.Kind]error{
		protocol.KindInvalid: engine.ErrTooLarge, protocol.KindBusy: engine.ErrBusy, protocol.KindUnavailable: engine.ErrClosed,
		protocol.KindDeadline: context.DeadlineExceeded, protocol.KindCancelled: context.Canceled, protocol.KindInternal: errors.New("other"),
	} {
		got := engineError(fmt.Errorf("generate: %w", err))
		require.Equal(t, want, protocol.KindOf(got))
		require.ErrorIs(t, got, err)
	}
}
