package finetune

import (
	"fmt"
	"sort"
	"strings"
)

// Template is a text with "{field}" places for a record's fields. A literal
// brace is written twice: "{{" or "}}".
type Template struct {
	source string
	parts  []part
}

type part struct {
	text  string
	field bool
}

// ParseTemplate checks a template once, before any record is rendered.
func ParseTemplate(source string) (*Template, error) {
	t := &Template{source: source}
	var text strings.Builder
	for i := 0; i < len(source); {
		rest := source[i:]
		switch {
		case strings.HasPrefix(rest, "{{"), strings.HasPrefix(rest, "}}"):
			text.WriteByte(rest[0])
			i += 2
		case rest[0] == '{':
			end := strings.IndexAny(rest[1:], "{}\n")
			if end < 0 || rest[1+end] != '}' {
				return nil, fmt.Errorf("%q: the place that opens at byte %d is not closed: write {field}, or {{ for a brace", source, i)
			}
			name := strings.TrimSpace(rest[1 : 1+end])
			if name == "" {
				return nil, fmt.Errorf("%q: the place at byte %d names no field: write {field}", source, i)
			}
			if text.Len() > 0 {
				t.parts = append(t.parts, part{text: text.String()})
				text.Reset()
			}
			t.parts = append(t.parts, part{text: name, field: true})
			i += end + 2
		case rest[0] == '}':
			return nil, fmt.Errorf("%q: the brace at byte %d closes nothing: write }} for a brace", source, i)
		default:
			text.WriteByte(rest[0])
			i++
		}
	}
	if text.Len() > 0 {
		t.parts = append(t.parts, part{text: text.String()})
	}
	return t, nil
}

// Fields names the fields that the template uses, in order of appearance.
func (t *Template) Fields() []string {
	var names []string
	seen := map[string]bool{}
	for _, p := range t.parts {
		if p.field && !seen[p.text] {
			seen[p.text] = true
			names = append(names, p.text)
		}
	}
	return names
}

// Render fills the places. A record that lacks a field is an error that names
// the field and those it has.
func (t *Template) Render(fields map[string]string) (string, error) {
	var out strings.Builder
	for _, p := range t.parts {
		if !p.field {
			out.WriteString(p.text)
			continue
		}
		v, ok := fields[p.text]
		if !ok {
			have := make([]string, 0, len(fields))
			for k := range fields {
				have = append(have, k)
			}
			sort.Strings(have)
			return "", fmt.Errorf("template %q needs the field %q, the record has only: %s", t.source, p.text, strings.Join(have, ", "))
		}
		out.WriteString(v)
	}
	return out.String(), nil
}
