package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/cmd/openledger/client"
	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store/ipfs"
	"github.com/openledger/openledger/worker/epoch"
)

func newEpoch(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "epoch",
		Short: "Epochs: what many workers' batches owe, claimed at once",
		Long: `An epoch takes what is left of many batches and adds it to one cumulative tree, so that
an account paid by a thousand workers claims once. Anybody with the bond proposes one;
anybody computes it again and finalises it after its window.`,
		Example: "  openledger epoch list\n  openledger epoch propose --as carol\n  openledger epoch verify 3\n  openledger epoch run --as carol --interval 24h",
	}
	cmd.AddCommand(epochList(c), epochShow(c), epochVerify(c), epochPropose(c), epochFinalize(c), epochRun(c))
	return cmd
}

// epochs computes epochs from what the coordinator sends, which need not be trusted.
func epochs(cl *client.Client, info api.NetworkInfo, ch *chain.Client) *epoch.Builder {
	list := claims(cl, info, ch)
	return &epoch.Builder{Chain: ch, Blocks: list.Blocks, Checks: list.Checks}
}

func epochList(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the epochs",
		Example: "  openledger epoch list --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, _, ch, err := c.network(cmd.Context())
			if err != nil {
				return err
			}
			defer ch.Close()
			list, err := ch.Epochs(cmd.Context())
			if err != nil {
				return err
			}
			d, err := ch.Distribution(cmd.Context())
			if err != nil {
				return err
			}
			return c.print(map[string]any{"epochs": list, "distribution": &d}, func(w io.Writer) {
				t := newTable(w, "epoch", "stage", "batches", "OPEN", "proposer", "deadline")
				for _, e := range list {
					t.AppendRow([]any{e.ID, e.Stage, e.Batches, node.FormatOpen(e.Amount), short(e.Proposer.Hex()), time.Unix(e.Deadline, 0).Format(time.DateTime)})
				}
				t.Render()
				fmt.Fprintf(w, "\nfinalised epochs brought %s OPEN, of which %s are claimed\n", node.FormatOpen(d.Total), node.FormatOpen(d.Paid))
			})
		},
	}
}

func parseEpoch(s string) (uint32, error) {
	id, err := strconv.ParseUint(s, 10, 32)
	if err != nil || id == 0 {
		return 0, protocol.Errorf(protocol.KindInvalid, "epoch", "%q is no epoch's number: 'openledger epoch list' shows them", s)
	}
	return uint32(id), nil
}

func epochShow(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "show EPOCH",
		Short:   "Show an epoch and its batches",
		Example: "  openledger epoch show 3 --json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseEpoch(args[0])
			if err != nil {
				return err
			}
			_, _, ch, err := c.network(cmd.Context())
			if err != nil {
				return err
			}
			defer ch.Close()
			e, err := ch.Epoch(cmd.Context(), id)
			if err != nil {
				return err
			}
			batches, err := ch.EpochBatches(cmd.Context(), id)
			if err != nil {
				return err
			}
			dispute, err := ch.EpochDispute(cmd.Context(), id)
			if err != nil {
				return err
			}
			return c.print(map[string]any{"epoch": &e, "batches": batches, "dispute": dispute}, func(w io.Writer) {
				fmt.Fprintf(w, "epoch       %d, %s\nproposer    %s\ndeadline    %s\nbond        %s OPEN\nadds        %s OPEN from %d batches, %d of them swept\ncumulative  %s OPEN\nroot        %s\ndocument    %s\n\n",
					e.ID, e.Stage, e.Proposer.Hex(), time.Unix(e.Deadline, 0).Format(time.DateTime), node.FormatOpen(e.Bond), node.FormatOpen(e.Amount), e.Batches, e.Swept,
					node.FormatOpen(e.Cumulative), e.Root, ipfs.RawCIDOf(e.Document))
				if dispute != 0 {
					fmt.Fprintf(w, "it was challenged: 'openledger disputes show %d'\n\n", dispute)
				}
				t := newTable(w, "worker", "batch", "left OPEN")
				for _, b := range batches {
					t.AppendRow([]any{short(b.Worker.Hex()), b.Nonce, node.FormatOpen(b.Remainder)})
				}
				t.Render()
			})
		},
	}
}

func epochVerify(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "verify EPOCH",
		Short: "Compute an epoch anew from its batches and compare it with the chain",
		Long: `Verify trusts nobody: it computes the epoch's tree from the chain's events and from the
documents of its batches, each of which it recomputes, and compares root, amount and
document. It exits with 1 when anything differs.`,
		Example: "  openledger epoch verify 3",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseEpoch(args[0])
			if err != nil {
				return err
			}
			cl, info, ch, err := c.network(cmd.Context())
			if err != nil {
				return err
			}
			defer ch.Close()
			r, err := epochs(cl, info, ch).Verify(cmd.Context(), id)
			if err != nil && (r == nil || protocol.KindOf(err) != protocol.KindCorrupt) {
				return err
			}
			why := ""
			if err != nil {
				why = err.Error()
			}
			m := &r.Document.Manifest
			if perr := c.print(map[string]any{"epoch": id, "ok": err == nil, "error": why, "computed": m}, func(w io.Writer) {
				fmt.Fprintf(w, "computed: root %s over %s OPEN of %d accounts, %d batches\n", m.Root, node.FormatOpen(m.Cumulative), len(r.Document.Payouts), len(r.Document.Batches))
				if err == nil {
					fmt.Fprintf(w, "ok: epoch %d is what its batches come to\n", id)
				}
			}); perr != nil {
				return perr
			}
			if err != nil {
				c.say("epoch %d does not verify: %v", id, err)
				return errReported
			}
			return nil
		},
	}
}

// publishing keeps blocks on a node of this process and reads them through the
// coordinator.
type publishing struct {
	client.Blocks
	node *ipfs.Node
}

func (p publishing) Put(ctx context.Context, data []byte) (protocol.Hash, error) {
	id, err := p.node.AddBlock(ctx, data)
	if err != nil {
		return protocol.Hash{}, err
	}
	return ipfs.Digest(id)
}

// proposer is what proposing takes: an account, a node that serves the document, and a
// coordinator that has copied it before its root is committed.
func (c *cli) proposer(cmd *cobra.Command, change func(*epoch.Config)) (_ *epoch.Service, done func() error, err error) {
	key, err := c.signer()
	if err != nil {
		return nil, nil, err
	}
	cl, info, ch, err := c.network(cmd.Context())
	if err != nil {
		return nil, nil, err
	}
	content, closeContent, err := c.open(info)
	if err != nil {
		ch.Close()
		return nil, nil, err
	}
	done = func() error {
		ch.Close()
		return closeContent()
	}
	b := epochs(cl, info, ch)
	b.Blocks = publishing{Blocks: blocksOf(cl), node: content}
	cfg := epoch.Config{Sender: ch.As(key), Builder: b, Logger: c.logger(), Published: func(ctx context.Context, digest protocol.Hash) error {
		return copied(ctx, blocksOf(cl), digest)
	}}
	change(&cfg)
	s, err := epoch.New(cfg)
	if err != nil {
		return nil, nil, errors.Join(err, done())
	}
	return s, done, nil
}

// copyTimeout bounds the wait for the coordinator to copy a document.
const copyTimeout = 5 * time.Minute

// copied waits until the coordinator has a whole document: whoever asks it for a block
// makes it fetch and keep it.
func copied(ctx context.Context, b client.Blocks, digest protocol.Hash) error {
	ctx, cancel := context.WithTimeout(ctx, copyTimeout)
	defer cancel()
	for {
		_, _, err := epoch.Load(ctx, b, digest)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return protocol.Errorf(protocol.KindUnavailable, "document", "%s cannot be had from the coordinator: a root whose document nobody has would be disputed, so it is not committed: %w", digest, err)
		case <-time.After(time.Second):
		}
	}
}

// bounds are the flags that hold an epoch back.
func bounds(cmd *cobra.Command, cfg *epoch.Config, amount *string) {
	cmd.Flags().IntVar(&cfg.MinBatches, "min-batches", 1, "least number of batches of a new epoch")
	cmd.Flags().StringVar(amount, "min-open", "0", "least amount of a new epoch, in OPEN")
}

func epochPropose(c *cli) *cobra.Command {
	var want epoch.Config
	var amount string
	var wait bool
	cmd := &cobra.Command{
		Use:   "propose",
		Short: "Make an epoch of all claimable batches and commit to its root",
		Long: `Propose opens an epoch with your bond, takes every claimable batch with something left,
computes and publishes the epoch's document, and commits to its root. Interrupted, it
goes on when it is called again. The bond comes back when the epoch is finalised
('openledger epoch finalize', by anybody); it is lost if the root is found wrong or is
not committed in time.`,
		Example: "  openledger epoch propose --as carol\n  openledger epoch propose --as carol --min-open 50 --wait",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if want.MinAmount, err = node.ParseOpen("min-open", amount); err != nil {
				return err
			}
			s, done, err := c.proposer(cmd, func(cfg *epoch.Config) { cfg.MinBatches, cfg.MinAmount = want.MinBatches, want.MinAmount })
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, done()) }()
			for {
				p, err := s.Advance(cmd.Context())
				if err != nil {
					return err
				}
				if !wait || p.Epoch.ID == 0 || p.Epoch.Stage == chain.EpochFinalised {
					return c.printProgress(p)
				}
				select {
				case <-cmd.Context().Done():
					return cmd.Context().Err()
				case <-time.After(time.Second):
				}
			}
		},
	}
	bounds(cmd, &want, &amount)
	cmd.Flags().BoolVar(&wait, "wait", false, "wait for the window and finalise it")
	return cmd
}

func (c *cli) printProgress(p epoch.Progress) error {
	return c.print(&p, func(w io.Writer) {
		if e := p.Epoch; e.ID != 0 {
			fmt.Fprintf(w, "epoch %d, %s: %s OPEN from %d batches\n", e.ID, e.Stage, node.FormatOpen(e.Amount), e.Batches)
		}
		if p.Waits != "" {
			fmt.Fprintln(w, p.Waits)
		}
	})
}

func epochFinalize(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "finalize",
		Short:   "Finalise the epoch whose window is over; whoever sends it",
		Example: "  openledger epoch finalize --as alice",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			key, err := c.signer()
			if err != nil {
				return err
			}
			cl, info, ch, err := c.network(cmd.Context())
			if err != nil {
				return err
			}
			defer ch.Close()
			s, err := epoch.New(epoch.Config{Sender: ch.As(key), Builder: epochs(cl, info, ch), Logger: c.logger()})
			if err != nil {
				return err
			}
			live, _, err := ch.CurrentEpochs(cmd.Context())
			if err != nil {
				return err
			}
			if live == 0 {
				return protocol.Errorf(protocol.KindNotFound, "epoch", "none is under way: 'openledger epoch propose' makes one")
			}
			if err := s.Finalise(cmd.Context(), live); err != nil {
				return err
			}
			e, err := ch.Epoch(cmd.Context(), live)
			if err != nil {
				return err
			}
			return c.printProgress(epoch.Progress{Epoch: e})
		},
	}
}

func epochRun(c *cli) *cobra.Command {
	var want epoch.Config
	var amount string
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Propose and finalise epochs until interrupted",
		Long: `Run makes an epoch whenever there is enough for one and the interval has passed,
finalises epochs whose window is over, and drops those that were not committed in time,
also other proposers'. Killed and started again, it goes on from what is on the chain.`,
		Example: "  openledger epoch run --as carol --interval 24h --min-open 100",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if want.MinAmount, err = node.ParseOpen("min-open", amount); err != nil {
				return err
			}
			s, done, err := c.proposer(cmd, func(cfg *epoch.Config) {
				cfg.MinBatches, cfg.MinAmount, cfg.Every, cfg.Interval = want.MinBatches, want.MinAmount, want.Every, want.Interval
			})
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, done()) }()
			c.say("proposing epochs; stop with Ctrl-C")
			return s.Run(cmd.Context())
		},
	}
	bounds(cmd, &want, &amount)
	cmd.Flags().DurationVar(&want.Every, "every", time.Minute, "how often to look for what there is to do")
	cmd.Flags().DurationVar(&want.Interval, "interval", time.Hour, "least time between two epochs")
	return cmd
}
