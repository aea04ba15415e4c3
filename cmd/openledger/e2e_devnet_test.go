package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/protocol"
)

// onDevnet is a devnet in a process of its own, which is killed and started again.
type onDevnet struct {
	*network
	home  string
	proc  *service
	ready struct {
		API        string `json:"api"`
		APIKeyFile string `json:"api_key_file"`
	}
}

func newDevnetProcess(t *testing.T) *onDevnet {
	d := &onDevnet{home: filepath.Join(t.TempDir(), "net")}
	d.proc = start(t, &d.ready, "devnet", "--home", d.home, "--workers", "2", "--listen", "127.0.0.1:0", "--rpc-listen", "127.0.0.1:0", "--settle-every", "150ms")
	d.network = connect(t, d.ready.API, readLine(d.ready.APIKeyFile))
	d.awaitWorkers(t, 2)
	return d
}

func (d *onDevnet) again(t *testing.T) {
	t.Helper()
	began := time.Now()
	d.proc.start(&d.ready)
	up := time.Since(began)
	defer func() { t.Logf("up again after %s, ready after %s", up, time.Since(began)) }()
	d.network = connect(t, d.ready.API, readLine(d.ready.APIKeyFile))
	d.awaitWorkers(t, 2)
}

func (d *onDevnet) requester(t *testing.T) protocol.Account {
	t.Helper()
	return light(t, d.home, requesterKey)[requesterKey]
}

// moment is when to kill: some time after the first answer, and then when the log has
// one more line with these words.
type moment struct {
	after time.Duration
	line  string
}

// killWhileSettling asks for many short answers and kills the whole network at a
// moment. It gives the receipts of the answers that arrived.
func (d *onDevnet) killWhileSettling(t *testing.T, at moment) []protocol.Hash {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mu sync.Mutex
	var receipts []protocol.Hash
	first := make(chan struct{})
	var once sync.Once
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				a, err := d.stream(ctx, rambling(100*i+n, 12), nil)
				if err != nil {
					return // killed
				}
				mu.Lock()
				receipts = append(receipts, a.receipt)
				mu.Unlock()
				once.Do(func() { close(first) })
			}
		})
	}
	select {
	case <-first:
	case <-time.After(time.Minute):
		require.FailNow(t, "no answer", "%s", lastLines(d.proc.log.String(), 20))
	}
	time.Sleep(at.after)
	if at.line != "" {
		seen := len(d.proc.log.lines(at.line))
		for deadline := time.Now().Add(time.Minute); len(d.proc.log.lines(at.line)) == seen; time.Sleep(200 * time.Microsecond) {
			require.True(t, time.Now().Before(deadline), "no line %q", at.line)
		}
	}
	d.proc.kill()
	cancel()
	wg.Wait()
	return receipts
}

// settleThroughKills kills the devnet so many times in the middle of settlement, and
// then compares every book with every other.
func settleThroughKills(t *testing.T, moments []moment) {
	d := newDevnetProcess(t)
	requester := d.requester(t)
	escrowBefore, err := d.chain.EscrowOf(t.Context(), requester)
	require.NoError(t, err)
	var answered []protocol.Hash
	resent := 0
	for _, at := range moments {
		got := d.killWhileSettling(t, at)
		batches := len(d.proc.log.lines("settled a batch"))
		answered = append(answered, got...)
		d.again(t)
		resent += len(d.proc.log.lines("sending a batch again"))
		t.Logf("killed at %+v: %d answers, %d batches settled before", at, len(got), batches)
	}
	eventually(t, time.Minute, "all receipts are settled", func() error {
		open, err := d.unsettled(t.Context())
		if err == nil && open > 0 {
			err = fmt.Errorf("%d are not: %s", open, lastLines(d.proc.log.String(), 10))
		}
		return err
	})
	b := d.audit(t)
	t.Logf("%d answers, %d receipts in %d batches; %d were sent again", len(answered), len(b.settled), len(b.batches), resent)
	require.GreaterOrEqual(t, len(b.batches), len(moments)/2, "settlement was under way at each kill")
	d.requireAddUp(t, b)
	for _, id := range answered {
		require.Equal(t, 1, b.settled[id], "receipt %s of an answer that arrived", id)
	}
	escrow, err := d.chain.EscrowOf(t.Context(), requester)
	require.NoError(t, err)
	gone := escrowBefore
	gone.Sub(&gone, &escrow)
	require.Equal(t, b.totals.Dec(), gone.Dec(), "the escrow lost what the batches drew, to the wei")
	d.requireVouchersDrawn(t, b, requester)
	d.claimTwice(t, b)
}

// requireVouchersDrawn compares the batches with what the escrow says of each worker.
func (d *onDevnet) requireVouchersDrawn(t *testing.T, b books, requester protocol.Account) {
	t.Helper()
	of := map[protocol.Account]*uint256.Int{}
	nonces := map[protocol.Account]uint64{}
	for _, e := range b.batches {
		if of[e.Worker] == nil {
			of[e.Worker] = new(uint256.Int)
		}
		of[e.Worker].Add(of[e.Worker], &e.Total)
		require.Equal(t, nonces[e.Worker], e.Nonce, "batches of %s follow each other", e.Worker.Hex())
		nonces[e.Worker]++
	}
	for worker, sum := range of {
		drawn, err := d.chain.DrawnOf(t.Context(), requester, worker)
		require.NoError(t, err)
		require.Equal(t, sum.Dec(), drawn.Dec())
	}
}

func (d *onDevnet) claimTwice(t *testing.T, b books) {
	t.Helper()
	eventually(t, time.Minute, "the challenge windows end", func() error {
		now, err := d.chain.Now(t.Context())
		require.NoError(t, err)
		for _, e := range b.batches {
			if e.ClaimableAt > now {
				return fmt.Errorf("batch %d opens at %d", e.Nonce, e.ClaimableAt)
			}
		}
		return nil
	})
	before := map[protocol.Account]uint256.Int{}
	for _, a := range b.accounts {
		balance, err := d.chain.Balance(t.Context(), a)
		require.NoError(t, err)
		before[a] = balance
	}
	sum := d.claimAll(t, b, d.home, requesterKey)
	require.Equal(t, b.totals.Dec(), sum.Dec(), "everything was claimed")
	check := func() {
		for _, a := range b.accounts {
			balance, err := d.chain.Balance(t.Context(), a)
			require.NoError(t, err)
			old := before[a]
			balance.Sub(&balance, &old)
			require.Equal(t, b.payouts[a].Dec(), balance.Dec(), "%s has what it earned", a.Hex())
		}
	}
	check()
	sum = d.claimAll(t, b, d.home, requesterKey)
	require.True(t, sum.IsZero(), "claiming again pays nothing")
	// Also not when the proofs are sent to the chain anew.
	c := claims(d.cl, d.info, d.chain)
	earned, _, err := c.Earnings(t.Context(), b.accounts[0], d.info.Contracts.FromBlock)
	require.NoError(t, err)
	w, err := node.Home{Dir: d.home}.Wallet("", true)
	require.NoError(t, err)
	payer, err := w.Key(requesterKey)
	require.NoError(t, err)
	_, err = d.chain.As(payer).Claim(t.Context(), earned[0].Claim)
	require.ErrorContains(t, err, "claimed")
	check()
	left, err := d.chain.Balance(t.Context(), d.info.Contracts.Settlement)
	require.NoError(t, err)
	require.True(t, left.IsZero(), "the contract keeps %s wei", left.Dec())
}

// A devnet that is killed while it settles loses no receipt and pays none twice.
func TestDevnetKilledWhileSettling(t *testing.T) {
	settleThroughKills(t, []moment{
		{after: 120 * time.Millisecond},
		{line: `what="submit a batch"`}, // it is on the chain, and its worker has not noted it
		{after: time.Duration(rand.IntN(600)) * time.Millisecond},
		{line: "settled a batch"},
	})
}
