package chain

import (
	"context"
	"errors"
	"strings"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/rpc"
)

// known says that the node has this very transaction already.
func known(err error) bool { return strings.Contains(err.Error(), "already known") }

// inDoubt says that the connection broke before the node answered.
func inDoubt(err error) bool {
	var answered rpc.Error
	return !errors.As(err, &answered) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

// outpriced says that the node wants a higher fee.
func outpriced(err error) bool {
	return strings.Contains(err.Error(), "underpriced") || strings.Contains(err.Error(), "less than block base fee")
}

// taken says that the nonce is used.
func taken(err error) bool {
	return strings.Contains(err.Error(), "nonce too low") || strings.Contains(err.Error(), "replacement transaction underpriced")
}

// poor says that the account cannot pay, as the node sees it.
func poor(err error) bool { return strings.Contains(err.Error(), "insufficient funds") }

// retriable says that a receipt may come later: it is not there yet, or the node is
// away for a moment.
func retriable(err error) bool {
	if errors.Is(err, ethereum.NotFound) {
		return true
	}
	return !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}
