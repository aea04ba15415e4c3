package ipfs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	boxofetch "github.com/ipfs/boxo/exchange"
	"github.com/ipfs/boxo/ipld/merkledag"
	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	format "github.com/ipfs/go-ipld-format"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/openledger/openledger/protocol"
)

// fetcher reads blocks for one request: from the blockstore, or else in a bitswap
// session from the named providers. It dials only when a block is missing. Close ends
// the session.
type fetcher struct {
	node      *Node
	ctx       context.Context // of the session
	close     context.CancelFunc
	providers []peer.AddrInfo
	localOnly bool

	dial    sync.Once
	dialErr error
	session boxofetch.Fetcher

	mu      sync.Mutex // guards closed and reading.Add
	closed  bool
	reading sync.WaitGroup // what GetMany started
}

func (n *Node) fetch(ctx context.Context, providers []peer.AddrInfo) *fetcher {
	ctx, cancel := context.WithCancel(ctx)
	f := &fetcher{node: n, ctx: ctx, providers: providers}
	// Readers of files read ahead in the background: that ends here, so that the database
	// may be closed after.
	f.close = func() {
		cancel()
		f.mu.Lock()
		f.closed = true
		f.mu.Unlock()
		f.reading.Wait()
	}
	return f
}

// offline reads only what is here.
func (n *Node) offline() *fetcher {
	return &fetcher{node: n, localOnly: true, close: func() {}}
}

var _ format.NodeGetter = (*fetcher)(nil)

// block gives one block, local or fetched.
func (f *fetcher) block(ctx context.Context, id cid.Cid) (b blocks.Block, err error) {
	err = f.many(ctx, []cid.Cid{id}, func(got blocks.Block) error {
		b = got
		return nil
	})
	return b, err
}

// Get is block, decoded; with GetMany it makes a fetcher a NodeGetter.
func (f *fetcher) Get(ctx context.Context, id cid.Cid) (format.Node, error) {
	b, err := f.block(ctx, id)
	if err != nil {
		return nil, err
	}
	return decode(b)
}

// GetMany gives nodes in any order, or one error.
func (f *fetcher) GetMany(ctx context.Context, ids []cid.Cid) <-chan *format.NodeOption {
	out := make(chan *format.NodeOption, len(ids)+1)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		out <- &format.NodeOption{Err: context.Canceled}
		close(out)
		return out
	}
	f.reading.Add(1)
	go func() {
		defer f.reading.Done()
		defer close(out)
		err := f.many(ctx, ids, func(b blocks.Block) error {
			nd, err := decode(b)
			if err == nil {
				out <- &format.NodeOption{Node: nd}
			}
			return err
		})
		if err != nil {
			out <- &format.NodeOption{Err: err}
		}
	}()
	return out
}

// many calls fn with each distinct block of ids, in any order.
func (f *fetcher) many(ctx context.Context, ids []cid.Cid, fn func(blocks.Block) error) error {
	missing := map[cid.Cid]struct{}{}
	seen := map[cid.Cid]struct{}{}
	var want []cid.Cid
	for _, id := range ids {
		if _, ok := seen[id]; ok {
			continue
		}
		seen[id] = struct{}{}
		if err := ctx.Err(); err != nil {
			return err
		}
		b, err := f.node.blocks.Get(ctx, id)
		switch {
		case err == nil:
			if err := fn(b); err != nil {
				return err
			}
		case format.IsNotFound(err):
			missing[id] = struct{}{}
			want = append(want, id)
		default:
			return err
		}
	}
	if len(want) == 0 {
		return nil
	}
	if err := f.connect(); err != nil {
		return notHere(want[0], err)
	}
	stalled := time.NewTimer(f.node.cfg.StallTimeout)
	defer stalled.Stop()
	session := f.session
	for {
		err := f.ask(ctx, session, want, missing, stalled, fn)
		if !errors.Is(err, errAskAgain) {
			return err
		}
		f.node.awaitWithdrawal(ctx, want)
		session = nil
	}
}

var errAskAgain = errors.New("nothing came for a while")

// ask requests the missing blocks of want once, in a session of its own if none is
// given. What comes is kept before fn sees it.
// When nothing comes for a third of the stall timeout it gives errAskAgain: a request
// can be lost when another one for the same block has just ended, at the sender, which
// is still sending, or here, where bitswap takes requests back on its own time. It would
// repeat it only after the timeout.
func (f *fetcher) ask(ctx context.Context, session boxofetch.Fetcher, want []cid.Cid, missing map[cid.Cid]struct{}, stalled *time.Timer, fn func(blocks.Block) error) error {
	timeout := f.node.cfg.StallTimeout
	once, withdraw := context.WithCancel(ctx)
	defer withdraw()
	rest := slices.DeleteFunc(slices.Clone(want), func(id cid.Cid) bool {
		_, ok := missing[id]
		return !ok
	})
	if session == nil {
		session = f.node.swap.NewSession(once)
	}
	in, err := session.GetBlocks(once, rest)
	if err != nil {
		return f.failure(ctx, rest[0], err)
	}
	quiet := time.NewTimer(timeout / 3)
	defer quiet.Stop()
	for len(missing) > 0 {
		select {
		case b, ok := <-in:
			if !ok {
				return f.failure(ctx, first(want, missing), errors.New("the fetch ended early"))
			}
			if err := f.node.keep(ctx, b); err != nil {
				return err
			}
			delete(missing, b.Cid())
			if err := fn(b); err != nil {
				return err
			}
			stalled.Reset(timeout)
			quiet.Reset(timeout / 3)
		case <-quiet.C:
			return errAskAgain
		case <-stalled.C:
			return f.failure(ctx, first(want, missing), context.DeadlineExceeded)
		}
	}
	return nil
}

// withdrawalTime bounds the wait for bitswap to take a request back: another fetch may
// want the same blocks for longer.
const withdrawalTime = 250 * time.Millisecond

// awaitWithdrawal waits until bitswap has taken a request back. It does so on its own
// time, and would take back a request for the same blocks that came before that.
func (n *Node) awaitWithdrawal(ctx context.Context, ids []cid.Cid) {
	for until := time.Now().Add(withdrawalTime); time.Now().Before(until) && ctx.Err() == nil; time.Sleep(2 * time.Millisecond) {
		wanted := n.swap.GetWantlist()
		if !slices.ContainsFunc(ids, func(id cid.Cid) bool { return slices.Contains(wanted, id) }) {
			return
		}
	}
}

func first(order []cid.Cid, in map[cid.Cid]struct{}) cid.Cid {
	for _, id := range order {
		if _, ok := in[id]; ok {
			return id
		}
	}
	return order[0]
}

// connect dials the providers at once and is satisfied with the first that
// answers: the others join the session when they connect.
func (f *fetcher) connect() error {
	f.dial.Do(func() {
		n := f.node
		if f.localOnly {
			f.dialErr = errors.New("fetch it first")
			return
		}
		if n.swap == nil {
			f.dialErr = errors.New("this node is offline")
			return
		}
		f.dialErr = f.dialAny()
		f.session = n.swap.NewSession(f.ctx)
	})
	return f.dialErr
}

func (f *fetcher) dialAny() error {
	h := f.node.cfg.Host
	results := make(chan error, len(f.providers))
	dialled, connected := 0, false
	for _, p := range f.providers {
		if p.ID == h.ID() {
			continue
		}
		if h.Network().Connectedness(p.ID) == network.Connected {
			// Bitswap gives up on a peer that did not take its wants at once, such as one
			// that was still starting, until that peer speaks first. So it is told again.
			f.node.swap.Client.PeerConnected(p.ID)
			connected = true
			continue
		}
		dialled++
		go func() {
			ctx, cancel := context.WithTimeout(f.ctx, f.node.cfg.DialTimeout)
			defer cancel()
			results <- h.Connect(ctx, p)
		}()
	}
	if connected {
		return nil
	}
	var errs []error
	for range dialled {
		err := <-results
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	if f.node.cfg.Routing != nil || len(h.Network().Peers()) > 0 {
		return nil
	}
	if len(errs) == 0 {
		return errors.New("no provider is named and no peer is connected")
	}
	return fmt.Errorf("no provider answers: %w", errors.Join(errs...))
}

func notHere(id cid.Cid, err error) error {
	return protocol.Errorf(protocol.KindUnavailable, "cid", "block %s is not here: %w", id, err)
}

func (f *fetcher) failure(ctx context.Context, id cid.Cid, err error) error {
	if cause := ctx.Err(); cause != nil {
		return fmt.Errorf("ipfs: fetch %s: %w", id, cause)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return protocol.Errorf(protocol.KindUnavailable, "cid", "no connected peer sent block %s within %s: name a peer that has it", id, f.node.cfg.StallTimeout)
	}
	return protocol.Errorf(protocol.KindUnavailable, "cid", "fetch block %s: %w", id, err)
}

// decode parses a raw or dag-pb block.
func decode(b blocks.Block) (format.Node, error) {
	var nd format.Node
	var err error
	switch codec := b.Cid().Type(); codec {
	case cid.Raw:
		nd, err = merkledag.DecodeRawBlock(b)
	case cid.DagProtobuf:
		nd, err = merkledag.DecodeProtobufBlock(b)
	default:
		err = fmt.Errorf("codec 0x%x is neither raw nor dag-pb", codec)
	}
	if err != nil {
		return nil, protocol.Errorf(protocol.KindCorrupt, "cid", "block %s: %w", b.Cid(), err)
	}
	return nd, nil
}
