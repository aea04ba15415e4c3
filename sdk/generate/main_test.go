package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

const description = "../../coordinator/api/openapi.yaml"

// Every operation of the API has a method in both clients, but OpenAI's, which its own
// client has, and those that are left out with a reason.
func TestEveryOperationHasAMethod(t *testing.T) {
	raw, err := os.ReadFile(description)
	require.NoError(t, err)
	var doc struct {
		Paths map[string]map[string]struct {
			ID   string   `yaml:"operationId"`
			Tags []string `yaml:"tags"`
		} `yaml:"paths"`
	}
	require.NoError(t, yaml.Unmarshal(raw, &doc))
	typescript, err := os.ReadFile("../typescript/src/operations.ts")
	require.NoError(t, err)
	python, err := os.ReadFile("../python/openledger/operations.py")
	require.NoError(t, err)
	seen := 0
	for path, methods := range doc.Paths {
		for method, o := range methods {
			seen++
			if leftOut[o.ID] != "" || len(o.Tags) == 1 && o.Tags[0] == "openai" {
				continue
			}
			require.Regexp(t, `(?m)^  `+o.ID+`\(`, string(typescript), "%s %s has no method in TypeScript: make generate", method, path)
			calls := regexp.MustCompile(`(?m)^    (async )?def `+snake(o.ID)+`\(`).FindAll(python, -1)
			require.Len(t, calls, 2, "%s %s has no methods in Python: make generate", method, path)
		}
	}
	require.Greater(t, seen, 40)
	for id := range leftOut {
		require.Contains(t, string(raw), "operationId: "+id+"\n", "it is left out, and is not there")
	}
}

const small = `
paths:
  /api/v1/things/{id}:
    get:
      operationId: getThing
      summary: One thing
      security: [{apiKey: [read]}]
      parameters:
        - {name: id, in: path, required: true, schema: {$ref: "#/components/schemas/ID"}}
        - {name: from, in: query, schema: {type: integer}}
      responses:
        "200": {content: {application/json: {schema: {$ref: "#/components/schemas/Thing"}}}}
    put:
      operationId: putThing
      summary: Keep a thing
      parameters:
        - {name: id, in: path, required: true, schema: {$ref: "#/components/schemas/ID"}}
      requestBody: {required: true, content: {application/octet-stream: {schema: {type: string}}}}
      responses:
        "204": {description: kept}
  /api/v1/events:
    get:
      operationId: watch
      summary: What happens
      responses:
        "200": {content: {text/event-stream: {schema: {type: string}}}}
components:
  schemas:
    ID: {type: string}
    Thing:
      type: object
      required: [kind]
      properties:
        kind: {enum: [a, b]}
        parts: {type: array, items: {type: object, properties: {n: {type: [integer, "null"]}}}}
        from: {oneOf: [{$ref: "#/components/schemas/ID"}, {type: "null"}]}
        names: {type: object, additionalProperties: {type: string}}
`

// What is generated of a small description reads as it should.
func TestGenerated(t *testing.T) {
	a, err := parse([]byte(small))
	require.NoError(t, err)
	files, err := a.files()
	require.NoError(t, err)
	text := map[string]string{}
	for _, f := range files {
		text[filepath.Base(f.path)] = f.text
	}
	for file, want := range map[string][]string{
		"operations.ts": {
			"getThing(id: string, query: t.Query<'getThing'> = {}, options?: t.Options): Promise<t.Result<'getThing'>> {\n    return this.json('GET', `/api/v1/things/${this.part(id)}`, { keyed: true, query, options })",
			"putThing(id: string, body: t.Bytes, options?: t.Options): Promise<void> {\n    return this.none('PUT', `/api/v1/things/${this.part(id)}`, { body, media: 'application/octet-stream', options })",
			"watch(options?: t.Options): t.Events {\n    return this.events('GET', '/api/v1/events', { options })",
		},
		"operations.py": {
			`def get_thing(self, id: types.ID, *, from_: int | None = None) -> "types.Thing":`,
			`self._json("GET", f"/api/v1/things/{part(id)}", query={"from": from_}, keyed=True)`,
			`async def put_thing(self, id: types.ID, body: Body) -> "None":`,
			"    def watch(self) -> \"AsyncIterator[Event]\":",
		},
		"types.py": {
			`ID: TypeAlias = str`,
			`Thing = TypedDict("Thing", {`,
			`"kind": "Literal['a', 'b']",`,
			`"parts": "NotRequired[list[ThingPartsItem]]",`,
			`"from": "NotRequired[ID | None]",`,
			`"names": "NotRequired[dict[str, str]]",`,
			"class ThingPartsItem(TypedDict):\n    n: \"NotRequired[int | None]\"",
		},
	} {
		for _, w := range want {
			require.Contains(t, text[file], w)
		}
	}
}
