package agent

import (
	"strings"
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

const (
	poetModel  = protocol.CID("bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy")
	otherModel = protocol.CID("bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku")
)

// honest is a job as a coordinator makes it of a manifest.
func honest(t *testing.T, m *Manifest) protocol.InferenceJob {
	t.Helper()
	tools, err := m.Functions()
	require.NoError(t, err)
	price, err := m.PriceWei()
	require.NoError(t, err)
	job := protocol.InferenceJob{Adapter: m.Adapter, Messages: []protocol.Message{{Role: "system", Content: m.Instructions}, {Role: "user", Content: "A wolf"}},
		Tools: string(tools), Price: protocol.Price{Markup: price}}
	if m.Base != "" {
		require.NoError(t, job.Base.UnmarshalText([]byte(m.Base)))
	}
	for _, d := range m.Datanets {
		job.Retrieval = append(job.Retrieval, protocol.Retrieval{Datanet: d.Datanet, Version: d.Version})
	}
	return job
}

// What a coordinator says in an agent's name is what the manifest says, and what requesters
// add stays theirs.
func TestAJobIsComparedWithItsAgent(t *testing.T) {
	for name, tt := range map[string]struct {
		manifest func(*Manifest)
		change   func(*protocol.InferenceJob)
		field    string // of the job that differs; empty: none
	}{
		"honest": {},
		"more messages of the system": {change: func(j *protocol.InferenceJob) {
			j.Messages = append(j.Messages, protocol.Message{Role: "system", Content: "Be brief."})
		}},
		"the requester's functions": {change: func(j *protocol.InferenceJob) {
			j.Tools = strings.TrimSuffix(j.Tools, "]") + `,{"type":"function","function":{"name":"mine","parameters":{}}}]`
		}},
		"white space and escapes": {change: func(j *protocol.InferenceJob) {
			j.Tools = strings.ReplaceAll(strings.ReplaceAll(j.Tools, ":", " : "), "Looks", `\u004cooks`)
		}},
		"a round without functions":  {change: func(j *protocol.InferenceJob) { j.Tools = "" }},
		"a datanet that had nothing": {change: func(j *protocol.InferenceJob) { j.Retrieval = j.Retrieval[1:] }},
		"a datanet of the requester's": {change: func(j *protocol.InferenceJob) {
			j.Retrieval = append(j.Retrieval, protocol.Retrieval{Datanet: 9, Version: 4})
		}},
		"an adapter":                    {manifest: func(m *Manifest) { m.Base, m.Adapter = "", poetModel }},
		"other instructions":            {change: func(j *protocol.InferenceJob) { j.Messages[0].Content += " Be rude." }, field: "messages"},
		"instructions of somebody else": {change: func(j *protocol.InferenceJob) { j.Messages[0].Role = "user" }, field: "messages"},
		"instructions with more to it":  {change: func(j *protocol.InferenceJob) { j.Messages[0].Fields = `{"name":"x"}` }, field: "messages"},
		"instructions after others": {change: func(j *protocol.InferenceJob) {
			j.Messages[0], j.Messages[1] = j.Messages[1], j.Messages[0]
		}, field: "messages"},
		"no instructions":                {change: func(j *protocol.InferenceJob) { j.Messages = j.Messages[1:] }, field: "messages"},
		"a text":                         {change: func(j *protocol.InferenceJob) { j.Messages, j.Prompt = nil, "A wolf" }, field: "messages"},
		"another markup":                 {change: func(j *protocol.InferenceJob) { j.Price.Markup = *uint256.NewInt(1) }, field: "price.markup"},
		"another base":                   {change: func(j *protocol.InferenceJob) { j.Base[0]++ }, field: "base"},
		"an adapter for the base":        {change: func(j *protocol.InferenceJob) { j.Adapter = poetModel }, field: "adapter"},
		"another adapter":                {manifest: func(m *Manifest) { m.Base, m.Adapter = "", poetModel }, change: func(j *protocol.InferenceJob) { j.Adapter = otherModel }, field: "adapter"},
		"the base for an adapter":        {manifest: func(m *Manifest) { m.Base, m.Adapter = "", poetModel }, change: func(j *protocol.InferenceJob) { j.Adapter = "" }, field: "adapter"},
		"another version of a datanet":   {change: func(j *protocol.InferenceJob) { j.Retrieval[0].Version++ }, field: "retrieval"},
		"another function":               {change: func(j *protocol.InferenceJob) { j.Tools = strings.Replace(j.Tools, "look-up", "buy", 1) }, field: "tools"},
		"another function's description": {change: func(j *protocol.InferenceJob) { j.Tools = strings.Replace(j.Tools, "Looks", "Sells", 1) }, field: "tools"},
		"a member twice": {change: func(j *protocol.InferenceJob) {
			j.Tools = strings.Replace(j.Tools, `{"type"`, `{"type":"function","type"`, 1)
		}, field: "tools"},
		"no list":       {change: func(j *protocol.InferenceJob) { j.Tools = "{}" }, field: "tools"},
		"an empty list": {change: func(j *protocol.InferenceJob) { j.Tools = "[]" }, field: "tools"},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := Parse([]byte(written), me)
			require.NoError(t, err)
			if tt.manifest != nil {
				tt.manifest(m)
				require.NoError(t, m.Validate())
			}
			job := honest(t, m)
			if tt.change != nil {
				tt.change(&job)
			}
			err = m.Check(&job)
			if tt.field == "" {
				require.NoError(t, err)
				return
			}
			var typed *protocol.Error
			require.ErrorAs(t, err, &typed)
			require.Equal(t, protocol.KindCorrupt, typed.Kind)
			require.Equal(t, tt.field, typed.Field, err)
		})
	}
}
