package p2p

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holiman/uint256"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/protocol/wire/pb"
)

// over runs a test with a connected requester and worker on each transport.
func over(t *testing.T, test func(t *testing.T, requester, worker *node)) {
	for name, listen := range transports {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requester, worker := start(t, listen), start(t, listen)
			connect(t, requester, worker)
			test(t, requester, worker)
		})
	}
}

func TestInferStreamsTokensAndReceipt(t *testing.T) {
	over(t, func(t *testing.T, requester, worker *node) {
		took := make(chan protocol.SignedVoucher, 1)
		worker.HandleJobs(handler{
			infer: func(_ context.Context, job protocol.InferenceJob, out Output) (protocol.SignedReceipt, protocol.Evidence, error) {
				if err := out.Accepted(3); err != nil {
					return protocol.SignedReceipt{}, protocol.Evidence{}, err
				}
				output := append([]uint32(nil), job.Resume...)
				for len(output) < job.Sampling.MaxTokens {
					id := uint32(100 + len(output))
					if err := out.Token(Token{Index: len(output), IDs: []uint32{id}, Text: "x"}); err != nil {
						return protocol.SignedReceipt{}, protocol.Evidence{}, err
					}
					output = append(output, id)
				}
				r, e := worker.finish(t, job, []uint32{1, 2, 3}, output)
				return r, e, nil
			},
			voucher: func(v protocol.SignedVoucher, receipt protocol.Hash) error {
				if receipt != inferenceJob().ID {
					return protocol.Errorf(protocol.KindNotFound, "receipt", "is not mine")
				}
				took <- v
				return nil
			},
		})
		job := inferenceJob()
		job.Resume = []uint32{100, 101}
		prompt, ids := 0, []uint32(nil)
		r, e, err := requester.Infer(t.Context(), worker.ID(), job, InferEvents{
			Accepted: func(n int) error { prompt = n; return nil },
			Token:    func(tok Token) error { ids = append(ids, tok.IDs...); return nil },
		})
		require.NoError(t, err)
		require.Equal(t, 3, prompt)
		require.Len(t, ids, 14)
		require.Equal(t, e.Output[2:], ids)
		require.NoError(t, wire.VerifyReceipt(domain, r))
		require.NoError(t, wire.CheckReceipt(r.Receipt, e))

		v, err := wire.SignVoucher(domain, protocol.Voucher{Requester: job.Requester, Worker: worker.account(), Cumulative: *uint256.NewInt(5), Expires: 99}, requester.owner)
		require.NoError(t, err)
		require.NoError(t, requester.SendVoucher(t.Context(), worker.ID(), v, job.ID))
		require.Equal(t, v, <-took)
		requireKind(t, protocol.KindNotFound, requester.SendVoucher(t.Context(), worker.ID(), v, protocol.Hash{9}))
	})
}

func TestInferErrorsKeepTheirKind(t *testing.T) {
	over(t, func(t *testing.T, requester, worker *node) {
		_, _, err := requester.Infer(t.Context(), worker.ID(), inferenceJob(), InferEvents{})
		requireKind(t, protocol.KindNotFound, err) // it does not serve jobs
		worker.HandleJobs(handler{infer: func(context.Context, protocol.InferenceJob, Output) (protocol.SignedReceipt, protocol.Evidence, error) {
			return protocol.SignedReceipt{}, protocol.Evidence{}, protocol.Errorf(protocol.KindBusy, "base", "not here")
		}})
		// libp2p remembers which protocols a peer speaks and is told of changes.
		require.Eventually(t, func() bool {
			_, _, err = requester.Infer(t.Context(), worker.ID(), inferenceJob(), InferEvents{})
			return protocol.KindOf(err) == protocol.KindBusy
		}, patience, 20*time.Millisecond)
		var e *protocol.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, "base", e.Field)
		require.Equal(t, "not here", e.Message)

		bad := inferenceJob()
		bad.Sampling.MaxTokens = 0
		_, _, err = requester.Infer(t.Context(), worker.ID(), bad, InferEvents{})
		requireKind(t, protocol.KindInvalid, err)
		late := inferenceJob()
		late.Deadline = time.Now().Add(-time.Second).UnixMilli()
		_, _, err = requester.Infer(t.Context(), worker.ID(), late, InferEvents{})
		requireKind(t, protocol.KindDeadline, err)
		_, _, err = requester.Infer(t.Context(), start(t, transports["tcp"]).ID(), inferenceJob(), InferEvents{})
		requireKind(t, protocol.KindUnavailable, err)
	})
}

// endless accepts and then sends a token every few milliseconds until ctx ends;
// it reports why, and signs for what it sent if asked to.
func endless(t *testing.T, worker *node, why chan error, sign bool) handler {
	return handler{infer: func(ctx context.Context, job protocol.InferenceJob, out Output) (protocol.SignedReceipt, protocol.Evidence, error) {
		if err := out.Accepted(1); err != nil {
			return protocol.SignedReceipt{}, protocol.Evidence{}, err
		}
		var output []uint32
		for {
			if err := out.Token(Token{Index: len(output), IDs: []uint32{5}}); err != nil {
				why <- err
				if !sign {
					return protocol.SignedReceipt{}, protocol.Evidence{}, err
				}
				r, e := worker.finish(t, job, []uint32{1}, output)
				return r, e, nil
			}
			output = append(output, 5)
			select {
			case <-time.After(5 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}}
}

func TestCancelReachesTheWorker(t *testing.T) {
	over(t, func(t *testing.T, requester, worker *node) {
		why := make(chan error, 1)
		worker.HandleJobs(endless(t, worker, why, true))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		got := 0
		r, e, err := requester.Infer(ctx, worker.ID(), inferenceJob(), InferEvents{Token: func(Token) error {
			if got++; got == 3 {
				cancel()
			}
			return nil
		}})
		requireKind(t, protocol.KindCancelled, err)
		require.ErrorIs(t, err, context.Canceled)
		requireKind(t, protocol.KindCancelled, <-why)
		require.NoError(t, wire.CheckReceipt(r.Receipt, e)) // paid for what was delivered
		require.GreaterOrEqual(t, len(e.Output), 3)

		stop := errors.New("client hung up")
		_, _, err = requester.Infer(t.Context(), worker.ID(), inferenceJob(), InferEvents{Token: func(Token) error { return stop }})
		require.ErrorIs(t, err, stop)
		requireKind(t, protocol.KindCancelled, <-why)
	})
}

func TestDeadlineEndsTheJobOnBothSides(t *testing.T) {
	over(t, func(t *testing.T, requester, worker *node) {
		why := make(chan error, 16)
		worker.HandleJobs(endless(t, worker, why, false))
		began := false
		for within := 300 * time.Millisecond; !began; within *= 2 { // long enough to begin in
			require.Less(t, within, patience)
			job := inferenceJob()
			job.Deadline = time.Now().Add(within).UnixMilli()
			_, _, err := requester.Infer(t.Context(), worker.ID(), job, InferEvents{Accepted: func(int) error { began = true; return nil }})
			requireKind(t, protocol.KindDeadline, err)
		}
		// The requester ends it at the same moment: either may be first.
		require.Contains(t, []protocol.Kind{protocol.KindDeadline, protocol.KindCancelled}, protocol.KindOf(<-why))
	})
}

func TestDeadWorkerIsNoticedSoon(t *testing.T) {
	over(t, func(t *testing.T, requester, worker *node) {
		why := make(chan error, 1)
		worker.HandleJobs(endless(t, worker, why, false))
		_, _, err := requester.Infer(t.Context(), worker.ID(), inferenceJob(), InferEvents{Token: func(tok Token) error {
			if tok.Index == 2 {
				go func() { _ = worker.Close() }()
			}
			return nil
		}})
		requireKind(t, protocol.KindUnavailable, err) // not the job's deadline, nor that of its state
	})
}

func TestGoneRequesterEndsTheJob(t *testing.T) {
	over(t, func(t *testing.T, requester, worker *node) {
		why := make(chan error, 1)
		worker.HandleJobs(endless(t, worker, why, false))
		_, _, err := requester.Infer(t.Context(), worker.ID(), inferenceJob(), InferEvents{Token: func(tok Token) error {
			if tok.Index == 2 {
				return requester.Close()
			}
			return nil
		}})
		require.Error(t, err)
		select {
		case err := <-why:
			require.Error(t, err)
		case <-time.After(patience):
			t.Fatal("the worker goes on for nobody")
		}
	})
}

// A worker that hangs after the transport still works: no heartbeats, no tokens.
func TestSilentWorkerIsGivenUp(t *testing.T) {
	listen := transports["tcp"]
	requester, worker := start(t, listen), start(t, listen, func(c *Config) { c.Timeouts.Heartbeat = time.Hour })
	connect(t, requester, worker)
	worker.HandleJobs(handler{infer: func(ctx context.Context, _ protocol.InferenceJob, _ Output) (protocol.SignedReceipt, protocol.Evidence, error) {
		<-ctx.Done()
		return protocol.SignedReceipt{}, protocol.Evidence{}, ctx.Err()
	}})
	_, _, err := requester.Infer(t.Context(), worker.ID(), inferenceJob(), InferEvents{})
	requireKind(t, protocol.KindUnavailable, err)
}

// A reader that stops reading ends the job instead of filling memory.
func TestSlowReaderIsBounded(t *testing.T) {
	listen := transports["tcp"]
	requester, worker := start(t, listen), start(t, listen, func(c *Config) { c.Timeouts.Write = 300 * time.Millisecond })
	connect(t, requester, worker)
	var sent atomic.Int64
	why := make(chan error, 1)
	text := string(make([]byte, 64<<10))
	worker.HandleJobs(handler{infer: func(_ context.Context, _ protocol.InferenceJob, out Output) (protocol.SignedReceipt, protocol.Evidence, error) {
		err := out.Accepted(1)
		for i := 0; err == nil; i++ {
			if err = out.Token(Token{Index: i, IDs: []uint32{1}, Text: text}); err == nil {
				sent.Add(1)
			}
		}
		why <- err
		return protocol.SignedReceipt{}, protocol.Evidence{}, err
	}})
	stuck := make(chan struct{})
	go func() {
		requireKind(t, protocol.KindUnavailable, <-why)
		close(stuck)
	}()
	_, _, err := requester.Infer(t.Context(), worker.ID(), inferenceJob(), InferEvents{Token: func(Token) error { <-stuck; return nil }})
	require.Error(t, err)
	require.Less(t, sent.Load(), int64(replyQueue+512)) // the queue and the transport's window
}

func TestTokensOutOfOrderAreRefused(t *testing.T) {
	over(t, func(t *testing.T, requester, worker *node) {
		worker.HandleJobs(handler{infer: func(_ context.Context, job protocol.InferenceJob, out Output) (protocol.SignedReceipt, protocol.Evidence, error) {
			require.NoError(t, out.Accepted(1))
			require.NoError(t, out.Token(Token{Index: 1, IDs: []uint32{5}}))
			r, e := worker.finish(t, job, []uint32{1}, []uint32{5})
			return r, e, nil
		}})
		_, _, err := requester.Infer(t.Context(), worker.ID(), inferenceJob(), InferEvents{})
		requireKind(t, protocol.KindCorrupt, err)
	})
}

// The job goes elsewhere at once: who broke the protocol is not waited for.
func TestLiarHoldsNobodyUp(t *testing.T) {
	requester, worker := start(t, transports["tcp"], func(c *Config) { c.Timeouts.Cancel = time.Hour }), start(t, transports["tcp"])
	connect(t, requester, worker)
	release := make(chan struct{})
	worker.HandleJobs(handler{infer: func(_ context.Context, _ protocol.InferenceJob, out Output) (protocol.SignedReceipt, protocol.Evidence, error) {
		err := errors.Join(out.Accepted(1), out.Token(Token{Index: 1, IDs: []uint32{5}}))
		<-release
		return protocol.SignedReceipt{}, protocol.Evidence{}, err
	}})
	_, _, err := requester.Infer(t.Context(), worker.ID(), inferenceJob(), InferEvents{})
	close(release)
	requireKind(t, protocol.KindCorrupt, err)
}

func TestOversizeAndForeignFramesAreRefused(t *testing.T) {
	over(t, func(t *testing.T, requester, worker *node) {
		worker.HandleJobs(handler{})
		p, err := peer.Decode(string(worker.ID()))
		require.NoError(t, err)
		for name, frame := range map[string][]byte{
			"oversize":    binary.AppendUvarint(nil, protocol.MaxFrameBytes+1),
			"huge length": {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
			"not minimal": {0x80, 0x00},
			"garbage":     {3, 0xff, 0xff, 0xff},
			"no body":     {0},
			"cancel":      {2, 0x1a, 0x00},
			"empty job":   {2, 0x0a, 0x00},
		} {
			s, err := requester.Libp2p().NewStream(t.Context(), p, JobProtocol)
			require.NoError(t, err, name)
			_, err = s.Write(frame)
			require.NoError(t, err, name)
			require.NoError(t, s.SetReadDeadline(time.Now().Add(patience)))
			var reply pb.JobReply
			require.NoError(t, wire.ReadFrame(bufio.NewReader(s), &reply, protocol.MaxFrameBytes), name)
			require.NotNil(t, reply.GetError(), name)
			require.Contains(t, []string{"invalid", "corrupt"}, reply.GetError().GetKind(), name)
			require.NoError(t, s.Reset())
		}
	})
}

func TestBusyWorkerSaysSo(t *testing.T) {
	listen := transports["tcp"]
	requester, worker := start(t, listen), start(t, listen, func(c *Config) { c.MaxJobs = 1 })
	connect(t, requester, worker)
	why := make(chan error, 1)
	worker.HandleJobs(endless(t, worker, why, false))
	ctx, cancel := context.WithCancel(t.Context())
	_, _, err := requester.Infer(ctx, worker.ID(), inferenceJob(), InferEvents{Token: func(tok Token) error {
		if tok.Index == 0 {
			_, _, err := requester.Infer(t.Context(), worker.ID(), inferenceJob(), InferEvents{})
			requireKind(t, protocol.KindBusy, err)
			cancel()
		}
		return nil
	}})
	requireKind(t, protocol.KindCancelled, err)
}

func TestTrainReportsProgressAndResult(t *testing.T) {
	over(t, func(t *testing.T, requester, worker *node) {
		const cid = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"
		worker.HandleJobs(handler{train: func(ctx context.Context, job protocol.TrainingJob, progress func(protocol.TrainingProgress) error) (protocol.TrainingResult, error) {
			for i := range 5 {
				if err := progress(protocol.TrainingProgress{Phase: "train", Step: i, Steps: 5, Loss: 3 - float64(i)/2}); err != nil {
					return protocol.TrainingResult{}, err
				}
			}
			if job.Order.Name == "slow" {
				<-ctx.Done()
				return protocol.TrainingResult{}, ctx.Err()
			}
			return protocol.TrainingResult{Adapter: cid, Index: cid, Steps: 5, LossFirst: 3, LossLast: 1, Records: 7, TxHash: protocol.Hash{4}}, nil
		}})
		job := protocol.TrainingJob{
			ID: protocol.Hash{1}, Signature: make([]byte, 65),
			Hyper: protocol.Hyper{Rank: 4, Alpha: 8, Targets: []string{"q_proj"}, LearningRate: 1e-3, Epochs: 1, BatchSize: 2, MaxLength: 64},
			Order: protocol.TrainingOrder{Name: "fables", Datanet: 1, Version: 1, Root: cid},
		}
		var err error
		job.Order.HyperHash, err = wire.HyperHash(job.Hyper)
		require.NoError(t, err)
		steps := 0
		result, err := requester.Train(t.Context(), worker.ID(), job, func(p protocol.TrainingProgress) error {
			require.Equal(t, steps, p.Step)
			steps++
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, 5, steps)
		require.EqualValues(t, cid, result.Adapter)

		job.Order.Name = "slow"
		ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
		defer cancel()
		_, err = requester.Train(ctx, worker.ID(), job, nil)
		requireKind(t, protocol.KindDeadline, err)

		job.Hyper.Rank++
		_, err = requester.Train(t.Context(), worker.ID(), job, nil)
		requireKind(t, protocol.KindInvalid, err)
	})
}

type issuer func(protocol.SignedReceipt) (protocol.SignedVoucher, error)

func (f issuer) IssueVoucher(_ context.Context, _ protocol.PeerID, r protocol.SignedReceipt) (protocol.SignedVoucher, error) {
	return f(r)
}

func TestWorkerFetchesItsVoucher(t *testing.T) {
	over(t, func(t *testing.T, coordinator, worker *node) {
		coordinator.HandleReceipts(issuer(func(r protocol.SignedReceipt) (protocol.SignedVoucher, error) {
			if err := wire.VerifyReceipt(domain, r); err != nil {
				return protocol.SignedVoucher{}, err
			}
			fee := r.Receipt.Fee()
			return wire.SignVoucher(domain, protocol.Voucher{Requester: r.Receipt.Requester, Worker: r.Receipt.Worker, Cumulative: fee.Total(), Expires: 9}, coordinator.owner)
		}))
		r, _ := worker.finish(t, inferenceJob(), []uint32{1}, []uint32{2, 3})
		var v protocol.SignedVoucher
		require.Eventually(t, func() (ok bool) { // until the change of protocols has arrived
			var err error
			v, err = worker.RequestVoucher(t.Context(), coordinator.ID(), r)
			return err == nil
		}, patience, 20*time.Millisecond)
		require.NoError(t, wire.VerifyVoucher(domain, v))
		fee := r.Receipt.Fee()
		require.Equal(t, fee.Total(), v.Voucher.Cumulative)

		r.Signature[0] ^= 1
		_, err := worker.RequestVoucher(t.Context(), coordinator.ID(), r)
		requireKind(t, protocol.KindUnauthorized, err)
	})
}
