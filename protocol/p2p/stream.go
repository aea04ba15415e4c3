package p2p

import (
	"bufio"
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	core "github.com/libp2p/go-libp2p/core/protocol"
	multistream "github.com/multiformats/go-multistream"
	"google.golang.org/protobuf/proto"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
)

// Stream protocols.
const (
	JobProtocol      core.ID = "/openledger/job/1"
	ReceiptProtocol  core.ID = "/openledger/receipt/1"
	SyncProtocol     core.ID = "/openledger/sync/1"
	IdentityProtocol core.ID = "/openledger/id/1"
)

// conversation is one stream with frames and deadlines. One goroutine may read
// while others write.
type conversation struct {
	s       network.Stream
	in      *bufio.Reader
	writing sync.Mutex
	patient time.Duration // how long one write may take
}

func (h *Host) conversation(s network.Stream) *conversation {
	return &conversation{s: s, in: bufio.NewReader(s), patient: h.cfg.Timeouts.Write}
}

// open opens a stream to a peer. The stream is reset when ctx ends.
func (h *Host) open(ctx context.Context, to protocol.PeerID, id core.ID) (*conversation, error) {
	c, err := h.openFree(ctx, to, id)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, c.reset)
	return c, nil
}

// openFree opens a stream that outlives ctx.
func (h *Host) openFree(ctx context.Context, to protocol.PeerID, id core.ID) (*conversation, error) {
	p, err := peer.Decode(string(to))
	if err != nil {
		return nil, protocol.Errorf(protocol.KindInvalid, "peer", "%q is not a peer id: %w", to, err)
	}
	dial, cancel := context.WithTimeout(network.WithAllowLimitedConn(ctx, string(id)), h.cfg.Timeouts.Dial)
	defer cancel()
	s, err := h.libp2p.NewStream(dial, p, id)
	var unsupported multistream.ErrNotSupported[core.ID]
	switch {
	case err == nil:
		return h.conversation(s), nil
	case errors.As(err, &unsupported):
		return nil, protocol.Errorf(protocol.KindNotFound, "peer", "%s does not serve %s", to, id)
	case ctx.Err() != nil:
		return nil, ended(ctx)
	}
	return nil, protocol.Errorf(protocol.KindUnavailable, "peer", "%s cannot be reached: %w", to, err)
}

// ended is why a context ended, as a protocol.Error.
func ended(ctx context.Context) error {
	cause := context.Cause(ctx)
	var e *protocol.Error
	switch {
	case errors.As(cause, &e):
		return cause
	case errors.Is(cause, context.DeadlineExceeded):
		return protocol.Errorf(protocol.KindDeadline, "", "ran out of time: %w", cause)
	}
	return protocol.Errorf(protocol.KindCancelled, "", "cancelled: %w", cause)
}

// read reads a frame within a time; 0 waits for ever.
func (c *conversation) read(m proto.Message, limit int, within time.Duration) error {
	var deadline time.Time
	if within > 0 {
		deadline = time.Now().Add(within)
	}
	if err := c.s.SetReadDeadline(deadline); err != nil {
		return c.broken(err)
	}
	if err := wire.ReadFrame(c.in, m, limit); err != nil {
		return c.broken(err)
	}
	return nil
}

func (c *conversation) write(m proto.Message, limit int) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.s.SetWriteDeadline(time.Now().Add(c.patient)); err != nil {
		return c.broken(err)
	}
	if err := wire.WriteFrame(c.s, m, limit); err != nil {
		return c.broken(err)
	}
	return nil
}

// broken turns errors of the transport into protocol.Errors.
func (c *conversation) broken(err error) error {
	var e *protocol.Error
	if errors.As(err, &e) {
		return err
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return protocol.Errorf(protocol.KindUnavailable, "peer", "%s did not keep up in time: %w", c.s.Conn().RemotePeer(), err)
	}
	var remote *network.StreamError
	if errors.As(err, &remote) && remote.ErrorCode == network.StreamResourceLimitExceeded {
		return protocol.Errorf(protocol.KindBusy, "peer", "%s has no room for another stream: %w", c.s.Conn().RemotePeer(), err)
	}
	return protocol.Errorf(protocol.KindUnavailable, "peer", "%s went away: %w", c.s.Conn().RemotePeer(), err)
}

func (c *conversation) peer() protocol.PeerID {
	return protocol.PeerID(c.s.Conn().RemotePeer().String())
}

// The ends of a stream are best effort: the other side may be gone already.

func (c *conversation) reset()      { _ = c.s.Reset() }
func (c *conversation) close()      { _ = c.s.Close() }
func (c *conversation) closeWrite() { _ = c.s.CloseWrite() }

// told is an error that the other side was told: the stream ends in order.
type told struct{ error }

func (t told) Unwrap() error { return t.error }

// serve runs a handler on an incoming stream; its context ends with the host.
// The stream is closed after success or a told error, and reset after another.
func (h *Host) serve(s network.Stream, handler func(context.Context, *conversation) error) {
	c := h.conversation(s)
	ran := h.goesNow(func() {
		outcome := "ok"
		err := s.SetReadDeadline(time.Now().Add(h.cfg.Timeouts.Request))
		if err == nil {
			err = handler(h.ctx, c)
		}
		if err != nil {
			outcome = string(protocol.KindOf(err))
			h.cfg.Logger.Debug("stream failed", "protocol", s.Protocol(), "peer", c.peer(), "err", err)
		}
		if err == nil || errors.As(err, new(told)) {
			c.close()
		} else {
			c.reset()
		}
		h.metrics.served(string(s.Protocol()), outcome)
	})
	if !ran {
		c.reset()
	}
}
