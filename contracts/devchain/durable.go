package devchain

import (
	"fmt"
	"net"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/eth"
)

// barrier puts the newest block on disk. go-ethereum writes its blocks in order
// but leaves the tail of the log in memory; after wait returns, everything up to
// the block that was newest when it was called survives a crash.
type barrier struct {
	chain  *eth.Ethereum
	mu     sync.Mutex
	synced common.Hash
}

func (b *barrier) wait() error {
	head := b.chain.BlockChain().CurrentBlock().Hash()
	b.mu.Lock()
	defer b.mu.Unlock()
	if head == b.synced {
		return nil
	}
	// The head may have moved on: what is on disk then is at least this one.
	head = b.chain.BlockChain().CurrentBlock().Hash()
	if err := b.chain.ChainDb().SyncKeyValue(); err != nil {
		return fmt.Errorf("sync the chain's log: %w", err)
	}
	b.synced = head
	return nil
}

// durableListener wraps the connections of the RPC port, so that an answer is held
// back until what it speaks of is on disk.
type durableListener struct {
	net.Listener
	durable *barrier
}

func (l durableListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return durableConn{c, l.durable}, nil
}

type durableConn struct {
	net.Conn
	durable *barrier
}

func (c durableConn) Write(p []byte) (int, error) {
	if err := c.durable.wait(); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}
