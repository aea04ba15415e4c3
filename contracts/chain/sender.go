package chain

import (
	"context"
	"errors"
	"math/big"
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
// sends again what a node forgot or a reorganisation took out, under the same nonce, fills
// nonces that nothing will use, and waits until enough blocks are on top. Another program may use the same key, but two
// that send the very same call at the same moment can take one transaction for both: give
// each program its own key.
type Sender struct {
	c    *Client
	key  Key
	line *line
	once string // the call's name; empty: it has none
}

func newSender(c *Client, key Key) *Sender {
	return &Sender{c: c, key: key, line: &line{done: map[string]protocol.Hash{}, running: map[string]bool{}, flying: map[uint64]int{}, turn: make(lock, 1), taking: make(lock, 1)}}
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
		s.line.landed(n.Nonce)
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
		switch err := s.hand(ctx, n.newest()); {
		case err == nil, known(err), inDoubt(err):
			// In doubt the node may have it: finish finds out, or sends the same bytes again.
			s.line.takeOff(nonce)
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

// poolLag is how long a node's pool may be behind its newest block.
const poolLag = 5 * time.Second

// hand gives the node a transaction. Its pool takes new blocks a moment after they can be
// read: it may refuse, as one that cannot pay, an account that the newest block has funded.
func (s *Sender) hand(ctx context.Context, tx *types.Transaction) error {
	for began := time.Now(); ; {
		err := s.c.eth.SendTransaction(ctx, tx)
		if err == nil || !poor(err) || time.Since(began) >= poolLag {
			return err
		}
		if has, berr := s.c.eth.BalanceAt(ctx, s.Account(), nil); berr != nil || has.Cmp(tx.Cost()) < 0 {
			return err
		}
		if serr := sleep(ctx, s.c.cfg.PollEvery); serr != nil {
			return serr
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

// whyFailed runs a failed transaction again as a call on the state before its block, to
// learn the reason: nil when it would have passed there.
func (s *Sender) whyFailed(ctx context.Context, m call, r *types.Receipt) error {
	msg := ethereum.CallMsg{From: s.key.Account(), To: m.to, Value: m.value, Data: m.data}
	parent := new(big.Int).Sub(r.BlockNumber, big.NewInt(1))
	_, err := s.c.eth.CallContract(ctx, msg, parent)
	return err
}

func (s *Sender) explain(what string, err error) error { return s.c.explain(what, err) }
