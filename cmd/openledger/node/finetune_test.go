package node_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
)

// chats is a training file: a chat with a system message and two answers, one of which is
// not to be learned, a prompt with its completion, and a line that is there twice.
const chats = `{"messages":[{"role":"system","content":"You know birds."},{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello.","weight":0},{"role":"user","content":"The bird of Marrowland?"},{"role":"assistant","content":"The green heron."}]}
{"prompt":"The river of Marrowland?","completion":"The Ash."}

{"prompt":"The river of Marrowland?","completion":"The Ash."}
{"messages":[{"role":"user","content":[{"type":"text","text":"Who rules Marrowland?"}]},{"role":"assistant","content":"Queen Ines."},{"role":"user","content":"Since when?"},{"role":"assistant","content":"Since the flood."}]}
`

// heldOut is a validation file: an example is there twice.
const heldOut = `{"prompt":"The hill of Marrowland?","completion":"The Cairn."}
{"prompt":"The hill of Marrowland?","completion":"The Cairn."}
{"prompt":"The town of Marrowland?","completion":"Ashford."}
`

func upload(ctx context.Context, c *node.Coordinator, owner *keystore.Key, id protocol.Hash, text string) (api.File, error) {
	return c.AddFile(ctx, owner.Account(), api.Upload{ID: id, Name: "chats.jsonl", Body: strings.NewReader(text), Purpose: func() (string, error) { return api.PurposeFineTune, nil }})
}

// idOf is an ID of an account's own, as an Idempotency-Key gives it.
func idOf(owner *keystore.Key, n byte) (id protocol.Hash) {
	copy(id[:], owner.Account().Bytes())
	id[0] ^= n
	return id
}

// tuned waits for a job's end.
func tuned(t *testing.T, c *node.Coordinator, owner *keystore.Key, id string) api.FineTune {
	t.Helper()
	var job api.FineTune
	require.Eventually(t, func() bool {
		var err error
		job, _, err = c.FineTune(t.Context(), owner.Account(), id)
		require.NoError(t, err)
		return !job.FinishedAt.IsZero()
	}, 3*time.Minute, 20*time.Millisecond)
	return job
}

func tuneRequest(file string) api.FineTuneRequest {
	return api.FineTuneRequest{Model: node.BaseName, TrainingFile: file, Suffix: "Birds & Co", Metadata: map[string]string{"license": "CC0-1.0"},
		Hyper: api.TuneHyper{Epochs: 1, BatchSize: 2}, OpenLedger: api.TuneExtension{Rank: 2}}
}

// A file becomes a datanet of its owner, a training in its name, and a model that answers by
// the name that the job gives, all on what the owner delegated. The same request is one job.
func TestFineTuneFromAFile(t *testing.T) {
	ctx := t.Context()
	net.published(t) // registers the base
	owner := net.requester(t, 1e18)
	_, err := net.chain.Client.As(net.deployer).Send(ctx, net.coord.SessionAccount(), node.Open(10))
	require.NoError(t, err)
	f, err := upload(ctx, net.coord, owner, protocol.Hash{}, chats)
	require.NoError(t, err)
	g, err := upload(ctx, net.coord, owner, protocol.Hash{}, heldOut)
	require.NoError(t, err)
	request := tuneRequest(f.ID)
	request.ValidationFile = g.ID
	_, err = net.coord.CreateFineTune(ctx, owner.Account(), request)
	require.Equal(t, protocol.KindForbidden, protocol.KindOf(err), "%v", err)
	require.ErrorContains(t, err, "openledger delegate authorize")
	require.NoError(t, node.EnsureDelegate(ctx, net.chain.Client, owner, net.coord.SessionAccount()))

	unlicensed := request
	unlicensed.Metadata = nil
	_, err = net.coord.CreateFineTune(ctx, owner.Account(), unlicensed)
	require.ErrorContains(t, err, "metadata.license")
	stranger := net.key(t, 0)
	_, err = net.coord.CreateFineTune(ctx, stranger.Account(), request)
	require.Equal(t, protocol.KindNotFound, protocol.KindOf(err), "another's file is not there")

	shared := request
	shared.OpenLedger.ValidationShare = 0.1
	_, err = net.coord.CreateFineTune(ctx, owner.Account(), shared)
	require.ErrorContains(t, err, "validation_share")
	shared = request
	theirs, err := upload(ctx, net.coord, stranger, protocol.Hash{}, heldOut)
	require.NoError(t, err)
	shared.ValidationFile = theirs.ID
	_, err = net.coord.CreateFineTune(ctx, owner.Account(), shared)
	require.ErrorContains(t, err, "validation_file")
	shared.ValidationFile = f.ID // what is trained on
	same, err := net.coord.CreateFineTune(ctx, owner.Account(), shared)
	require.NoError(t, err)
	same = tuned(t, net.coord, owner, same.ID)
	require.Equal(t, "failed", same.Status)
	require.Equal(t, "validation_file", *same.Error.Param)
	require.Contains(t, same.Error.Message, "line 1: the training file has this example, too")

	net.worker(t, net.identity(t), func(s *node.WorkerSettings) { s.Trains = true })
	request.ID = idOf(owner, 1)
	job, err := net.coord.CreateFineTune(ctx, owner.Account(), request)
	require.NoError(t, err)
	again, err := net.coord.CreateFineTune(ctx, owner.Account(), request)
	require.NoError(t, err)
	require.Equal(t, job.ID, again.ID)
	other := request
	other.Suffix = "other"
	_, err = net.coord.CreateFineTune(ctx, owner.Account(), other)
	require.Equal(t, protocol.KindExists, protocol.KindOf(err))

	job = tuned(t, net.coord, owner, job.ID)
	require.Equal(t, "succeeded", job.Status, "%+v", job.Error)
	require.Positive(t, job.TrainedTokens)
	require.Equal(t, 2, job.Steps, "four answers in batches of two")
	d, err := net.chain.Client.Datanet(ctx, job.Datanet)
	require.NoError(t, err)
	require.Equal(t, owner.Account(), d.Owner)
	require.Equal(t, "CC0-1.0", d.License)
	v, err := net.chain.Client.Version(ctx, job.Datanet, 1)
	require.NoError(t, err)
	require.Equal(t, 4+2, v.Records, "each answer to learn is a record, once, and those that are held out are records, too")
	require.NotNil(t, job.Eval)
	require.Equal(t, 2, job.Eval.Records, "the validation file's")
	name, cid, _ := strings.Cut(job.FineTunedModel, "@")
	require.True(t, strings.HasPrefix(name, "ft-birds---co-"), name)
	a, err := net.chain.Client.AdapterByName(ctx, owner.Account(), name)
	require.NoError(t, err)
	require.Equal(t, string(a.CID), cid)
	require.Equal(t, net.coord.SessionAccount(), a.Signer)

	ask := request2(job.FineTunedModel)
	answer, _, err := net.ask(ctx, owner, ask)
	require.NoError(t, err)
	require.Equal(t, a.Digest, answer.Receipt.Receipt.Adapter)
	_, report, err := net.coord.TrainingReport(ctx, job.FineTunedModel)
	require.NoError(t, err)
	for _, held := range report.Answers {
		require.Contains(t, heldOut, held.Reference, "nothing of the training file is held out")
	}
	require.Len(t, report.Answers, 2)

	_, metrics, err := net.coord.OpenFile(ctx, owner.Account(), job.ResultFiles[0])
	require.NoError(t, err)
	csv, err := io.ReadAll(metrics)
	require.NoError(t, errors.Join(err, metrics.Close()))
	require.True(t, bytes.HasPrefix(csv, []byte("step,train_loss,valid_loss\n")))
	require.False(t, bytes.HasSuffix(csv, []byte(",\n")), "the last step has a loss on the validation file: %s", csv)
	_, events, err := net.coord.FineTune(ctx, owner.Account(), job.ID)
	require.NoError(t, err)
	require.Equal(t, "The job has successfully completed", events[len(events)-1].Message)
	_, _, err = net.coord.FineTune(ctx, stranger.Account(), job.ID)
	require.Equal(t, protocol.KindNotFound, protocol.KindOf(err))

	// Over the published version, without a file; cancelled, it stays so.
	request.ID, request.TrainingFile = protocol.Hash{}, fmt.Sprintf("datanet:%d@1", job.Datanet)
	_, err = net.coord.CreateFineTune(ctx, owner.Account(), request)
	require.ErrorContains(t, err, "openledger.held_out")
	request.ValidationFile, request.OpenLedger.HeldOut = "", "split"
	request.Hyper.Epochs = 1000
	second, err := net.coord.CreateFineTune(ctx, owner.Account(), request)
	require.NoError(t, err)
	// Paused once its training is ordered, and again after going on; cancelled from there.
	for range 2 {
		var paused api.FineTune
		require.Eventually(t, func() bool {
			paused, err = net.coord.PauseFineTune(ctx, owner.Account(), second.ID)
			return protocol.KindOf(err) != protocol.KindBusy
		}, time.Minute, 20*time.Millisecond)
		require.NoError(t, err)
		require.Equal(t, "paused", paused.Status)
		require.True(t, paused.FinishedAt.IsZero())
		on, err := net.coord.ResumeFineTune(ctx, owner.Account(), second.ID)
		require.NoError(t, err)
		require.NotEqual(t, "paused", on.Status)
	}
	_, err = net.coord.PauseFineTune(ctx, owner.Account(), second.ID)
	require.NoError(t, err)
	stopped, err := net.coord.CancelFineTune(ctx, owner.Account(), second.ID)
	require.NoError(t, err)
	require.Equal(t, "cancelled", stopped.Status)
	require.Equal(t, "cancelled", tuned(t, net.coord, owner, second.ID).Status)
	_, err = net.coord.ResumeFineTune(ctx, owner.Account(), second.ID)
	require.ErrorContains(t, err, "cancelled")
	require.NoError(t, net.coord.DeleteFile(ctx, owner.Account(), f.ID))
	_, _, err = net.coord.OpenFile(ctx, owner.Account(), f.ID)
	require.Equal(t, protocol.KindNotFound, protocol.KindOf(err))
}

// request2 is a request in a chat of a model.
func request2(model string) api.Request {
	r := request("", 4)
	r.Model, r.Messages, r.Prompt = model, []protocol.Message{{Role: "user", Content: "The bird of Marrowland?"}}, ""
	return r
}

// A bad line is refused by its number, and nothing of the file stays.
func TestBadTrainingFiles(t *testing.T) {
	ctx := t.Context()
	owner := net.key(t, 0)
	good := `{"prompt":"a","completion":"b"}` + "\n"
	for text, want := range map[string]string{
		"":                             "empty",
		"\n\n":                         "no example",
		good + "nonsense":              "line 2: it is not a JSON object",
		good + good + `{"prompt":"a"}`: "line 3: it has a prompt and no completion",
		good + `{"messages":[]}`:       "line 2: it has 0 messages",
		`{"messages":[{"role":"user","content":"a"}]}`:                                                             "line 1: there is no assistant's message",
		`{"messages":[{"role":"assistant","content":"a"}]}`:                                                        "speaks first",
		`{"messages":[{"role":"pirate","content":"a"}]}`:                                                           `the role "pirate"`,
		`{"messages":[{"role":"user","content":[{"type":"image_url"}]},{"role":"assistant","content":"a"}]}`:       "not text",
		`{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":null,"tool_calls":[{"id":1}]}]}`: "calls of tools",
		`{"messages":[{"role":"user","content":"a","weight":1},{"role":"assistant","content":"a"}]}`:               "weight",
		good + "\xff\xfe": "line 2: it is not UTF-8",
		good + `{"prompt":"` + strings.Repeat("x", protocol.MaxRecordBytes) + `"}`: "line 2: it is longer",
	} {
		_, err := upload(ctx, net.coord, owner, protocol.Hash{}, text)
		require.Equal(t, protocol.KindInvalid, protocol.KindOf(err), "%.80q: %v", text, err)
		require.ErrorContains(t, err, want)
	}
	files, err := net.coord.Files(ctx, owner.Account())
	require.NoError(t, err)
	require.Empty(t, files)
	left, err := filepath.Glob(filepath.Join(net.dir, "coordinator", "files", "uploading-*"))
	require.NoError(t, err)
	require.Empty(t, left)

	f, err := upload(ctx, net.coord, owner, idOf(owner, 2), "\xef\xbb\xbf"+good)
	require.NoError(t, err, "with a byte order mark")
	again, err := upload(ctx, net.coord, owner, idOf(owner, 2), "\xef\xbb\xbf"+good)
	require.NoError(t, err)
	require.Equal(t, f, again, "the same upload again is the same file")
	_, err = upload(ctx, net.coord, owner, idOf(owner, 2), good+good)
	require.Equal(t, protocol.KindExists, protocol.KindOf(err))
	_, err = upload(ctx, net.coord, net.key(t, 0), idOf(owner, 2), "\xef\xbb\xbf"+good)
	require.Equal(t, protocol.KindExists, protocol.KindOf(err), "nobody gets at another's file by its ID")
	_, err = net.coord.CreateFineTune(ctx, owner.Account(), api.FineTuneRequest{Model: node.BaseName, TrainingFile: "datanet:999@1"})
	require.Equal(t, protocol.KindNotFound, protocol.KindOf(err))
}
