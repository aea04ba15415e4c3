package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/cuda"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/p2p"
	"github.com/openledger/openledger/worker/doctor"
)

func workerDoctor(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Check devices, disk, clock, ports, reachability, stake and chain, and say what to fix",
		Long: `Doctor looks at everything that keeps workers from earning and says in plain words what
to do. Reachability is tried from a second node with its own identity. It exits with 1
when something must be mended.`,
		Example: "  openledger worker doctor --home ./w1\n  openledger worker doctor --home ./w1 --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			findings, err := c.examine(cmd.Context())
			if err != nil {
				return err
			}
			if err := c.print(map[string]any{"findings": findings}, func(w io.Writer) {
				for _, f := range findings {
					mark := map[doctor.Level]string{doctor.OK: "ok     ", doctor.Warn: "warning", doctor.Fail: "FAILURE"}[f.Level]
					fmt.Fprintf(w, "%s  %-13s %s\n", mark, f.Check, f.Says)
					for line := range strings.Lines(f.Remedy) {
						fmt.Fprintf(w, "%24s-> %s\n", "", strings.TrimSuffix(line, "\n"))
					}
				}
			}); err != nil {
				return err
			}
			if doctor.Worst(findings) == doctor.Fail {
				return errReported
			}
			return nil
		},
	}
}

func (c *cli) examine(ctx context.Context) (_ []doctor.Finding, err error) {
	var s node.WorkerSettings
	if err := node.ReadJSON(c.Home().Path(node.WorkerFile), &s); err != nil {
		return nil, protocol.Errorf(protocol.KindNotFound, "home", "%w: run 'openledger worker init' first", err)
	}
	client, dialled := chain.Dial(ctx, chain.Config{RPC: s.RPC, Addresses: s.Addresses, Logger: c.logger()})
	if dialled == nil {
		defer client.Close()
	}
	// A second host, with an identity of its own, tries what other peers would.
	dir, err := os.MkdirTemp("", "openledger-doctor-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	key, err := p2p.LoadOrCreateKey(filepath.Join(dir, "peer.key"))
	if err != nil {
		return nil, err
	}
	probe, err := p2p.New(p2p.Config{PrivateKey: key, DHT: p2p.DHTOff, Logger: c.logger()})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, probe.Close()) }()

	addrs := c.addresses(ctx, s)
	checks := []doctor.Check{
		doctor.Devices(cuda.Discover), doctor.Disk(c.home), doctor.Clock(c.coordinatorClock),
	}
	if len(addrs) == 0 { // a running worker holds its own ports
		checks = append(checks, doctor.Ports(s.Listen))
	}
	checks = append(checks, doctor.Chain(client, dialled), doctor.Stake(client, s.Binding.Binding),
		doctor.Peers(probe, s.Bootstrap), doctor.Reachable(probe, addrs))
	return doctor.Examine(ctx, checks), nil
}

// addresses asks the coordinator where it knows the worker, which is how others find
// it too; none when the worker is not running.
func (c *cli) addresses(ctx context.Context, s node.WorkerSettings) []string {
	cl, err := c.coordinator()
	if err != nil {
		return nil
	}
	workers, err := cl.Workers(ctx)
	if err != nil {
		return nil
	}
	for _, w := range workers {
		if w.Peer == s.Binding.Binding.Peer {
			return w.Addresses
		}
	}
	return nil
}

// coordinatorClock reads the coordinator's clock from its HTTP answers.
func (c *cli) coordinatorClock(ctx context.Context) (time.Time, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.api+"/healthz", nil)
	if err != nil {
		return time.Time{}, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return time.Time{}, err
	}
	defer func() { _ = res.Body.Close() }()
	return http.ParseTime(res.Header.Get("Date"))
}
