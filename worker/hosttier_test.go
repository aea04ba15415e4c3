package worker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store/ipfs"
	"github.com/openledger/openledger/worker/adapter"
	"github.com/openledger/openledger/worker/engine/lora"
)

func tier(t *testing.T, limit int64) *hostTier {
	t.Helper()
	s, err := newHostTier(limit)
	require.NoError(t, err)
	return s
}

// sized opens an adapter of so many bytes once goOn is closed (nil: at once).
func sized(bytes int64, opened *atomic.Int32, goOn chan struct{}) opener {
	return func(ctx context.Context, reserve func(int64) error) (*adapter.Adapter, int64, error) {
		opened.Add(1)
		if err := reserve(bytes); err != nil {
			return nil, 0, err
		}
		if goOn != nil {
			select {
			case <-goOn:
			case <-ctx.Done():
				return nil, 0, ctx.Err()
			}
		}
		return &adapter.Adapter{}, bytes, nil
	}
}

func TestAdapterIsOpenedOnce(t *testing.T) {
	s := tier(t, 100)
	var opened atomic.Int32
	goOn := make(chan struct{})
	open := sized(100, &opened, goOn)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			a, release, err := s.acquire(context.Background(), "one", open)
			if err != nil || a == nil {
				t.Errorf("%v, %v", a, err)
				return
			}
			release()
		})
	}
	require.Eventually(t, func() bool { return opened.Load() == 1 }, time.Minute, time.Millisecond)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := s.acquire(gone, "one", open)
	require.ErrorIs(t, err, context.Canceled, "who goes away does not wait for it")
	close(goOn)
	wait.Wait()
	require.EqualValues(t, 1, opened.Load())
	require.Zero(t, s.tier.Stats().Held)
	require.EqualValues(t, 1, s.tier.Stats().Loads)
}

func TestOpeningEndsWhenNobodyWaits(t *testing.T) {
	s := tier(t, 100)
	var opened atomic.Int32
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, _, err := s.acquire(ctx, "one", sized(60, &opened, make(chan struct{})))
		ended <- err
	}()
	require.Eventually(t, func() bool { return s.tier.Stats().Loading == 1 }, time.Minute, time.Millisecond)
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	// Who comes now is not told of the others' cancelling.
	a, release, err := s.acquire(t.Context(), "one", sized(60, &opened, nil))
	require.NoError(t, err)
	require.NotNil(t, a)
	release()
	require.EqualValues(t, 2, opened.Load())
	require.EqualValues(t, 60, s.tier.Stats().Bytes)
}

func TestAdapterThatFailedIsTriedAgain(t *testing.T) {
	s := tier(t, 100)
	boom := errors.New("no provider")
	_, _, err := s.acquire(t.Context(), "one", func(_ context.Context, reserve func(int64) error) (*adapter.Adapter, int64, error) {
		return nil, 0, errors.Join(reserve(50), boom)
	})
	require.ErrorIs(t, err, boom)
	require.Zero(t, s.tier.Stats().Bytes)
	_, release, err := s.acquire(t.Context(), "one", sized(50, new(atomic.Int32), nil))
	require.NoError(t, err)
	release()
}

func TestHostMemoryIsBounded(t *testing.T) {
	s := tier(t, 100)
	one := new(atomic.Int32)
	_, release, err := s.acquire(t.Context(), "a", sized(60, one, nil))
	require.NoError(t, err)
	_, _, err = s.acquire(t.Context(), "b", sized(60, one, nil))
	require.Equal(t, protocol.KindBusy, protocol.KindOf(err))
	require.ErrorContains(t, err, "60 of 100")
	release()
	_, release, err = s.acquire(t.Context(), "b", sized(60, one, nil)) // a is idle now, and leaves
	require.NoError(t, err)
	release()
	require.False(t, s.tier.Has("a"))
}

// Whatever comes and goes: the cap holds, and nothing is held when all is over.
func TestHostTierUnderTraffic(t *testing.T) {
	s := tier(t, 100)
	var wait sync.WaitGroup
	for i := range 8 {
		r := rand.New(rand.NewPCG(uint64(i), 1))
		wait.Go(func() {
			for range 300 {
				ctx, cancel := context.WithCancel(context.Background())
				if r.IntN(3) == 0 {
					time.AfterFunc(time.Duration(r.IntN(300))*time.Microsecond, cancel)
				}
				pause := time.Duration(r.IntN(200)) * time.Microsecond
				bytes := 20 + r.Int64N(30)
				_, release, err := s.acquire(ctx, protocol.CID(fmt.Sprint(r.IntN(6))), func(ctx context.Context, reserve func(int64) error) (*adapter.Adapter, int64, error) {
					if err := reserve(bytes); err != nil {
						return nil, 0, err
					}
					select {
					case <-time.After(pause):
						return &adapter.Adapter{}, bytes - 1, nil
					case <-ctx.Done():
						return nil, 0, ctx.Err()
					}
				})
				if st := s.tier.Stats(); st.Bytes > 100 {
					t.Errorf("%d bytes of 100", st.Bytes)
				}
				if err == nil {
					time.Sleep(pause / 2)
					release()
				} else if !errors.Is(err, lora.ErrNoRoom) && !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
				cancel()
			}
		})
	}
	wait.Wait()
	require.Eventually(t, func() bool { st := s.tier.Stats(); return st.Held == 0 && st.Loading == 0 }, time.Minute, time.Millisecond)
	s.mu.Lock()
	defer s.mu.Unlock()
	require.Empty(t, s.flights)
}

func TestAnnouncementsNameTheWarmestFirst(t *testing.T) {
	cids := make([]protocol.CID, 6)
	for i := range cids {
		cids[i] = ipfs.RawCIDOf(protocol.Hash{byte(i + 1)})
	}
	tiers := map[protocol.CID]protocol.Tier{cids[1]: protocol.TierHost, cids[2]: protocol.TierDevice, cids[4]: protocol.TierHost, cids[5]: protocol.TierDevice}
	tierOf := func(id protocol.CID) protocol.Tier {
		if t, ok := tiers[id]; ok {
			return t
		}
		return protocol.TierDisk
	}
	var got []string
	for _, a := range announced(cids, tierOf, 5) {
		got = append(got, fmt.Sprint(a.Tag>>56, a.Tier))
	}
	require.Equal(t, []string{"3 0", "6 0", "2 1", "5 1", "1 2"}, got)
}
