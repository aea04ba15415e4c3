package chain

import (
	"context"
	"encoding/json"
)

// Raw asks the node directly and gives its result as it is. An error of the node has the
// methods ErrorCode and, with data, ErrorData (go-ethereum's rpc.Error and rpc.DataError).
// Who passes on what strangers ask chooses the methods and bounds the parameters.
func (c *Client) Raw(ctx context.Context, method string, params []json.RawMessage) (json.RawMessage, error) {
	args := make([]any, len(params))
	for i, p := range params {
		args[i] = p
	}
	var out json.RawMessage
	err := c.eth.Client().CallContext(ctx, &out, method, args...)
	return out, err
}
