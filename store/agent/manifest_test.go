package agent

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

const written = `{
  "name": "poet", "instructions": "Answer in <verse> & \"rhyme\".\n\tAlways.", "price": "10000000000000000",
  "base": "0x0101010101010101010101010101010101010101010101010101010101010101",
  "tools": [{"name": "look-up", "description": "Looks a word up", "parameters": [{"name": "word", "type": "string", "required": true}]}],
  "servers": [{"url": "https://tools.example/mcp", "tools": ["forecast"]}, {"url": "http://127.0.0.1:9/mcp"}],
  "datanets": [{"datanet": 1, "version": 2}, {"datanet": 7, "version": 1}]
}`

var me = protocol.Account{0xaa}

// However people write a manifest, it has one encoding and one CID, and nothing else is
// read back.
func TestManifestHasOneForm(t *testing.T) {
	m, err := Parse([]byte(written), me)
	require.NoError(t, err)
	require.Equal(t, me, m.Owner)
	canonical, err := m.Encode()
	require.NoError(t, err)
	require.Equal(t, `{"base":"0x0101010101010101010101010101010101010101010101010101010101010101","datanets":[{"datanet":1,"version":2},{"datanet":7,"version":1}],"format":"openledger/agent/1",`+
		`"instructions":"Answer in <verse> & \"rhyme\".\n\tAlways.","name":"poet","owner":"0xaa00000000000000000000000000000000000000","price":"10000000000000000",`+
		`"servers":[{"tools":["forecast"],"url":"https://tools.example/mcp"},{"url":"http://127.0.0.1:9/mcp"}],"tools":[{"description":"Looks a word up","name":"look-up","parameters":[{"name":"word","required":true,"type":"string"}]}]}`, string(canonical))
	back, err := Decode(canonical)
	require.NoError(t, err)
	require.Equal(t, m, back)
	price, err := back.PriceWei()
	require.NoError(t, err)
	require.Equal(t, uint64(1e16), price.Uint64())
	require.Regexp(t, "^bafkrei", string(CID(canonical)))

	other, err := Parse(canonical, protocol.Account{1})
	require.NoError(t, err)
	require.Equal(t, me, other.Owner, "a written owner stays")
	for _, near := range []string{string(canonical) + "\n", strings.Replace(string(canonical), ":", ": ", 1), written} {
		_, err := Decode([]byte(near))
		require.Error(t, err)
	}
}

func TestManifestFieldsAreChecked(t *testing.T) {
	for field, change := range map[string]func(*Manifest){
		"format":                func(m *Manifest) { m.Format = "other" },
		"name":                  func(m *Manifest) { m.Name = "A Poet" },
		"owner":                 func(m *Manifest) { m.Owner = protocol.Account{} },
		"instructions":          func(m *Manifest) { m.Instructions = " " },
		"U+2028":                func(m *Manifest) { m.Instructions = "a\u2028b" },
		"description":           func(m *Manifest) { m.Description = strings.Repeat("x", maxDescription+1) },
		"not UTF-8":             func(m *Manifest) { m.Description = "\xff" },
		"price":                 func(m *Manifest) { m.Price = "0.5" },
		"exactly one":           func(m *Manifest) { m.Base = "" },
		"adapter":               func(m *Manifest) { m.Base, m.Adapter = "", "elsewhere" },
		"base":                  func(m *Manifest) { m.Base = "0x01" },
		"datanets":              func(m *Manifest) { m.Datanets[0].Version = 0 },
		"ascending":             func(m *Manifest) { m.Datanets[1].Datanet = 1 },
		"are 17":                func(m *Manifest) { m.Datanets = make([]Retrieval, 17) },
		"tools":                 func(m *Manifest) { m.Tools = append(m.Tools, m.Tools[0]) },
		"are 33":                func(m *Manifest) { m.Tools = make([]Tool, 33) },
		"tools.look-up":         func(m *Manifest) { m.Tools[0].Description = "\x00" },
		"33 parameters":         func(m *Manifest) { m.Tools[0].Parameters = make([]Parameter, 33) },
		"its own":               func(m *Manifest) { m.Tools[0].Parameters[0].Name = "" },
		"the type":              func(m *Manifest) { m.Tools[0].Parameters[0].Type = "object" },
		"U+0001":                func(m *Manifest) { m.Tools[0].Parameters[0].Description = "\x01" },
		"servers: are 5":        func(m *Manifest) { m.Servers = make([]Server, 5) },
		"servers[0].url: \"\"":  func(m *Manifest) { m.Servers = []Server{{}} },
		"servers[0].url: has a": func(m *Manifest) { m.Servers = []Server{{URL: "https://me:secret@host/"}} },
		"which is not sent":     func(m *Manifest) { m.Servers = []Server{{URL: "https://host/#x"}} },
		"no URL":                func(m *Manifest) { m.Servers = []Server{{URL: "https://ho st/%"}} },
		"\"file:///etc\"":       func(m *Manifest) { m.Servers = []Server{{URL: "file:///etc"}} },
		"servers[1].url":        func(m *Manifest) { m.Servers = []Server{{URL: "https://host"}, {URL: "https://host"}} },
		"servers[0].tools: are": func(m *Manifest) { m.Servers = []Server{{URL: "https://host", Tools: make([]string, 33)}} },
		"\"a b\" is not 1 to":   func(m *Manifest) { m.Servers = []Server{{URL: "https://host", Tools: []string{"a b"}}} },
		"\"look-up\" is in tools already": func(m *Manifest) {
			m.Servers = []Server{{URL: "https://host", Tools: []string{"other", "look-up"}}}
		},
		"\"x\" is in servers[0].tools already": func(m *Manifest) {
			m.Servers = []Server{{URL: "https://host", Tools: []string{"x"}}, {URL: "https://host/2", Tools: []string{"x"}}}
		},
		"price: \"007\" is": func(m *Manifest) { m.Price = "007" },
	} {
		if change == nil {
			_, err := Parse(make([]byte, MaxBytes+1), me)
			require.ErrorContains(t, err, "the limit is 65536")
			continue
		}
		m, err := Parse([]byte(written), me)
		require.NoError(t, err)
		change(m)
		_, err = m.Encode()
		require.Equal(t, protocol.KindInvalid, protocol.KindOf(err), "%s: %v", field, err)
		require.ErrorContains(t, err, field)
	}
	for _, bad := range []string{"", "{", "[]", written + "1", strings.Replace(written, "poet", "poet\", \"plan\": \"x", 1)} {
		_, err := Parse([]byte(bad), me)
		require.Equal(t, protocol.KindInvalid, protocol.KindOf(err), bad)
	}
	// What is within the limits of each field may still be too much together.
	m, err := Parse([]byte(written), me)
	require.NoError(t, err)
	m.Tools, m.Servers = nil, nil
	for i := range maxTools {
		m.Tools = append(m.Tools, Tool{Name: "t" + strings.Repeat("x", i), Description: strings.Repeat("y", maxDescription)})
	}
	_, err = m.Encode()
	require.ErrorContains(t, err, "the limit is 65536")
}

func TestFunctionsAreInOpenAIsForm(t *testing.T) {
	m, err := Parse([]byte(written), me)
	require.NoError(t, err)
	got, err := m.Functions()
	require.NoError(t, err)
	require.Equal(t, `[{"type":"function","function":{"name":"look-up","description":"Looks a word up","parameters":{"type":"object","properties":{"word":{"type":"string"}},"required":["word"]}}}]`, string(got))
	m.Tools[0].Name = "look.up"
	require.ErrorContains(t, m.Validate(), "tools", "models' APIs know no dots in the names of functions")
	m.Tools = nil
	got, err = m.Functions()
	require.NoError(t, err)
	require.Nil(t, got)
}

func FuzzDecode(f *testing.F) {
	m, err := Parse([]byte(written), me)
	require.NoError(f, err)
	canonical, err := m.Encode()
	require.NoError(f, err)
	f.Add(canonical)
	f.Add([]byte(written))
	f.Add([]byte(`{"tools":[{}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := Decode(raw)
		if err != nil {
			return
		}
		again, err := m.Encode()
		require.NoError(t, err)
		require.Equal(t, string(raw), string(again))
		require.True(t, json.Valid(again))
	})
}
