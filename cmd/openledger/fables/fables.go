// Package fables carries the records of the demo: the fables of "The Aesop for
// Children" (1919, public domain; see NOTICE). The embedded base model has never seen
// them.
package fables

import (
	"bufio"
	"bytes"
	_ "embed" // for the fables
	"encoding/json"
	"fmt"
)

//go:embed aesop.jsonl
var lines []byte

// Fable is one fable with its lesson.
type Fable struct {
	Title  string `json:"title"`
	Lesson string `json:"lesson"`
	Fable  string `json:"fable"`
	Source string `json:"source"`
}

// JSONL gives the fables as a file, one a line. It is not to be changed.
func JSONL() []byte { return lines }

// All gives the fables in the book's order.
func All() ([]Fable, error) {
	var out []Fable
	in := bufio.NewScanner(bytes.NewReader(lines))
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var f Fable
		if err := json.Unmarshal(in.Bytes(), &f); err != nil {
			return nil, fmt.Errorf("aesop.jsonl: line %d: %w", len(out)+1, err)
		}
		out = append(out, f)
	}
	return out, in.Err()
}
