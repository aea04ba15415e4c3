package chain

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// Sender sends the transactions of one key: it hands out nonces in order, writes down
// what it signs when it has a [Journal], raises the fee of a transaction that is stuck,
// sends again what a node forgot or a reorganisation took out, under the same nonce, and
// waits until enough blocks are on top. Another program may use the same key, but two
// that send the very same call at the same moment can take one transaction for both: give
// each program its own key.
type Sender struct {
	c    *Client
	key  Key
	line *line
	once string // the call's name; empty: it has none
}

// line is the order of one key's transactions.
type line struct {
	mu      sync.Mutex // of what follows; never held while waiting
	next    uint64     // the nonce after the last one that we sent
	journal Journal    // nil: none
	done    map[string]protocol.Hash
	left    []*sending // unfinished ones of earlier calls and processes, by nonce
	running map[string]bool

	turn   lock // held from the choice of a nonce to its first sending
	taking lock // held while those that are left are seen to their end
}

// lock is a mutex whose wait a context ends: its holder may be waiting for a person.
type lock chan struct{}

func (l lock) acquire(ctx context.Context) error {
	select {
	case l <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l lock) release() { <-l }

func newSender(c *Client, key Key) *Sender {
	return &Sender{c: c, key: key, line: &line{done: map[string]protocol.Hash{}, running: map[string]bool{}, turn: make(lock, 1), taking: make(lock, 1)}}
}

// Account is the key's account.
func (s *Sender) Account() protocol.Account { return s.key.Account() }

// Client is the client that the sender sends through.
func (s *Sender) Client() *Client { return s.c }

// Send moves OPEN to an account.
func (s *Sender) Send(ctx context.Context, to protocol.Account, amount uint256.Int) (Tx, error) {
	return s.transact(ctx, "send OPEN", call{to: &to, value: big256(amount)})
}

// Deploy puts a contract on the chain and gives its address.
func (s *Sender) Deploy(ctx context.Context, name string, code []byte) (protocol.Account, Tx, error) {
	tx, r, err := s.do(ctx, "deploy "+name, call{data: code})
	if err != nil {
		return protocol.Account{}, Tx{}, err
	}
	return r.ContractAddress, tx, nil
}

// Call sends a call of a contract. The verb of the package that knows the contract
// says what it does, for errors.
func (s *Sender) Call(ctx context.Context, what string, to protocol.Account, value uint256.Int, data []byte) (Tx, error) {
	// A call to an address without code succeeds, and what it carries is lost.
	if ok, err := s.c.HasCode(ctx, to); err != nil {
		return Tx{}, err
	} else if !ok {
		return Tx{}, noContract(what, to)
	}
	return s.transact(ctx, what, call{to: &to, value: big256(value), data: data})
}

type call struct {
	to    *common.Address
	value *big.Int
	data  []byte
	gas   uint64 // at least this limit, whatever the estimate
}

func (s *Sender) transact(ctx context.Context, what string, m call) (Tx, error) {
	tx, _, err := s.do(ctx, what, m)
	return tx, err
}

func (s *Sender) do(ctx context.Context, what string, m call) (Tx, *types.Receipt, error) {
	if m.value == nil {
		m.value = new(big.Int)
	}
	if err := s.takeUp(ctx); err != nil {
		return Tx{}, nil, s.explain(what, err)
	}
	if s.once != "" {
		end, done, err := s.named()
		if err != nil {
			return Tx{}, nil, s.explain(what, err)
		}
		if done != nil {
			r, err := s.c.eth.TransactionReceipt(ctx, *done)
			if err != nil {
				return Tx{}, nil, s.explain(what, err)
			}
			return txOf(r), r, nil
		}
		defer end()
	}
	r, err := s.deliver(ctx, what, m)
	for try := 1; err == nil && r.Status != types.ReceiptStatusSuccessful; try++ {
		if why := s.whyFailed(ctx, m, r); why != nil {
			return Tx{}, nil, s.explain(what, why)
		}
		// It was estimated on another state than it met: another transaction came before
		// it, or the block's clock or a reorganisation had it write more. It took no effect.
		if try == deliveries || s.attended() {
			return Tx{}, nil, s.explain(what, protocol.Errorf(protocol.KindBusy, "", "transaction %s failed in block %s: the state that it was estimated on had changed: try again", r.TxHash, r.BlockNumber))
		}
		s.c.log.Info("a transaction met another state than it was estimated on: sending anew", "what", what, "tx", r.TxHash, "block", r.BlockNumber, "gas", r.GasUsed)
		m.gas = r.GasUsed + 200_000
		r, err = s.deliver(ctx, what, m)
	}
	if err != nil {
		return Tx{}, nil, s.explain(what, err)
	}
	s.c.log.Debug("transaction in a block", "what", what, "tx", r.TxHash, "block", r.BlockNumber, "gas", r.GasUsed)
	return txOf(r), r, nil
}

// deliveries is how often a call is sent that failed for no reason of its own.
const deliveries = 3

// deliver brings a transaction into a block that counts as there for good.
func (s *Sender) deliver(ctx context.Context, what string, m call) (*types.Receipt, error) {
	for {
		n, err := s.begin(ctx, what, m)
		if err != nil {
			return nil, err
		}
		wait, cancel := context.WithTimeout(ctx, s.c.cfg.Timeout)
		r, err := s.finish(wait, n)
		cancel()
		if err == nil {
			return r, s.settle(n, r)
		}
		s.line.reset()
		if !errors.Is(err, errOvertaken) {
			// It may still get into a block: whoever comes next waits for it first.
			s.line.leave(n)
			return nil, err
		}
		// Ours can never be in a block: begin anew.
		if err := s.forget(n); err != nil {
			return nil, err
		}
		s.c.log.Info("another program used this key's nonce: sending again", "what", what, "nonce", n.Nonce)
	}
}

// named claims the call's name: what it became, or a function that frees it.
func (s *Sender) named() (end func(), done *protocol.Hash, err error) {
	s.line.mu.Lock()
	defer s.line.mu.Unlock()
	if h, ok := s.line.done[s.once]; ok {
		return nil, &h, nil
	}
	if s.line.running[s.once] {
		return nil, nil, protocol.Errorf(protocol.KindBusy, "", "the call %q is on its way", s.once)
	}
	s.line.running[s.once] = true
	return func() {
		s.line.mu.Lock()
		defer s.line.mu.Unlock()
		delete(s.line.running, s.once)
	}, nil, nil
}

// begin estimates, signs with the next nonce and hands the transaction to the node.
func (s *Sender) begin(ctx context.Context, what string, m call) (*sending, error) {
	msg := ethereum.CallMsg{From: s.key.Account(), To: m.to, Value: m.value, Data: m.data}
	// Estimated on the pending block: the newest one may be long past, and what
	// depends on the time would be judged by an old clock.
	gas, err := s.c.eth.EstimateGasAtBlock(ctx, msg, big.NewInt(rpc.PendingBlockNumber.Int64()))
	if err != nil {
		return nil, err
	}
	// An estimate is of one state: a block with another clock may have the call fill new
	// slots where the estimate only changed old ones (22,100 gas each, EIP-2929), as
	// checkpoints of votes do. What is not used costs nothing.
	gas = max(gas+gas/5+75_000, m.gas)
	tip, feeCap, err := s.fees(ctx)
	if err != nil {
		return nil, err
	}
	if s.attended() { // by the time that somebody approves, the base fee may have moved far
		feeCap = new(big.Int).Lsh(feeCap, 1)
	}
	if err := s.line.turn.acquire(ctx); err != nil {
		return nil, err
	}
	defer s.line.turn.release()
	for {
		nonce, err := s.nonce(ctx)
		if err != nil {
			return nil, err
		}
		n := &sending{ChainID: s.c.ChainID(), Account: s.Account(), Nonce: nonce, What: what, Once: s.once}
		if err := s.sign(ctx, n, &types.DynamicFeeTx{
			ChainID: s.c.chainID, Nonce: nonce, To: m.to, Value: m.value, Data: m.data,
			Gas: gas, GasTipCap: tip, GasFeeCap: feeCap,
		}); err != nil {
			return nil, err
		}
		switch err := s.c.eth.SendTransaction(ctx, n.newest()); {
		case err == nil, known(err), inDoubt(err):
			// In doubt the node may have it: finish finds out, or sends the same bytes again.
			s.line.after(nonce)
			return n, nil
		case ctx.Err() != nil: // the node may have it
			s.line.leave(n)
			return nil, err
		case taken(err): // someone else used this key: choose again
			s.line.reset()
			if err := errors.Join(s.forget(n), sleep(ctx, s.c.cfg.PollEvery)); err != nil {
				return nil, err
			}
		default:
			return nil, errors.Join(err, s.forget(n))
		}
	}
}

// nonce is the next nonce: the node's count, unless we know of later ones that are
// still on their way.
func (s *Sender) nonce(ctx context.Context) (uint64, error) {
	pending, err := s.c.eth.PendingNonceAt(ctx, s.key.Account())
	if err != nil {
		return 0, err
	}
	s.line.mu.Lock()
	defer s.line.mu.Unlock()
	// When ours is later, either the node has not counted our last one yet, or it lost it.
	// What it lost is sent again by the call that waits for it, so the gap closes.
	return max(s.line.next, pending), nil
}

func (s *Sender) fees(ctx context.Context) (tip, feeCap *big.Int, err error) {
	if tip, err = s.c.eth.SuggestGasTipCap(ctx); err != nil {
		return nil, nil, err
	}
	head, err := s.c.eth.HeaderByNumber(ctx, nil)
	if err != nil {
		return nil, nil, err
	}
	base := head.BaseFee
	if base == nil {
		base = new(big.Int)
	}
	// Twice the base fee survives six full blocks in a row.
	feeCap = new(big.Int).Add(tip, new(big.Int).Lsh(base, 1))
	return tip, feeCap, nil
}

// finish waits until one version is in a block that counts as there for good, sending the
// transaction again when the node does not know it any more, at once when a
// reorganisation took it out, and raising its fee when it is stuck.
func (s *Sender) finish(ctx context.Context, n *sending) (*types.Receipt, error) {
	last := time.Now()
	if n.inherited {
		last = time.Time{} // whether it was ever sent, nobody knows
	}
	var used time.Time // since when the nonce is, and by none of ours as far as the node shows
	included := false
	for wait := s.c.cfg.PollEvery; ; {
		was := included
		included = false
		for _, tx := range n.versions {
			r, err := s.c.eth.TransactionReceipt(ctx, tx.Hash())
			if err == nil {
				var final bool
				if r, final, err = s.final(ctx, r); err != nil || final {
					return r, err
				}
				included, used = true, time.Time{}
				break
			}
			if !retriable(err) {
				return nil, err
			}
			if !errors.Is(err, ethereum.NotFound) {
				used = time.Time{}
			}
		}
		if was && !included {
			s.c.log.Info("a reorganisation took a transaction out: sending it again", "what", n.What, "nonce", n.Nonce)
			last = time.Time{}
		}
		// Receipts may come later than the nonce: to send anew too early would pay twice.
		if !used.IsZero() && time.Since(used) >= overtakenAfter {
			return nil, errOvertaken
		}
		if !included {
			switch next, err := s.settledNonce(ctx); {
			case err != nil || next <= n.Nonce:
				used = time.Time{}
			case used.IsZero():
				used = time.Now()
			}
		}
		if !included && time.Since(last) >= s.c.cfg.ResendAfter {
			last = time.Now()
			if err := s.again(ctx, n); err != nil {
				return nil, err
			}
		}
		if err := sleep(ctx, wait); err != nil {
			return nil, fmt.Errorf("transaction %s with nonce %d is not in a block for good yet: %w", n.newest().Hash(), n.Nonce, err)
		}
		wait = min(wait*5/4, max(time.Second, s.c.cfg.PollEvery))
	}
}

// settledNonce is the account's count of transactions that are in the chain for good.
func (s *Sender) settledNonce(ctx context.Context) (uint64, error) {
	if s.c.cfg.Confirmations <= 1 {
		return s.c.eth.NonceAt(ctx, s.key.Account(), nil)
	}
	head, _, err := s.c.Head(ctx)
	if err != nil || head+1 < s.c.cfg.Confirmations {
		return 0, err
	}
	return s.c.eth.NonceAt(ctx, s.key.Account(), new(big.Int).SetUint64(head+1-s.c.cfg.Confirmations))
}

// overtakenAfter is how long a used nonce must stay without a receipt of ours before
// it counts as another program's.
const overtakenAfter = 3 * time.Second

// errOvertaken says that another program's transaction took the nonce of ours.
var errOvertaken = errors.New("the nonce was used by another program")

// again sends a transaction once more, with a raised fee if the node still holds it.
func (s *Sender) again(ctx context.Context, n *sending) error {
	tx := n.newest()
	if _, pending, err := s.c.eth.TransactionByHash(ctx, tx.Hash()); err != nil || !pending {
		// Forgotten (or mined meanwhile): the same bytes once more.
		if err := s.c.eth.SendTransaction(ctx, tx); err != nil {
			s.c.log.Debug("sending a transaction again", "tx", tx.Hash(), "err", err)
			if !outpriced(err) {
				return nil
			}
			// Another version, or the base fee, stands in the way: a higher fee gets past.
		} else {
			return nil
		}
	}
	if s.attended() && !s.outbid(ctx, tx) {
		return nil // it can still get into a block: nobody is asked to approve again
	}
	tip, feeCap, err := s.fees(ctx)
	if err != nil {
		s.c.log.Debug("fees for a raise", "err", err)
		return nil
	}
	if err := s.sign(ctx, n, &types.DynamicFeeTx{
		ChainID: s.c.chainID, Nonce: tx.Nonce(), To: tx.To(), Value: tx.Value(), Data: tx.Data(), Gas: tx.Gas(),
		GasTipCap: atLeast(tip, tx.GasTipCap()), GasFeeCap: atLeast(feeCap, tx.GasFeeCap()),
	}); err != nil {
		return err
	}
	if err := s.c.eth.SendTransaction(ctx, n.newest()); err != nil {
		s.c.log.Debug("raising a fee", "tx", tx.Hash(), "err", err)
		return nil
	}
	s.c.log.Info("raised the fee of a stuck transaction", "was", tx.Hash(), "now", n.newest().Hash(), "nonce", tx.Nonce())
	return nil
}

// attended says that a person approves each signature of this key.
func (s *Sender) attended() bool {
	k, ok := s.key.(interface{ Attended() bool })
	return ok && k.Attended()
}

// outbid says that the newest base fee is above what a transaction offers.
func (s *Sender) outbid(ctx context.Context, tx *types.Transaction) bool {
	head, err := s.c.eth.HeaderByNumber(ctx, nil)
	return err == nil && head.BaseFee != nil && head.BaseFee.Cmp(tx.GasFeeCap()) > 0
}

// atLeast is the greater of a fee and 9/8 of the old one (nodes ask for 10 % more).
func atLeast(fee, old *big.Int) *big.Int {
	up := new(big.Int).Div(new(big.Int).Mul(old, big.NewInt(9)), big.NewInt(8))
	up.Add(up, big.NewInt(1))
	if fee.Cmp(up) > 0 {
		return fee
	}
	return up
}

// whyFailed runs a failed transaction again as a call on the state before its block, to
// learn the reason: nil when it would have passed there.
func (s *Sender) whyFailed(ctx context.Context, m call, r *types.Receipt) error {
	msg := ethereum.CallMsg{From: s.key.Account(), To: m.to, Value: m.value, Data: m.data}
	parent := new(big.Int).Sub(r.BlockNumber, big.NewInt(1))
	_, err := s.c.eth.CallContract(ctx, msg, parent)
	return err
}

func (s *Sender) explain(what string, err error) error { return s.c.explain(what, err) }

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// known says that the node has this very transaction already.
func known(err error) bool { return strings.Contains(err.Error(), "already known") }

// inDoubt says that the connection broke before the node answered.
func inDoubt(err error) bool {
	var answered rpc.Error
	return !errors.As(err, &answered) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

// outpriced says that the node wants a higher fee.
func outpriced(err error) bool {
	return strings.Contains(err.Error(), "underpriced") || strings.Contains(err.Error(), "less than block base fee")
}

// taken says that the nonce is used.
func taken(err error) bool {
	return strings.Contains(err.Error(), "nonce too low") || strings.Contains(err.Error(), "replacement transaction underpriced")
}

// retriable says that a receipt may come later: it is not there yet, or the node is
// away for a moment.
func retriable(err error) bool {
	if errors.Is(err, ethereum.NotFound) {
		return true
	}
	return !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

// reach waits until the node's newest block is number or later. A node may show a
// receipt a moment before its newest state has the block, and who reads then would not
// see what the transaction did.
func (c *Client) reach(ctx context.Context, number *big.Int) error {
	for {
		switch h, err := c.eth.HeaderByNumber(ctx, nil); {
		case err == nil && h.Number.Cmp(number) >= 0:
			return nil
		case err != nil && !retriable(err):
			return c.unavailable("read the newest block", err)
		}
		if err := sleep(ctx, c.cfg.PollEvery); err != nil {
			return err
		}
	}
}
