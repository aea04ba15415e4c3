package chain

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/protocol"
)

// deepest is the deepest reorganisation that the sender must survive, with one more
// confirmation than that.
const deepest = 12

// Named calls have their effect once, whatever the node forgets, the chain takes back and
// whenever the process is killed; afterwards nothing is left on its way. It fails on senders
// that take a nonce without a receipt for overtaken at once, look for the newest version
// alone, forget what outlived a call's patience, do not wait for confirmations, send
// before they have written it down, do not send again what the node forgot, or do not keep
// what was done.
func TestNamedCallsHaveTheirEffectOnce(t *testing.T) {
	seeds := propertySeeds
	var forks, lost, kills int
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, l, k := runNamed(t, uint64(seed), deepest+1)
				forks, lost, kills = forks+f, lost+l, kills+k
			})
		})
	}
	require.Greater(t, forks, seeds, "the chain was reorganised")
	require.Greater(t, lost, seeds, "transactions were forgotten")
	require.Greater(t, kills, seeds, "processes were killed")
}

func runNamed(t *testing.T, seed, confirmations uint64) (forks, lost, kills int) {
	const calls = 6
	random := rand.New(rand.NewPCG(seed, 1))
	m := newModel(rand.New(rand.NewPCG(seed, 2)))
	server := rpc.NewServer()
	require.NoError(t, server.RegisterName("eth", m))
	defer server.Stop()
	secret, err := crypto.ToECDSA(crypto.Keccak256([]byte("sender property")))
	require.NoError(t, err)
	world, stop := context.WithCancel(t.Context())
	var going sync.WaitGroup
	going.Go(func() {
		for sleep(world, 300*time.Millisecond) == nil {
			m.step(deepest)
		}
	})
	disk := map[string][]byte{}
	for done := false; !done; kills++ {
		// The first processes are killed early, the last one lives.
		w := &wire{server: server, disk: disk, rand: random, left: 1 + random.IntN(400), dead: make(chan struct{})}
		if kills > 8 {
			w.left = 1 << 30
		}
		patience := time.Minute
		if random.IntN(2) == 0 { // calls that give up long before their transaction is there for good
			patience = time.Second
		}
		done = process(t, w, m, keystore.FromECDSA(secret), calls, confirmations, patience)
	}
	kills--
	stop()
	going.Wait()
	// What was told to be there for good survives one more reorganisation.
	m.reorganise(deepest)
	paid := m.paid()
	for i := range calls {
		require.Equal(t, 1, paid[recipient(i)], "call %d", i)
	}
	require.Len(t, paid, calls)
	for key := range disk {
		require.True(t, strings.HasPrefix(key, "done/"), "%s is still on its way", key)
	}
	return m.forks, m.lost, kills
}

func recipient(i int) protocol.Account { return protocol.Account{0xaa, byte(i)} }

// process makes all calls, side by side, until they are made or it is killed.
func process(t *testing.T, w *wire, m *model, key Key, calls int, confirmations uint64, patience time.Duration) bool {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	dialed, err := rpc.DialOptions(ctx, "http://node", rpc.WithHTTPClient(&http.Client{Transport: w}))
	require.NoError(t, err)
	defer dialed.Close()
	cfg := Config{RPC: "http://node", Confirmations: confirmations, PollEvery: 50 * time.Millisecond, ResendAfter: 2 * time.Second, Timeout: patience,
		Logger: slog.New(slog.DiscardHandler)}
	cfg.EnsureDefaults()
	c := &Client{cfg: cfg, eth: ethclient.NewClient(dialed), chainID: m.id, log: cfg.Logger, senders: map[protocol.Account]*Sender{}}
	s := c.As(key)
	if err := s.Keep(w); err != nil {
		require.ErrorIs(t, err, errKilled)
		return false
	}
	var all sync.WaitGroup
	for i := range calls {
		all.Go(func() {
			for ctx.Err() == nil {
				tx, err := s.Once(fmt.Sprint("call ", i)).Send(ctx, recipient(i), *uint256.NewInt(1))
				if err == nil {
					require.NotZero(t, tx.Hash)
					return
				}
				_ = sleep(ctx, 100*time.Millisecond)
			}
		})
	}
	finished := make(chan struct{})
	go func() {
		all.Wait()
		close(finished)
	}()
	select {
	case <-finished:
		return true
	case <-w.dead:
		cancel()
		<-finished
		return false
	case <-time.After(20 * time.Minute): // of the test's own clock
		cancel()
		<-finished
		require.FailNow(t, "the calls never end")
		return true
	}
}
