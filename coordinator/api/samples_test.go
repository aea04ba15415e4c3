package api

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

func TestSamplesAreListedAndSentWhole(t *testing.T) {
	content := "{\"title\":\"<script>alert(1)</script>\"}\n"
	url := serve(t, &service{}, func(c *Config) {
		c.Samples = []Sample{{Name: "one.jsonl", Title: "One", License: "CC0-1.0", Records: 1, AnswerTemplate: "{title}", Content: []byte(content)}}
	}) + "/api/v1/samples"
	status, _, body := send(t, "GET", url, "")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, `"name":"one.jsonl"`)
	require.NotContains(t, body, "alert", "the list is without content")
	status, header, body := send(t, "GET", url+"/one.jsonl", "")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, content, body)
	require.Equal(t, "application/jsonl", header.Get("Content-Type"), "no browser takes it for a page")
	require.Contains(t, header.Get("Content-Disposition"), "attachment")
	status, _, body = send(t, "GET", url+"/two.jsonl", "")
	require.Equal(t, http.StatusNotFound, status)
	require.Contains(t, body, "/api/v1/samples")

	none := serve(t, &service{}, nil) + "/api/v1/samples"
	_, _, body = send(t, "GET", none, "")
	require.JSONEq(t, `{"samples":[]}`, body)
}

func TestTrainingOptionsAreWhatOrdersAreHeldTo(t *testing.T) {
	want := protocol.Hyper{Rank: 8, Alpha: 32, Targets: []string{"q_proj"}, LearningRate: 0.004, Epochs: 3, BatchSize: 2, MaxLength: 64}
	url := serve(t, &service{}, func(c *Config) { c.TrainingDefaults = want })
	status, _, body := send(t, "GET", url+"/api/v1/training_options", "")
	require.Equal(t, http.StatusOK, status, body)
	var got TrainingOptions
	require.NoError(t, json.Unmarshal([]byte(body), &got))
	require.Equal(t, want, got.Defaults)
	for _, tt := range []struct {
		change func(h *protocol.Hyper, more int)
	}{
		{func(h *protocol.Hyper, more int) { h.Rank = got.Limits.Rank + more }},
		{func(h *protocol.Hyper, more int) { h.Epochs = got.Limits.Epochs + more }},
		{func(h *protocol.Hyper, more int) { h.BatchSize = got.Limits.Batch + more }},
		{func(h *protocol.Hyper, more int) { h.EvalRatio = float32(got.Limits.EvalRatio) * float32(1+more) }},
		{func(h *protocol.Hyper, more int) { h.EvalRatio, h.Patience = 0.1, got.Limits.Patience+more }},
	} {
		h := got.Defaults
		tt.change(&h, 0)
		require.NoError(t, h.Validate())
		tt.change(&h, 1)
		require.Error(t, h.Validate())
	}
}

// A page offers to make a key of its own only where a faucet will fund it.
func TestTheNetworkSaysWhetherItHasAFaucet(t *testing.T) {
	for _, has := range []bool{true, false} {
		url := serve(t, &service{}, func(c *Config) {
			if !has {
				c.Faucet = nil
			}
		})
		_, _, body := send(t, "GET", url+"/api/v1/network", "")
		var got struct {
			Faucet *bool `json:"faucet"`
		}
		require.NoError(t, json.Unmarshal([]byte(body), &got))
		require.NotNil(t, got.Faucet)
		require.Equal(t, has, *got.Faucet)
	}
}
