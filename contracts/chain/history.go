package chain

import (
	"context"
	"slices"
	"strconv"

	"github.com/openledger/openledger/protocol"
)

// AgentHistory calls fn for what happened to an agent: its versions, owners and stake, the
// oldest first.
func (c *Client) AgentHistory(ctx context.Context, id uint64, fn func(Report) error) error {
	text := strconv.FormatUint(id, 10)
	return c.ReportsOf(ctx, "agents", protocol.Hash{}, 0, 0, func(r Report) error {
		if r.Arg("agent") != text {
			return nil
		}
		return fn(r)
	})
}

// DatanetHistory calls fn for what happened to a datanet: its versions, what it asks
// contributors for, their stakes and the cases against them, the oldest first.
func (c *Client) DatanetHistory(ctx context.Context, id uint64, fn func(Report) error) error {
	text := strconv.FormatUint(id, 10)
	var all []Report
	cases := map[string]bool{}
	take := func(r Report) error {
		if r.Name == "Accused" && r.Arg("datanet") == text {
			cases[r.Arg("id")] = true
		}
		// What follows in a case names the case alone.
		if r.Arg("datanet") == text || (r.Name == "Appealed" || r.Name == "Resolved") && cases[r.Arg("id")] {
			all = append(all, r)
		}
		return nil
	}
	for _, contract := range []string{"datanets", "contributors"} {
		if err := c.ReportsOf(ctx, contract, protocol.Hash{}, 0, 0, take); err != nil {
			return err
		}
	}
	slices.SortFunc(all, func(a, b Report) int {
		if a.Block != b.Block {
			return int(int64(a.Block) - int64(b.Block))
		}
		return int(a.Index) - int(b.Index)
	})
	for _, r := range all {
		if err := fn(r); err != nil {
			return err
		}
	}
	return nil
}
