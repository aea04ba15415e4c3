package p2p

import (
	"context"
	"errors"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/protocol/wire/pb"
)

// replyQueue bounds what waits for a slow reader; after it Output blocks.
const replyQueue = 256

// HandleJobs serves /openledger/job/1.
func (h *Host) HandleJobs(handler JobHandler) {
	h.libp2p.SetStreamHandler(JobProtocol, func(s network.Stream) {
		h.serve(s, func(ctx context.Context, c *conversation) error { return h.serveJob(ctx, c, handler) })
	})
}

func (h *Host) serveJob(ctx context.Context, c *conversation, handler JobHandler) error {
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	default:
		return c.refuse(protocol.Errorf(protocol.KindBusy, "", "this worker already serves %d jobs: try another one", h.cfg.MaxJobs))
	}
	var request pb.JobRequest
	if err := c.read(&request, protocol.MaxFrameBytes, h.cfg.Timeouts.Request); err != nil {
		return c.refuse(err)
	}
	switch body := request.GetBody().(type) {
	case *pb.JobRequest_Infer:
		job, err := wire.InferenceJobFromPB(body.Infer)
		if err != nil {
			return c.refuse(err)
		}
		return h.serveInfer(ctx, c, handler, job)
	case *pb.JobRequest_Train:
		job, err := wire.TrainingJobFromPB(body.Train)
		if err != nil {
			return c.refuse(err)
		}
		return h.converse(ctx, c, func(ctx context.Context, send sender) (*pb.JobReply, error) {
			result, err := handler.Train(ctx, c.peer(), job, func(p protocol.TrainingProgress) error {
				return send(&pb.JobReply{Body: &pb.JobReply_Progress{Progress: wire.ProgressToPB(p)}})
			})
			return &pb.JobReply{Body: &pb.JobReply_Result{Result: wire.ResultToPB(result)}}, err
		})
	case *pb.JobRequest_Voucher:
		v, receipt, err := wire.VoucherDeliveryFromPB(body.Voucher)
		if err != nil {
			return c.refuse(err)
		}
		ctx, cancel := context.WithTimeout(ctx, h.cfg.Timeouts.Request)
		defer cancel()
		if err := handler.Voucher(ctx, c.peer(), v, receipt); err != nil {
			return c.refuse(err)
		}
		return c.write(&pb.JobReply{Body: &pb.JobReply_Taken{Taken: &pb.Empty{}}}, protocol.MaxFrameBytes)
	case *pb.JobRequest_Adapter:
		o, err := wire.AdapterOrderFromPB(body.Adapter)
		if err != nil {
			return c.refuse(err)
		}
		return h.serveAdapter(ctx, c, handler, o)
	}
	return c.refuse(protocol.Errorf(protocol.KindInvalid, "body", "open the stream with infer, train, voucher or adapter"))
}

func (h *Host) serveInfer(ctx context.Context, c *conversation, handler JobHandler, job protocol.InferenceJob) error {
	deadline := time.UnixMilli(job.Deadline)
	late := protocol.Errorf(protocol.KindDeadline, "deadline", "%d has passed", job.Deadline)
	if !time.Now().Before(deadline) {
		return c.refuse(late)
	}
	ctx, cancel := context.WithDeadlineCause(ctx, deadline, late)
	defer cancel()
	return h.converse(ctx, c, func(ctx context.Context, send sender) (*pb.JobReply, error) {
		receipt, evidence, err := handler.Infer(ctx, c.peer(), job, output{send})
		if err != nil {
			return nil, err
		}
		done, err := wire.DoneToPB(receipt, evidence)
		return &pb.JobReply{Body: &pb.JobReply_Done{Done: done}}, err
	})
}

// serveAdapter is cancellable like a job: a load that nobody waits for any more ends.
func (h *Host) serveAdapter(ctx context.Context, c *conversation, handler JobHandler, o protocol.AdapterOrder) error {
	deadline := time.UnixMilli(o.Deadline)
	late := protocol.Errorf(protocol.KindDeadline, "deadline", "%d has passed", o.Deadline)
	if !time.Now().Before(deadline) {
		return c.refuse(late)
	}
	ctx, cancel := context.WithDeadlineCause(ctx, deadline, late)
	defer cancel()
	return h.converse(ctx, c, func(ctx context.Context, _ sender) (*pb.JobReply, error) {
		state, err := handler.Adapter(ctx, c.peer(), o)
		return &pb.JobReply{Body: &pb.JobReply_Adapter{Adapter: wire.AdapterStateToPB(state)}}, err
	})
}

type sender func(*pb.JobReply) error

type output struct{ send sender }

func (o output) Accepted(promptTokens int) error {
	return o.send(&pb.JobReply{Body: &pb.JobReply_Accepted{Accepted: &pb.Accepted{PromptTokens: uint32(promptTokens)}}})
}

func (o output) Token(t Token) error {
	return o.send(&pb.JobReply{Body: &pb.JobReply_Tokens{Tokens: &pb.TokenChunk{Index: uint32(t.Index), Ids: t.IDs, Text: []byte(t.Text), Logprobs: wire.LogProbsToPB(t.LogProbs)}}})
}

// converse runs one job: replies go out through a bounded queue with heartbeats
// between them, while a reader watches for the cancel. The context of run ends
// when the requester cancels, goes away or reads too slowly.
func (h *Host) converse(ctx context.Context, c *conversation, run func(context.Context, sender) (*pb.JobReply, error)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	queue := make(chan *pb.JobReply, replyQueue)
	written := make(chan error, 1)
	go func() {
		err := c.pump(queue, h.cfg.Timeouts.Heartbeat)
		if err != nil {
			cancel(err)
		}
		written <- err
	}()
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		cancel(c.watch())
	}()

	last, err := run(ctx, func(m *pb.JobReply) error {
		if ctx.Err() != nil {
			return ended(ctx)
		}
		select {
		case queue <- m:
			return nil
		case <-ctx.Done():
			return ended(ctx)
		}
	})
	if err != nil {
		if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
			err = ended(ctx)
		}
		last = &pb.JobReply{Body: &pb.JobReply_Error{Error: wire.ErrorToPB(err)}}
	}
	var broken error
	select {
	case queue <- last: // also after a cancel: it may be the receipt of a part
		close(queue)
		broken = <-written
	case broken = <-written:
	}
	// End the watcher before the stream is closed or reset.
	if derr := c.s.SetReadDeadline(time.Now()); derr != nil {
		c.reset()
	}
	<-watched
	if broken != nil {
		return broken
	}
	if err != nil {
		return told{err}
	}
	return nil
}

// pump writes the queue until it is closed.
func (c *conversation) pump(queue <-chan *pb.JobReply, heartbeat time.Duration) error {
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	for {
		m := &pb.JobReply{Body: &pb.JobReply_Heartbeat{Heartbeat: &pb.Empty{}}}
		select {
		case next, ok := <-queue:
			if !ok {
				return nil
			}
			m = next
		case <-ticker.C:
		}
		if err := c.write(m, protocol.MaxFrameBytes); err != nil {
			return err
		}
	}
}

// watch waits until the requester cancels or goes away.
func (c *conversation) watch() error {
	var request pb.JobRequest
	if err := c.read(&request, protocol.MaxFrameBytes, 0); err != nil {
		return protocol.Errorf(protocol.KindUnavailable, "", "the requester went away: %w", err)
	}
	if request.GetCancel() == nil {
		return protocol.Errorf(protocol.KindInvalid, "body", "only cancel may follow the job")
	}
	return protocol.Errorf(protocol.KindCancelled, "", "the requester cancelled")
}

// refuse answers with an error and returns it, or what kept it from getting out.
func (c *conversation) refuse(err error) error {
	if werr := c.write(&pb.JobReply{Body: &pb.JobReply_Error{Error: wire.ErrorToPB(err)}}, protocol.MaxFrameBytes); werr != nil {
		return werr
	}
	return told{err}
}
