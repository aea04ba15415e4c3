package chain

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/openledger/openledger/protocol"
)

// RevertError is a contract's typed error.
type RevertError struct {
	Name string // of the Solidity error, e.g. "InsufficientEscrow"
	Args []any
}

func (r *RevertError) Error() string {
	if len(r.Args) == 0 {
		return words(r.Name)
	}
	parts := make([]string, len(r.Args))
	for i, a := range r.Args {
		parts[i] = fmt.Sprint(a)
	}
	text := words(r.Name) + " (" + strings.Join(parts, ", ") + ")"
	switch r.Name {
	case "UnknownSession":
		text += ": the requester has not authorised this key, or signed something else"
	case "SessionCannotShrink":
		text += ": its limit in wei and its end only grow, and 'openledger escrow revoke' ends it"
	case "SafeCastOverflowedUintDowncast":
		text = fmt.Sprintf("%s does not fit: it must be less than 2^%s", parts[len(parts)-1], parts[0])
	}
	return text
}

// Refused gives the contract's typed error in err's chain.
func Refused(err error) (*RevertError, bool) {
	var r *RevertError
	ok := errors.As(err, &r)
	return r, ok
}

// words turns BatchExceedsStake into "batch exceeds stake".
func words(name string) string {
	var b strings.Builder
	for i, r := range name {
		if r >= 'A' && r <= 'Z' {
			if i > 0 {
				b.WriteByte(' ')
			}
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// explain says in plain words why a read or a transaction failed.
func (c *Client) explain(what string, err error) error {
	var typed *protocol.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &typed):
		return fmt.Errorf("%s: %w", what, err)
	case errors.Is(err, context.Canceled):
		return protocol.Errorf(protocol.KindCancelled, "", "%s: %w", what, err)
	case errors.Is(err, context.DeadlineExceeded):
		return protocol.Errorf(protocol.KindDeadline, "", "%s: %w", what, err)
	}
	var data rpc.DataError
	if errors.As(err, &data) {
		if text, ok := data.ErrorData().(string); ok {
			if raw, derr := hexutil.Decode(text); derr == nil && len(raw) >= 4 {
				return c.refusal(what, raw)
			}
		}
	}
	if msg := err.Error(); strings.Contains(msg, "insufficient funds") || strings.Contains(msg, "exceeds allowance") {
		return protocol.Errorf(protocol.KindEscrow, "", "%s: the account has too little OPEN for the amount and the gas: send it some first: %w", what, err)
	}
	var coded rpc.Error
	if errors.As(err, &coded) {
		return protocol.Errorf(protocol.KindInvalid, "", "%s: the chain refused: %w", what, err)
	}
	return c.unavailable(what, err)
}

// refusal decodes what a contract reverted with.
func (c *Client) refusal(what string, raw []byte) error {
	if reason, err := abi.UnpackRevert(raw); err == nil {
		return protocol.Errorf(protocol.KindInvalid, "", "%s: %w", what, &RevertError{Name: reason})
	}
	var id [4]byte
	copy(id[:], raw)
	for _, parsed := range errorABIs() {
		e, err := parsed.ErrorByID(id)
		if err != nil {
			continue
		}
		r := &RevertError{Name: e.Name}
		if args, err := e.Inputs.Unpack(raw[4:]); err == nil {
			r.Args = args
		}
		return protocol.Errorf(kindOf(e.Name), "", "%s: %w", what, r)
	}
	return protocol.Errorf(protocol.KindInvalid, "", "%s: the contract refused with 0x%x", what, raw[:4])
}
