package chain

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/openledger/openledger/protocol"
)

// model is a node and its chain in memory, as a sender sees them: a pool that loses
// transactions, blocks that take some of the pool, or a version that was replaced in it
// (another node still had it), a base fee that climbs and falls, reorganisations, and
// times in which the node does not find its receipts.
type model struct {
	mu       sync.Mutex
	rand     *rand.Rand
	id       *big.Int
	blocks   []modelBlock
	pool     map[common.Hash]*types.Transaction
	replaced []*types.Transaction
	base     int64
	climbs   bool
	dark     time.Time // receipts are not found until then
	forks    int
	lost     int // transactions that a reorganisation or the pool forgot
}

// Receipts are not found for at most so long, which is less than a sender waits before it
// takes a used nonce for another's.
const darkest = 2 * time.Second

type modelBlock struct {
	head *types.Header
	txs  []*types.Transaction
}

func newModel(r *rand.Rand) *model {
	m := &model{rand: r, id: big.NewInt(7), pool: map[common.Hash]*types.Transaction{}, base: 10}
	m.grow()
	return m
}

// grow puts a block on top with some of the pool's transactions, in order of nonce.
func (m *model) grow() {
	number := len(m.blocks)
	if m.rand.IntN(15) == 0 {
		m.climbs = !m.climbs
	}
	if m.climbs { // by an eighth, as EIP-1559 has it
		m.base = min(m.base+m.base/8+1, 5000)
	} else {
		m.base = max(m.base-m.base/8, 1)
	}
	b := modelBlock{head: &types.Header{Number: big.NewInt(int64(number)), BaseFee: big.NewInt(m.base), Difficulty: new(big.Int),
		GasLimit: 30_000_000, Extra: []byte{byte(m.forks), byte(m.forks >> 8)}}}
	if number > 0 {
		b.head.ParentHash = m.blocks[number-1].head.Hash()
	}
	next := m.nonce(number - 1)
	for m.rand.IntN(4) > 0 {
		var fit []*types.Transaction
		for _, tx := range m.pool {
			if tx.Nonce() == next && tx.GasFeeCap().Cmp(b.head.BaseFee) >= 0 {
				fit = append(fit, tx)
			}
		}
		for _, tx := range m.replaced {
			if tx.Nonce() == next && tx.GasFeeCap().Cmp(b.head.BaseFee) >= 0 && m.rand.IntN(4) == 0 {
				fit = append(fit, tx)
			}
		}
		if len(fit) == 0 {
			break
		}
		slices.SortFunc(fit, func(a, b *types.Transaction) int { return bytes.Compare(hashOf(a), hashOf(b)) })
		b.txs = append(b.txs, fit[m.rand.IntN(len(fit))])
		next++
	}
	m.blocks = append(m.blocks, b)
	for h, tx := range m.pool {
		if tx.Nonce() < next {
			delete(m.pool, h)
		}
	}
}

func hashOf(tx *types.Transaction) []byte { h := tx.Hash(); return h[:] }

// nonce is how many transactions the blocks up to one hold. All are of one account.
func (m *model) nonce(upTo int) (n uint64) {
	for i := 0; i <= upTo && i < len(m.blocks); i++ {
		n += uint64(len(m.blocks[i].txs))
	}
	return n
}

// reorganise replaces the last blocks by one more than they were. What they held comes
// back to the pool, or is forgotten.
func (m *model) reorganise(depth int) {
	depth = min(depth, len(m.blocks)-1)
	m.forks++
	for _, b := range m.blocks[len(m.blocks)-depth:] {
		for _, tx := range b.txs {
			if m.rand.IntN(2) == 0 {
				m.pool[tx.Hash()] = tx
			} else {
				m.lost++
			}
		}
	}
	m.blocks = m.blocks[:len(m.blocks)-depth]
	for range depth + 1 {
		m.grow()
	}
}

// step is what happens in the world meanwhile.
func (m *model) step(maxDepth int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch k := m.rand.IntN(20); {
	case k < 14:
		m.grow()
	case k < 16:
		m.reorganise(1 + m.rand.IntN(maxDepth))
	case k < 17 && time.Since(m.dark) > 2*darkest:
		m.dark = time.Now().Add(time.Duration(1 + m.rand.Int64N(int64(darkest))))
	case k < 18 && len(m.pool) > 0:
		var all []common.Hash
		for h := range m.pool {
			all = append(all, h)
		}
		slices.SortFunc(all, func(a, b common.Hash) int { return a.Cmp(b) })
		delete(m.pool, all[m.rand.IntN(len(all))])
		m.lost++
	}
}

// paid counts the transfers to each account in the chain as it is.
func (m *model) paid() map[protocol.Account]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[protocol.Account]int{}
	for _, b := range m.blocks {
		for _, tx := range b.txs {
			out[*tx.To()]++
		}
	}
	return out
}

// The node's methods: ChainId is eth_chainId.

func (m *model) ChainId() *hexutil.Big { return (*hexutil.Big)(m.id) }

func (m *model) MaxPriorityFeePerGas() *hexutil.Big { return (*hexutil.Big)(big.NewInt(2)) }

func (m *model) EstimateGas(map[string]any, *rpc.BlockNumberOrHash) hexutil.Uint64 { return 21_000 }

func (m *model) GetBlockByNumber(n rpc.BlockNumber, _ bool) any {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := int(n)
	if n < 0 {
		i = len(m.blocks) - 1
	}
	if i >= len(m.blocks) {
		return nil
	}
	return m.blocks[i].head
}

func (m *model) GetTransactionCount(_ protocol.Account, n rpc.BlockNumber) hexutil.Uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n >= 0 {
		return hexutil.Uint64(m.nonce(int(n)))
	}
	next := m.nonce(len(m.blocks) - 1)
	for more := n == rpc.PendingBlockNumber; more; {
		more = false
		for _, tx := range m.pool {
			if tx.Nonce() == next {
				next, more = next+1, true
				break
			}
		}
	}
	return hexutil.Uint64(next)
}

func (m *model) SendRawTransaction(raw hexutil.Bytes) (common.Hash, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	tx := new(types.Transaction)
	if err := tx.UnmarshalBinary(raw); err != nil {
		return common.Hash{}, err
	}
	if m.pool[tx.Hash()] != nil {
		return common.Hash{}, errors.New("already known")
	}
	if tx.Nonce() < m.nonce(len(m.blocks)-1) {
		return common.Hash{}, errors.New("nonce too low")
	}
	for h, old := range m.pool {
		if old.Nonce() == tx.Nonce() {
			if tx.GasFeeCap().Cmp(atLeast(new(big.Int), old.GasFeeCap())) < 0 {
				return common.Hash{}, errors.New("replacement transaction underpriced")
			}
			delete(m.pool, h)
			m.replaced = append(m.replaced, old)
		}
	}
	m.pool[tx.Hash()] = tx
	return tx.Hash(), nil
}

func (m *model) GetTransactionReceipt(h common.Hash) map[string]any {
	m.mu.Lock()
	defer m.mu.Unlock()
	if time.Now().Before(m.dark) {
		return nil
	}
	for _, b := range m.blocks {
		for i, tx := range b.txs {
			if tx.Hash() == h {
				return map[string]any{"status": "0x1", "transactionHash": h, "transactionIndex": hexutil.Uint(i), "blockHash": b.head.Hash(),
					"blockNumber": (*hexutil.Big)(b.head.Number), "gasUsed": "0x5208", "cumulativeGasUsed": "0x5208", "effectiveGasPrice": "0x1",
					"logs": []any{}, "logsBloom": types.Bloom{}, "type": "0x2"}
			}
		}
	}
	return nil
}

func (m *model) GetTransactionByHash(h common.Hash) any {
	m.mu.Lock()
	defer m.mu.Unlock()
	if tx := m.pool[h]; tx != nil {
		return tx
	}
	return nil
}

// wire is one process's way to the node and to its journal. After a number of uses it
// breaks for good, as if the process had been killed, before or after the last use had
// its effect. Before, an answer may get lost.
type wire struct {
	server *rpc.Server
	disk   map[string][]byte

	mu   sync.Mutex
	rand *rand.Rand
	left int // uses before the process is killed
	dead chan struct{}
}

var errKilled = errors.New("killed")

// use runs one effect, unless the process is dead.
func (w *wire) use(effect func()) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.dead:
		return errKilled
	default:
	}
	if w.left--; w.left > 0 {
		effect()
		return nil
	}
	if w.rand.IntN(2) == 0 {
		effect()
	}
	close(w.dead)
	return errKilled
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	out := httptest.NewRecorder()
	if err := w.use(func() { w.server.ServeHTTP(out, r) }); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.rand.IntN(25) == 0 {
		return nil, errors.New("the connection broke")
	}
	return out.Result(), nil
}

func (w *wire) PutSending(key string, value []byte) error {
	return w.use(func() { w.disk[key] = bytes.Clone(value) })
}

func (w *wire) DeleteSending(key string) error { return w.use(func() { delete(w.disk, key) }) }

func (w *wire) Sendings() (map[string][]byte, error) {
	out := map[string][]byte{}
	err := w.use(func() {
		for k, v := range w.disk {
			out[k] = v
		}
	})
	return out, err
}

func (w *wire) String() string { return fmt.Sprintf("%d uses left", w.left) }
