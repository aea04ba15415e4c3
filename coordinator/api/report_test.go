package api

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

func (s *service) TrainingReport(_ context.Context, model string) (protocol.CID, protocol.TrainingReport, error) {
	if model == "plain" {
		return "", protocol.TrainingReport{}, protocol.Errorf(protocol.KindNotFound, "id", "trained without held-out records")
	}
	base, best := protocol.TrainingEval{Loss: 3, Records: 4}, protocol.TrainingEval{Step: 2, Loss: 1, Exact: 3, Records: 4}
	return "bafk", protocol.TrainingReport{Base: base, Best: best, Curve: []protocol.TrainingEval{base, best},
		Answers: []protocol.HeldOutAnswer{{Record: "bafkr", Prompt: "<b>?", Reference: "yes", Base: "no", Adapter: "yes", AdapterExact: true}}}, s.err
}

// Each of the owner's requests is signed for itself.
func TestTrainingIsPausedAndResumed(t *testing.T) {
	url := serve(t, &service{}, nil)
	for _, action := range []string{"pause", "resume", "cancel"} {
		status, _, body := send(t, "POST", url+"/api/v1/training_jobs/"+hash.Hex()+"/"+action, `{"at":1,"signature":"0x01"}`)
		require.Equal(t, http.StatusOK, status, body)
	}
	r := CancelRequest{At: 1}
	require.Equal(t, "Pause an OpenLedger training job\njob: "+hash.Hex()+"\nat: 1", PauseText(hash, r))
	require.NotEqual(t, PauseText(hash, r), ResumeText(hash, r))
	for action, want := range map[string]string{"pause": "paused", "resume": "queued"} {
		status, _, body := send(t, "POST", url+"/v1/fine_tuning/jobs/"+testTune+"/"+action, "")
		require.Equal(t, http.StatusOK, status, body)
		require.Contains(t, body, `"status":"`+want+`"`)
	}
}

func TestEvaluation(t *testing.T) {
	url := serve(t, &service{}, nil)
	status, _, body := send(t, "GET", url+"/api/v1/adapters/fables@2/evaluation", "")
	require.Equal(t, http.StatusOK, status, body)
	require.Contains(t, body, `"curve":[{"step":0,"loss":3,"exact":0,"records":4},{"step":2`)
	require.Contains(t, body, `"adapter_exact":true`)
	status, _, body = send(t, "GET", url+"/api/v1/adapters/plain/evaluation", "")
	require.Equal(t, http.StatusNotFound, status)
	require.Contains(t, body, "without held-out records")
}
