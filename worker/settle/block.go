package settle

import (
	"context"

	"github.com/openledger/openledger/protocol"
)

// Fetch gets the block with a digest, checks its bytes against it, and reads its one
// JSON value into a struct, strictly: at most 1 MiB, no unknown field, nothing after it.
func Fetch(ctx context.Context, b Blocks, digest protocol.Hash, into any) error {
	return fetch(ctx, b, digest, into)
}
