package datanet

import "strings"

// Text is a text record as retrieval searches and quotes it: its fields by name, the title
// aside, each as "name: value" on lines of its own, or the value alone when there is but
// one. Empty for other records, which have no text.
func (r *Record) Text() string {
	var names []string
	for _, name := range sortedNames(r.Fields) {
		if name != "title" && strings.TrimSpace(r.Fields[name]) != "" {
			names = append(names, name)
		}
	}
	var b strings.Builder
	for i, name := range names {
		if i > 0 {
			b.WriteByte('\n')
		}
		if len(names) > 1 {
			b.WriteString(name + ": ")
		}
		b.WriteString(strings.TrimSpace(r.Fields[name]))
	}
	return b.String()
}
