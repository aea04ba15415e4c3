package chain_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/devchain"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/protocol"
)

func key(t *testing.T, name string) *keystore.Key {
	t.Helper()
	k, err := crypto.ToECDSA(crypto.Keccak256([]byte("chain test " + name)))
	require.NoError(t, err)
	return keystore.FromECDSA(k)
}

func coins(n uint64) uint256.Int {
	var v uint256.Int
	v.Mul(uint256.NewInt(n), uint256.NewInt(1e18))
	return v
}

func deployed(t *testing.T) (*devchain.Chain, *chain.Client) {
	t.Helper()
	params, err := devchain.ReadParams("../genesis/dev.json")
	require.NoError(t, err)
	dev, err := devchain.Open(devchain.Config{ChainID: params.ChainID, MaxAhead: 365 * 24 * time.Hour, Fund: map[protocol.Account]uint256.Int{
		key(t, "a").Account(): coins(1_000_000), key(t, "b").Account(): coins(1_000_000),
	}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, dev.Close()) })
	c, err := chain.Dial(t.Context(), chain.Config{RPC: dev.RPC(), PollEvery: 5 * time.Millisecond})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	at, err := devchain.Deploy(t.Context(), c, devchain.Deployment{Params: params, Key: key(t, "a")})
	require.NoError(t, err)
	return dev, c.With(at)
}

func TestContractsRefusalsInPlainWords(t *testing.T) {
	ctx := t.Context()
	_, c := deployed(t)
	a, poor := c.As(key(t, "a")), c.As(key(t, "poor"))
	for _, test := range []struct {
		name string
		do   func() error
		kind protocol.Kind
		says string
	}{
		{"bond too little", func() error { _, err := a.Bond(ctx, coins(1)); return err }, protocol.KindInvalid, "bond: below minimum stake (1000000000000000000, 1000000000000000000000)"},
		{"delegate to nobody", func() error { _, err := a.Delegate(ctx, protocol.Account{9}, coins(5)); return err }, protocol.KindInvalid, "worker not bonded"},
		{"deposit nothing", func() error { _, err := a.Deposit(ctx, uint256.Int{}); return err }, protocol.KindInvalid, "deposit: zero amount"},
		{"no such datanet", func() error { _, err := c.Datanet(ctx, 7); return err }, protocol.KindNotFound, "unknown datanet (7)"},
		{"no such adapter", func() error { _, err := c.Adapter(ctx, protocol.Hash{1}); return err }, protocol.KindNotFound, "unknown adapter"},
		{"no such name", func() error { _, err := c.AdapterByName(ctx, protocol.Account{1}, "poet"); return err }, protocol.KindNotFound, `no adapter named "poet"`},
		{"no such batch", func() error { _, err := c.Batch(ctx, protocol.Account{1}, 0); return err }, protocol.KindNotFound, "has no batch 0"},
		{"claim from no batch", func() error { _, err := a.Claim(ctx, chain.Claim{}); return err }, protocol.KindNotFound, "unknown batch"},
		{"withdraw more than there is", func() error { _, err := a.RequestWithdrawal(ctx, coins(5)); return err }, protocol.KindEscrow, "insufficient escrow"},
		{"settle for another", func() error {
			_, err := a.SubmitBatch(ctx, chain.Submission{Worker: protocol.Account{1}})
			return err
		}, protocol.KindUnauthorized, "not operator"},
		{"register a base without the role", func() error {
			_, err := c.As(key(t, "b")).RegisterBase(ctx, protocol.Hash{1}, "base", "")
			return err
		}, protocol.KindUnauthorized, "access control unauthorized account"},
		{"no money at all", func() error { _, err := poor.Send(ctx, protocol.Account{1}, coins(1)); return err }, protocol.KindEscrow, "too little OPEN"},
		{"session in the past", func() error { _, err := a.Authorize(ctx, protocol.Account{1}, coins(1), 1); return err }, protocol.KindInvalid, "session expiry passed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := test.do()
			require.ErrorContains(t, err, test.says)
			require.Equal(t, test.kind, protocol.KindOf(err))
		})
	}
	_, err := a.Bond(ctx, coins(1))
	r, ok := chain.Refused(err)
	require.True(t, ok)
	require.Equal(t, "BelowMinimumStake", r.Name)
}

func TestWrongNodeOrDeployment(t *testing.T) {
	ctx := t.Context()
	dev, c := deployed(t)
	at := c.Addresses()
	at.ChainID++
	_, err := chain.Dial(ctx, chain.Config{RPC: dev.RPC(), Addresses: at})
	require.ErrorContains(t, err, "the contracts are on chain")
	_, err = chain.Dial(ctx, chain.Config{RPC: "http://127.0.0.1:1"})
	require.Equal(t, protocol.KindUnavailable, protocol.KindOf(err))
	_, err = chain.Dial(ctx, chain.Config{RPC: "localhost"})
	require.Equal(t, protocol.KindInvalid, protocol.KindOf(err))
	_, err = c.With(chain.Addresses{Escrow: protocol.Account{1, 2, 3}}).EscrowOf(ctx, protocol.Account{})
	require.ErrorContains(t, err, "there is no contract at")
	require.Equal(t, "fees", chain.Addresses{}.Missing())
}

func TestStakeEscrowAndTheirEvents(t *testing.T) {
	ctx := t.Context()
	dev, c := deployed(t)
	a, b := c.As(key(t, "a")), c.As(key(t, "b"))
	_, err := c.With(chain.Addresses{}).As(key(t, "a")).Bond(ctx, coins(2000))
	require.ErrorContains(t, err, "there is no contract at", "coins never go to an address without code")
	_, err = a.Bond(ctx, coins(2000))
	require.NoError(t, err)
	before, _, err := c.Head(ctx)
	require.NoError(t, err)
	_, err = b.Delegate(ctx, a.Account(), coins(100))
	require.NoError(t, err)
	stake, err := c.StakeOf(ctx, a.Account())
	require.NoError(t, err)
	require.Equal(t, chain.Stake{Own: coins(2000), Delegated: coins(100)}, stake)
	require.Equal(t, coins(2100), stake.Total())
	then, err := c.At(before).Stakers(ctx, a.Account())
	require.NoError(t, err)
	require.Equal(t, []chain.Staker{{Account: a.Account(), Amount: coins(2000)}}, then, "a snapshot of the past")
	now, err := c.Stakers(ctx, a.Account())
	require.NoError(t, err)
	require.Len(t, now, 2)

	_, err = b.Unbond(ctx, a.Account(), coins(100))
	require.NoError(t, err)
	out, err := c.Unbondings(ctx, b.Account())
	require.NoError(t, err)
	require.Len(t, out, 1)
	_, err = b.WithdrawStake(ctx, out[0].ID)
	require.Equal(t, protocol.KindBusy, protocol.KindOf(err), "%v", err)
	require.NoError(t, dev.AdvanceTime(8*24*time.Hour))
	_, err = b.WithdrawStake(ctx, out[0].ID)
	require.NoError(t, err)

	_, err = b.DepositFor(ctx, a.Account(), coins(10))
	require.NoError(t, err)
	_, err = a.RequestWithdrawal(ctx, coins(4))
	require.NoError(t, err)
	available, err := c.AvailableOf(ctx, a.Account())
	require.NoError(t, err)
	require.Equal(t, coins(6), available)
	require.NoError(t, dev.AdvanceTime(25*time.Hour))
	_, err = a.ExecuteWithdrawal(ctx)
	require.NoError(t, err)
	balance, err := c.EscrowOf(ctx, a.Account())
	require.NoError(t, err)
	require.Equal(t, coins(6), balance)

	var staked, deposited int
	next, err := c.Events(ctx, 0, 0, func(e chain.Event) error {
		if e.Staked != nil {
			staked++
		}
		if e.Deposited != nil {
			deposited++
			require.Equal(t, a.Account(), e.Deposited.Requester)
			require.Equal(t, b.Account(), e.Deposited.From)
		}
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, 2, staked)
	require.Equal(t, 1, deposited)
	top, _, err := c.Head(ctx)
	require.NoError(t, err)
	require.Equal(t, top+1, next)

	// Watch goes on from there.
	watched, stop := context.WithCancel(ctx)
	var seen []uint256.Int
	done := make(chan error, 1)
	go func() {
		done <- c.Watch(watched, next, 10*time.Millisecond, func(e chain.Event) error {
			if e.Deposited != nil {
				seen = append(seen, e.Deposited.Amount)
				stop()
			}
			return nil
		})
	}()
	_, err = b.Deposit(ctx, coins(3))
	require.NoError(t, err)
	require.ErrorIs(t, <-done, context.Canceled)
	require.Equal(t, []uint256.Int{coins(3)}, seen)
}

// between stands between a client and a real node and answers itself what intercept
// gives an answer to: an error breaks the connection's answer.
type between struct {
	node      string
	intercept func(method string, params []any) any
}

// refusal is an answer that is an error of the node.
type refusal string

func (f *between) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var call struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
		Params []any           `json:"params"`
	}
	if err := json.Unmarshal(raw, &call); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if answer := f.intercept(call.Method, call.Params); answer != nil {
		if failed, ok := answer.(error); ok {
			http.Error(w, failed.Error(), http.StatusBadGateway)
			return
		}
		reply := map[string]any{"jsonrpc": "2.0", "id": call.ID, "result": answer}
		if refused, ok := answer.(refusal); ok {
			reply = map[string]any{"jsonrpc": "2.0", "id": call.ID, "error": map[string]any{"code": -32000, "message": string(refused)}}
		}
		out, err := json.Marshal(reply)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(out)
		return
	}
	resp, err := http.Post(f.node, "application/json", strings.NewReader(string(raw)))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.Copy(w, resp.Body)
}

// forgetful loses the first transaction that passes. When holding, it pretends to have
// it waiting.
type forgetful struct {
	holding bool

	mu   sync.Mutex
	lost *types.Transaction
	sent int
}

func (f *forgetful) intercept(method string, params []any) any {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch method {
	case "eth_sendRawTransaction":
		f.sent++
		if f.sent > 1 {
			return nil
		}
		raw, err := hexutil.Decode(params[0].(string))
		if err != nil {
			return nil
		}
		f.lost = new(types.Transaction)
		if err := f.lost.UnmarshalBinary(raw); err != nil {
			return nil
		}
		return f.lost.Hash()
	case "eth_getTransactionByHash":
		if !f.holding || f.lost == nil || params[0] != f.lost.Hash().Hex() {
			return nil
		}
		blob, err := f.lost.MarshalJSON()
		if err != nil {
			return nil
		}
		var fields map[string]any
		if err := json.Unmarshal(blob, &fields); err != nil {
			return nil
		}
		from, err := types.Sender(types.LatestSignerForChainID(f.lost.ChainId()), f.lost)
		if err != nil {
			return nil
		}
		fields["from"] = from
		return fields
	}
	return nil
}

func TestLostAndStuckTransactions(t *testing.T) {
	for _, holding := range []bool{false, true} {
		name := map[bool]string{false: "forgotten: the same again", true: "stuck: a higher fee"}[holding]
		t.Run(name, func(t *testing.T) {
			dev, err := devchain.Open(devchain.Config{Fund: map[protocol.Account]uint256.Int{key(t, "a").Account(): coins(10)}})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, dev.Close()) })
			proxy := &forgetful{holding: holding}
			server := httptest.NewServer(&between{dev.RPC(), proxy.intercept})
			t.Cleanup(server.Close)
			c, err := chain.Dial(t.Context(), chain.Config{RPC: server.URL, PollEvery: 5 * time.Millisecond, ResendAfter: 50 * time.Millisecond})
			require.NoError(t, err)
			t.Cleanup(c.Close)
			to := protocol.Account{0xdd}
			tx, err := c.As(key(t, "a")).Send(t.Context(), to, coins(1))
			require.NoError(t, err)
			require.Equal(t, holding, tx.Hash != proxy.lost.Hash())
			b, err := c.Balance(t.Context(), to)
			require.NoError(t, err)
			require.Equal(t, coins(1), b, "sent once")
			tx, err = c.As(key(t, "a")).Send(t.Context(), to, coins(1))
			require.NoError(t, err, "the next nonce is right")
			require.Equal(t, uint64(2), tx.Block)
		})
	}
}

// A transaction that ran out of gas, because the estimate was made on another state than
// it met, took no effect: it is sent anew with more. One that fails without a reason again
// and again is given up.
func TestAnEstimateOfAnotherState(t *testing.T) {
	ctx := t.Context()
	dev, direct := deployed(t)
	sent := 0
	server := httptest.NewServer(&between{dev.RPC(), func(method string, _ []any) any {
		switch method {
		case "eth_estimateGas":
			return "0x5208" // a plain transfer's
		case "eth_call":
			return "0x" // it would have passed
		case "eth_sendRawTransaction":
			sent++
		}
		return nil
	}})
	t.Cleanup(server.Close)
	c, err := chain.Dial(ctx, chain.Config{RPC: server.URL, PollEvery: 5 * time.Millisecond, Addresses: direct.Addresses()})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	_, err = c.As(key(t, "a")).Bond(ctx, coins(2000))
	require.NoError(t, err)
	require.Equal(t, 2, sent, "the first ran out of gas")
	stake, err := direct.StakeOf(ctx, key(t, "a").Account())
	require.NoError(t, err)
	require.Equal(t, coins(2000), stake.Own, "bonded once")

	sent = 0
	_, err = c.As(key(t, "b")).WithdrawStake(ctx, *uint256.NewInt(7))
	require.Equal(t, protocol.KindBusy, protocol.KindOf(err), "%v", err)
	require.Equal(t, 3, sent)
	_, err = direct.As(key(t, "b")).Bond(ctx, coins(2000))
	require.NoError(t, err, "nothing is left that stands in the way")
}

// A reorganisation may take a transaction out that the older state cannot pay for: the
// pool drops it, and nobody waits for it any more. The key's next call does not wait for
// its nonce either.
func TestAfterAReorganisationThatDropsATransaction(t *testing.T) {
	ctx := t.Context()
	rich, poor := key(t, "a"), key(t, "poor")
	dev, err := devchain.Open(devchain.Config{Fund: map[protocol.Account]uint256.Int{rich.Account(): coins(1000), poor.Account(): coins(10)}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, dev.Close()) })
	c, err := chain.Dial(ctx, chain.Config{RPC: dev.RPC(), PollEvery: 5 * time.Millisecond, Timeout: 30 * time.Second})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	_, err = c.As(rich).Send(ctx, poor.Account(), coins(100))
	require.NoError(t, err)
	_, err = c.As(poor).Send(ctx, protocol.Account{1}, coins(90))
	require.NoError(t, err)
	require.NoError(t, dev.Rewind(2))
	_, err = c.As(poor).Send(ctx, protocol.Account{2}, coins(1))
	require.NoError(t, err)
	got, err := c.Balance(ctx, protocol.Account{2})
	require.NoError(t, err)
	require.Equal(t, coins(1), got)
}

// A node's count of transactions may be ahead of the truth for a moment: what is sent with
// the nonce it gave has its turn once the nonces before are filled.
func TestAGapInTheNoncesIsClosed(t *testing.T) {
	ctx := t.Context()
	dev, err := devchain.Open(devchain.Config{Fund: map[protocol.Account]uint256.Int{key(t, "a").Account(): coins(10)}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, dev.Close()) })
	asked := 0
	server := httptest.NewServer(&between{dev.RPC(), func(method string, _ []any) any {
		if method != "eth_getTransactionCount" {
			return nil
		}
		if asked++; asked > 1 {
			return nil
		}
		return "0x3"
	}})
	t.Cleanup(server.Close)
	c, err := chain.Dial(ctx, chain.Config{RPC: server.URL, PollEvery: 5 * time.Millisecond, ResendAfter: 50 * time.Millisecond, Timeout: 30 * time.Second})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	for range 2 {
		_, err = c.As(key(t, "a")).Send(ctx, protocol.Account{1}, coins(1))
		require.NoError(t, err)
	}
	got, err := c.Balance(ctx, protocol.Account{1})
	require.NoError(t, err)
	require.Equal(t, coins(2), got)
}

// A node that keeps a transaction for ever leads to an error that says so, and the
// sender goes on afterwards.
func TestWaitEnds(t *testing.T) {
	dev, err := devchain.Open(devchain.Config{Fund: map[protocol.Account]uint256.Int{key(t, "a").Account(): coins(10)}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, dev.Close()) })
	server := httptest.NewServer(&between{dev.RPC(), (&forgetful{}).intercept})
	t.Cleanup(server.Close)
	c, err := chain.Dial(t.Context(), chain.Config{RPC: server.URL, PollEvery: 5 * time.Millisecond, ResendAfter: time.Hour, Timeout: 100 * time.Millisecond})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	_, err = c.As(key(t, "a")).Send(t.Context(), protocol.Account{1}, coins(1))
	require.Equal(t, protocol.KindDeadline, protocol.KindOf(err), "%v", err)
	require.Eventually(t, func() bool { // a slow machine may need more than one such wait
		_, err = c.As(key(t, "a")).Send(t.Context(), protocol.Account{1}, coins(1))
		return protocol.KindOf(err) != protocol.KindDeadline
	}, time.Minute, time.Millisecond)
	require.NoError(t, err)
}

// A node shows a receipt before its newest block has the transaction, and fails in
// between: who sent sees its effect all the same.
func TestSentIsSeen(t *testing.T) {
	dev, err := devchain.Open(devchain.Config{Fund: map[protocol.Account]uint256.Int{key(t, "a").Account(): coins(10)}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, dev.Close()) })
	direct, err := ethclient.Dial(dev.RPC())
	require.NoError(t, err)
	t.Cleanup(direct.Close)
	old, err := direct.HeaderByNumber(t.Context(), nil)
	require.NoError(t, err)
	var mu sync.Mutex
	mined, asked := false, 0
	server := httptest.NewServer(&between{dev.RPC(), func(method string, params []any) any {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case method == "eth_getTransactionReceipt":
			mined = true
		case method == "eth_getBlockByNumber" && params[0] == "latest" && mined:
			if asked++; asked == 2 {
				return errors.New("away for a moment")
			}
			if asked < 5 {
				return old
			}
		}
		return nil
	}})
	t.Cleanup(server.Close)
	c, err := chain.Dial(t.Context(), chain.Config{RPC: server.URL, PollEvery: 5 * time.Millisecond})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	tx, err := c.As(key(t, "a")).Send(t.Context(), protocol.Account{1}, coins(1))
	require.NoError(t, err)
	require.GreaterOrEqual(t, asked, 5)
	head, _, err := c.Head(t.Context())
	require.NoError(t, err)
	require.GreaterOrEqual(t, head, tx.Block)
}

// A node's pool refuses an account as too poor until it has seen the block that funded it.
// An account that is poor is refused at once.
func TestAPoolBehindItsNewestBlock(t *testing.T) {
	dev, err := devchain.Open(devchain.Config{Fund: map[protocol.Account]uint256.Int{key(t, "a").Account(): coins(10)}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, dev.Close()) })
	var mu sync.Mutex
	refused, most := 0, 3
	server := httptest.NewServer(&between{dev.RPC(), func(method string, _ []any) any {
		mu.Lock()
		defer mu.Unlock()
		if method == "eth_sendRawTransaction" && refused < most {
			refused++
			return refusal("insufficient funds for gas * price + value: balance 0, tx cost 1, overshot 1")
		}
		return nil
	}})
	t.Cleanup(server.Close)
	c, err := chain.Dial(t.Context(), chain.Config{RPC: server.URL, PollEvery: 5 * time.Millisecond})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	_, err = c.As(key(t, "a")).Send(t.Context(), protocol.Account{1}, coins(1))
	require.NoError(t, err)
	require.Equal(t, 3, refused)

	mu.Lock()
	refused, most = 0, 1<<30
	mu.Unlock()
	_, err = c.As(key(t, "b")).Send(t.Context(), protocol.Account{1}, *uint256.NewInt(0)) // it has no gas money
	require.Error(t, err)
	require.LessOrEqual(t, refused, 1)
}

// Another program's transaction takes the nonce of one that the node lost: that one
// goes out again with the next nonce.
func TestOvertaken(t *testing.T) {
	dev, err := devchain.Open(devchain.Config{Fund: map[protocol.Account]uint256.Int{key(t, "a").Account(): coins(10)}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, dev.Close()) })
	proxy := &forgetful{}
	server := httptest.NewServer(&between{dev.RPC(), proxy.intercept})
	t.Cleanup(server.Close)
	dial := func(url string) *chain.Sender {
		c, err := chain.Dial(t.Context(), chain.Config{RPC: url, PollEvery: 5 * time.Millisecond, ResendAfter: time.Hour, Timeout: 20 * time.Second})
		require.NoError(t, err)
		t.Cleanup(c.Close)
		return c.As(key(t, "a"))
	}
	one, two := dial(server.URL), dial(dev.RPC())
	done := make(chan error, 1)
	go func() {
		_, err := one.Send(context.Background(), protocol.Account{0x11}, *uint256.NewInt(1))
		done <- err
	}()
	require.Eventually(t, func() bool {
		proxy.mu.Lock()
		defer proxy.mu.Unlock()
		return proxy.lost != nil
	}, 10*time.Second, time.Millisecond)
	_, err = two.Send(t.Context(), protocol.Account{0x22}, *uint256.NewInt(1))
	require.NoError(t, err)
	require.NoError(t, <-done)
	for _, to := range []protocol.Account{{0x11}, {0x22}} {
		b, err := two.Client().Balance(t.Context(), to)
		require.NoError(t, err)
		require.Equal(t, uint64(1), b.Uint64(), "once each")
	}
}

func TestTwoProgramsWithOneKey(t *testing.T) {
	dev, c := deployed(t)
	other, err := chain.Dial(t.Context(), chain.Config{RPC: dev.RPC(), PollEvery: 5 * time.Millisecond})
	require.NoError(t, err)
	t.Cleanup(other.Close)
	to := protocol.Account{0xab}
	var wg sync.WaitGroup
	for i, client := range []*chain.Client{c, other} {
		amount := *uint256.NewInt(uint64(i + 1))
		wg.Go(func() {
			for range 10 {
				if _, err := client.As(key(t, "b")).Send(context.Background(), to, amount); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	b, err := c.Balance(t.Context(), to)
	require.NoError(t, err)
	require.Equal(t, big.NewInt(30), b.ToBig())
}
