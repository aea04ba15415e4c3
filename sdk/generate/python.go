package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

const pythonTypesHead = `# Generated from coordinator/api/openapi.yaml by sdk/generate. Do not edit.
"""What goes to the API and comes from it, as it is in JSON."""

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict
`

// pythonWriter collects Python's types.
type pythonWriter struct {
	b     strings.Builder
	names map[string]bool
	err   error
}

// pythonTypes is types.py.
func (a *api) pythonTypes() (string, error) {
	w := pythonWriter{names: map[string]bool{}}
	w.b.WriteString(pythonTypesHead)
	for _, s := range a.schemas {
		w.names[s.name] = true
	}
	for _, s := range a.schemas {
		if s.schema.isObject() {
			w.class(s.name, s.schema)
		} else {
			kind := w.kind(s.name, s.schema)
			if slices.Contains([]string{"str", "int", "float", "bool"}, kind) {
				fmt.Fprintf(&w.b, "\n%s: TypeAlias = %s\n", s.name, kind)
			} else { // it may name classes that come later
				fmt.Fprintf(&w.b, "\n%s: TypeAlias = %q\n", s.name, kind)
			}
		}
	}
	for _, o := range a.operations {
		if o.result.schema != nil && o.result.schema.isObject() {
			w.class(camel(o.id)+"Result", o.result.schema)
		}
		if o.body.media == jsonMedia && o.body.schema != nil && o.body.schema.isObject() {
			w.class(camel(o.id)+"Body", o.body.schema)
		}
	}
	return w.b.String(), w.err
}

// isObject says whether a schema becomes a class. One with further members of any name does
// not: a class could not name them.
func (s *schema) isObject() bool {
	return s.Ref == "" && s.Properties.Kind == yaml.MappingNode && s.AdditionalProperties.Kind != yaml.MappingNode
}

// class writes an object and, before it, those within it.
func (w *pythonWriter) class(name string, s *schema) {
	properties, err := s.properties()
	if err != nil {
		w.err = err
		return
	}
	var fields strings.Builder
	identifiers := !slices.ContainsFunc(properties, func(p named) bool { return !isIdentifier(p.name) })
	for _, p := range properties {
		kind := w.kind(name+camel(p.name), p.schema)
		if !slices.Contains(s.Required, p.name) {
			kind = "NotRequired[" + kind + "]"
		}
		if identifiers {
			fmt.Fprintf(&fields, "    %s: %q\n", p.name, kind)
			if about := oneLine(p.schema.Description); about != "" {
				fmt.Fprintf(&fields, "    \"\"\"%s\"\"\"\n", about)
			}
		} else {
			fmt.Fprintf(&fields, "    %q: %q,\n", p.name, kind)
		}
	}
	switch {
	case !identifiers:
		fmt.Fprintf(&w.b, "\n%s = TypedDict(%q, {\n%s})\n", name, name, fields.String())
	case fields.Len() == 0:
		fmt.Fprintf(&w.b, "\n\nclass %s(TypedDict):\n    pass\n\n", name)
	default:
		fmt.Fprintf(&w.b, "\n\nclass %s(TypedDict):\n%s\n", name, fields.String())
	}
}

func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), `"""`, `'''`)
}

// kind is a schema's type as an annotation. Objects within it become classes of their own,
// with names that begin with name.
func (w *pythonWriter) kind(name string, s *schema) string {
	switch {
	case s.Ref != "":
		return last(s.Ref)
	case s.Const.Kind != 0:
		return "Literal[" + pythonValue(&s.Const) + "]"
	case len(s.Enum) > 0:
		var out []string
		for _, v := range s.Enum {
			out = append(out, pythonLiteral(v))
		}
		return "Literal[" + strings.Join(out, ", ") + "]"
	case len(s.OneOf)+len(s.AnyOf) > 0:
		var out []string
		for i, part := range append(slices.Clone(s.OneOf), s.AnyOf...) {
			if kind := w.kind(name+strconv.Itoa(i+1), part); !slices.Contains(out, kind) {
				out = append(out, kind)
			}
		}
		return strings.Join(out, " | ")
	case len(s.AllOf) > 0:
		return w.kind(name, s.AllOf[0])
	case s.isObject():
		for w.names[name] {
			name += "_"
		}
		w.names[name] = true
		w.class(name, s)
		return name + nullable(s)
	}
	var out []string
	for _, t := range s.Type {
		switch t {
		case "string":
			out = append(out, "str")
		case "integer":
			out = append(out, "int")
		case "number":
			out = append(out, "float")
		case "boolean":
			out = append(out, "bool")
		case "null":
			out = append(out, "None")
		case "array":
			item := "Any"
			if s.Items != nil {
				item = w.kind(name+"Item", s.Items)
			}
			out = append(out, "list["+item+"]")
		case "object":
			value := "Any"
			if s.AdditionalProperties.Kind == yaml.MappingNode && s.Properties.Kind == 0 {
				var v schema
				if err := s.AdditionalProperties.Decode(&v); err != nil {
					w.err = err
				}
				value = w.kind(name+"Value", &v)
			}
			out = append(out, "dict[str, "+value+"]")
		}
	}
	if len(out) == 0 {
		return "Any"
	}
	return strings.Join(out, " | ")
}

func nullable(s *schema) string {
	if slices.Contains(s.Type, "null") {
		return " | None"
	}
	return ""
}

func pythonValue(n *yaml.Node) string {
	var v any
	_ = n.Decode(&v) // a scalar decodes
	return pythonLiteral(v)
}

func pythonLiteral(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case string:
		return "'" + strings.ReplaceAll(v, "'", `\'`) + "'"
	}
	return fmt.Sprint(v)
}

var pythonKeywords = strings.Fields("False None True and as assert async await break class continue def del elif else except finally for from global if import in is lambda nonlocal not or pass raise return try while with yield")

func isIdentifier(s string) bool {
	if s == "" || slices.Contains(pythonKeywords, s) || s[0] >= '0' && s[0] <= '9' {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	})
}

const pythonOperationsHead = `# Generated from coordinator/api/openapi.yaml by sdk/generate. Do not edit.
"""A method for each operation of the API, but for OpenAI's, which its own client has."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, Literal, cast

from . import types
from .transport import AsyncTransport, Body, Event, Form, Transport, part
`

// pythonOperations is operations.py.
func (a *api) pythonOperations() string {
	var b strings.Builder
	b.WriteString(pythonOperationsHead)
	for _, c := range []struct {
		name, base, about, def, await, iterator string
	}{
		{"Operations", "Transport", "What the API does, one call at a time.", "def", "", "Iterator"},
		{"AsyncOperations", "AsyncTransport", "What the API does, for asyncio.", "async def", "await ", "AsyncIterator"},
	} {
		fmt.Fprintf(&b, "\n\nclass %s(%s):\n    \"\"\"%s\"\"\"\n", c.name, c.base, c.about)
		for _, o := range a.operations {
			def, await := c.def, c.await
			if o.result.kind == "events" { // is iterated, not awaited
				def, await = "def", ""
			}
			o.python(&b, def, await, c.iterator)
		}
	}
	return b.String()
}

func (o *operation) python(b *strings.Builder, def, await, iterator string) {
	w := pythonWriter{names: map[string]bool{}} // for types only: parameters hold no objects
	kind := func(s *schema) string {
		k := w.kind("", s)
		if s.Ref != "" {
			return "types." + k
		}
		return k
	}
	args, with := []string{"self"}, []string{}
	url := fmt.Sprintf("%q", o.path)
	for _, p := range o.in("path") {
		args = append(args, pythonName(p.name)+": "+kind(p.schema))
		url = strings.ReplaceAll(url, "{"+p.name+"}", "{part("+pythonName(p.name)+")}")
	}
	if strings.Contains(url, "{part(") {
		url = "f" + url
	}
	if o.body.media != "" {
		arg := "body: " + o.pythonBody()
		if !o.body.required {
			arg += " | None = None"
		}
		args, with = append(args, arg), append(with, "body=body")
		if o.body.media != jsonMedia {
			with = append(with, fmt.Sprintf("media=%q", o.body.media))
		}
	}
	if q := o.in("query"); len(q) > 0 {
		args = append(args, "*")
		var entries []string
		for _, p := range q {
			arg := pythonName(p.name) + ": " + kind(p.schema)
			if !p.required {
				arg += " | None = None"
			}
			args = append(args, arg)
			entries = append(entries, fmt.Sprintf("%q: %s", p.name, pythonName(p.name)))
		}
		with = append(with, "query={"+strings.Join(entries, ", ")+"}")
	}
	if o.keyed {
		with = append(with, "keyed=True")
	}
	returns, call := "None", "_none"
	switch o.result.kind {
	case "json":
		returns, call = o.pythonResult(), "_json"
	case "events":
		returns, call = iterator+"[Event]", "_events"
	case "bytes":
		returns, call = "bytes", "_bytes"
	}
	expression := fmt.Sprintf("%sself.%s(%s)", await, call, strings.Join(append([]string{fmt.Sprintf("%q", o.method), url}, with...), ", "))
	if o.result.kind == "json" {
		expression = fmt.Sprintf("cast(%q, %s)", returns, expression)
	}
	fmt.Fprintf(b, "\n    %s %s(%s) -> %q:\n        \"\"\"%s: `%s %s`\"\"\"\n        return %s\n",
		def, snake(o.id), strings.Join(args, ", "), returns, oneLine(strings.TrimSuffix(o.summary, ".")), o.method, o.path, expression)
}

func (o *operation) pythonBody() string {
	switch {
	case o.body.media == "multipart/form-data":
		return "Form"
	case o.body.media != jsonMedia:
		return "Body"
	case o.body.schema == nil:
		return "Any"
	case o.body.schema.isObject():
		return "types." + camel(o.id) + "Body"
	case o.body.schema.Ref != "":
		return "types." + last(o.body.schema.Ref)
	}
	return "Any"
}

func (o *operation) pythonResult() string {
	switch {
	case o.result.schema == nil:
		return "Any"
	case o.result.schema.isObject():
		return "types." + camel(o.id) + "Result"
	case o.result.schema.Ref != "":
		return "types." + last(o.result.schema.Ref)
	}
	return "Any"
}

// pythonName is a parameter's name.
func pythonName(name string) string {
	name = strings.ReplaceAll(name, "-", "_")
	if slices.Contains(pythonKeywords, name) {
		name += "_"
	}
	return name
}
