// Package grammar constrains generated text to JSON that a schema allows.
//
// Compile turns a JSON Schema into a pushdown automaton over bytes: one small
// nondeterministic automaton (a rule) for each subschema, which calls others for nested
// values. A Constraint runs it over a tokenizer's vocabulary: it makes the sets of
// stacks that are met into states of a deterministic automaton as they are met, and
// keeps for each the mask of tokens that may follow. A Matcher follows one output.
//
// The subset of JSON Schema 2020-12: type, enum, const, properties, required,
// additionalProperties, patternProperties of one, propertyNames, items, prefixItems,
// minItems, maxItems, minLength, maxLength, pattern, format, minimum, maximum,
// exclusiveMinimum, exclusiveMaximum, anyOf, oneOf of branches that exclude each other,
// allOf of one, $ref into the document, $defs and annotations. Anything else is refused
// by name: a keyword is never ignored when it could matter.
//
// Invariants:
//   - What a Matcher that may end has accepted is a document that the schema allows, in
//     valid UTF-8.
//   - A state that can be reached can be completed, given enough tokens.
//   - Every value that the schema allows can be spelled, within the limits below: keys in
//     the order of properties, then additional ones.
//   - A mask is a function of grammar, vocabulary and the bytes accepted: caches change
//     only the time it takes.
//
// Limits, where JSON has none: properties are closed unless additionalProperties says
// otherwise; a break between tokens is a space, or a newline and up to 32 spaces or
// tabs; numbers have up to 18 digits on each side of the point, and two in the exponent;
// a value of no schema nests at most 16 deep.
//
// It knows no model and no sampling, and does not check documents.
package grammar

import "fmt"

// Limits of a schema.
const (
	MaxSchemaBytes = 64 << 10
	maxSchemaDepth = 64
	maxStates      = 1 << 16
)

// Error says what in a schema can't be compiled.
type Error struct {
	Pointer string // JSON pointer to the subschema; empty: the whole
	Keyword string // may be empty
	Reason  string
}

func (e *Error) Error() string {
	at := e.Pointer
	if at == "" {
		at = "/"
	}
	if e.Keyword == "" {
		return fmt.Sprintf("schema at %s: %s", at, e.Reason)
	}
	return fmt.Sprintf("schema at %s: keyword %q %s", at, e.Keyword, e.Reason)
}

// Grammar is a compiled schema. It is immutable.
type Grammar struct {
	states  []state
	rules   []rule
	root    int32
	classes int        // of bytes that no edge tells apart
	class   [256]uint8 // of each byte
	sample  []byte     // a byte of each class
}

// Any allows every JSON object.
func Any() *Grammar {
	c := &compiler{builder: newBuilder()}
	g, err := c.finish(c.anyObject(anyDepth))
	if err != nil {
		panic(err) // not reached: it does not depend on any input
	}
	return g
}

// Compile compiles a JSON Schema. The error is an *Error.
func Compile(schema []byte) (*Grammar, error) {
	root, err := parse(schema)
	if err != nil {
		return nil, err
	}
	c := &compiler{builder: newBuilder(), root: root}
	rule, err := c.rule("", root)
	if err != nil {
		return nil, err
	}
	if err := c.drain(); err != nil {
		return nil, err
	}
	return c.finish(rule)
}
