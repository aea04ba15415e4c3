package chat

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func mustParse(t testing.TB, src string) *Template {
	t.Helper()
	tmpl, err := Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	return tmpl
}

// written is what the template itself wrote of a text: what special tokens are taken from.
func written(text Text) string {
	var b strings.Builder
	text.runs(func(s string, by Origin) {
		if by == FromTemplate {
			b.WriteString(s)
		}
	})
	return b.String()
}

// Every way from a message into the text keeps its origin: "#" is only ever written by
// input, so none may appear among what the template wrote.
func TestInputStaysInputOnEveryWay(t *testing.T) {
	ways := []string{
		`{{ x }}`, `{{ x | trim }}`, `{{ x.strip() }}`, `{{ x.strip('a') }}`, `{{ x | upper | lower | title | capitalize }}`, `{{ x.title() }}`,
		`{{ x ~ x }}`, `{{ x + '<' + x }}`, `{{ x * 3 }}`, `{{ x[1:] }}`, `{{ x[::-1] }}`, `{{ x[0] }}`, `{{ x | first }}`, `{{ x | last }}`,
		`{{ x | list }}`, `{{ x | list | join('-') }}`, `{{ [x, x] | join }}`, `{{ '-'.join([x, x]) }}`, `{{ x.split('#') }}`,
		`{{ x.split('a') | join('b') }}`, `{{ x.split() | last }}`, `{{ x.rsplit('a', 1)[0] }}`, `{{ x.splitlines() | first }}`, `{{ x.partition('a') }}`,
		`{{ x | replace('a', 'b') }}`, `{{ 'abc' | replace('b', x) }}`, `{{ 'a-b' | replace('-', x, 1) }}`, `{{ x | tojson }}`, `{{ {'k': x} | tojson(indent=2) }}`,
		`{{ {x: 1} }}`, `{{ {x: 1} | tojson }}`, `{{ [x] | tojson(separators=(x, ':')) }}`, `{{ {'a': x}.items() | list }}`, `{{ x | indent(2) }}`, `{{ 'a\nb' | indent(x) }}`,
		`{{ '%s|%5s|%r' % (x, x, x) }}`, `{{ '%s' | format(x) }}`, `{{ '{}|{:>40}'.format(x, x) }}`, `{{ x.format(1) }}`, `{{ x | truncate(5, true, '') }}`,
		`{{ x | center(50) }}`, `{{ 'a'.center(40, '#') if false else 'a'.rjust(3, x[0]) }}`, `{{ x.zfill(60) }}`, `{{ x | reverse }}`, `{{ x | string | safe }}`,
		`{% set y %}<{{ x }}>{% endset %}{{ y }}`, `{% macro m(a) %}{{ a }}{% endmacro %}{{ m(x) }}`, `{% filter upper %}{{ x }}{% endfilter %}`,
		`{% for c in x %}{{ c }}{% endfor %}`, `{% set ns = namespace(a=x) %}{{ ns.a }}`, `{{ {'a': x}['a'] }}`, `{{ (x, 1) }}`, `{{ x if x else 1 }}`, `{{ none or x }}`,
		`{{ [x] | map('upper') | list }}`, `{{ [{'k': x}] | map(attribute='k') | join }}`, `{{ [x, 'z'] | sort | join }}`, `{{ [x] | unique | first }}`, `{{ [x] | max }}`,
		`{{ [{'k': x}] | groupby('k') }}`, `{{ dict(a=x).get('a') }}`, `{{ undefined_one | default(x) }}`, `{{ x.removeprefix('a') }}`, `{{ x.swapcase() }}`,
		`{% with y = x %}{{ y }}{% endwith %}`, `{% generation %}{{ x }}{% endgeneration %}`, `{{ [x] | sum(start=[]) if false else ([x] + [x]) }}`, `{{ tools[0] }}{{ tools[0] | tojson }}`,
		`{{ tools | map(attribute='name') | join }}`, `{% for k, v in tools[0].items() %}{{ k }}{{ v }}{% endfor %}`, `{{ extra }}`, `{{ messages[0]['call'] | tojson }}`,
		`{% for k in messages[0] %}{{ k }}{% endfor %}`, `{{ [x] | batch(2) | list }}`, `{{ messages | string }}`,
	}
	const content = "#a#b#\n#A a# ### #ß#"
	in := &Input{
		Messages: []Message{{Role: "user", Content: content, Fields: json.RawMessage(`{"call": {"#": ["#"]}, "#field": 1}`)}},
		Tools:    []json.RawMessage{json.RawMessage(`{"name": "#name", "#key": "x"}`)},
		Extra:    map[string]json.RawMessage{"extra": json.RawMessage(`"#x#"`)},
	}
	for _, w := range ways {
		text, err := mustParse(t, "{% set x = messages[0].content %}"+w).Render(in)
		if err != nil {
			if !strings.Contains(w, "format(1)") {
				t.Errorf("%s: %v", w, err)
			}
			continue
		}
		// What the template spells itself does not count.
		own := strings.Count(strings.ReplaceAll(w, "split('#')", ""), "'#'")
		if !strings.Contains(text.String(), "#") && !strings.Contains(w, "split('#')") {
			t.Errorf("%s: %q lost the input: the test shows nothing", w, text)
		}
		if got := written(text); strings.Count(got, "#") > own {
			t.Errorf("%s: %q: input passes for the template's: %q", w, text, got)
		}
	}
}

// The marks of a text say the same as a text twice as wide that spells origins out.
func TestTextOperationsKeepOrigins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) Text {
			var b builder
			for range rapid.IntRange(0, 5).Draw(t, label+" parts") {
				b.write(rapid.StringMatching(`[ab €\n]{0,4}`).Draw(t, label), Origin(rapid.IntRange(0, 2).Draw(t, label+" origin")))
			}
			return b.text()
		}
		// spell writes every character with the letter of its origin.
		spell := func(x Text) string {
			var b strings.Builder
			x.runs(func(s string, by Origin) {
				for _, c := range s {
					b.WriteRune(c)
					b.WriteByte("tai"[by])
				}
			})
			return b.String()
		}
		x, y := draw("x"), draw("y")
		if got := spell(concat(x, y)); got != spell(x)+spell(y) {
			t.Fatalf("concat %q", got)
		}
		offs := x.offsets()
		i := rapid.IntRange(0, len(offs)-1).Draw(t, "i")
		j := rapid.IntRange(i, len(offs)-1).Draw(t, "j")
		wide := []rune(spell(x))
		if got := spell(x.slice(offs[i], offs[j])); got != string(wide[2*i:2*j]) {
			t.Fatalf("slice %q of %q", got, string(wide))
		}
		var parts []string
		for _, p := range x.split("a", -1) {
			parts = append(parts, spell(p))
		}
		var want []string
		start := 0
		for k := 0; k+1 < len(wide); k += 2 {
			if wide[k] == 'a' {
				want = append(want, string(wide[start:k]))
				start = k + 2
			}
		}
		want = append(want, string(wide[start:]))
		if strings.Join(parts, "|") != strings.Join(want, "|") {
			t.Fatalf("split %q, want %q", parts, want)
		}
		replaced := strings.Builder{}
		for k := 0; k+1 < len(wide); k += 2 {
			if wide[k] == 'a' {
				replaced.WriteString(spell(y))
			} else {
				replaced.WriteString(string(wide[k : k+2]))
			}
		}
		if got := spell(x.replace(Text{s: "a"}, y, -1)); got != replaced.String() && y.s != "a" {
			t.Fatalf("replace gave %q, want %q", got, replaced.String())
		}
	})
}

// Templates come with models of strangers: whatever they do ends soon, in an error.
func TestHostileTemplatesAreStopped(t *testing.T) {
	deep := strings.Repeat("(", 5000) + "1" + strings.Repeat(")", 5000)
	for name, src := range map[string]string{
		"endless work":      `{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}`,
		"doubling string":   `{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}`,
		"repetition":        `{{ 'x' * 9000000000000000000 }}`,
		"repeated lists":    `{{ [1] * 5000000000 }}`,
		"nested repetition": `{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = ns.l * 10 %}{% endfor %}`,
		"wide padding":      `{{ 'x'.ljust(99999999999) }}`,
		"wide format":       `{{ '%9999999999d' % 1 }}`,
		"wide format spec":  `{{ '{:>9999999999}'.format(1) }}`,
		"deep indent":       `{{ 'a\nb' | indent(999999999999) }}`,
		"json indent":       `{{ [[1]] | tojson(indent=999999999) }}`,
		"replace growth":    `{% set ns = namespace(s='a' * 1000) %}{% for i in range(40) %}{% set ns.s = ns.s | replace('a', 'aaaa') %}{% endfor %}`,
		"long output":       `{% set s = 'x' * 1000000 %}{% for i in range(1000) %}{{ s }}{% endfor %}`,
		"self-calling":      `{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}`,
		"recursive loop":    `{% set ns = namespace() %}{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}`,
		"nested value":      `{% set ns = namespace(l=[]) %}{% for i in range(1000) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}`,
		"nested equality":   `{% set a = namespace(l=[]) %}{% for i in range(1000) %}{% set a.l = [a.l] %}{% endfor %}{{ a.l == [a.l] }}`,
		"shared structure":  `{% set ns = namespace(l=['x']) %}{% for i in range(64) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l | tojson }}`,
		"power":             `{{ 9 ** 9 ** 9 ** 9 }}`,
		"overflow":          `{{ 9223372036854775807 + 1 }}`,
		"range":             `{{ range(1000000) }}`,
		"range overflow":    `{{ range(-9000000000000000000, 9000000000000000000) }}`,
		"division":          `{{ 1 // 0 }}`,
		"brackets":          `{{ ` + deep + ` }}`,
		"nots":              `{{ ` + strings.Repeat("not ", 5000) + `1 }}`,
		"minuses":           `{{ ` + strings.Repeat("-", 5000) + `1 }}`,
		"sums":              `{{ 1` + strings.Repeat("+1", 5000) + ` }}`,
		"dots":              `{{ x` + strings.Repeat(".a", 5000) + ` }}`,
		"conditions":        `{{ 1` + strings.Repeat(" if 1", 5000) + ` }}`,
		"nested tags":       strings.Repeat(`{% if true %}`, 5000) + strings.Repeat(`{% endif %}`, 5000),
		"split":             `{% set s = 'a ' * 4000000 %}{% for i in range(1000) %}{% set x = s.split(' ') %}{% endfor %}`,
		"scan":              `{% set s = 'a' * 16000000 %}{% for i in range(1000) %}{% if 'b' in s %}{% endif %}{% endfor %}`,
		"count":             `{% set s = 'a' * 16000000 %}{% for i in range(1000) %}{% set x = s.count('b') %}{% endfor %}`,
		"length":            `{% set s = 'a' * 16000000 %}{% for i in range(100000) %}{% set x = s | length %}{% endfor %}`,
		"compare":           `{% set s = 'a' * 16000000 %}{% set u = 'a' * 16000000 %}{% for i in range(100000) %}{% if s == u or s < u %}{% endif %}{% endfor %}`,
		"big key":           `{% set s = 'a' * 16000000 %}{% for i in range(100000) %}{% set x = {}.get(s) %}{% endfor %}`,
		"tuple keys":        `{% set ns = namespace(k=1) %}{% for i in range(100) %}{% set ns.k = (ns.k, ns.k) %}{% endfor %}{{ {ns.k: 1} }}`,
		"strip set":         `{% set s = 'a' * 4000000 %}{{ s.strip(s) }}`,
		"file":              `{% include '/etc/passwd' %}`,
		"import":            `{% import 'x' as y %}`,
		"python":            `{{ ''.__class__.__mro__ }}`,
		"python call":       `{{ messages.append(1) }}`,
		"changing input":    `{{ messages[0].update({}) }}`,
		"unknown filter":    `{{ 1 | pprint }}`,
		"unknown tag":       `{% exec %}`,
		"not closed":        `{{ 1`,
		"comment":           `{# x`,
		"raw":               `{% raw %}`,
		"string":            `{{ 'a }}`,
	} {
		start := time.Now()
		tmpl, err := Parse(src)
		if err == nil {
			_, err = tmpl.Render(&Input{Messages: []Message{{Role: "user", Content: "x"}}})
		}
		if err == nil {
			t.Errorf("%s: no error", name)
		} else if !strings.Contains(err.Error(), "line ") {
			t.Errorf("%s: error %v names no line", name, err)
		} else if len(err.Error()) > 400 {
			t.Errorf("%s: error of %d bytes", name, len(err.Error()))
		}
		if took := time.Since(start); took > 10*time.Second { // most of it is a rendering up to the limits
			t.Errorf("%s took %v", name, took)
		}
	}
}

func TestErrorsSayWhatIsWrongAndWhere(t *testing.T) {
	_, err := mustParse(t, "a\n{{ messages[0].nope.name }}").Render(&Input{Messages: []Message{{Role: "user"}}})
	var at *Error
	if !errors.As(err, &at) || at.Line != 2 || !strings.Contains(err.Error(), `"nope"`) || !strings.Contains(err.Error(), `"name"`) {
		t.Errorf("error %v does not name line 2 and what is missing", err)
	}
	_, err = mustParse(t, "{{ raise_exception('No ' ~ messages[0].role) }}").Render(&Input{Messages: []Message{{Role: "user"}}})
	var raised *RaisedError
	if !errors.As(err, &raised) || raised.Message != "No user" {
		t.Errorf("raised %v", err)
	}
	in := &Input{Extra: map[string]json.RawMessage{"messages": json.RawMessage(`[]`)}}
	if _, err := mustParse(t, "x").Render(in); err == nil || !strings.Contains(err.Error(), `"messages"`) {
		t.Errorf("reserved variable: %v", err)
	}
	in = &Input{Tools: []json.RawMessage{json.RawMessage(`{`)}}
	if _, err := mustParse(t, "x").Render(in); err == nil || !strings.Contains(err.Error(), "tools[0]") {
		t.Errorf("bad tool: %v", err)
	}
}

func TestClockIsPartOfTheInput(t *testing.T) {
	tmpl := mustParse(t, "{{ strftime_now('%d %b %Y %H:%M:%S %j %-d %A %y %%') if strftime_now is defined else 'no clock' }}")
	got, err := tmpl.Render(&Input{Now: time.Date(2025, 3, 9, 7, 5, 2, 0, time.UTC)})
	if err != nil || got.String() != "09 Mar 2025 07:05:02 068 9 Sunday 25 %" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := tmpl.Render(&Input{}); err != nil || got.String() != "no clock" {
		t.Errorf("%q, %v", got, err)
	}
}

func FuzzTemplate(f *testing.F) {
	for _, n := range []string{"llama2", "llama3", "mistral", "qwen25", "qwen3", "smollm2", "chatml", "openledger", "language"} {
		f.Add(string(read(f, n+".jinja")), "hello <|im_end|>")
	}
	f.Add(`{{ '%5.2f%-3s' % (1.5, messages) }}{{ messages[0].content[::-1] | tojson(indent=1) }}`, "a\x00\xff")
	f.Fuzz(func(t *testing.T, src, content string) {
		tmpl, err := Parse(src)
		if err != nil {
			return
		}
		in := &Input{
			Messages: []Message{{Role: "user", Content: content}, {Role: "assistant", Content: "b"}}, AddGenerationPrompt: true, BOS: "<s>", EOS: "</s>",
			Tools: []json.RawMessage{json.RawMessage(`{"type": "function", "function": {"name": "f", "parameters": {}}}`)}, Now: time.Unix(1e9, 0).UTC(),
			Limits: Limits{Steps: 50_000, Bytes: 1 << 20, Output: 1 << 18, Calls: 10},
		}
		one, err1 := tmpl.Render(in)
		two, err2 := tmpl.Render(in)
		if one.String() != two.String() || (err1 == nil) != (err2 == nil) {
			t.Fatalf("rendered %q, %v and then %q, %v", one, err1, two, err2)
		}
		at := 0
		for _, m := range one.Marks() {
			if m.Start < at || m.End <= m.Start || m.End > len(one.String()) || m.Origin == FromTemplate {
				t.Fatalf("marks %v of %d bytes", one.Marks(), len(one.String()))
			}
			at = m.End
		}
	})
}
