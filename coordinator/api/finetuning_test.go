package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

const (
	testFile = "file-0123456789abcdef01234567"
	testTune = "ftjob-0123456789abcdef01234567"
)

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

// AddFile reads an upload as a coordinator does: the purpose last.
func (s *service) AddFile(_ context.Context, by protocol.Account, u Upload) (File, error) {
	body, err := io.ReadAll(u.Body)
	if err != nil {
		return File{}, err
	}
	purpose, err := u.Purpose()
	if err != nil {
		return File{}, err
	}
	if by != tenant {
		return File{}, errors.New("wrong tenant")
	}
	return File{ID: testFile, Name: u.Name, Purpose: purpose, Bytes: int64(len(body)), CreatedAt: time.Unix(1, 0)}, s.err
}

func (s *service) Files(context.Context, protocol.Account) ([]File, error) {
	var out []File
	for _, id := range []string{"file-1", "file-2", "file-3"} {
		out = append(out, File{ID: id, Name: "a", Purpose: PurposeFineTune, CreatedAt: time.Unix(1, 0)})
	}
	return append(out, File{ID: "file-4", Name: "b", Purpose: PurposeResults, CreatedAt: time.Unix(1, 0)}), s.err
}

func (s *service) OpenFile(_ context.Context, _ protocol.Account, id string) (File, io.ReadSeekCloser, error) {
	if id != testFile {
		return File{}, nil, protocol.Errorf(protocol.KindNotFound, "file_id", "you have no file %q", id)
	}
	return File{ID: id, Name: `<b>"x".html`, Purpose: PurposeFineTune, Bytes: 5, CreatedAt: time.Unix(1, 0)}, readCloser{strings.NewReader("hello")}, s.err
}

func (s *service) DeleteFile(context.Context, protocol.Account, string) error { return s.err }

func (s *service) CreateFineTune(_ context.Context, by protocol.Account, r FineTuneRequest) (FineTune, error) {
	return FineTune{ID: testTune, Owner: by, Request: r, Hyper: r.Hyper, Status: "validating_files", CreatedAt: time.Unix(7, 0)}, s.err
}

func (s *service) FineTunes(ctx context.Context, by protocol.Account) ([]FineTune, error) {
	t, _, err := s.FineTune(ctx, by, testTune)
	return []FineTune{t}, err
}

func (s *service) FineTune(_ context.Context, by protocol.Account, id string) (FineTune, []TuneEvent, error) {
	return FineTune{ID: id, Owner: by, Request: FineTuneRequest{Model: "tiny", TrainingFile: testFile}, Status: "succeeded", FineTunedModel: "ft-x@bafk",
			ResultFiles: []string{"file-4"}, TrainedTokens: 12, Datanet: 1, Version: 1, Training: hash, Steps: 3, Loss: 0.25, Eval: &protocol.TrainingEval{Step: 2, Loss: 0.5, Exact: 3, Records: 4},
			CreatedAt: time.Unix(7, 0), FinishedAt: time.Unix(9, 0)},
		[]TuneEvent{{ID: "ftevent-0", At: time.Unix(7, 0), Level: "info", Message: "Created"}, {ID: "ftevent-1", At: time.Unix(8, 0), Level: "info", Message: "Done"}}, s.err
}

func (s *service) PauseFineTune(ctx context.Context, by protocol.Account, id string) (FineTune, error) {
	t, _, err := s.FineTune(ctx, by, id)
	t.Status = "paused"
	return t, err
}

func (s *service) ResumeFineTune(ctx context.Context, by protocol.Account, id string) (FineTune, error) {
	t, _, err := s.FineTune(ctx, by, id)
	t.Status = "queued"
	return t, err
}

func (s *service) CancelFineTune(ctx context.Context, by protocol.Account, id string) (FineTune, error) {
	t, _, err := s.FineTune(ctx, by, id)
	return t, err
}

// form writes a multipart form of names and values; "file" is one.
func form(t *testing.T, parts ...string) (body, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i+1 < len(parts); i += 2 {
		if parts[i] == "file" {
			p, err := w.CreateFormFile("file", "chats.jsonl")
			require.NoError(t, err)
			_, err = io.WriteString(p, parts[i+1])
			require.NoError(t, err)
			continue
		}
		require.NoError(t, w.WriteField(parts[i], parts[i+1]))
	}
	require.NoError(t, w.Close())
	return b.String(), w.FormDataContentType()
}

// A file is taken whichever way round its form is, and every bad form is refused by name.
func TestUploads(t *testing.T) {
	url := serve(t, &service{}, nil)
	for _, parts := range [][]string{{"purpose", "fine-tune", "file", "{}"}, {"file", "{}", "purpose", "fine-tune"}} {
		body, kind := form(t, parts...)
		status, _, answer := send(t, http.MethodPost, url+"/v1/files", body, "Content-Type", kind)
		require.Equal(t, http.StatusOK, status, answer)
		var f fileObject
		require.NoError(t, json.Unmarshal([]byte(answer), &f))
		require.Equal(t, fileObject{ID: testFile, Object: "file", Bytes: 2, CreatedAt: 1, Filename: "chats.jsonl", Purpose: "fine-tune", Status: "processed"}, f)
	}
	for want, parts := range map[string][]string{
		`"param":"purpose"`:       {"file", "{}", "purpose", "assistants"},
		`purpose: \"\" is not`:    {"file", "{}"},
		`"param":"file"`:          {"purpose", "fine-tune"},
		`more than one`:           {"file", "{}", "purpose", "fine-tune", "file", "{}"},
		`"param":"expires_after"`: {"purpose", "fine-tune", "expires_after[seconds]", "3600", "file", "{}"},
	} {
		body, kind := form(t, parts...)
		status, _, answer := send(t, http.MethodPost, url+"/v1/files", body, "Content-Type", kind)
		require.Equal(t, http.StatusBadRequest, status, answer)
		require.Contains(t, answer, want)
	}
	status, _, answer := send(t, http.MethodPost, url+"/v1/files", "{}", "Content-Type", "application/json")
	require.Equal(t, http.StatusBadRequest, status)
	require.Contains(t, answer, "multipart/form-data")
	body, kind := form(t, "purpose", "fine-tune", "file", "hello")
	status, _, answer = send(t, http.MethodPost, url+"/v1/files", body[:len(body)-20], "Content-Type", kind)
	require.Equal(t, http.StatusBadRequest, status, answer)
	require.Contains(t, answer, "breaks off")
}

// Lists are pages of OpenAI's; bytes come back as an attachment that no browser runs.
func TestFilesAreListedAndRead(t *testing.T) {
	url := serve(t, &service{}, nil)
	ids := func(query string) (out []string, more bool) {
		status, _, answer := send(t, http.MethodGet, url+"/v1/files"+query, "")
		require.Equal(t, http.StatusOK, status, answer)
		var page struct {
			Data    []fileObject `json:"data"`
			HasMore bool         `json:"has_more"`
		}
		require.NoError(t, json.Unmarshal([]byte(answer), &page))
		for _, f := range page.Data {
			out = append(out, f.ID)
		}
		return out, page.HasMore
	}
	got, more := ids("?limit=2")
	require.Equal(t, []string{"file-4", "file-3"}, got)
	require.True(t, more)
	got, more = ids("?limit=2&after=file-3")
	require.Equal(t, []string{"file-2", "file-1"}, got)
	require.False(t, more)
	got, _ = ids("?order=asc&purpose=fine-tune")
	require.Equal(t, []string{"file-1", "file-2", "file-3"}, got)
	for _, bad := range []string{"?limit=0", "?limit=x", "?after=file-9", "?order=up"} {
		status, _, _ := send(t, http.MethodGet, url+"/v1/files"+bad, "")
		require.Equal(t, http.StatusBadRequest, status, bad)
	}
	status, header, answer := send(t, http.MethodGet, url+"/v1/files/"+testFile+"/content", "")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "hello", answer)
	require.Equal(t, "application/octet-stream", header.Get("Content-Type"))
	require.Equal(t, "nosniff", header.Get("X-Content-Type-Options"))
	require.True(t, strings.HasPrefix(header.Get("Content-Disposition"), "attachment"))
	status, _, _ = send(t, http.MethodGet, url+"/v1/files/"+testFile, "")
	require.Equal(t, http.StatusOK, status)
	status, _, answer = send(t, http.MethodDelete, url+"/v1/files/"+testFile, "")
	require.Equal(t, http.StatusOK, status)
	require.JSONEq(t, `{"id":"`+testFile+`","object":"file","deleted":true}`, answer)
	status, _, answer = send(t, http.MethodGet, url+"/v1/files/file-none", "")
	require.Equal(t, http.StatusNotFound, status)
	require.Contains(t, answer, "file_id")
}

func TestFineTuningJobsHaveOpenAIsShape(t *testing.T) {
	url := serve(t, &service{}, nil)
	status, _, answer := send(t, http.MethodPost, url+"/v1/fine_tuning/jobs",
		`{"model":"tiny","training_file":"`+testFile+`","method":{"type":"supervised","supervised":{"hyperparameters":{"n_epochs":3,"batch_size":"auto"}}},"metadata":{"license":"MIT"}}`)
	require.Equal(t, http.StatusOK, status, answer)
	require.Contains(t, answer, `"hyperparameters":{"n_epochs":3,"batch_size":"auto","learning_rate_multiplier":"auto"}`)
	require.Contains(t, answer, `"fine_tuned_model":null`)
	for _, path := range []string{"", "/" + testTune, "/" + testTune + "/events", "/" + testTune + "/checkpoints"} {
		status, _, answer = send(t, http.MethodGet, url+"/v1/fine_tuning/jobs"+path, "")
		require.Equal(t, http.StatusOK, status, answer)
	}
	require.Contains(t, answer, `"metrics":{"full_valid_exact":0.75,"full_valid_loss":0.5,"step":2,"train_loss":0.25,"valid_loss":0.5}`)
	require.Contains(t, answer, `"step_number":2`)
	status, _, answer = send(t, http.MethodGet, url+"/v1/fine_tuning/jobs/"+testTune+"/events?limit=1", "")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, answer, `"has_more":true`)
	require.Contains(t, answer, `ftevent-1`)
	status, _, _ = send(t, http.MethodPost, url+"/v1/fine_tuning/jobs/"+testTune+"/cancel", "")
	require.Equal(t, http.StatusOK, status)
	for want, bad := range map[string]string{
		`method.type`:     `{"model":"tiny","training_file":"f","method":{"type":"dpo"}}`,
		`integrations`:    `{"model":"tiny","training_file":"f","integrations":[{"type":"wandb"}]}`,
		`hyperparameters`: `{"model":"tiny","training_file":"f","hyperparameters":{"n_epochs":-1}}`,
	} {
		status, _, answer = send(t, http.MethodPost, url+"/v1/fine_tuning/jobs", bad)
		require.Equal(t, http.StatusBadRequest, status)
		require.Contains(t, answer, want)
	}
}
