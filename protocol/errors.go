package protocol

import (
	"errors"
	"fmt"
)

// Kind classifies an error by what a caller can do about it. Kinds cross the
// wire; messages are for people.
type Kind string

// Kinds of error.
const (
	KindInvalid      Kind = "invalid"             // the input is wrong: mend the named field
	KindTooLarge     Kind = "too_large"           // more than is taken: split it
	KindNotFound     Kind = "not_found"           // no such thing
	KindExists       Kind = "already_exists"      // done before, or taken
	KindUnauthorized Kind = "unauthorized"        // missing or wrong key or signature
	KindForbidden    Kind = "forbidden"           // the key or account may not do this
	KindEscrow       Kind = "insufficient_escrow" // deposit more
	KindStale        Kind = "stale"               // a sequence or nonce already passed
	KindBusy         Kind = "busy"                // try later or elsewhere
	KindUnavailable  Kind = "unavailable"         // no worker, peer or chain within reach
	KindDeadline     Kind = "deadline_exceeded"   // ran out of time
	KindCancelled    Kind = "cancelled"           // somebody asked for it
	KindCorrupt      Kind = "corrupt"             // bytes do not match their hash or format
	KindInternal     Kind = "internal"            // a defect of ours
)

// Error is an error with a kind and, for bad input, the field it is about. Message
// is complete: Cause only serves errors.Is and errors.As.
type Error struct {
	Kind    Kind   `json:"kind"`
	Field   string `json:"field,omitempty"`
	Message string `json:"message"` // says what to do next
	Cause   error  `json:"-"`
}

func (e *Error) Error() string {
	s := e.Message
	if e.Field != "" {
		s = e.Field + ": " + s
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Errorf makes an Error of a kind. A %w verb becomes the cause that Unwrap finds.
func Errorf(kind Kind, field, format string, args ...any) *Error {
	w := fmt.Errorf(format, args...)
	return &Error{Kind: kind, Field: field, Message: w.Error(), Cause: errors.Unwrap(w)}
}

// KindOf is the kind of the first Error in err's chain, KindInternal otherwise.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return KindInternal
}
