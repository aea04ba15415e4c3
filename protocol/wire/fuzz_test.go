package wire

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire/pb"
)

// Digests of the sample documents.
const (
	pinnedEvidence    = "0xf79cd6247cf69af9c3e433a299261fd29198ca064145e22ef9985b9c3acf57c9"
	pinnedAttribution = "0xf7e8c5037427085c255d8e5bca10661b56fcce1319597d4c0f111c7718d527ff"
)

func sha(b []byte) []byte {
	h := sha256.Sum256(b)
	return h[:]
}

func FuzzDecodeAnnouncement(f *testing.F) {
	for _, n := range []int{0, 1, MaxAdapters} {
		b, err := EncodeAnnouncement(sampleAnnouncement(n))
		require.NoError(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, binding, err := DecodeAnnouncement(b)
		if err != nil {
			return
		}
		again, err := EncodeAnnouncement(a, binding)
		require.NoError(t, err)
		a2, b2, err := DecodeAnnouncement(again)
		require.NoError(t, err)
		require.Equal(t, a, a2)
		require.Equal(t, binding, b2)
		if sequence, ok := AnnouncementSequence(b); ok {
			require.Equal(t, a.Sequence, sequence)
		}
	})
}

func FuzzDecodeEvidence(f *testing.F) {
	vectors, err := EncodeEvidence(embeddingEvidence())
	require.NoError(f, err)
	f.Add(vectors)
	read, err := EncodeEvidence(retrievalEvidence())
	require.NoError(f, err)
	f.Add(read)
	b, err := EncodeEvidence(sampleEvidence())
	require.NoError(f, err)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := DecodeEvidence(b)
		if err != nil {
			return
		}
		again, err := EncodeEvidence(e)
		require.NoError(t, err)
		require.Equal(t, b, again)
	})
}

func FuzzDecodeSignedReceipt(f *testing.F) {
	r, err := sampleReceipt()
	require.NoError(f, err)
	b, err := EncodeSignedReceipt(r)
	require.NoError(f, err)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeSignedReceipt(b)
		if err != nil {
			return
		}
		again, err := EncodeSignedReceipt(r)
		require.NoError(t, err)
		require.Equal(t, b, again)
	})
}

// FuzzJobStream reads a stream of job requests or replies as both sides do.
func FuzzJobStream(f *testing.F) {
	add := func(m proto.Message) {
		var b bytes.Buffer
		require.NoError(f, WriteFrame(&b, m, protocol.MaxFrameBytes))
		f.Add(b.Bytes())
	}
	training, err := sampleTrainingJob()
	require.NoError(f, err)
	receipt, err := sampleReceipt()
	require.NoError(f, err)
	done, err := DoneToPB(receipt, sampleEvidence())
	require.NoError(f, err)
	add(&pb.JobRequest{Body: &pb.JobRequest_Infer{Infer: InferenceJobToPB(sampleJob())}})
	add(&pb.JobRequest{Body: &pb.JobRequest_Train{Train: TrainingJobToPB(training)}})
	merge, err := sampleMergeJob()
	require.NoError(f, err)
	add(&pb.JobRequest{Body: &pb.JobRequest_Train{Train: TrainingJobToPB(merge)}})
	add(&pb.JobReply{Body: &pb.JobReply_Done{Done: done}})
	add(&pb.JobReply{Body: &pb.JobReply_Error{Error: ErrorToPB(protocol.Errorf(protocol.KindBusy, "x", "y"))}})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bufio.NewReader(bytes.NewReader(b))
		for {
			var request pb.JobRequest
			if ReadFrame(r, &request, 64<<10) != nil {
				break
			}
			if j, err := InferenceJobFromPB(request.GetInfer()); err == nil {
				require.NoError(t, CheckInferenceJob(j))
			}
			if j, err := TrainingJobFromPB(request.GetTrain()); err == nil {
				_, err = TrainingJobFromPB(TrainingJobToPB(j))
				require.NoError(t, err)
			}
			_, _, _ = VoucherDeliveryFromPB(request.GetVoucher())
		}
		r = bufio.NewReader(bytes.NewReader(b))
		for {
			var reply pb.JobReply
			if ReadFrame(r, &reply, 64<<10) != nil {
				return
			}
			if r, e, err := DoneFromPB(reply.GetDone()); err == nil {
				_, err = DoneToPB(r, e)
				require.NoError(t, err)
			}
			_, _ = ResultFromPB(reply.GetResult())
			_, _ = ProgressFromPB(reply.GetProgress())
			_ = ErrorFromPB(reply.GetError())
		}
	})
}
