package worker

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
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

func TestEngineErrorsHaveTheirKind(t *testing.T) {
	for want, err := range map[protocol.Kind]error{
		protocol.KindInvalid: engine.ErrTooLarge, protocol.KindBusy: engine.ErrBusy, protocol.KindUnavailable: engine.ErrClosed,
		protocol.KindDeadline: engine.ErrDeadline, protocol.KindCancelled: context.Canceled, protocol.KindInternal: errors.New("other"),
	} {
		got := engineError(fmt.Errorf("generate: %w", err))
		require.Equal(t, want, protocol.KindOf(got))
		require.ErrorIs(t, got, err)
	}
}
