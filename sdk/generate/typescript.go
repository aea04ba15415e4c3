package main

import (
	"fmt"
	"strings"
)

const typescriptHead = `// Generated from coordinator/api/openapi.yaml by sdk/generate. Do not edit.
import { Transport } from './transport.js'
import type * as t from './transport.js'

/** A method for each operation of the API, but for OpenAI's, which its own client has. */
export class Operations extends Transport {
`

// typescript is operations.ts.
func (a *api) typescript() string {
	var b strings.Builder
	b.WriteString(typescriptHead)
	for i, o := range a.operations {
		if i > 0 {
			b.WriteString("\n")
		}
		o.typescript(&b)
	}
	b.WriteString("}\n")
	return b.String()
}

func (o *operation) typescript(b *strings.Builder) {
	var args, with []string
	url := o.path
	for _, p := range o.in("path") {
		args = append(args, p.name+": "+typescriptPath(p.schema))
		url = strings.ReplaceAll(url, "{"+p.name+"}", "${this.part("+p.name+")}")
	}
	if o.keyed {
		with = append(with, "keyed: true")
	}
	body := func() { // after what must be given, if it may be left out
		if o.body.media == "" {
			return
		}
		kind := fmt.Sprintf("t.Body<'%s'>", o.id)
		switch {
		case o.body.media == "multipart/form-data":
			kind = "t.Form"
		case o.body.media != jsonMedia:
			kind = "t.Bytes"
		}
		if o.body.required {
			args = append(args, "body: "+kind)
		} else {
			args = append(args, "body?: "+kind)
		}
		with = append(with, "body")
		if o.body.media != jsonMedia {
			with = append(with, fmt.Sprintf("media: '%s'", o.body.media))
		}
	}
	body()
	if q := o.in("query"); len(q) > 0 {
		must := false
		for _, p := range q {
			must = must || p.required
		}
		arg := fmt.Sprintf("query: t.Query<'%s'>", o.id)
		if !must {
			arg += " = {}"
		}
		args = append(args, arg)
		with = append(with, "query")
	}
	args, with = append(args, "options?: t.Options"), append(with, "options")
	kind := map[string][2]string{
		"json":   {fmt.Sprintf("Promise<t.Result<'%s'>>", o.id), "json"},
		"events": {"t.Events", "events"},
		"bytes":  {"Promise<Uint8Array>", "bytes"},
		"none":   {"Promise<void>", "none"},
	}[o.result.kind]
	quote := "'"
	if strings.Contains(url, "${") {
		quote = "`"
	}
	fmt.Fprintf(b, "  /** %s: `%s %s` */\n", strings.TrimSuffix(o.summary, "."), o.method, o.path)
	fmt.Fprintf(b, "  %s(%s): %s {\n    return this.%s('%s', %s%s%s, { %s })\n  }\n", o.id, strings.Join(args, ", "), kind[0], kind[1], o.method, quote, url, quote, strings.Join(with, ", "))
}

// typescriptPath is the type of a part of a path.
func typescriptPath(s *schema) string {
	if s.Ref != "" {
		switch last(s.Ref) {
		case "Uint64", "Uint32":
			return "number | bigint"
		}
		return "string"
	}
	if len(s.Enum) > 0 {
		var out []string
		for _, v := range s.Enum {
			out = append(out, fmt.Sprintf("'%v'", v))
		}
		return strings.Join(out, " | ")
	}
	if len(s.Type) == 1 && s.Type[0] == "integer" {
		return "number | bigint"
	}
	return "string"
}
