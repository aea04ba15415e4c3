package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/holiman/uint256"
	"github.com/spf13/cobra"

	"github.com/openledger/openledger/cmd/openledger/client"
	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/events"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
	"github.com/openledger/openledger/store/ipfs"
	"github.com/openledger/openledger/worker/adapter"
	"github.com/openledger/openledger/worker/validator"
)

func validatorStatus(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "status [ACCOUNT]",
		Short:   "Show a validator's bond, seats and earnings, and the rules",
		Example: "  openledger validator status --home ./v1 --json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c.asValidator()
			account, err := c.target(args)
			if err != nil {
				return err
			}
			_, _, ch, err := c.network(cmd.Context())
			if err != nil {
				return err
			}
			defer ch.Close()
			var out struct {
				Validator chain.Validator      `json:"validator"`
				Collect   uint256.Int          `json:"collect"` // to be collected
				Balance   uint256.Int          `json:"balance"`
				Rules     chain.ValidatorRules `json:"rules"`
				Disputes  chain.DisputeRules   `json:"disputes"`
			}
			if out.Validator, err = ch.Validator(cmd.Context(), account); err != nil {
				return err
			}
			if out.Collect, err = ch.DisputeCredit(cmd.Context(), account); err != nil {
				return err
			}
			if out.Balance, err = ch.Balance(cmd.Context(), account); err != nil {
				return err
			}
			if out.Rules, err = ch.ValidatorRules(cmd.Context()); err != nil {
				return err
			}
			if out.Disputes, err = ch.DisputeRules(cmd.Context()); err != nil {
				return err
			}
			return c.print(&out, func(w io.Writer) {
				v := out.Validator
				state := "serves"
				switch {
				case v.Bond.IsZero():
					state = "is no validator"
				case v.ReleaseAt != 0:
					state = "left; its bond is free at " + until(v.ReleaseAt)
				case v.Bond.Lt(&out.Rules.MinBond):
					state = "is not drawn: its bond is below the minimum"
				}
				fmt.Fprintf(w, "%s %s\nbond      %s OPEN (minimum %s)\nseats     in %d open disputes\nto collect %s OPEN\nbalance   %s OPEN\n", account.Hex(), state,
					node.FormatOpen(v.Bond), node.FormatOpen(out.Rules.MinBond), v.Seats, node.FormatOpen(out.Collect), node.FormatOpen(out.Balance))
			})
		},
	}
}

// disputeView is a dispute with its committee.
type disputeView struct {
	chain.Dispute
	Seats []chain.Seat `json:"seats"`
}

func validatorVerdicts(c *cli) *cobra.Command {
	var from uint64
	cmd := &cobra.Command{
		Use:     "verdicts",
		Short:   "Show disputes, their committees and what was voted",
		Example: "  openledger validator verdicts --json\n  openledger validator verdicts --from 12",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, _, ch, err := c.network(cmd.Context())
			if err != nil {
				return err
			}
			defer ch.Close()
			list, err := ch.Disputes(cmd.Context(), from)
			if err != nil {
				return err
			}
			out := make([]disputeView, len(list))
			for i, d := range list {
				out[i].Dispute = d
				if out[i].Seats, err = ch.Seats(cmd.Context(), d.ID); err != nil {
					return err
				}
			}
			return c.print(map[string]any{"disputes": out}, func(w io.Writer) {
				t := newTable(w, "dispute", "about", "status", "reason", "round", "guilty", "upheld", "deadline")
				for _, d := range out {
					t.AppendRow([]any{d.ID, subjectOf(&d.Dispute), d.Status, d.Reason, d.Round, d.Guilty, d.Upheld, until(d.Deadline)})
				}
				t.Render()
			})
		},
	}
	cmd.Flags().Uint64Var(&from, "from", 0, "the first dispute to show")
	return cmd
}

func validatorCheck(c *cli) *cobra.Command {
	var share float64
	cmd := &cobra.Command{
		Use:   "check WORKER NONCE",
		Short: "Judge one batch once, without a bond",
		Long: `Check fetches a batch's document and evidence from the network, works it out again,
and runs a share of its receipts once more. It sends nothing to the chain, and exits with
1 when the batch does not hold. Receipts that an earlier batch charged are found only when
the worker's earlier documents can be had.`,
		Example: "  openledger validator check 0x52908400098527886E0F7030069857D2E4169EE7 3 --share 1 --json",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			worker, err := c.target(args[:1])
			if err != nil {
				return err
			}
			nonce, err := strconv.ParseUint(args[1], 10, 64)
			if err != nil {
				return protocol.Errorf(protocol.KindInvalid, "nonce", "%q is no number of a batch: they count from 0", args[1])
			}
			if !(share > 0 && share <= 1) {
				return protocol.Errorf(protocol.KindInvalid, "share", "is %v: above 0, at most 1", share)
			}
			f, err := c.checkBatch(cmd, worker, nonce, share)
			if err != nil {
				return err
			}
			if err := c.print(&f, func(w io.Writer) {
				verdict := "holds"
				if f.Guilty {
					verdict = fmt.Sprintf("does not hold: %s: %s", f.Reason, f.Detail)
				}
				fmt.Fprintf(w, "batch %d of worker %s %s\nreceipts  %d, of which %d were run again\n", f.Nonce, f.Worker.Hex(), verdict, f.Receipts, f.Rerun)
				for _, u := range f.Unable {
					fmt.Fprintln(w, "not judged:", u)
				}
			}); err != nil {
				return err
			}
			if f.Guilty {
				return errReported
			}
			return nil
		},
	}
	cmd.Flags().Float64Var(&share, "share", 0.05, "share of the receipts that are run again; one at least")
	return cmd
}

// checkBatch judges a batch with a memory that is thrown away.
func (c *cli) checkBatch(cmd *cobra.Command, worker protocol.Account, nonce uint64, share float64) (_ validator.Finding, err error) {
	j, err := c.judge(cmd.Context())
	if err != nil {
		return validator.Finding{}, err
	}
	defer func() { err = errors.Join(err, j.close()) }()
	return j.batch(cmd.Context(), c, worker, nonce, share)
}

// judging is a judge of batches and epochs with what it is made of.
type judging struct {
	client  *client.Client
	chain   *chain.Client
	content *ipfs.Node
	judge   *validator.Judge
	closers []func() error
}

func (j *judging) close() (err error) {
	for _, done := range slices.Backward(j.closers) {
		err = errors.Join(err, done())
	}
	return err
}

// judge opens a judge whose memory is thrown away when it is closed.
func (c *cli) judge(ctx context.Context) (_ *judging, err error) {
	j := &judging{}
	defer func() {
		if err != nil {
			err = errors.Join(err, j.close())
		}
	}()
	cl, info, ch, err := c.network(ctx)
	if err != nil {
		return nil, err
	}
	j.client, j.chain = cl, ch
	j.closers = append(j.closers, func() error { ch.Close(); return nil })
	dir, err := os.MkdirTemp("", "openledger-check-")
	if err != nil {
		return nil, err
	}
	j.closers = append(j.closers, func() error { return os.RemoveAll(dir) })
	db, err := store.Open(store.Config{Dir: filepath.Join(dir, "db")})
	if err != nil {
		return nil, err
	}
	j.closers = append(j.closers, db.Close)
	index, err := events.New(events.Config{DB: db, Chain: ch, Logger: c.logger()})
	if err != nil {
		return nil, err
	}
	if _, err := index.Sync(ctx); err != nil {
		return nil, err
	}
	content, done, err := c.open(info)
	if err != nil {
		return nil, err
	}
	j.content = content
	j.closers = append(j.closers, done)
	m, err := node.OpenModelAt(c.baseModel, 0)
	if err != nil {
		return nil, err
	}
	j.closers = append(j.closers, m.Close)
	providers, err := ipfs.ParseProviders(info.Bootstrap)
	if err != nil {
		return nil, err
	}
	j.judge = &validator.Judge{
		Chain: ch, Index: index, Blocks: node.NewBlocks(content, providers, 20*time.Second), Auditor: node.AuditorOf(ch, m, content, providers...), Seen: validator.NewJournal(db),
		Adapters: node.NewOpenAdapters(adapter.Source{Content: content, Registry: ch, Base: m.Bundle.Hash, Model: m.Model}, providers...),
	}
	return j, nil
}

// batch judges a batch, and compares with the worker's earlier ones that can be had.
func (j *judging) batch(ctx context.Context, c *cli, worker protocol.Account, nonce uint64, share float64) (validator.Finding, error) {
	t, err := j.judge.Find(ctx, worker, nonce)
	if err != nil {
		return validator.Finding{}, err
	}
	for n := range nonce {
		earlier, err := j.judge.Find(ctx, worker, n)
		if err != nil {
			return validator.Finding{}, err
		}
		if err := j.judge.Remember(ctx, worker, validator.Place{Nonce: n, DataDigest: earlier.DataDigest}); err != nil {
			c.say("batch %d cannot be compared with: %v", n, err)
		}
	}
	// Chance is all that an unpredictable sample needs here: nobody waits for this one.
	var seed protocol.Hash
	if head, err := j.chain.Newest(ctx); err == nil {
		seed = head.Hash
	}
	return j.judge.Batch(ctx, t, validator.Sample(seed, share, 0))
}
