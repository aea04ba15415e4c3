package node_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/worker/finetune"
)

// A training with held-out records publishes what came of them: the curve that the job
// showed, and what base and adapter say, which is what they answer to whoever asks. The same
// training says the same to the bit.
func TestTrainingIsEvaluated(t *testing.T) {
	ctx := t.Context()
	on := net.published(t)
	net.worker(t, net.identity(t), func(s *node.WorkerSettings) { s.Trains = true })
	d := finetune.Defaults()
	h := protocol.Hyper{Rank: 4, Alpha: 16, Targets: d.Targets, LearningRate: d.LearningRate, Epochs: 3, BatchSize: 1, MaxLength: d.MaxLength,
		PromptTemplate: askLessonOf, AnswerTemplate: "{lesson}", Seed: 7, EvalRatio: 0.5}
	job := net.order(t, on, "evaluated", h)
	net.done(t, job)
	status, err := net.coord.TrainingJob(ctx, job.ID)
	require.NoError(t, err)
	cid, report, err := net.coord.TrainingReport(ctx, "evaluated")
	require.NoError(t, err)
	require.Equal(t, status.Result.Adapter, cid)
	require.Equal(t, *status.Result.Eval, report.Best)
	require.Equal(t, status.Evals, report.Curve)
	require.Len(t, report.Curve, 4, "the base, and each of three epochs")
	require.Equal(t, report.Base, report.Curve[0])
	require.Equal(t, []int{1, 2, 3}, status.Steps)
	require.Equal(t, "done: the adapter is "+string(cid), status.Events[len(status.Events)-1].Message)

	require.Len(t, report.Answers, 1, "of two records one is held out")
	shown := report.Answers[0]
	require.Contains(t, shown.Prompt, "What is the lesson")
	require.Empty(t, shown.Unanswered)
	who := net.requester(t, 1e18)
	for model, want := range map[string]string{node.BaseName: shown.Base, "evaluated": shown.Adapter} {
		r := request(shown.Prompt, 8)
		r.Model, r.Sampling.IgnoreEOS, r.Prompt = model, false, ""
		r.Messages = []protocol.Message{{Role: "user", Content: shown.Prompt}}
		_, text, err := net.ask(ctx, who, r)
		require.NoError(t, err)
		require.NotEmpty(t, text)
		require.Contains(t, want, text, "%s", model)
	}

	net.done(t, net.order(t, on, "evaluated-again", h))
	_, again, err := net.coord.TrainingReport(ctx, "evaluated-again")
	require.NoError(t, err)
	require.Equal(t, report, again)

	plain, _ := net.trained(t, on)
	_, _, err = net.coord.TrainingReport(ctx, plain)
	require.Equal(t, protocol.KindNotFound, protocol.KindOf(err))
	require.ErrorContains(t, err, "eval_ratio")
}

// signedBy signs an owner's request about a job.
func signedBy(t *testing.T, owner *keystore.Key, id protocol.Hash, text func(protocol.Hash, api.CancelRequest) string) api.CancelRequest {
	t.Helper()
	r := api.CancelRequest{At: time.Now().UnixMilli()}
	var err error
	r.Signature, err = owner.SignText(t.Context(), text(id, r))
	require.NoError(t, err)
	return r
}

// A training that its owner pauses goes on where it stopped, and comes to the same.
func TestPausedTrainingComesToTheSame(t *testing.T) {
	ctx := t.Context()
	on := net.published(t)
	net.worker(t, net.identity(t), func(s *node.WorkerSettings) { s.Trains = true })
	d := finetune.Defaults()
	h := protocol.Hyper{Rank: 4, Alpha: 16, Targets: d.Targets, LearningRate: d.LearningRate, BatchSize: 1, MaxLength: d.MaxLength,
		PromptTemplate: askLessonOf, AnswerTemplate: "{lesson}", Seed: 3, EvalRatio: 0.5, EvalSteps: 20}
	var job protocol.TrainingJob
	status := func() api.TrainingStatus {
		s, err := net.coord.TrainingJob(ctx, job.ID)
		require.NoError(t, err)
		return s
	}
	stranger := net.requester(t, 1e18)
	for h.Epochs = 60; ; h.Epochs *= 10 { // one that was over before it could be paused is made longer
		job = net.order(t, on, fmt.Sprintf("paused-%d", h.Epochs), h)
		_, err := net.coord.StartTraining(ctx, job)
		require.NoError(t, err)
		require.Eventually(t, func() bool { return len(status().Steps) > 0 }, time.Minute, time.Millisecond)
		err = net.coord.PauseTraining(ctx, job.ID, signedBy(t, on.owner, job.ID, api.PauseText))
		if err == nil {
			break
		}
		require.Contains(t, err.Error(), "nothing to pause")
		require.Less(t, h.Epochs, 10_000)
	}
	for _, do := range []func(context.Context, protocol.Hash, api.CancelRequest) error{net.coord.PauseTraining, net.coord.ResumeTraining, net.coord.CancelTraining} {
		for _, text := range []func(protocol.Hash, api.CancelRequest) string{api.PauseText, api.ResumeText, api.CancelText} {
			err := do(ctx, job.ID, signedBy(t, stranger, job.ID, text))
			require.Equal(t, protocol.KindUnauthorized, protocol.KindOf(err), "a stranger: %v", err)
		}
	}
	require.Error(t, net.coord.ResumeTraining(ctx, job.ID, signedBy(t, on.owner, job.ID, api.CancelText)), "signed for something else")
	control := func(do func(context.Context, protocol.Hash, api.CancelRequest) error, text func(protocol.Hash, api.CancelRequest) string) {
		t.Helper()
		for range 2 { // saying it again changes nothing
			require.NoError(t, do(ctx, job.ID, signedBy(t, on.owner, job.ID, text)))
		}
	}
	control(net.coord.PauseTraining, api.PauseText)
	require.Equal(t, "paused", status().State)
	control(net.coord.ResumeTraining, api.ResumeText)
	require.Contains(t, []string{"queued", "running", "succeeded"}, status().State)
	net.done(t, job)
	require.Equal(t, h.Epochs, status().Steps[len(status().Steps)-1])
	_, paused, err := net.coord.TrainingReport(ctx, job.Order.Name)
	require.NoError(t, err)

	net.done(t, net.order(t, on, "undisturbed", h))
	_, undisturbed, err := net.coord.TrainingReport(ctx, "undisturbed")
	require.NoError(t, err)
	require.Equal(t, undisturbed, paused)
	require.Error(t, net.coord.PauseTraining(ctx, job.ID, signedBy(t, on.owner, job.ID, api.PauseText)), "it is over")
}
