package node_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/node"
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
