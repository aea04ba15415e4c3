package main

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
)

// adapterControls are the verbs with which an owner stops a training job for good or for now.
func adapterControls(c *cli) []*cobra.Command {
	var out []*cobra.Command
	for _, v := range []struct {
		name, short, long string
		text              func(protocol.Hash, api.CancelRequest) string
	}{
		{"cancel", "Stop a training or merge job that you ordered",
			"Cancel ends a job for good: nothing is registered.", api.CancelText},
		{"pause", "Have a training job that you ordered wait",
			"Pause stops a job until 'openledger adapter resume'. Its worker keeps the checkpoint; the\norder's deadline, two days after it was signed, goes on running.", api.PauseText},
		{"resume", "Have a paused training job go on",
			"Resume has a paused job go on at the worker that has its checkpoint, and it ends with the\nsame bits as without the pause. If that worker does not come back within a minute,\nanother one starts over.", api.ResumeText},
	} {
		out = append(out, &cobra.Command{
			Use:     v.name + " JOB",
			Short:   v.short,
			Long:    v.long,
			Example: "  openledger adapter " + v.name + " 0x3f… --as owner",
			Args:    cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				id, err := parseHash("job", args[0])
				if err != nil {
					return err
				}
				key, err := c.signer()
				if err != nil {
					return err
				}
				cl, err := c.coordinator()
				if err != nil {
					return err
				}
				r := api.CancelRequest{At: time.Now().UnixMilli()}
				if r.Signature, err = key.SignText(cmd.Context(), v.text(id, r)); err != nil {
					return err
				}
				var s api.TrainingStatus
				if err := cl.Call(cmd.Context(), http.MethodPost, "/api/v1/training_jobs/"+id.Hex()+"/"+v.name, r, &s); err != nil {
					return err
				}
				return c.print(s, func(w io.Writer) { fmt.Fprintf(w, "%s %s\n", s.ID, s.State) })
			},
		})
	}
	return out
}
