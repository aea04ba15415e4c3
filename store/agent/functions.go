package agent

import (
	"encoding/json"
	"fmt"
)

// Functions are the manifest's tools as OpenAI's API writes functions; nil without any.
func (m *Manifest) Functions() (json.RawMessage, error) {
	if len(m.Tools) == 0 {
		return nil, nil
	}
	type property struct {
		Type        string `json:"type"`
		Description string `json:"description,omitempty"`
	}
	type schema struct {
		Type       string              `json:"type"`
		Properties map[string]property `json:"properties"` // sorted
		Required   []string            `json:"required,omitempty"`
	}
	type function struct {
		Name        string `json:"name"`
		Description string `json:"description,omitempty"`
		Parameters  schema `json:"parameters"`
	}
	type tool struct {
		Type     string   `json:"type"`
		Function function `json:"function"`
	}
	var list []tool
	for _, t := range m.Tools {
		s := schema{Type: "object", Properties: map[string]property{}}
		for _, p := range t.Parameters {
			s.Properties[p.Name] = property{p.Type, p.Description}
			if p.Required {
				s.Required = append(s.Required, p.Name)
			}
		}
		list = append(list, tool{"function", function{t.Name, t.Description, s}})
	}
	out, err := json.Marshal(list)
	if err != nil {
		return nil, fmt.Errorf("agent: encode tools: %w", err)
	}
	return out, nil
}
