package chain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/url"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// Config says which chain and which contracts to talk to.
type Config struct {
	// RPC is the address of a node: http, https, ws or wss. Events arrive by
	// polling, so http serves.
	RPC string
	// Addresses are the contracts. When Staking is zero only Balance, Send and the
	// like work.
	Addresses Addresses
	// PollEvery is how often a sender looks for its receipt. Default 50 ms.
	PollEvery time.Duration
	// ResendAfter is how long a transaction may wait before its fee is raised.
	// Default 15 s.
	ResendAfter time.Duration
	// Timeout bounds the wait for one transaction, from its signature on, when the
	// caller's context does not. Default 3 min.
	Timeout time.Duration
	// Confirmations is how many blocks must hold a transaction, its own and those on
	// top, before it counts as there for good. Default 1: a chain that is never
	// reorganised. A reorganisation less deep takes a transaction out; it is sent again.
	Confirmations uint64
	// LogRange is how many blocks one query for events may span. Default 5,000.
	LogRange uint64
	Logger   *slog.Logger
}

// EnsureDefaults fills in what was left empty.
func (c *Config) EnsureDefaults() {
	if c.PollEvery == 0 {
		c.PollEvery = 50 * time.Millisecond
	}
	if c.ResendAfter == 0 {
		c.ResendAfter = 15 * time.Second
	}
	if c.Timeout == 0 {
		c.Timeout = 3 * time.Minute
	}
	if c.Confirmations == 0 {
		c.Confirmations = 1
	}
	if c.LogRange == 0 {
		c.LogRange = 5000
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

// Validate says which field is wrong.
func (c *Config) Validate() error {
	u, err := url.Parse(c.RPC)
	if err != nil || u.Host == "" {
		return protocol.Errorf(protocol.KindInvalid, "chain.rpc", "%q is no address of a node: give one like http://127.0.0.1:8545", c.RPC)
	}
	switch u.Scheme {
	case "http", "https", "ws", "wss":
	default:
		return protocol.Errorf(protocol.KindInvalid, "chain.rpc", "has the scheme %q: use http, https, ws or wss", u.Scheme)
	}
	if c.PollEvery < 0 || c.ResendAfter < 0 || c.Timeout < 0 {
		return protocol.Errorf(protocol.KindInvalid, "chain.poll_every, resend_after, timeout", "must not be negative")
	}
	return nil
}

// Client reads the chain. It is safe for concurrent use.
type Client struct {
	cfg     Config
	eth     *ethclient.Client
	chainID *big.Int
	log     *slog.Logger
	block   *big.Int // nil: the newest

	mu      sync.Mutex
	senders map[protocol.Account]*Sender

	naming sync.Once
	names  map[protocol.Account]string // of contracts

	lists lists
}

// Dial connects to a node and checks that it is on the chain that the addresses
// are for.
func Dial(ctx context.Context, cfg Config) (*Client, error) {
	cfg.EnsureDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	eth, err := ethclient.DialContext(ctx, cfg.RPC)
	if err != nil {
		return nil, protocol.Errorf(protocol.KindUnavailable, "chain.rpc", "cannot reach %s: %w", cfg.RPC, err)
	}
	id, err := eth.ChainID(ctx)
	if err != nil {
		eth.Close()
		return nil, protocol.Errorf(protocol.KindUnavailable, "chain.rpc", "%s does not answer: is the chain running? %w", cfg.RPC, err)
	}
	if want := cfg.Addresses.ChainID; want != 0 && (!id.IsUint64() || id.Uint64() != want) {
		eth.Close()
		return nil, protocol.Errorf(protocol.KindInvalid, "chain.rpc", "%s is chain %s, the contracts are on chain %d: name the right node or the right deployment", cfg.RPC, id, want)
	}
	return &Client{cfg: cfg, eth: eth, chainID: id, log: cfg.Logger, senders: map[protocol.Account]*Sender{}}, nil
}

// Close hangs up.
func (c *Client) Close() { c.eth.Close() }

// Addresses are the contracts the client talks to.
func (c *Client) Addresses() Addresses { return c.cfg.Addresses }

// ChainID is the chain's id.
func (c *Client) ChainID() uint64 { return c.chainID.Uint64() }

// With is a client of other contracts on the same connection.
func (c *Client) With(a Addresses) *Client {
	cfg := c.cfg
	cfg.Addresses = a
	return &Client{cfg: cfg, eth: c.eth, chainID: c.chainID, log: c.log, senders: map[protocol.Account]*Sender{}}
}

// At is a client that reads the state after a block. It sends nothing.
func (c *Client) At(block uint64) *Client {
	return &Client{cfg: c.cfg, eth: c.eth, chainID: c.chainID, log: c.log, block: new(big.Int).SetUint64(block), senders: map[protocol.Account]*Sender{}}
}

// now is a client that reads in the block to come, so that views which look at the
// time see ours and not that of the newest block.
func (c *Client) now() *Client {
	if c.block != nil {
		return c
	}
	p := c.At(0)
	p.block = big.NewInt(rpc.PendingBlockNumber.Int64())
	return p
}

// Head is the number and the time (Unix seconds) of the newest block.
func (c *Client) Head(ctx context.Context) (number uint64, unix int64, err error) {
	h, err := c.eth.HeaderByNumber(ctx, nil)
	if err != nil {
		return 0, 0, c.unavailable("read the newest block", err)
	}
	return h.Number.Uint64(), int64(h.Time), nil
}

// blockLag is how far the time of the next block may be behind the clock.
const blockLag = 3 * time.Second

// Now is a time (Unix seconds) that every block from now on has reached: what opened by
// then can be claimed by a transaction sent now. A development chain's clock may be far
// from ours in both ways: ahead after a burst of blocks, behind when nobody sent anything.
func (c *Client) Now(ctx context.Context) (int64, error) {
	_, head, err := c.Head(ctx)
	return max(head, time.Now().Add(-blockLag).Unix()), err
}

// Balance is an account's balance of OPEN.
func (c *Client) Balance(ctx context.Context, a protocol.Account) (uint256.Int, error) {
	b, err := c.eth.BalanceAt(ctx, a, c.block)
	if err != nil {
		return uint256.Int{}, c.unavailable("read a balance", err)
	}
	return toU256(b)
}

// Nonce is the number of an account's next transaction.
func (c *Client) Nonce(ctx context.Context, a protocol.Account) (uint64, error) {
	n, err := c.eth.NonceAt(ctx, a, c.block)
	if err != nil {
		return 0, c.unavailable("read a nonce", err)
	}
	return n, nil
}

// HasCode says whether there is a contract at an address.
func (c *Client) HasCode(ctx context.Context, a protocol.Account) (bool, error) {
	code, err := c.eth.CodeAt(ctx, a, c.block)
	if err != nil {
		return false, c.unavailable("read a contract's code", err)
	}
	return len(code) > 0, nil
}

// Code is the runtime code of a contract, empty when there is none.
func (c *Client) Code(ctx context.Context, a protocol.Account) ([]byte, error) {
	code, err := c.eth.CodeAt(ctx, a, c.block)
	if err != nil {
		return nil, c.unavailable("read a contract's code", err)
	}
	return code, nil
}

// Creation is a transaction that made a contract.
type Creation struct {
	From     protocol.Account
	Contract protocol.Account
	Input    []byte // creation code and constructor arguments
	Block    uint64
}

// Creation reads the transaction that made a contract.
func (c *Client) Creation(ctx context.Context, hash protocol.Hash) (Creation, error) {
	tx, _, err := c.eth.TransactionByHash(ctx, hash)
	if err == nil {
		var r *types.Receipt
		if r, err = c.eth.TransactionReceipt(ctx, hash); err == nil {
			from, serr := types.Sender(types.LatestSignerForChainID(c.chainID), tx)
			if serr != nil {
				return Creation{}, protocol.Errorf(protocol.KindCorrupt, "", "transaction %s has no valid signature: %w", hash, serr)
			}
			if tx.To() != nil || r.Status != types.ReceiptStatusSuccessful {
				return Creation{}, protocol.Errorf(protocol.KindNotFound, "", "transaction %s made no contract", hash)
			}
			return Creation{From: from, Contract: r.ContractAddress, Input: tx.Data(), Block: r.BlockNumber.Uint64()}, nil
		}
	}
	if errors.Is(err, ethereum.NotFound) {
		return Creation{}, protocol.Errorf(protocol.KindNotFound, "", "the node knows no transaction %s", hash)
	}
	return Creation{}, c.unavailable("read a transaction", err)
}

// As gives the sender of a key. There is one per account in a Client.
func (c *Client) As(key Key) *Sender {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.senders[key.Account()]
	if s == nil {
		s = newSender(c, key)
		c.senders[key.Account()] = s
	}
	return s
}

// Receipt gives the transaction with a hash, if it is in a block and succeeded.
func (c *Client) Receipt(ctx context.Context, hash protocol.Hash) (Tx, error) {
	r, err := c.eth.TransactionReceipt(ctx, hash)
	if err != nil {
		return Tx{}, c.unavailable("read a receipt", err)
	}
	if r.Status != types.ReceiptStatusSuccessful {
		return Tx{}, protocol.Errorf(protocol.KindInvalid, "", "transaction %s was refused by the contract", hash)
	}
	return txOf(r), nil
}

func txOf(r *types.Receipt) Tx {
	return Tx{Hash: r.TxHash, Block: r.BlockNumber.Uint64(), GasUsed: r.GasUsed, Logs: r.Logs}
}

// unavailable says that the node failed us, unless the context ended.
func (c *Client) unavailable(what string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w", what, err)
	}
	return protocol.Errorf(protocol.KindUnavailable, "", "%s from %s: %w", what, c.cfg.RPC, err)
}

func toU256(b *big.Int) (uint256.Int, error) {
	v, overflow := uint256.FromBig(b)
	if overflow || b.Sign() < 0 {
		return uint256.Int{}, protocol.Errorf(protocol.KindCorrupt, "", "the chain gave the amount %s, outside 0..2^256-1", b)
	}
	return *v, nil
}

func big256(v uint256.Int) *big.Int { return v.ToBig() }

// read calls a contract's view and unpacks the answer.
func read[T any](ctx context.Context, c *Client, what string, to protocol.Account, data []byte, unpack func([]byte) (T, error)) (T, error) {
	var zero T
	out, err := c.eth.CallContract(ctx, ethereum.CallMsg{To: &to, Data: data}, c.block)
	if err != nil {
		return zero, c.explain(what, err)
	}
	if len(out) == 0 {
		if ok, err := c.HasCode(ctx, to); err == nil && !ok {
			return zero, noContract(what, to)
		}
	}
	v, err := unpack(out)
	if err != nil {
		return zero, protocol.Errorf(protocol.KindCorrupt, "", "%s: cannot read the contract's answer: %w", what, err)
	}
	return v, nil
}

// View calls a view of any contract. The verb says what it does, for errors.
func (c *Client) View(ctx context.Context, what string, to protocol.Account, data []byte) ([]byte, error) {
	return read(ctx, c, what, to, data, func(out []byte) ([]byte, error) { return out, nil })
}

func noContract(what string, at protocol.Account) error {
	return protocol.Errorf(protocol.KindInvalid, "addresses", "%s: there is no contract at %s: is this the right deployment?", what, at)
}

// readAmount reads an amount.
func readAmount(ctx context.Context, c *Client, what string, to protocol.Account, data []byte, unpack func([]byte) (*big.Int, error)) (uint256.Int, error) {
	v, err := read(ctx, c, what, to, data, unpack)
	if err != nil {
		return uint256.Int{}, err
	}
	return toU256(v)
}
