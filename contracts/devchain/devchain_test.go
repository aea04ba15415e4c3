package devchain

import (
	"bufio"
	"context"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/protocol"
)

// The test binary started with this word, a folder and an address is a chain to be
// killed.
const childWord = "devchain-to-be-killed"

func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == childWord {
		c, err := Open(Config{Dir: os.Args[2], Listen: os.Args[3], Fund: funds(4), MaxAhead: time.Hour})
		if err != nil {
			panic(err)
		}
		if _, err := fmt.Fprintln(os.Stdout, "listening", c.listener.Addr()); err != nil {
			panic(err)
		}
		select {} // until killed
	}
	os.Exit(m.Run())
}

var million = *uint256.MustFromDecimal("1000000000000000000000000")

func testKey(i int) *keystore.Key {
	k, err := crypto.ToECDSA(crypto.Keccak256(fmt.Appendf(nil, "devchain test key %d", i)))
	if err != nil {
		panic(err)
	}
	return keystore.FromECDSA(k)
}

func funds(n int) map[protocol.Account]uint256.Int {
	out := map[protocol.Account]uint256.Int{}
	for i := range n {
		out[testKey(i).Account()] = million
	}
	return out
}

func start(t *testing.T, cfg Config) *Chain {
	t.Helper()
	c, err := Open(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func dial(t *testing.T, url string) *chain.Client {
	t.Helper()
	c, err := chain.Dial(t.Context(), chain.Config{RPC: url, PollEvery: 5 * time.Millisecond, ResendAfter: 500 * time.Millisecond, Timeout: 30 * time.Second})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func TestBlocksComeOnDemandAndSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	to := common.Address{0xaa}
	c := start(t, Config{Dir: dir, ChainID: 4242, Fund: funds(1)})
	client := dial(t, c.RPC())
	require.Equal(t, uint64(4242), client.ChainID())
	require.Zero(t, head(t, client))
	for i := range 3 {
		tx, err := client.As(testKey(0)).Send(t.Context(), to, *uint256.NewInt(7))
		require.NoError(t, err)
		require.Equal(t, uint64(i+1), tx.Block)
	}
	require.NoError(t, c.Close())

	c = start(t, Config{Dir: dir, ChainID: 4242, Fund: funds(1)})
	client = dial(t, c.WS())
	require.Equal(t, uint64(3), head(t, client))
	b, err := client.Balance(t.Context(), to)
	require.NoError(t, err)
	require.Equal(t, uint64(21), b.Uint64())
	_, err = client.As(testKey(0)).Send(t.Context(), to, *uint256.NewInt(1))
	require.NoError(t, err)

	_, err = Open(Config{Dir: dir, ChainID: 4242, Fund: funds(1)})
	require.Equal(t, protocol.KindBusy, protocol.KindOf(err), "%v", err)
	require.NoError(t, c.Close())
	_, err = Open(Config{Dir: dir, ChainID: 4242, Fund: funds(2)})
	require.Equal(t, protocol.KindInvalid, protocol.KindOf(err), "%v", err)
}

func head(t *testing.T, c *chain.Client) uint64 {
	t.Helper()
	n, _, err := c.Head(t.Context())
	require.NoError(t, err)
	return n
}

func TestManyAtOnceFromOneKey(t *testing.T) {
	c := start(t, Config{Fund: funds(1)})
	client := dial(t, c.RPC())
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			_, err := client.As(testKey(0)).Send(context.Background(), common.Address{0xbb}, *uint256.NewInt(1))
			require.NoError(t, err)
		})
	}
	wg.Wait()
	b, err := client.Balance(t.Context(), common.Address{0xbb})
	require.NoError(t, err)
	require.Equal(t, uint64(40), b.Uint64())
}

func TestClockAndAdvance(t *testing.T) {
	c := start(t, Config{Fund: funds(1), MaxAhead: 2 * time.Second})
	client := dial(t, c.RPC())
	for range 5 {
		_, err := client.As(testKey(0)).Send(t.Context(), common.Address{1}, *uint256.NewInt(1))
		require.NoError(t, err)
	}
	_, unix := c.Head()
	require.LessOrEqual(t, unix, time.Now().Add(3*time.Second).Unix(), "a burst must not run away with the clock")
	require.NoError(t, c.AdvanceTime(8*24*time.Hour))
	_, later := c.Head()
	require.GreaterOrEqual(t, later, unix+8*24*3600)
	_, err := client.As(testKey(0)).Send(t.Context(), common.Address{1}, *uint256.NewInt(1))
	require.NoError(t, err, "blocks go on after the jump")
}

// A block that waits because the clock is too far ahead is made as soon as that is allowed:
// it does not wait for what was the case when it began to.
func TestBlocksGoOnOnceTheClockMayBeAhead(t *testing.T) {
	c := start(t, Config{Fund: funds(1), MaxAhead: 2 * time.Second})
	client := dial(t, c.RPC())
	_, err := client.As(testKey(0)).Send(t.Context(), common.Address{1}, *uint256.NewInt(1)) // genesis is long ago
	require.NoError(t, err)
	c.seal.Lock()
	require.NoError(t, c.beacon.AdjustTime(8*24*time.Hour))
	c.seal.Unlock()
	sent := make(chan error, 1)
	go func() {
		_, err := client.As(testKey(0)).Send(context.Background(), common.Address{1}, *uint256.NewInt(1))
		sent <- err
	}()
	require.Eventually(t, c.executable, time.Minute, time.Millisecond)
	head, _ := c.Head()
	require.EqualValues(t, 2, head, "the transaction waits")
	c.shifted.Add(int64(8 * 24 * time.Hour))
	require.NoError(t, <-sent)
}

// Moving the clock while transactions come must not stop the blocks.
func TestAdvanceInTraffic(t *testing.T) {
	c := start(t, Config{Fund: funds(2), MaxAhead: time.Hour})
	client := dial(t, c.RPC())
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range 2 {
		wg.Go(func() {
			for ctx.Err() == nil {
				if _, err := client.As(testKey(i)).Send(context.Background(), common.Address{1}, *uint256.NewInt(1)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 50 {
		err := c.AdvanceTime(time.Minute)
		if err != nil {
			require.Equal(t, protocol.KindBusy, protocol.KindOf(err), "%v", err)
		}
	}
	stop()
	wg.Wait()
}

// While one block is made, more transactions may come one by one than any buffer of their
// announcements holds: the pool must not wait for the maker of blocks, which waits for it.
func TestBurstDuringABlock(t *testing.T) {
	const burst = 300
	c := start(t, Config{Fund: funds(1), MaxAhead: time.Hour})
	chainID := new(big.Int).SetUint64(c.ChainID())
	c.seal.Lock() // as long as a block takes
	added := make(chan struct{})
	go func() {
		defer close(added)
		for nonce := range uint64(burst) {
			tx, err := testKey(0).SignTx(context.Background(), types.NewTx(&types.DynamicFeeTx{
				ChainID: chainID, Nonce: nonce, To: &common.Address{0xbb}, Gas: 21_000, GasTipCap: big.NewInt(1), GasFeeCap: big.NewInt(2e9),
			}), chainID)
			if err == nil {
				err = c.eth.TxPool().Add([]*types.Transaction{tx}, true)[0]
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	}()
	select {
	case <-added:
	case <-time.After(time.Minute):
		t.Error("the pool waits")
	}
	c.seal.Unlock()
	require.Eventually(t, func() bool {
		state, err := c.eth.BlockChain().State()
		return err == nil && state.GetNonce(testKey(0).Account()) == burst
	}, time.Minute, time.Millisecond, "transactions are in no block")
}

func TestPortIsForTheLocalMachine(t *testing.T) {
	_, err := Open(Config{Listen: "0.0.0.0:0"})
	require.Equal(t, protocol.KindInvalid, protocol.KindOf(err))

	c := start(t, Config{})
	r, err := rpc.Dial(c.RPC())
	require.NoError(t, err)
	defer r.Close()
	for _, method := range []string{"admin_nodeInfo", "debug_setHead", "miner_setExtra", "dev_setFeeRecipient"} {
		err := r.Call(nil, method)
		require.ErrorContains(t, err, "does not exist", method)
	}
	var version string
	require.NoError(t, r.Call(&version, "web3_clientVersion"))
}

// TestKillMidTraffic kills the chain's process again and again while four keys send.
// Whatever a client saw in a block must be there afterwards, in the same block.
func TestKillMidTraffic(t *testing.T) {
	dir := t.TempDir()
	child, addr := spawn(t, dir, "127.0.0.1:0")
	client := dial(t, "http://"+addr)
	to := []protocol.Account{{0xc0}, {0xc1}, {0xc2}, {0xc3}}

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var mu sync.Mutex
	acked := make([][]chain.Tx, len(to))
	var wg sync.WaitGroup
	for i := range to {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				// A call that fails because the node is away was not sent: not counted.
				tx, err := client.As(testKey(i)).Send(ctx, to[i], *uint256.NewInt(1))
				if err != nil {
					time.Sleep(20 * time.Millisecond)
					continue
				}
				mu.Lock()
				acked[i] = append(acked[i], tx)
				mu.Unlock()
			}
		})
	}
	goesOn := func() { // each key gets a few more into blocks
		t.Helper()
		mu.Lock()
		before := make([]int, len(to))
		for i := range acked {
			before[i] = len(acked[i])
		}
		mu.Unlock()
		require.Eventually(t, func() bool {
			mu.Lock()
			defer mu.Unlock()
			for i := range acked {
				if len(acked[i]) < before[i]+5 {
					return false
				}
			}
			return true
		}, time.Minute, 10*time.Millisecond)
	}
	const rounds = 3
	for range rounds {
		goesOn()
		require.NoError(t, child.Process.Kill()) // SIGKILL
		_ = child.Wait()
		mu.Lock()
		seen := make([][]chain.Tx, len(to))
		for i := range acked {
			seen[i] = append(seen[i], acked[i]...)
		}
		mu.Unlock()
		child, _ = spawn(t, dir, addr)
		for i := range seen {
			for _, tx := range seen[i] {
				got, err := client.Receipt(t.Context(), tx.Hash)
				require.NoError(t, err, "a transaction that was seen in a block is gone")
				require.Equal(t, tx.Block, got.Block)
			}
		}
	}
	goesOn()
	stop()
	wg.Wait()
	total := 0
	for i := range to {
		b, err := client.Balance(t.Context(), to[i])
		require.NoError(t, err)
		// The last call of each life may be in a block without our having seen it.
		require.GreaterOrEqual(t, b.Uint64(), uint64(len(acked[i])))
		total += len(acked[i])
	}
	t.Logf("%d transactions seen in blocks over %d kills", total, rounds)
	addsUp(t, "http://"+addr, to)
	require.NoError(t, child.Process.Kill())
	_ = child.Wait()
}

// addsUp checks that the genesis money is all there: in accounts, or burnt as base fee.
func addsUp(t *testing.T, url string, to []protocol.Account) {
	t.Helper()
	c, err := ethclient.Dial(url)
	require.NoError(t, err)
	defer c.Close()
	n, err := c.BlockNumber(t.Context())
	require.NoError(t, err)
	sum := new(big.Int)
	parent := common.Hash{}
	for i := range n + 1 {
		var h *types.Header
		h, err = c.HeaderByNumber(t.Context(), new(big.Int).SetUint64(i))
		require.NoError(t, err)
		if i > 0 {
			require.Equal(t, parent, h.ParentHash, "block %d does not follow", i)
		}
		parent = h.Hash()
		sum.Add(sum, new(big.Int).Mul(h.BaseFee, new(big.Int).SetUint64(h.GasUsed)))
	}
	accounts := append([]protocol.Account{{}}, to...) // tips go to the zero account
	for i := range 4 {
		accounts = append(accounts, testKey(i).Account())
	}
	at := new(big.Int).SetUint64(n)
	for _, a := range accounts {
		b, err := c.BalanceAt(t.Context(), a, at)
		require.NoError(t, err)
		sum.Add(sum, b)
	}
	require.Equal(t, new(big.Int).Mul(big.NewInt(4), million.ToBig()).String(), sum.String())
}

func spawn(t *testing.T, dir, listen string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], childWord, dir, listen)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "listening ")
	require.True(t, ok, line)
	return cmd, addr
}

// A window that begins in a burst of blocks still ends: the clock of an idle chain goes
// on until the wall clock is there, and then rests.
func TestIdleClockTicks(t *testing.T) {
	c := start(t, Config{Fund: funds(1), MaxAhead: time.Hour, Ticks: true})
	client := dial(t, c.RPC())
	_, err := client.As(testKey(0)).Send(t.Context(), common.Address{1}, *uint256.NewInt(1))
	require.NoError(t, err)
	require.NoError(t, c.AdvanceTime(time.Hour))
	_, unix := c.Head()
	require.Eventually(t, func() bool { _, later := c.Head(); return later >= unix+2 }, time.Minute, 10*time.Millisecond)
}
