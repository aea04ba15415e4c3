package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

// StoreManifest takes version 2 of agent 7 only.
func (s *service) StoreManifest(_ context.Context, agent uint64, version uint32, manifest []byte) (protocol.CID, error) {
	if agent != 7 || version != 2 {
		return "", protocol.Errorf(protocol.KindNotFound, "agent", "there is no such version")
	}
	return protocol.CID("cid of " + string(manifest)), nil
}

func TestManifestsAreTakenAsTheyAre(t *testing.T) {
	url := serve(t, &service{}, nil)
	status, _, body := send(t, "POST", url+"/api/v1/agents/7/versions/2/manifest", bytesOf(`{"name":"poet"}`))
	require.Equal(t, http.StatusCreated, status)
	require.JSONEq(t, `{"cid":"cid of {\"name\":\"poet\"}"}`, body)
	for path, want := range map[string]int{
		"/api/v1/agents/x/versions/2/manifest": http.StatusBadRequest,
		"/api/v1/agents/7/versions/x/manifest": http.StatusBadRequest,
		"/api/v1/agents/7/versions/3/manifest": http.StatusNotFound,
	} {
		status, _, _ := send(t, "POST", url+path, bytesOf("{}"))
		require.Equal(t, want, status, path)
	}
	status, _, _ = send(t, "POST", url+"/api/v1/agents/7/versions/2/manifest", bytesOf(strings.Repeat("x", maxManifest+1)))
	require.Equal(t, http.StatusBadRequest, status)
	for _, bad := range []string{"", `{"bytes":"*"}`} {
		status, _, _ = send(t, "POST", url+"/api/v1/agents/7/versions/2/manifest", bad)
		require.Equal(t, http.StatusBadRequest, status, bad)
	}
}

func bytesOf(s string) string {
	return `{"bytes":"` + base64.StdEncoding.EncodeToString([]byte(s)) + `"}`
}

// Agent knows agent/poet, which has one function.
func (s *service) Agent(_ context.Context, model string) (Agent, error) {
	if s.box != nil && model == "agent/guide" {
		return Agent{ID: 8, Version: 1, Model: hash.Hex(), Markup: huge, Instructions: "Guide.", Servers: s.box}, nil
	}
	if model != "agent/poet" {
		return Agent{}, protocol.Errorf(protocol.KindNotFound, "model", "there is no agent %q", model)
	}
	return Agent{ID: 7, Version: 2, Model: hash.Hex(), Markup: huge, Instructions: "Answer in <verse>.",
		Tools: json.RawMessage(`[{"type":"function","function":{"name":"look-up","parameters":{"type":"object","properties":{}}}}]`)}, nil
}

// What an agent is told comes before what its requester says, its functions beside the
// requester's.
func TestAnAgentIsToldItsInstructions(t *testing.T) {
	s := &service{}
	url := serve(t, s, nil)
	own := `{"type":"function","function":{"name":"own","parameters":{"type":"object","properties":{}}}}`
	status, _, body := send(t, "POST", url+"/v1/chat/completions", `{"model":"agent/poet","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"}],"tools":[`+own+`]}`)
	require.Equal(t, http.StatusOK, status, body)
	got := s.asked[len(s.asked)-1]
	require.Equal(t, "agent/poet", got.Model)
	require.Equal(t, uint64(7), got.Agent.ID)
	require.Equal(t, []protocol.Message{{Role: "system", Content: "Answer in <verse>."}, {Role: "system", Content: "Be brief."}, {Role: "user", Content: "Hi"}}, got.Messages)
	require.Equal(t, `[{"type":"function","function":{"name":"look-up","parameters":{"type":"object","properties":{}}}},`+own+`]`, got.Tools)

	for body, words := range map[string]string{
		`{"model":"agent/poet","messages":[]}`:                                                                                           "at least one message",
		`{"model":"agent/else","messages":[{"role":"user","content":"Hi"}]}`:                                                             "there is no agent",
		`{"model":"agent/poet","messages":[{"role":"user","content":"Hi"}],"tools":{"a":1}}`:                                             "must be a list",
		`{"model":"agent/poet","messages":[{"role":"user","content":"Hi"}],"tools":[` + strings.Replace(own, "own", "look-up", 1) + `]}`: "two functions called",
	} {
		status, _, got := send(t, "POST", url+"/v1/chat/completions", body)
		require.GreaterOrEqual(t, status, 400, body)
		require.Contains(t, got, words, body)
	}
	s.agents = []Model{{ID: "agent/poet", Base: hash, Owner: owner, Created: 1_700_000_000, Agent: &AgentModel{ID: 7, Version: 2, Manifest: "bafk", Markup: huge, Stake: huge}}}
	for _, path := range []string{"/v1/models/agent/poet", "/v1/models/agent%2Fpoet"} {
		status, _, body = send(t, "GET", url+path, "")
		require.Equal(t, http.StatusOK, status, path)
		require.Contains(t, body, `"agent":{"id":7,"version":2,"manifest":"bafk","markup":"`+huge.Dec()+`"`)
	}
	status, _, body = send(t, "GET", url+"/v1/models", "")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, `"id":"agent/poet"`)
	status, _, body = send(t, "POST", url+"/v1/completions", `{"model":"agent/poet","prompt":"Hi"}`)
	require.Equal(t, http.StatusBadRequest, status)
	require.Contains(t, body, "/v1/chat/completions")
	status, _, _ = send(t, "POST", url+"/v1/chat/completions", `{"model":"x","messages":[{"role":"user","content":"Hi"}]}`)
	require.Equal(t, http.StatusOK, status)
	require.Nil(t, s.asked[len(s.asked)-1].Agent)
}

func TestAgentsAreListedAndShown(t *testing.T) {
	url := serve(t, &service{}, nil) + "/api/v1/agents"
	for query, want := range map[string][]string{"": {"poet", "guide"}, "?q=POET": {"poet", "guide"}, "?q=poets+museum": {"guide"}, "?q=whale": nil,
		"?owner=" + tenant.Hex(): {"guide"}} {
		status, _, body := send(t, "GET", url+query, "")
		require.Equal(t, http.StatusOK, status)
		var got struct{ Agents []AgentView }
		require.NoError(t, json.Unmarshal([]byte(body), &got))
		var names []string
		for _, a := range got.Agents {
			names = append(names, a.Name)
		}
		require.Equal(t, want, names, query)
	}
	status, _, body := send(t, "GET", url+"/1", "")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, `"price":`+hugeText)
	require.Contains(t, body, `"document":{"name":"poet","new":[1]}`, "also what this version does not know")

	status, _, body = send(t, "POST", url+"/manifest", `{"owner":"`+tenant.Hex()+`","manifest":{"name":"poet"}}`)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, `"min_stake":`+hugeText)
	status, _, body = send(t, "POST", url+"/manifest", `{"owner":"`+tenant.Hex()+`"}`)
	require.Equal(t, http.StatusBadRequest, status)
	require.Contains(t, body, `"param":"manifest"`)
}
