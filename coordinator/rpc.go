package coordinator

import (
	"context"
	"encoding/json"
)

// CallRPC asks the chain's node.
func (c *Coordinator) CallRPC(ctx context.Context, method string, params []json.RawMessage) (json.RawMessage, error) {
	return c.chain.Raw(ctx, method, params)
}
