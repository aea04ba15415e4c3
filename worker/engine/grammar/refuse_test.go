package grammar

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What is not supported is refused, with the keyword and where it stands.
func TestRefusals(t *testing.T) {
	long := strings.Repeat("a", 2000)
	for _, c := range []struct{ schema, pointer, keyword, reason string }{
		{`{"type":"object","properties":{"a":{"type":"integer","multipleOf":3}}}`, "/properties/a", "multipleOf", "not supported"},
		{`{"type":"array","items":{"type":"string"},"uniqueItems":true}`, "", "uniqueItems", "not supported"},
		{`{"type":"object","patternProperties":{}}`, "", "patternProperties", "one pattern"},
		{`{"type":"object","patternProperties":{"^a":{},"^b":{}}}`, "", "patternProperties", "one pattern"},
		{`{"type":"object","patternProperties":{"^a":{}},"additionalProperties":{"type":"null"}}`, "", "patternProperties", "additionalProperties false"},
		{`{"type":"object","properties":{"ab":{"type":"null"}},"patternProperties":{"b":{}}}`, "", "patternProperties", "matches \"ab\""},
		{`{"type":"object","patternProperties":{"(?=a)":{}}}`, "", "patternProperties", "look-around"},
		{`{"type":"object","patternProperties":{"^a":{"not":{}}}}`, "/patternProperties/^a", "not", "not supported"},
		{`{"type":"object","propertyNames":{"type":"integer"}}`, "", "propertyNames", "schema of strings"},
		{`{"type":"object","propertyNames":{"enum":["a",1]}}`, "/propertyNames", "", "not a string"},
		{`{"type":"object","propertyNames":{"$ref":"#"}}`, "/propertyNames", "$ref", "not supported"},
		{`{"type":"object","properties":{},"propertyNames":{"maxLength":2}}`, "", "propertyNames", "beside"},
		{`{"oneOf":[]}`, "", "oneOf", "at least one"},
		{`{"oneOf":[{"type":"null"}],"anyOf":[{"type":"null"}]}`, "", "oneOf", "beside"},
		{`{"oneOf":[{"type":"integer"},{"type":"number"}]}`, "", "oneOf", "0 and 1"},
		{`{"oneOf":[{"type":"null"},{"type":"string","maxLength":3},{"type":"string","minLength":4}]}`, "", "oneOf", "1 and 2"},
		{`{"oneOf":[{"minLength":2},{"type":"integer"}]}`, "", "oneOf", "0 and 1"},
		{`{"oneOf":[{"enum":["a","b"]},{"enum":["c","b"]}]}`, "", "oneOf", "0 and 1"},
		{`{"oneOf":[{"const":1},{"enum":["x",1.0]}]}`, "", "oneOf", "0 and 1"},
		{`{"oneOf":[{"const":"a"},{"type":"string"}]}`, "", "oneOf", "0 and 1"},
		{`{"oneOf":[{"type":"object","properties":{"k":{"const":"a"}}},{"type":"object","properties":{"k":{"const":"b"}}}]}`, "", "oneOf", "0 and 1"},             // {} fits both
		{`{"oneOf":[{"type":"object","properties":{"a":{}},"required":["a"]},{"type":"object","properties":{"b":{}},"required":["b"]}]}`, "", "oneOf", "0 and 1"}, // open
		{`{"oneOf":[{"type":"integer","maximum":5},{"type":"integer","minimum":5}]}`, "", "oneOf", "0 and 1"},
		{`{"oneOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/a"}],"$defs":{"a":{"type":"null"}}}`, "", "oneOf", "0 and 1"},
		{`{"not":{}}`, "", "not", "not supported"},
		{`{"if":{},"then":{}}`, "", "if", "not supported"},
		{`{"type":"string","minimum":3}`, "", "minimum", "not supported"},
		{`{"anyOf":[{"type":"null"}],"minLength":1}`, "", "minLength", "beside"},
		{`{"anyOf":[]}`, "", "anyOf", "at least one"},
		{`{"anyOf":[{"type":"null"},{"type":"text"}]}`, "/anyOf/1", "type", "unknown"},
		{`{"type":[]}`, "", "type", ""},
		{`{"type":3}`, "", "type", ""},
		{`{"enum":[]}`, "", "enum", "no value"},
		{`{"type":"string","enum":[1]}`, "", "enum", "no value"},
		{`{"enum":3}`, "", "enum", "list"},
		{`{"type":"string","minLength":-1}`, "", "minLength", "whole number"},
		{`{"type":"string","minLength":3,"maxLength":2}`, "", "maxLength", "less than"},
		{`{"type":"string","maxLength":1000000000}`, "", "maxLength", "more than"},
		{`{"type":"array","items":{"type":"null"},"maxItems":1e9}`, "", "maxItems", ""},
		{`{"type":"array","items":{"type":"array","items":{"type":"null"},"maxItems":60000},"minItems":60000}`, "", "", "states"},
		{`{"type":"string","pattern":"(?=a)"}`, "", "pattern", "look-around"},
		{`{"type":"string","pattern":"a\\bc"}`, "", "pattern", "supported"},
		{`{"type":"string","pattern":"a^b"}`, "", "pattern", "supported"},
		{`{"type":"string","pattern":"` + long + `"}`, "", "pattern", "bytes"},
		{`{"type":"string","pattern":"a","maxLength":3}`, "", "pattern", "beside"},
		{`{"type":"string","format":"iri"}`, "", "format", "not supported"},
		{`{"type":"object","required":["a"]}`, "", "required", "does not describe"},
		{`{"type":"object","properties":{"a":false},"required":["a"]}`, "/properties/a", "", "false"},
		{`{"$ref":"#/$defs/none"}`, "", "$ref", "does not exist"},
		{`{"$ref":"http://example.org/schema"}`, "", "$ref", "this document"},
		{`{"$ref":"#"}`, "", "$ref", "leads back"},
		{`{"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}}}`, "", "$ref", "leads back"},
		{`{"anyOf":[{"$ref":"#"},{"type":"null"}]}`, "", "$ref", "leads back"},
		{`{"type":"object","properties":{"x":{"$ref":"#"}},"required":["x"]}`, "", "", "finite"},
		{`{"type":"integer","minimum":5,"maximum":4}`, "", "", "finite"},
		{`{"type":"integer","exclusiveMinimum":4,"exclusiveMaximum":5}`, "", "", "finite"},
		{`{"type":"number","minimum":1e99}`, "", "minimum", "digits"},
		{`{"type":"number","minimum":"1"}`, "", "minimum", "number"},
		{`{"a":`, "", "", "not valid JSON"}, {`[]`, "", "", "object"}, {``, "", "", "not valid JSON"}, {`{} {}`, "", "", "follows"},
		{`{"type":"null","type":"null"}`, "", "", "twice"},
		{strings.Repeat(`{"items":`, 70) + `{}` + strings.Repeat(`}`, 70), "", "", "deeper"},
		{`{"title":"` + strings.Repeat("x", MaxSchemaBytes) + `"}`, "", "", "bytes"},
	} {
		_, err := Compile([]byte(c.schema))
		var e *Error
		require.ErrorAs(t, err, &e, "%.80s", c.schema)
		require.Equal(t, c.keyword, e.Keyword, "%.80s: %v", c.schema, err)
		require.Contains(t, e.Reason, c.reason, "%.80s", c.schema)
		require.True(t, strings.HasSuffix(e.Pointer, c.pointer) && (c.pointer != "" || c.keyword == "$ref" || e.Pointer == ""), "%.80s: %v", c.schema, err)
	}
}

// A hostile schema costs a bounded time, in compiling and for each token.
func TestHostileSchemasAreBounded(t *testing.T) {
	v := tokens()
	wide := make([]string, 900)
	for i := range wide {
		wide[i] = fmt.Sprintf(`{"type":"array","items":{"type":"string","minLength":%d}}`, i%40)
	}
	for name, schema := range map[string]string{
		"a subset for each bit":    `{"type":"string","pattern":"(a|b)*a(a|b){30}"}`,
		"nested repetitions":       `{"type":"string","pattern":"((a{0,30}){0,30}b?){0,30}"}`,
		"many alternatives":        `{"anyOf":[` + strings.Join(wide, ",") + `]}`,
		"many exclusive branches":  `{"oneOf":[` + strings.Join(tagged(700), ",") + `]}`,
		"wide exclusive branches":  `{"oneOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/a"}],"$defs":{"a":` + selfish(300) + `}}`,
		"ambiguous recursion":      `{"anyOf":[{"type":"array","items":{"$ref":"#"}},{"type":"array","items":{"$ref":"#"}},{"type":"string"}]}`,
		"long strings":             `{"type":"string","maxLength":20000}`,
		"many optional properties": `{"type":"object","properties":{` + manyProperties(400) + `}}`,
	} {
		t.Run(name, func(t *testing.T) {
			started := time.Now()
			g, err := Compile([]byte(schema))
			if err == nil {
				m, err := Constrain(g, v).NewMatcher()
				if err != nil {
					require.ErrorIs(t, err, ErrTooComplex)
					return
				}
				r := rand.New(rand.NewPCG(1, 2))
				for range 60 {
					mask, err := m.Mask()
					if errors.Is(err, ErrTooComplex) {
						break
					}
					require.NoError(t, err)
					var allowed []uint32
					for id := range uint32(v.size) {
						if b := v.bytes(id); mask.Has(id) && len(b) > 0 && strings.IndexByte(`[",ab0`, b[0]) >= 0 {
							allowed = append(allowed, id)
						}
					}
					if len(allowed) == 0 {
						break
					}
					if m.Accept(allowed[r.IntN(len(allowed))]) != nil {
						break
					}
				}
				require.LessOrEqual(t, len(m.c.a.sets), 2*maxSets)
			}
			require.Less(t, time.Since(started), 10*time.Second)
		})
	}
}

// tagged are objects told apart by a constant.
func tagged(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf(`{"type":"object","properties":{"k":{"const":%d}},"required":["k"]}`, i))
	}
	return all
}

// selfish is an object whose n properties are all required and like itself.
func selfish(n int) string {
	var keys, props []string
	for i := range n {
		keys = append(keys, fmt.Sprintf(`"p%d"`, i))
		props = append(props, fmt.Sprintf(`"p%d":{"$ref":"#/$defs/a"}`, i))
	}
	return `{"type":"object","required":[` + strings.Join(keys, ",") + `],"properties":{` + strings.Join(props, ",") + `}}`
}

func manyProperties(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(`"p%d":{"type":"integer"}`, i))
	}
	return strings.Join(all, ",")
}

func FuzzCompile(f *testing.F) {
	for _, c := range cases {
		f.Add(c.schema, c.yes[0])
	}
	f.Add(`{"type":"string","pattern":"(a|b)*a(a|b){9}"}`, `"a"`)
	f.Fuzz(func(t *testing.T, schema, document string) {
		if len(schema) > 4096 || len(document) > 4096 {
			return
		}
		g, err := Compile([]byte(schema))
		if err != nil {
			var e *Error
			require.ErrorAs(t, err, &e)
			return
		}
		m, err := Constrain(g, bytesOnly()).NewMatcher()
		if err != nil {
			require.ErrorIs(t, err, ErrTooComplex)
			return
		}
		for i := range len(document) {
			mask, err := m.Mask()
			if err != nil {
				require.ErrorIs(t, err, ErrTooComplex)
				return
			}
			require.Positive(t, mask.Count(), "a dead end after %q under %s", document[:i], schema)
			ok := mask.Has(uint32(document[i]))
			err = m.Accept(uint32(document[i]))
			require.Equal(t, ok, err == nil)
			if !ok {
				return
			}
		}
	})
}
