package agent

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store/ipfs"
)

// Format names the format of a manifest.
const Format = "openledger/agent/1"

// Limits of a manifest.
const (
	MaxBytes        = 64 << 10
	maxInstructions = 32 << 10
	maxDescription  = 4 << 10
	maxTools        = 32
	maxParameters   = 32
	maxDatanets     = 16
	maxServers      = 4
	maxURL          = 1 << 10
)

// Manifest says what an agent is. Its fields are in the order of canonical JSON.
type Manifest struct {
	Adapter      protocol.CID     `json:"adapter,omitempty"`  // registered adapter that answers, or
	Base         string           `json:"base,omitempty"`     // hash of the base model that answers
	Datanets     []Retrieval      `json:"datanets,omitempty"` // for retrieval
	Description  string           `json:"description,omitempty"`
	Format       string           `json:"format"`
	Instructions string           `json:"instructions"` // system prompt
	Name         string           `json:"name"`         // unique among the owner's agents
	Owner        protocol.Account `json:"owner"`
	Price        string           `json:"price"`             // wei per request, decimal
	Servers      []Server         `json:"servers,omitempty"` // of tools, by the Model Context Protocol
	Tools        []Tool           `json:"tools,omitempty"`
}

// Server is a tool server that whoever serves the agent calls for it.
type Server struct {
	Tools []string `json:"tools,omitempty"` // that the model may call; none: all that the server has
	URL   string   `json:"url"`             // of its Streamable HTTP endpoint
}

// Retrieval is a published version of a datanet that the agent looks things up in.
type Retrieval struct {
	Datanet uint64 `json:"datanet"`
	Version uint32 `json:"version"`
}

// Tool is a function that the model may ask for.
type Tool struct {
	Description string      `json:"description"`
	Name        string      `json:"name"`
	Parameters  []Parameter `json:"parameters,omitempty"`
}

// Parameter is an argument of a tool.
type Parameter struct {
	Description string `json:"description,omitempty"`
	Name        string `json:"name"`
	Required    bool   `json:"required"`
	Type        string `json:"type"` // as in JSON Schema: string, number, integer or boolean
}

// PriceWei is the price.
func (m *Manifest) PriceWei() (uint256.Int, error) {
	v, err := uint256.FromDecimal(m.Price)
	if err != nil || v.Dec() != m.Price {
		return uint256.Int{}, invalid("price", "%q is no amount of wei in decimal digits, such as 10000000000000000 for 0.01 OPEN", clip(m.Price))
	}
	return *v, nil
}

// Parse reads a manifest as people write it: any JSON with these fields. An owner that is
// left out is set to the one given, the format to [Format].
func Parse(data []byte, owner protocol.Account) (*Manifest, error) {
	m, err := decode(data)
	if err != nil {
		return nil, err
	}
	if m.Owner == (protocol.Account{}) {
		m.Owner = owner
	}
	if m.Format == "" {
		m.Format = Format
	}
	return m, m.Validate()
}

// Decode reads canonical bytes and refuses all else.
func Decode(data []byte) (*Manifest, error) {
	m, err := decode(data)
	if err != nil {
		return nil, err
	}
	again, err := m.Encode()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, data) {
		return nil, invalid("manifest", "is not in canonical form")
	}
	return m, nil
}

func decode(data []byte) (*Manifest, error) {
	if len(data) > MaxBytes {
		return nil, invalid("manifest", "is %d bytes, the limit is %d", len(data), MaxBytes)
	}
	var m Manifest
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&m); err != nil {
		return nil, invalid("manifest", "is not the manifest of an agent: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, invalid("manifest", "has something after its end")
	}
	return &m, nil
}

// Encode gives the canonical bytes of a valid manifest.
func (m *Manifest) Encode() ([]byte, error) {
	if err := m.Validate(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // with the texts that Validate lets through, RFC 8785's escapes
	if err := enc.Encode(m); err != nil {
		return nil, fmt.Errorf("agent: encode manifest: %w", err)
	}
	out := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	if len(out) > MaxBytes {
		return nil, invalid("manifest", "is %d bytes, the limit is %d", len(out), MaxBytes)
	}
	return out, nil
}

// CID names a manifest by its canonical bytes.
func CID(canonical []byte) protocol.CID { return ipfs.RawCIDOf(sha256.Sum256(canonical)) }

// Validate names the first field that is wrong.
func (m *Manifest) Validate() error {
	if m.Format != Format {
		return invalid("format", "is %q, this program reads %q", clip(m.Format), Format)
	}
	if !nameOK(m.Name) {
		return invalid("name", "%q is not 1 to %d characters of a-z, 0-9, dot, underscore and hyphen", clip(m.Name), protocol.MaxNameBytes)
	}
	if m.Owner == (protocol.Account{}) {
		return invalid("owner", "is missing: name the account that signs")
	}
	if strings.TrimSpace(m.Instructions) == "" {
		return invalid("instructions", "are missing: tell the agent what to do")
	}
	if err := text("instructions", m.Instructions, maxInstructions); err != nil {
		return err
	}
	if err := text("description", m.Description, maxDescription); err != nil {
		return err
	}
	if _, err := m.PriceWei(); err != nil {
		return err
	}
	if err := m.model(); err != nil {
		return err
	}
	if err := m.retrieval(); err != nil {
		return err
	}
	if err := m.tools(); err != nil {
		return err
	}
	return m.servers()
}

func (m *Manifest) model() error {
	switch {
	case (m.Adapter == "") == (m.Base == ""):
		return invalid("adapter, base", "exactly one of them says which model answers")
	case m.Adapter != "":
		if _, err := ipfs.Digest(m.Adapter); err != nil {
			return invalid("adapter", "%w", err)
		}
	default:
		var h protocol.Hash
		if err := h.UnmarshalText([]byte(m.Base)); err != nil || h.Hex() != m.Base || h == (protocol.Hash{}) {
			return invalid("base", "%q is not a base model's hash: 'openledger base show' prints it", clip(m.Base))
		}
	}
	return nil
}

func (m *Manifest) retrieval() error {
	if len(m.Datanets) > maxDatanets {
		return invalid("datanets", "are %d, the limit is %d", len(m.Datanets), maxDatanets)
	}
	for i, d := range m.Datanets {
		if d.Datanet == 0 || d.Datanet > 1<<53 || d.Version == 0 {
			return invalid("datanets", "number %d needs a datanet and a version from 1", i+1)
		}
		if i > 0 && m.Datanets[i-1].Datanet >= d.Datanet {
			return invalid("datanets", "must be in ascending order, each once")
		}
	}
	return nil
}

func (m *Manifest) tools() error {
	if len(m.Tools) > maxTools {
		return invalid("tools", "are %d, the limit is %d", len(m.Tools), maxTools)
	}
	seen := map[string]bool{}
	for _, t := range m.Tools {
		if !nameOK(t.Name) || strings.Contains(t.Name, ".") || seen[t.Name] {
			return invalid("tools", "%q is not a name of its own of a-z, 0-9, underscore and hyphen", clip(t.Name))
		}
		seen[t.Name] = true
		if err := text("tools."+t.Name, t.Description, maxDescription); err != nil {
			return err
		}
		if err := t.parameters(); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tool) parameters() error {
	if len(t.Parameters) > maxParameters {
		return invalid("tools."+t.Name, "has %d parameters, the limit is %d", len(t.Parameters), maxParameters)
	}
	seen := map[string]bool{}
	for _, p := range t.Parameters {
		if !nameOK(p.Name) || seen[p.Name] {
			return invalid("tools."+t.Name, "parameter %q is not a name of its own", clip(p.Name))
		}
		seen[p.Name] = true
		if err := text("tools."+t.Name+"."+p.Name, p.Description, maxDescription); err != nil {
			return err
		}
		switch p.Type {
		case "string", "number", "integer", "boolean":
		default:
			return invalid("tools."+t.Name+"."+p.Name, "has the type %q: use string, number, integer or boolean", clip(p.Type))
		}
	}
	return nil
}

// text lets through what encoding/json and RFC 8785 write alike.
func text(field, s string, most int) error {
	if len(s) > most {
		return invalid(field, "is %d bytes, the limit is %d", len(s), most)
	}
	if !utf8.ValidString(s) {
		return invalid(field, "is not UTF-8")
	}
	for _, r := range s {
		if r < 0x20 && r != '\n' && r != '\t' || r == '\u2028' || r == '\u2029' {
			return invalid(field, "has the control character U+%04X: use plain line breaks", r)
		}
	}
	return nil
}

func nameOK(s string) bool {
	if s == "" || len(s) > protocol.MaxNameBytes {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
	})
}

func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "..."
	}
	return s
}

func invalid(field, format string, args ...any) error {
	return protocol.Errorf(protocol.KindInvalid, field, format, args...)
}
