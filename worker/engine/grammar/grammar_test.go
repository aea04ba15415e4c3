package grammar

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/worker/engine/sample"
)

// bytesOnly is a vocabulary of all single bytes; token 256 ends the output.
func bytesOnly() *Vocabulary {
	return NewVocabulary(257, func(id uint32) []byte {
		if id > 255 {
			return nil
		}
		return []byte{byte(id)}
	}, []uint32{256})
}

func matcher(t testing.TB, g *Grammar, v *Vocabulary) *Matcher {
	t.Helper()
	m, err := Constrain(g, v).NewMatcher()
	require.NoError(t, err)
	return m
}

// accepts says whether text is a whole document of the grammar.
func accepts(t testing.TB, g *Grammar, text string) bool {
	t.Helper()
	m := matcher(t, g, bytesOnly())
	for i := range len(text) {
		if m.Accept(uint32(text[i])) != nil {
			return false
		}
	}
	return m.CanEnd()
}

func validator(t testing.TB, schema string) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	require.NoError(t, c.AddResource("schema.json", doc))
	s, err := c.Compile("schema.json")
	require.NoError(t, err)
	return s
}

func valid(t testing.TB, s *jsonschema.Schema, text string) error {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	return s.Validate(doc)
}

// cases of every keyword, with documents that are valid and can be produced, and some
// that must not be.
var cases = []struct {
	name, schema string
	yes, no      []string
}{
	{"boolean", `{"type":"boolean"}`, []string{`true`, `false`}, []string{`null`, `tru`, ``, `truefalse`, ` true`}},
	{"null", `{"type":"null"}`, []string{`null`}, []string{`0`}},
	{"string", `{"type":"string"}`,
		[]string{`""`, `"a"`, `"日本\n\t"`, `"\u00e9\uD83D\uDE00"`, `"😀"`, `"a\/b\\\""`, "\"\u007f\""},
		[]string{`"`, `"a`, "\"\n\"", `"\x"`, `"\ud83d"`, `"\ude00"`, `"\ud83dA"`, "\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\""}},
	{"lengths", `{"type":"string","minLength":2,"maxLength":3}`,
		[]string{`"ab"`, `"日本語"`, `"😀é"`, `"\ud83d\ude00a"`, `"\"\\"`}, []string{`"a"`, `"abcd"`, `""`, `"\ud83d\ude00"`}},
	{"integer", `{"type":"integer"}`, []string{`0`, `-1`, `12345`, `999999999999999999`, `-0`}, []string{`01`, `1.0`, `+1`, `-`, `1e3`, ``, `1000000000000000000`}},
	{"number", `{"type":"number"}`, []string{`0`, `-1.5`, `1e5`, `2.25E-10`, `0.000000000000000001`}, []string{`.5`, `1.`, `1e`, `1e100`, `NaN`, `--1`}},
	{"range of integers", `{"type":"integer","minimum":-12,"maximum":105}`,
		[]string{`-12`, `-9`, `-1`, `0`, `7`, `10`, `99`, `100`, `105`}, []string{`-13`, `106`, `-20`, `110`, `1000`, `00`}},
	{"open range of integers", `{"type":"integer","exclusiveMinimum":3,"exclusiveMaximum":11}`, []string{`4`, `9`, `10`}, []string{`3`, `11`, `-4`}},
	{"fractional bounds of integers", `{"type":"integer","minimum":1.5,"maximum":3.5}`, []string{`2`, `3`}, []string{`1`, `4`}},
	{"range of numbers", `{"type":"number","minimum":-1.25,"maximum":10.5}`,
		[]string{`-1.25`, `-1.249`, `-1`, `-0.5`, `0`, `0.0`, `3.14159`, `10`, `10.5`, `10.50`, `10.499`, `9.99`}, []string{`-1.26`, `-1.2500001`, `10.51`, `11`, `-2`, `10.500000001`}},
	{"open range of numbers", `{"type":"number","exclusiveMinimum":0,"exclusiveMaximum":1}`,
		[]string{`0.5`, `0.001`, `0.999`}, []string{`0`, `0.0`, `1`, `1.0`, `-0.5`}},
	{"a minimum alone", `{"type":"number","minimum":0.5}`, []string{`0.5`, `123456.5`, `0.50`}, []string{`0.4`, `0`, `-1`, `0.499`}},
	{"a maximum alone", `{"type":"integer","maximum":-5}`, []string{`-5`, `-6`, `-100`}, []string{`-4`, `0`, `5`}},
	{"enum", `{"enum":["red","green","re\"d",1,2.50,null,true,{"a":[1,2]},[]]}`,
		[]string{`"red"`, `"green"`, `"re\"d"`, `1`, `2.50`, `null`, `true`, `{"a":[1,2]}`, `{"a": [1, 2]}`, `[]`}, []string{`"re"`, `2`, `false`, `{"a":[1]}`}},
	{"enum of a type", `{"type":"string","enum":["a",1]}`, []string{`"a"`}, []string{`1`}},
	{"const", `{"const":"x/y"}`, []string{`"x/y"`}, []string{`"x"`}},
	{"array", `{"type":"array","items":{"type":"integer"}}`, []string{`[]`, `[1]`, `[1,2,3]`, `[1, 2]`, "[\n  1,\n  2\n]"}, []string{`[,]`, `[1,]`, `["a"]`, `[1 2]`, `[1`}},
	{"numbers of items", `{"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":3}`, []string{`[1,2]`, `[1,2,3]`}, []string{`[]`, `[1]`, `[1,2,3,4]`}},
	{"at least two items", `{"type":"array","items":{"type":"integer"},"minItems":2}`, []string{`[1,2]`, `[1,2,3,4,5]`}, []string{`[]`, `[1]`}},
	{"no items", `{"type":"array","items":{"type":"integer"},"maxItems":0}`, []string{`[]`}, []string{`[1]`}},
	{"tuple", `{"type":"array","prefixItems":[{"type":"integer"},{"type":"string"}],"items":false,"minItems":1}`, []string{`[1]`, `[1,"a"]`}, []string{`[]`, `["a"]`, `[1,"a",2]`}},
	{"tuple with a rest", `{"type":"array","prefixItems":[{"type":"string"}],"items":{"type":"null"}}`, []string{`[]`, `["a"]`, `["a",null,null]`}, []string{`[null]`, `["a","b"]`}},
	{"object", `{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"}},"required":["a","b"],"additionalProperties":false}`,
		[]string{`{"a":1,"b":"x"}`, `{"a": 1, "b": "x"}`, "{\n  \"a\": 1,\n  \"b\": \"x\"\n}"}, []string{`{}`, `{"a":1}`, `{"b":"x"}`, `{"a":1,"b":"x",}`, `{"a":1,"b":"x","c":1}`, `{"a":1"b":"x"}`}},
	{"optional properties", `{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"},"c":{"type":"integer"}},"required":["b"],"additionalProperties":false}`,
		[]string{`{"b":1}`, `{"a":1,"b":2}`, `{"b":1,"c":2}`, `{"a":1,"b":2,"c":3}`}, []string{`{}`, `{"a":1}`, `{"a":1,"c":2}`, `{,"b":1}`}},
	{"all optional", `{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"}},"additionalProperties":false}`,
		[]string{`{}`, `{"a":1}`, `{"b":1}`, `{"a":1,"b":2}`}, []string{`{"a":1,}`, `{,}`}},
	{"a map", `{"type":"object","additionalProperties":{"type":"integer"}}`, []string{`{}`, `{"any":1,"thing":2}`}, []string{`{"a":"b"}`, `{1:2}`}},
	{"other properties", `{"type":"object","properties":{"ab":{"type":"string"},"aé":{"type":"string"}},"required":["ab"],"additionalProperties":{"type":"integer"}}`,
		[]string{`{"ab":"x"}`, `{"ab":"x","a":1,"abc":2,"b":3,"":4,"aè":5,"\"":6,"日":7}`, `{"ab":"x","aé":"y","z":1}`}, []string{`{"ab":"x","ab":1}`, `{"ab":"x","aé":1}`, `{"ab":1}`, `{"ab":"x","\u0061b":1}`}},
	{"anyOf", `{"anyOf":[{"type":"integer"},{"type":"string","maxLength":1},{"type":"null"}]}`, []string{`1`, `"a"`, `null`}, []string{`"ab"`, `true`}},
	{"anyOf with a common beginning", `{"anyOf":[{"type":"object","properties":{"k":{"const":"a"},"v":{"type":"integer"}},"required":["k","v"]},{"type":"object","properties":{"k":{"const":"ab"},"v":{"type":"string"}},"required":["k","v"]}]}`,
		[]string{`{"k":"a","v":1}`, `{"k":"ab","v":"x"}`}, []string{`{"k":"a","v":"x"}`, `{"k":"ab","v":1}`}},
	{"list of types", `{"type":["string","null"],"maxLength":2}`, []string{`null`, `"ab"`}, []string{`"abc"`, `1`}},
	{"types by keywords", `{"minimum":3}`, []string{`3`, `4.5`}, []string{`2`, `"a"`}},
	{"oneOf by type", `{"oneOf":[{"type":"integer"},{"type":["string","null"]},{"type":"array","items":{"type":"null"}}]}`, []string{`1`, `"a"`, `null`, `[null]`}, []string{`true`, `1.5`}},
	{"oneOf by a constant", `{"oneOf":[{"type":"object","properties":{"k":{"const":"a"},"v":{"type":"integer"}},"required":["k"]},{"$ref":"#/$defs/b"}],"$defs":{"b":{"type":"object","properties":{"k":{"enum":["b","c"]},"w":{"type":"null"}},"required":["k","w"]}}}`,
		[]string{`{"k":"a"}`, `{"k":"a","v":1}`, `{"k":"c","w":null}`}, []string{`{"k":"b"}`, `{"k":"b","v":1}`, `{"k":"a","w":null}`, `{}`}},
	{"oneOf by which keys are there", `{"oneOf":[{"type":"object","properties":{"a":{"type":"null"}},"required":["a"],"additionalProperties":false},{"type":"object","properties":{"b":{"type":"null"}},"required":["b"],"additionalProperties":false}]}`,
		[]string{`{"a":null}`, `{"b":null}`}, []string{`{"a":null,"b":null}`, `{}`}},
	{"oneOf by range", `{"oneOf":[{"type":"integer","exclusiveMaximum":5},{"type":"number","minimum":5,"maximum":7.5},{"anyOf":[{"type":"boolean"},{"const":"x"}]}]}`, []string{`-3`, `4`, `5`, `7.25`, `"x"`, `true`}, []string{`4.5`, `8`, `"y"`}},
	{"patternProperties", `{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"],"patternProperties":{"^s_[a-z]{1,3}$":{"type":"string","maxLength":3}},"additionalProperties":false}`,
		[]string{`{"n":1}`, `{"n":1,"s_a":"x"}`, `{"n":1,"s_a":"x","s_abc":""}`}, []string{`{"s_a":"x"}`, `{"n":1,"s_abcd":"x"}`, `{"n":1,"t":"x"}`, `{"n":1,"s_a":1}`}},
	{"patternProperties alone, anywhere in the key", `{"type":"object","patternProperties":{"x":{"type":"null"}}}`, []string{`{}`, `{"x":null}`, `{"axé\"":null}`}, []string{`{"a":null}`, `{"x":1}`}},
	{"propertyNames", `{"type":"object","propertyNames":{"pattern":"^[a-c]+$"},"additionalProperties":{"type":"integer"}}`, []string{`{}`, `{"abc":1,"a":2}`}, []string{`{"d":1}`, `{"":1}`, `{"a":"x"}`}},
	{"propertyNames listed", `{"type":"object","propertyNames":{"enum":["x","y"]}}`, []string{`{"x":[1]}`, `{"y":null,"x":1}`}, []string{`{"z":1}`}},
	{"recursion", `{"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{"v":{"type":"integer"},"next":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]}},"required":["v","next"],"additionalProperties":false}}}`,
		[]string{`{"v":1,"next":null}`, `{"v":1,"next":{"v":2,"next":{"v":3,"next":null}}}`}, []string{`{"v":1}`, `{"v":1,"next":{}}`}},
	{"recursion to the root", `{"type":"array","items":{"$ref":"#"}}`, []string{`[]`, `[[],[[]]]`}, []string{`[1]`, `[[]`}},
	{"an escaped pointer", `{"type":"array","items":{"$ref":"#/$defs/a~1b~0c"},"$defs":{"a/b~c":{"type":"null"}}}`, []string{`[null]`}, []string{`[1]`}},
	{"allOf of one", `{"allOf":[{"type":"integer"}]}`, []string{`1`}, []string{`""`}},
	{"anything", `{"title":"any"}`, []string{`1`, `{"a":[1,{"b":null}]}`, `"x"`, `[true]`}, []string{`{a:1}`}},
	{"no branch that never ends", `{"anyOf":[{"$ref":"#/$defs/loop"},{"type":"null"}],"$defs":{"loop":{"type":"object","properties":{"x":{"$ref":"#/$defs/loop"}},"required":["x"]}}}`, []string{`null`}, []string{`{}`, `{"x":null}`}},
	{"pattern", `{"type":"string","pattern":"^[a-c]{2,3}\\d*$"}`, []string{`"ab"`, `"abc12"`}, []string{`"a"`, `"abcd"`, `"xab"`}},
	{"a pattern anywhere", `{"type":"string","pattern":"b+"}`, []string{`"b"`, `"abc"`, `"\"b\n"`}, []string{`"a"`, `""`}},
	{"a pattern with escapes", `{"type":"string","pattern":"^[\"\\\\\\n]+$"}`, []string{`"\""`, `"\\\n"`}, []string{`"""`, `"a"`}},
	{"alternatives of patterns", `{"type":"string","pattern":"^(a|bc)$|^x"}`, []string{`"a"`, `"bc"`, `"xyz"`}, []string{`"ab"`, `"yx"`}},
	{"any case", `{"type":"string","pattern":"^(?i)ok$"}`, []string{`"ok"`, `"OK"`, `"oK"`}, []string{`"o"`}},
	{"date", `{"type":"string","format":"date"}`, []string{`"2026-11-21"`, `"1999-02-28"`}, []string{`"2026-13-01"`, `"2026-02-30"`, `"26-1-1"`}},
	{"date-time", `{"type":"string","format":"date-time"}`, []string{`"2026-11-21T04:05:06Z"`, `"2026-11-21T04:05:06.123+02:00"`}, []string{`"2026-11-21"`, `"2026-11-21T25:00:00Z"`}},
	{"uuid", `{"type":"string","format":"uuid"}`, []string{`"123e4567-e89b-12d3-a456-426614174000"`}, []string{`"123e4567"`}},
	{"email", `{"type":"string","format":"email"}`, []string{`"a.b@example.org"`}, []string{`"a"`, `"a@b"`}},
	{"ipv4", `{"type":"string","format":"ipv4"}`, []string{`"127.0.0.1"`, `"255.249.199.9"`}, []string{`"256.0.0.1"`, `"1.2.3"`, `"01.2.3.4"`}},
}

func TestDocuments(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			g, err := Compile([]byte(c.schema))
			require.NoError(t, err)
			s := validator(t, c.schema)
			for _, text := range c.yes {
				require.NoError(t, valid(t, s, text), "the test itself: %s", text)
				require.True(t, accepts(t, g, text), "%s can't be produced", text)
			}
			for _, text := range c.no {
				require.False(t, accepts(t, g, text), "%s can be produced", text)
			}
		})
	}
	require.True(t, accepts(t, Any(), `{"a": [1, {"b": "c"}], "d": null}`))
	for _, no := range []string{`[]`, `1`, `"a"`, `{} `, `{"a":}`} {
		require.False(t, accepts(t, Any(), no), no)
	}
}

// tokens is a vocabulary of all bytes, pieces of JSON that end several rules at once,
// and halves of characters.
func tokens() *Vocabulary {
	list := []string{`{"`, `":`, `": "`, `",`, `", "`, `"}`, `"]`, `]}`, `}]}`, `}}`, `[]`, `{}`, `true`, `false`, `null`, `tr`, `ue`, `"a`, `a"`, `abc`,
		`\n`, `\"`, `\u`, `00`, `12`, `.5`, `1,`, `-1`, "\n  ", ", ", "é", "日本", "\xe6\x97", "\xa5", "\xf0\x9f", "\x98\x80", " the", `a":1,"b":`, `":{"`, `"type"`, `{"a":1}`}
	all := make([][]byte, 0, 256+len(list)+1)
	for b := range 256 {
		all = append(all, []byte{byte(b)})
	}
	for _, s := range list {
		all = append(all, []byte(s))
	}
	all = append(all, nil) // the end
	return NewVocabulary(len(all), func(id uint32) []byte { return all[id] }, []uint32{uint32(len(all) - 1)})
}

// write lets a random model write: it draws evenly from the mask, but closes what is
// open as soon as it can when it has written enough.
func write(t testing.TB, g *Grammar, v *Vocabulary, r *rand.Rand, enough int) string {
	t.Helper()
	m := matcher(t, g, v)
	s, err := sample.New(sample.Params{Temperature: 1.5, Seed: r.Uint64()}, nil, nil)
	require.NoError(t, err)
	logits := make([]float32, v.size)
	var out []byte
	for n := 0; n < 4000; n++ {
		mask, err := m.Mask()
		require.NoError(t, err)
		require.Positive(t, mask.Count(), "after %q nothing can follow", out)
		for i := range logits {
			logits[i] = float32(r.NormFloat64())
			if n > enough { // end strings, numbers, arrays and objects
				if b := v.bytes(uint32(i)); len(b) == 0 || string(b) == `"` {
					logits[i] += 24
				} else if strings.Contains("]}bx@.", string(b)) {
					logits[i] += 12
				} else if b[0] == ',' || b[0] == '{' || b[0] == '[' || b[0] == '\\' || b[0] == ' ' || b[0] == '\n' {
					logits[i] -= 6
				} else if len(b) > 1 {
					logits[i] -= 3
				}
			}
		}
		id := s.Next(logits, n, mask)
		require.True(t, mask.Has(id))
		if v.bytes(id) == nil {
			require.True(t, m.CanEnd())
			return string(out)
		}
		require.NoError(t, m.Accept(id))
		out = append(out, v.bytes(id)...)
		if m.Done() {
			return string(out)
		}
	}
	t.Fatalf("no end after %.300q", out)
	return ""
}

// What a model writes under any schema is valid by another implementation.
func TestRandomOutputsAreValid(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	v := tokens()
	for _, c := range cases {
		g, err := Compile([]byte(c.schema))
		require.NoError(t, err)
		s := validator(t, c.schema)
		for n := range 12 {
			text := write(t, g, v, r, 5*n)
			require.NoError(t, valid(t, s, text), "%s: %s", c.name, text)
		}
	}
	for n := range 12 {
		text := write(t, Any(), v, r, 10*n)
		require.True(t, json.Valid([]byte(text)) && text[0] == '{', text)
	}
}

// randomSchema of the supported keywords, nested up to depth deep.
func randomSchema(r *rand.Rand, depth int) map[string]any {
	if depth == 0 {
		return []map[string]any{
			{"type": "string"}, {"type": "string", "minLength": r.IntN(3), "maxLength": 3 + r.IntN(5)}, {"type": "integer"}, {"type": "number"},
			{"type": "boolean"}, {"type": "null"}, {"enum": []any{"a", 1, nil, "bc"}}, {"const": "x"}, {"type": []any{"string", "null"}},
			{"type": "integer", "minimum": r.IntN(200) - 100, "maximum": 100 + r.IntN(2000)},
			{"type": "number", "minimum": float64(r.IntN(400)-200) / 8, "exclusiveMaximum": float64(400+r.IntN(100)) / 8},
			{"type": "string", "pattern": []any{"^[a-z]{1,4}$", "^\\d+(-\\d+)?$", "x"}[r.IntN(3)]}, {"$ref": "#/$defs/shared"},
		}[r.IntN(13)]
	}
	sub := func() map[string]any { return randomSchema(r, r.IntN(depth)) }
	switch r.IntN(6) {
	case 4: // told apart by a constant
		var branches []any
		for i := range 1 + r.IntN(3) {
			branches = append(branches, map[string]any{"type": "object", "required": []any{"kind"},
				"properties": map[string]any{"kind": map[string]any{"const": i}, "more": sub()}})
		}
		return map[string]any{"oneOf": branches}
	case 5:
		return map[string]any{"type": "object", "patternProperties": map[string]any{"^x-[a-z]{1,3}$": sub()}, "additionalProperties": false}
	case 0:
		s := map[string]any{"type": "array", "items": sub(), "minItems": r.IntN(3)}
		if r.IntN(2) == 0 {
			s["maxItems"] = 2 + r.IntN(3)
		}
		return s
	case 1:
		branches := []any{sub()}
		for range r.IntN(3) {
			branches = append(branches, sub())
		}
		return map[string]any{"anyOf": branches}
	}
	props, required := map[string]any{}, []any{}
	for i := range r.IntN(5) {
		key := []string{"a", "ab", "b\"", "é", "c d"}[i]
		props[key] = sub()
		if r.IntN(2) == 0 {
			required = append(required, key)
		}
	}
	s := map[string]any{"type": "object", "properties": props, "required": required, "additionalProperties": false}
	if r.IntN(4) == 0 {
		s["additionalProperties"] = sub()
	}
	return s
}

func TestRandomSchemas(t *testing.T) {
	v := tokens()
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 77))
		root := randomSchema(r, 3)
		root["$defs"] = map[string]any{"shared": randomSchema(r, 0)}
		if ref, ok := root["$defs"].(map[string]any)["shared"].(map[string]any)["$ref"]; ok {
			require.NotNil(t, ref)
			continue // it leads to itself
		}
		text, err := json.Marshal(root)
		require.NoError(t, err)
		g, err := Compile(text)
		require.NoError(t, err, "%s", text)
		s := validator(t, string(text))
		for n := range 3 {
			doc := write(t, g, v, r, 20*n)
			require.NoError(t, valid(t, s, doc), "seed %d: %s under %s", seed, doc, text)
			// What json.Marshal makes of it, keys in the order of the schema, can be produced, too.
			var back any
			require.NoError(t, json.Unmarshal([]byte(doc), &back))
			require.True(t, accepts(t, g, doc), "seed %d: %s", seed, doc)
		}
	}
}

// A token is in the mask exactly if its bytes can be accepted, whatever the caches hold.
func TestMasksAreExact(t *testing.T) {
	v := tokens()
	r := rand.New(rand.NewPCG(5, 5))
	for _, c := range cases {
		g, err := Compile([]byte(c.schema))
		require.NoError(t, err)
		shared, plain := Constrain(g, v), Constrain(g, v)
		for range 3 {
			m, err := shared.NewMatcher()
			require.NoError(t, err)
			for n := range 20 {
				mask, err := m.Mask()
				require.NoError(t, err)
				var allowed []uint32
				for id := range uint32(v.size) {
					try := &Matcher{c: Constrain(g, v), round: -1, bytes: slices.Clone(m.bytes)} // knows the bytes only
					if n%3 > 0 {
						try.c = plain
					}
					ok := try.Accept(id) == nil
					if v.bytes(id) == nil {
						ok = m.CanEnd()
					}
					if ok != mask.Has(id) {
						t.Fatalf("%s: %q after %q: accepted %v, in the mask %v", c.name, v.bytes(id), m.bytes, ok, !ok)
					}
					if ok && v.bytes(id) != nil {
						allowed = append(allowed, id)
					}
				}
				if len(allowed) == 0 {
					break
				}
				require.NoError(t, m.Accept(allowed[r.IntN(len(allowed))]))
				if r.IntN(4) == 0 { // as if memory had run out
					shared.a, shared.round = newAutomaton(g), shared.round+1
				}
			}
		}
	}
}
