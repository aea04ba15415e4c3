package chat

import (
	"errors"
	"fmt"
)

// Limits bound one rendering, whatever the template does. They count work, not
// time, so that every machine comes to the same answer.
type Limits struct {
	Steps  int // nodes evaluated, items visited, bytes scanned / 16
	Bytes  int // bytes of values made, in all
	Output int // bytes of the rendered text
	Calls  int // depth of macro calls and recursive loops
}

// EnsureDefaults fills unset fields.
func (l *Limits) EnsureDefaults() {
	if l.Steps == 0 {
		l.Steps = 5_000_000
	}
	if l.Bytes == 0 {
		l.Bytes = 128 << 20
	}
	if l.Output == 0 {
		l.Output = 16 << 20
	}
	if l.Calls == 0 {
		l.Calls = 60
	}
}

const (
	maxSource  = 1 << 20 // bytes of a template
	maxNesting = 200     // of a template's syntax, and of values
	maxRange   = 100_000 // items of range(), as Jinja's sandbox has it
	valueBytes = 32      // what one item of a list is reckoned as
)

// ErrLimit is why a template that does too much is stopped.
var ErrLimit = errors.New("the template does more than is allowed")

var errNested = fmt.Errorf("%w: values are nested more than %d deep", ErrLimit, maxNesting)

// RaisedError is what a template refuses by raise_exception: a bad request, in its words.
type RaisedError struct{ Message string }

func (e *RaisedError) Error() string { return e.Message }

// step counts work.
func (r *run) step(n int) error {
	if r == nil { // reading the input, which its sender pays for
		return nil
	}
	r.steps += n
	if r.steps > r.limits.Steps {
		return fmt.Errorf("%w: over %d steps", ErrLimit, r.limits.Steps)
	}
	return nil
}

// alloc counts the making of items and bytes, before they are made.
func (r *run) alloc(items, bytes int) error {
	if r == nil {
		return nil
	}
	r.bytes += items*valueBytes + bytes
	if r.bytes > r.limits.Bytes {
		return fmt.Errorf("%w: over %d bytes of values", ErrLimit, r.limits.Bytes)
	}
	return r.step(1 + items + bytes>>4)
}
