package p2p

import (
	"context"
	"time"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/protocol/wire/pb"
)

// missedHeartbeats after which a worker counts as gone. They are counted, not timed: a
// requester that was itself stopped for a while (a starved machine, a laptop that slept)
// has then missed one, and does not blame the worker.
const missedHeartbeats = 4

// Infer runs a job on a worker and passes its output to events. It verifies
// framing, order and ids; the receipt's signature and content are the caller's
// (wire.VerifyReceipt, wire.CheckReceipt).
//
// When ctx ends or a callback fails, the job is cancelled; if the worker answers
// with a receipt for what it delivered so far, the receipt comes beside the error.
// A worker that dies gives KindUnavailable; its tokens so far were delivered.
func (h *Host) Infer(ctx context.Context, worker protocol.PeerID, job protocol.InferenceJob, events InferEvents) (protocol.SignedReceipt, protocol.Evidence, error) {
	var none protocol.SignedReceipt
	if err := wire.CheckInferenceJob(job); err != nil {
		return none, protocol.Evidence{}, err
	}
	ctx, cancel := context.WithDeadlineCause(ctx, time.UnixMilli(job.Deadline),
		protocol.Errorf(protocol.KindDeadline, "deadline", "the job did not finish by %d: set a later deadline", job.Deadline))
	defer cancel()
	x, err := h.call(ctx, worker, &pb.JobRequest{Body: &pb.JobRequest_Infer{Infer: wire.InferenceJobToPB(job)}})
	if err != nil {
		return none, protocol.Evidence{}, err
	}
	defer x.end()

	done, err := x.infer(ctx, job, events)
	if err != nil {
		if done = x.cancel(err); done == nil {
			return none, protocol.Evidence{}, err
		}
	}
	receipt, evidence, derr := wire.DoneFromPB(done)
	if derr == nil && (receipt.Receipt.ID != job.ID || evidence.Job.ID != job.ID) {
		derr = protocol.Errorf(protocol.KindCorrupt, "receipt.id", "%s answers job %s with a receipt for %s", worker, job.ID, receipt.Receipt.ID)
	}
	if derr != nil {
		receipt, evidence = none, protocol.Evidence{}
		if err == nil {
			err = derr
		}
	}
	return receipt, evidence, err
}

// infer follows the states: accepted, tokens, done.
func (x *exchange) infer(ctx context.Context, job protocol.InferenceJob, events InferEvents) (*pb.InferenceDone, error) {
	accepted, next, wait := false, len(job.Resume), x.h.cfg.Timeouts.Accept
	for {
		m, err := x.next(ctx, wait)
		if err != nil {
			return nil, err
		}
		switch body := m.GetBody().(type) {
		case *pb.JobReply_Accepted:
			if accepted {
				return nil, x.unexpected("accepted twice")
			}
			accepted, wait = true, x.h.cfg.Timeouts.Stall
			if n := body.Accepted.GetPromptTokens(); n > wire.MaxTokens {
				return nil, x.unexpected("too many prompt tokens")
			} else if events.Accepted != nil {
				if err := events.Accepted(int(n)); err != nil {
					return nil, err
				}
			}
		case *pb.JobReply_Tokens:
			t := Token{Index: int(body.Tokens.GetIndex()), IDs: body.Tokens.GetIds(), Text: string(body.Tokens.GetText())}
			if !accepted {
				return nil, x.unexpected("tokens before accepted")
			}
			if t.Index != next || len(t.IDs) > wire.MaxTokens-next {
				return nil, x.unexpected("tokens out of order")
			}
			if t.LogProbs, err = wire.LogProbsFromPB(body.Tokens.GetLogprobs(), t.IDs); err != nil {
				return nil, err
			}
			next += len(t.IDs)
			if events.Token != nil {
				if err := events.Token(t); err != nil {
					return nil, err
				}
			}
		case *pb.JobReply_Done:
			if !accepted {
				return nil, x.unexpected("done before accepted")
			}
			return body.Done, nil
		default:
			return nil, x.unexpected("a reply that does not belong to an inference")
		}
	}
}

// Train runs a training job on a worker. When ctx ends or progress fails, the job
// is cancelled. There is no time limit but ctx; a worker that dies gives
// KindUnavailable.
func (h *Host) Train(ctx context.Context, worker protocol.PeerID, job protocol.TrainingJob, progress func(protocol.TrainingProgress) error) (protocol.TrainingResult, error) {
	request := &pb.JobRequest{Body: &pb.JobRequest_Train{Train: wire.TrainingJobToPB(job)}}
	if _, err := wire.TrainingJobFromPB(request.GetTrain()); err != nil {
		return protocol.TrainingResult{}, err
	}
	x, err := h.call(ctx, worker, request)
	if err != nil {
		return protocol.TrainingResult{}, err
	}
	defer x.end()
	for {
		m, err := x.next(ctx, 0)
		if err == nil && m.GetProgress() != nil {
			var p protocol.TrainingProgress
			if p, err = wire.ProgressFromPB(m.GetProgress()); err == nil && progress != nil {
				err = progress(p)
			}
			if err == nil {
				continue
			}
		}
		if err != nil {
			x.cancel(err)
			return protocol.TrainingResult{}, err
		}
		if m.GetResult() == nil {
			return protocol.TrainingResult{}, x.unexpected("a reply that does not belong to a training")
		}
		return wire.ResultFromPB(m.GetResult())
	}
}

// SendVoucher delivers a voucher that covers a receipt. A nil error means that
// the worker has taken it.
func (h *Host) SendVoucher(ctx context.Context, worker protocol.PeerID, v protocol.SignedVoucher, receipt protocol.Hash) error {
	x, err := h.call(ctx, worker, &pb.JobRequest{Body: &pb.JobRequest_Voucher{Voucher: &pb.VoucherDelivery{
		Voucher: wire.SignedVoucherToPB(v), Receipt: receipt[:],
	}}})
	if err != nil {
		return err
	}
	defer x.end()
	x.silence = h.cfg.Timeouts.Request // one reply, no heartbeats
	m, err := x.next(ctx, h.cfg.Timeouts.Request)
	if err != nil {
		return err
	}
	if m.GetTaken() == nil {
		return x.unexpected("a reply that does not belong to a voucher")
	}
	return nil
}

// exchange is the requester's side of one job stream.
type exchange struct {
	h        *Host
	c        *conversation
	silence  time.Duration // without any frame that means death
	frames   chan *pb.JobReply
	broken   error // set before frames is closed
	stop     chan struct{}
	answered bool // with an error: nothing is left to cancel
}

// call opens a job stream with its first request and reads replies one ahead of
// next: a slow caller holds the worker back.
func (h *Host) call(ctx context.Context, worker protocol.PeerID, request *pb.JobRequest) (*exchange, error) {
	c, err := h.openFree(ctx, worker, JobProtocol)
	if err != nil {
		return nil, err
	}
	if err := c.write(request, protocol.MaxFrameBytes); err != nil {
		c.reset()
		return nil, err
	}
	x := &exchange{h: h, c: c, silence: missedHeartbeats * h.cfg.Timeouts.Heartbeat, frames: make(chan *pb.JobReply), stop: make(chan struct{})}
	go func() {
		defer close(x.frames)
		for {
			m := &pb.JobReply{}
			if err := c.read(m, protocol.MaxFrameBytes, 0); err != nil {
				x.broken = err
				return
			}
			select {
			case x.frames <- m:
			case <-x.stop:
				return
			}
		}
	}()
	return x, nil
}

// next gives the next reply that is not a heartbeat. Wait bounds the state (0:
// no bound); an error reply is returned as an error.
func (x *exchange) next(ctx context.Context, wait time.Duration) (*pb.JobReply, error) {
	var late <-chan time.Time
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		late = timer.C
	}
	beat := time.NewTicker(x.silence / missedHeartbeats)
	defer beat.Stop()
	missed := 0
	for {
		select {
		case m, ok := <-x.frames:
			if !ok {
				return nil, x.broken
			}
			if m.GetHeartbeat() != nil {
				missed = 0
				beat.Reset(x.silence / missedHeartbeats)
				continue
			}
			if m.GetError() != nil {
				x.answered = true
				return nil, wire.ErrorFromPB(m.GetError())
			}
			return m, nil
		case <-ctx.Done():
			return nil, ended(ctx)
		case <-late:
			return nil, protocol.Errorf(protocol.KindUnavailable, "peer", "%s made no progress for %s", x.c.peer(), wait)
		case <-beat.C:
			if missed++; missed < missedHeartbeats {
				continue
			}
			if ctx.Err() != nil { // both at once, after a pause
				return nil, ended(ctx)
			}
			return nil, protocol.Errorf(protocol.KindUnavailable, "peer", "%s gave no sign of life for %s", x.c.peer(), x.silence)
		}
	}
}

// cancel tells the worker to stop and waits for the receipt of what it delivered, unless
// it broke the protocol. Nothing is sent to a worker that ended the job itself or is gone.
func (x *exchange) cancel(err error) *pb.InferenceDone {
	if x.answered || protocol.KindOf(err) == protocol.KindUnavailable {
		return nil
	}
	if x.c.write(&pb.JobRequest{Body: &pb.JobRequest_Cancel{Cancel: &pb.Empty{}}}, protocol.MaxFrameBytes) != nil {
		return nil
	}
	if protocol.KindOf(err) == protocol.KindCorrupt {
		return nil
	}
	ctx, stop := context.WithTimeout(context.Background(), x.h.cfg.Timeouts.Cancel)
	defer stop()
	for {
		m, err := x.next(ctx, 0)
		if err != nil {
			return nil
		}
		if m.GetDone() != nil {
			return m.GetDone()
		}
	}
}

func (x *exchange) unexpected(what string) error {
	return protocol.Errorf(protocol.KindCorrupt, "reply", "%s sent %s", x.c.peer(), what)
}

// end frees the stream; a job that still runs sees the requester go away.
func (x *exchange) end() {
	close(x.stop)
	x.c.reset()
}
