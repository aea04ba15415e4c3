package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
)

// adapterPlace are the verbs that move an adapter on a worker.
func adapterPlace(c *cli) []*cobra.Command {
	var out []*cobra.Command
	for _, v := range []struct {
		action protocol.AdapterAction
		short  string
		long   string
	}{
		{protocol.AdapterLoad, "Have a worker load an adapter ahead of questions",
			"Load has the least loaded worker, or the one named, fetch an adapter and take it to its\ndevice, so that the first question does not wait for that."},
		{protocol.AdapterPin, "Keep an adapter on a worker's device",
			"Pin loads an adapter and keeps it in the worker's memory until it is unpinned. Only the\nworker's owner and the accounts that its worker.json names as operators may."},
		{protocol.AdapterUnpin, "Let a pinned adapter leave when its memory is needed",
			"Unpin ends what pin began, on every worker that has the adapter or on the one named."},
		{protocol.AdapterUnload, "Free the memory that an adapter takes on workers",
			"Unload drops an adapter from memory on every worker that has it, or on the one named.\nIt stays on their disks. One that serves a question is refused. Only the worker's owner\nand its operators may."},
	} {
		var worker string
		cmd := &cobra.Command{
			Use:     string(v.action) + " ADAPTER",
			Short:   v.short,
			Long:    v.long,
			Example: fmt.Sprintf("  openledger adapter %s fable-lessons\n  openledger adapter %s fable-lessons --worker 12D3KooW… --json", v.action, v.action),
			Args:    cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				if c.apiKey == "" {
					return protocol.Errorf(protocol.KindUnauthorized, "api key", "there is none: set $OPENLEDGER_API_KEY, or put it in the file api.key in the home; 'openledger coordinator key' issues one")
				}
				cl, err := c.coordinator()
				if err != nil {
					return err
				}
				var in any
				if worker != "" {
					in = map[string]string{"worker": worker}
				}
				var done struct {
					Adapter string                 `json:"adapter"`
					Action  protocol.AdapterAction `json:"action"`
					Workers []api.AdapterPlacement `json:"workers"`
				}
				path := "/api/v1/adapters/" + url.PathEscape(args[0]) + "/" + string(v.action)
				if err := cl.Call(cmd.Context(), http.MethodPost, path, in, &done); err != nil {
					return err
				}
				return c.print(done, func(w io.Writer) {
					t := newTable(w, "worker", "tier", "pinned", "")
					for _, p := range done.Workers {
						t.AppendRow([]any{p.Worker, p.Tier, p.Pinned, p.Error})
					}
					t.Render()
				})
			},
		}
		cmd.Flags().StringVar(&worker, "worker", "", "peer id of the worker (default: chosen by the coordinator)")
		out = append(out, cmd)
	}
	return out
}
