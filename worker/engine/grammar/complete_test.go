package grammar

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// style is how a document is laid out.
type style struct {
	indent string // empty: on one line
	space  bool   // behind comma and colon
}

func (s style) around(depth int) string {
	if s.indent == "" {
		return ""
	}
	return "\n" + strings.Repeat(s.indent, depth)
}

func (s style) list(open, end string, parts []string, depth int) string {
	if len(parts) == 0 {
		return open + end
	}
	between := "," + s.around(depth+1)
	if s.indent == "" && s.space {
		between = ", "
	}
	return open + s.around(depth+1) + strings.Join(parts, between) + s.around(depth) + end
}

// instance writes a random document of a schema, knowing nothing of grammars.
func instance(r *rand.Rand, s, defs map[string]any, st style, depth int) string {
	if ref, ok := s["$ref"].(string); ok {
		return instance(r, defs[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any), defs, st, depth)
	}
	if branches, ok := s["oneOf"].([]any); ok {
		return instance(r, branches[r.IntN(len(branches))].(map[string]any), defs, st, depth)
	}
	if branches, ok := s["anyOf"].([]any); ok {
		return instance(r, branches[r.IntN(len(branches))].(map[string]any), defs, st, depth)
	}
	text := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return string(b)
	}
	if values, ok := s["enum"].([]any); ok {
		return text(values[r.IntN(len(values))])
	}
	if v, ok := s["const"]; ok {
		return text(v)
	}
	number := func(key string, otherwise float64) float64 {
		if v, ok := s[key].(float64); ok {
			return v
		}
		return otherwise
	}
	kind, ok := s["type"].(string)
	if !ok {
		list := s["type"].([]any)
		kind = list[r.IntN(len(list))].(string)
	}
	switch kind {
	case "null":
		return "null"
	case "boolean":
		return text(r.IntN(2) == 0)
	case "integer":
		lo, hi := number("minimum", -1e9), number("maximum", 1e9)
		return strconv.Itoa(int(lo) + r.IntN(int(hi-lo)+1))
	case "number":
		lo, hi := number("minimum", -1e6), number("exclusiveMaximum", 1e6)
		return strconv.FormatFloat(lo+(hi-lo)*r.Float64(), 'f', r.IntN(9)+6, 64)
	case "string":
		switch s["pattern"] {
		case "^[a-z]{1,4}$":
			return []string{`"a"`, `"xyz"`, `"abcd"`}[r.IntN(3)]
		case "^\\d+(-\\d+)?$":
			return []string{`"0"`, `"123-45"`}[r.IntN(2)]
		case "x":
			return []string{`"x"`, `"é\"x\n日"`}[r.IntN(2)]
		}
		lo := int(number("minLength", 0))
		n := lo + r.IntN(int(number("maxLength", 12))-lo+1)
		var b strings.Builder
		for range n {
			b.WriteString([]string{"a", `"`, `\`, "\n", "\x01", "é", "日", "😀", " ", "/", "\u2028", "<"}[r.IntN(12)])
		}
		return text(b.String()) // with Go's own choice of escapes
	case "array":
		lo := int(number("minItems", 0))
		var parts []string
		for range lo + r.IntN(int(number("maxItems", float64(lo+3)))-lo+1) {
			parts = append(parts, instance(r, s["items"].(map[string]any), defs, st, depth+1))
		}
		return st.list("[", "]", parts, depth)
	}
	props, _ := s["properties"].(map[string]any)
	required, _ := s["required"].([]any)
	var keys, parts []string
	for k := range props {
		keys = append(keys, k)
	}
	slices.Sort(keys) // as json.Marshal wrote them into the schema
	colon := ":"
	if st.space {
		colon = ": "
	}
	member := func(key string, of map[string]any) {
		parts = append(parts, text(key)+colon+instance(r, of, defs, st, depth+1))
	}
	for _, k := range keys {
		if slices.Contains(required, any(k)) || r.IntN(2) == 0 {
			member(k, props[k].(map[string]any))
		}
	}
	if more, ok := s["additionalProperties"].(map[string]any); ok {
		for i := range r.IntN(3) {
			member(fmt.Sprintf("%s%d", []string{"", "a", "日", "c d"}[r.IntN(4)], i), more)
		}
	}
	if pattern, ok := s["patternProperties"].(map[string]any); ok {
		for _, key := range []string{"x-a", "x-abc"}[:r.IntN(3)] {
			member(key, pattern["^x-[a-z]{1,3}$"].(map[string]any))
		}
	}
	return st.list("{", "}", parts, depth)
}

// Every document that a schema allows, written by another program with its keys in the
// order of the schema, compact, spaced or indented, can be produced.
func TestEveryDocumentCanBeProduced(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 9))
		schema := randomSchema(r, 3)
		shared := randomSchema(r, 0)
		if shared["$ref"] != nil {
			continue
		}
		schema["$defs"] = map[string]any{"shared": shared}
		text, err := json.Marshal(schema)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(text, &schema)) // numbers as they are read
		g, err := Compile(text)
		require.NoError(t, err)
		v := validator(t, string(text))
		for range 5 {
			st := []style{{}, {space: true}, {indent: "  ", space: true}, {indent: "\t"}}[r.IntN(4)]
			doc := instance(r, schema, schema["$defs"].(map[string]any), st, 0)
			require.NoError(t, valid(t, v, doc), "the test itself: %s under %s", doc, text)
			require.True(t, accepts(t, g, doc), "%s under %s", doc, text)
		}
	}
}
