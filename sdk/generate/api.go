package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// leftOut are operations without a method, and why.
var leftOut = map[string]string{
	"callMCP": "clients of the Model Context Protocol speak it",
}

// api is a description, as far as clients need it.
type api struct {
	operations []operation
	schemas    []named // of the components, in their order
}

type named struct {
	name   string
	schema *schema
}

// operation is one endpoint that has a method.
type operation struct {
	id, method, path, summary string
	keyed                     bool // it takes an API key
	params                    []param
	body                      body
	result                    result
}

type param struct {
	name, in, about string
	required        bool
	schema          *schema
}

// body is what a request carries. media is empty where it carries none.
type body struct {
	media    string
	required bool
	schema   *schema
}

// result is what a success brings: JSON of a schema, a stream of events, or bytes.
type result struct {
	kind   string // "json", "events", "bytes" or "none"
	schema *schema
}

// schema is a JSON Schema, as far as types tell.
type schema struct {
	Ref                  string     `yaml:"$ref"`
	Type                 stringList `yaml:"type"`
	Const                yaml.Node  `yaml:"const"`
	Enum                 []any      `yaml:"enum"`
	OneOf                []*schema  `yaml:"oneOf"`
	AnyOf                []*schema  `yaml:"anyOf"`
	AllOf                []*schema  `yaml:"allOf"`
	Items                *schema    `yaml:"items"`
	Properties           yaml.Node  `yaml:"properties"`
	Required             []string   `yaml:"required"`
	AdditionalProperties yaml.Node  `yaml:"additionalProperties"`
	Description          string     `yaml:"description"`
}

// stringList is one string or several.
type stringList []string

// UnmarshalYAML takes both.
func (l *stringList) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*l = stringList{n.Value}
		return nil
	}
	return n.Decode((*[]string)(l))
}

// document is the description as it is written.
type document struct {
	Paths      yaml.Node `yaml:"paths"`
	Components struct {
		Schemas       yaml.Node              `yaml:"schemas"`
		Parameters    map[string]rawParam    `yaml:"parameters"`
		RequestBodies map[string]rawBody     `yaml:"requestBodies"`
		Responses     map[string]rawResponse `yaml:"responses"`
	} `yaml:"components"`
}

type rawOperation struct {
	ID          string                 `yaml:"operationId"`
	Tags        []string               `yaml:"tags"`
	Summary     string                 `yaml:"summary"`
	Security    []map[string][]string  `yaml:"security"`
	Parameters  []rawParam             `yaml:"parameters"`
	RequestBody *rawBody               `yaml:"requestBody"`
	Responses   map[string]rawResponse `yaml:"responses"`
}

type rawParam struct {
	Ref         string  `yaml:"$ref"`
	Name        string  `yaml:"name"`
	In          string  `yaml:"in"`
	Required    bool    `yaml:"required"`
	Description string  `yaml:"description"`
	Schema      *schema `yaml:"schema"`
}

type rawBody struct {
	Ref      string    `yaml:"$ref"`
	Required bool      `yaml:"required"`
	Content  yaml.Node `yaml:"content"`
}

type rawResponse struct {
	Ref     string    `yaml:"$ref"`
	Content yaml.Node `yaml:"content"`
}

// each calls f for the entries of a mapping, in their order.
func each(n *yaml.Node, f func(key string, value *yaml.Node) error) error {
	if n.Kind == 0 {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: it is no mapping", n.Line)
	}
	for i := 0; i < len(n.Content); i += 2 {
		if err := f(n.Content[i].Value, n.Content[i+1]); err != nil {
			return fmt.Errorf("%s: %w", n.Content[i].Value, err)
		}
	}
	return nil
}

func parse(raw []byte) (*api, error) {
	var d document
	if err := yaml.Unmarshal(raw, &d); err != nil {
		return nil, err
	}
	var out api
	err := each(&d.Components.Schemas, func(name string, n *yaml.Node) error {
		var s schema
		out.schemas = append(out.schemas, named{name, &s})
		return n.Decode(&s)
	})
	if err != nil {
		return nil, err
	}
	return &out, each(&d.Paths, func(path string, n *yaml.Node) error {
		return each(n, func(method string, n *yaml.Node) error {
			var raw rawOperation
			if err := n.Decode(&raw); err != nil {
				return err
			}
			if raw.ID == "" {
				return errors.New("operationId is missing")
			}
			if slices.Contains(raw.Tags, "openai") || leftOut[raw.ID] != "" {
				return nil
			}
			o, err := d.operation(strings.ToUpper(method), path, raw)
			out.operations = append(out.operations, o)
			return err
		})
	})
}

// last is the last part of a reference's path.
func last(ref string) string { return ref[strings.LastIndexByte(ref, '/')+1:] }

func (d *document) operation(method, path string, raw rawOperation) (operation, error) {
	o := operation{id: raw.ID, method: method, path: path, summary: raw.Summary, keyed: len(raw.Security) > 0}
	for _, p := range raw.Parameters {
		if p.Ref != "" {
			p = d.Components.Parameters[last(p.Ref)]
		}
		if p.Name == "" || p.Schema == nil {
			return o, errors.New("a parameter has no name or no schema")
		}
		if p.In == "path" || p.In == "query" {
			o.params = append(o.params, param{p.Name, p.In, p.Description, p.Required, p.Schema})
		}
	}
	for _, m := range inPath.FindAllStringSubmatch(path, -1) {
		if !slices.ContainsFunc(o.params, func(p param) bool { return p.in == "path" && p.name == m[1] }) {
			return o, fmt.Errorf("the path's {%s} is not described", m[1])
		}
	}
	if b := raw.RequestBody; b != nil {
		if b.Ref != "" {
			found := d.Components.RequestBodies[last(b.Ref)]
			b = &found
		}
		o.body.required = b.Required
		err := each(&b.Content, func(media string, n *yaml.Node) (err error) {
			if o.body.media == "" || media == jsonMedia {
				o.body.media = media
				o.body.schema, err = mediaSchema(n)
			}
			return err
		})
		if err != nil {
			return o, err
		}
	}
	var err error
	o.result, err = d.result(raw.Responses)
	return o, err
}

const (
	jsonMedia   = "application/json"
	eventsMedia = "text/event-stream"
)

var inPath = regexp.MustCompile(`\{(\w+)\}`)

func mediaSchema(n *yaml.Node) (*schema, error) {
	var m struct {
		Schema *schema `yaml:"schema"`
	}
	return m.Schema, n.Decode(&m)
}

// result is that of the first status of success. JSON goes before other forms.
func (d *document) result(responses map[string]rawResponse) (out result, err error) {
	out.kind = "none"
	for _, status := range []string{"200", "201", "202"} {
		r, ok := responses[status]
		if !ok {
			continue
		}
		if r.Ref != "" {
			r = d.Components.Responses[last(r.Ref)]
		}
		err = each(&r.Content, func(media string, n *yaml.Node) (err error) {
			switch {
			case media == jsonMedia:
				out.kind = "json"
				out.schema, err = mediaSchema(n)
			case out.kind == "json":
			case media == eventsMedia:
				out.kind = "events"
			default:
				out.kind = "bytes"
			}
			return err
		})
		return out, err
	}
	return out, nil
}

// query and path are an operation's parameters by where they stand.
func (o *operation) in(where string) (out []param) {
	for _, p := range o.params {
		if p.in == where {
			out = append(out, p)
		}
	}
	return out
}

// properties are a schema's, in their order.
func (s *schema) properties() (out []named, err error) {
	err = each(&s.Properties, func(name string, n *yaml.Node) error {
		var p schema
		out = append(out, named{name, &p})
		return n.Decode(&p)
	})
	return out, err
}

// words cuts a name at capitals and at what is no letter or digit.
func words(name string) []string {
	name = regexp.MustCompile(`([a-z0-9])([A-Z])`).ReplaceAllString(name, "$1 $2")
	name = regexp.MustCompile(`([A-Z]+)([A-Z][a-z])`).ReplaceAllString(name, "$1 $2")
	return strings.FieldsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	})
}

// camel is a name in CamelCase.
func camel(name string) string {
	var b strings.Builder
	for _, w := range words(name) {
		b.WriteString(strings.ToUpper(w[:1]) + w[1:])
	}
	return b.String()
}

// snake is a name in snake_case.
func snake(name string) string { return strings.ToLower(strings.Join(words(name), "_")) }
