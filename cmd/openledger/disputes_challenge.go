package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/holiman/uint256"
	"github.com/spf13/cobra"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/worker/validator"
)

// challengeReasons are the words for reasons on the command line.
var challengeReasons = map[string]protocol.DisputeReason{
	"data": protocol.ReasonData, "arithmetic": protocol.ReasonArithmetic, "signature": protocol.ReasonSignature, "output": protocol.ReasonOutput,
	"attribution": protocol.ReasonAttribution, "adapter": protocol.ReasonAdapter, "tokens": protocol.ReasonTokens,
}

// challenge is what to challenge, and on what ground.
type challenge struct {
	worker protocol.Account
	nonce  uint64
	epoch  uint32 // 0: the batch
	share  float64
	reason string
	force  bool
	dry    bool
}

// challengeView is what 'disputes challenge' prints.
type challengeView struct {
	Subject string            `json:"subject"`
	Finding validator.Finding `json:"finding"`
	Problem string            `json:"problem,omitempty"` // why it could not be judged
	Stage   string            `json:"stage"`             // where the batch or epoch stands
	Open    bool              `json:"open"`              // to challenges
	Bond    uint256.Int       `json:"bond"`
	Sent    bool              `json:"sent"`
	Dispute uint64            `json:"dispute,omitempty"`
	Tx      protocol.Hash     `json:"tx"`
}

func disputesChallenge(c *cli) *cobra.Command {
	var want challenge
	cmd := &cobra.Command{
		Use:   "challenge WORKER NONCE | --epoch ID",
		Short: "Work a batch or an epoch out again and, if it is wrong, challenge it with a bond",
		Long: `Challenge does by hand what 'openledger validator run' does by itself: it fetches the
document and its evidence, works everything out again, runs a share of a batch's receipts
once more and, if that shows a fault, challenges it. A committee of validators decides: the
bond comes back with a reward, or is lost. --dry-run says what it found and sends nothing.

A batch or an epoch in which it finds no fault is not challenged, unless --force is given
with the reason that you have: one of ` + strings.Join(slices.Sorted(maps.Keys(challengeReasons)), ", ") + `.`,
		Example: `  openledger disputes challenge 0x52908400098527886E0F7030069857D2E4169EE7 3 --dry-run --json
  openledger disputes challenge 0x52908400098527886E0F7030069857D2E4169EE7 3 --share 1 --as alice
  openledger disputes challenge --epoch 2 --as alice`,
		Args: cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.readChallenge(&want, cmd.Flags().Changed("epoch"), args); err != nil {
				return err
			}
			return c.challenge(cmd.Context(), want)
		},
	}
	cmd.Flags().Uint32Var(&want.epoch, "epoch", 0, "challenge the root of an epoch")
	cmd.Flags().Float64Var(&want.share, "share", 0.05, "share of a batch's receipts that are run again; one at least")
	cmd.Flags().StringVar(&want.reason, "reason", "", "your reason, with --force")
	cmd.Flags().BoolVar(&want.force, "force", false, "challenge even if no fault is found")
	cmd.Flags().BoolVar(&want.dry, "dry-run", false, "only say what is found")
	return cmd
}

func (c *cli) readChallenge(want *challenge, epoch bool, args []string) (err error) {
	switch {
	case epoch && (want.epoch == 0 || len(args) > 0):
		return protocol.Errorf(protocol.KindInvalid, "epoch", "takes the number of an epoch, from 1, and no batch beside it")
	case !epoch && len(args) != 2:
		return protocol.Errorf(protocol.KindInvalid, "batch", "name its worker and its number, or an epoch with --epoch")
	case !(want.share > 0 && want.share <= 1):
		return protocol.Errorf(protocol.KindInvalid, "share", "is %v: above 0, at most 1", want.share)
	case want.force != (want.reason != ""):
		return protocol.Errorf(protocol.KindInvalid, "reason", "--force and --reason go together: a finding has its own reason")
	case want.force && challengeReasons[want.reason] == 0:
		return protocol.Errorf(protocol.KindInvalid, "reason", "%q is none: one of %s", want.reason, strings.Join(slices.Sorted(maps.Keys(challengeReasons)), ", "))
	}
	if epoch {
		return nil
	}
	if want.worker, err = c.target(args[:1]); err != nil {
		return err
	}
	if want.nonce, err = strconv.ParseUint(args[1], 10, 64); err != nil {
		return protocol.Errorf(protocol.KindInvalid, "nonce", "%q is no number of a batch: they count from 0", args[1])
	}
	return nil
}

func (c *cli) challenge(ctx context.Context, want challenge) (err error) {
	var key keystore.Signer
	if !want.dry {
		if key, err = c.signer(); err != nil {
			return err
		}
	}
	j, err := c.judge(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.close()) }()
	v, err := j.find(ctx, c, want)
	if err != nil {
		return err
	}
	if !want.dry {
		if err := j.send(ctx, c, key, want, &v); err != nil {
			return err
		}
	}
	return c.print(&v, func(w io.Writer) { printChallenge(w, &v) })
}

func printChallenge(w io.Writer, v *challengeView) {
	switch {
	case v.Problem != "":
		fmt.Fprintf(w, "%s could not be judged: %s\n", v.Subject, v.Problem)
	case v.Finding.Guilty:
		fmt.Fprintf(w, "%s does not hold: %s: %s\n", v.Subject, v.Finding.Reason, v.Finding.Detail)
	default:
		fmt.Fprintf(w, "%s holds\n", v.Subject)
	}
	if v.Finding.Receipts > 0 {
		fmt.Fprintf(w, "receipts  %d, of which %d were run again\n", v.Finding.Receipts, v.Finding.Rerun)
	}
	for _, u := range v.Finding.Unable {
		fmt.Fprintln(w, "not judged:", u)
	}
	fmt.Fprintf(w, "it is     %s\nbond      %s OPEN\n", v.Stage, node.FormatOpen(v.Bond))
	if v.Sent {
		fmt.Fprintf(w, "dispute   %d, tx %s: 'openledger disputes show %d' tells how it goes\n", v.Dispute, v.Tx, v.Dispute)
	}
}

// find judges what is to be challenged.
func (j *judging) find(ctx context.Context, c *cli, want challenge) (v challengeView, err error) {
	if want.epoch != 0 {
		e, err := j.chain.Epoch(ctx, want.epoch)
		if err != nil {
			return v, err
		}
		if e.Document == (protocol.Hash{}) {
			return v, protocol.Errorf(protocol.KindInvalid, "epoch", "%d is %s: it has no root yet", want.epoch, e.Stage)
		}
		v.Subject, v.Stage, v.Open = fmt.Sprintf("epoch %d", e.ID), string(e.Stage), e.Stage == chain.EpochProposed && !e.Upheld
		v.Finding, err = j.judge.Epoch(ctx, e)
		if err := v.judged(err); err != nil {
			return v, err
		}
		v.Bond, err = j.chain.ChallengeBond(ctx, j.chain.Addresses().Epochs, uint64(e.ID))
		return v, err
	}
	v.Finding, err = j.batch(ctx, c, want.worker, want.nonce, want.share)
	if err := v.judged(err); err != nil {
		return v, err
	}
	b, err := j.chain.Batch(ctx, want.worker, want.nonce)
	if err != nil {
		return v, err
	}
	v.Subject = fmt.Sprintf("batch %d of worker %s", b.Nonce, b.Worker.Hex())
	v.Stage, v.Open = string(b.Status), b.Status == chain.BatchPending
	v.Bond, err = j.chain.ChallengeBond(ctx, b.Worker, b.Nonce)
	return v, err
}

// judged keeps what could not be had as a problem: that is guilt only once it lasts, and
// lets whoever insists challenge for it.
func (v *challengeView) judged(err error) error {
	var gone *validator.MissingError
	if errors.As(err, &gone) {
		v.Problem = gone.Error()
		return nil
	}
	return err
}

// send publishes the finding and challenges.
func (j *judging) send(ctx context.Context, c *cli, key keystore.Signer, want challenge, v *challengeView) (err error) {
	if !v.Open {
		return protocol.Errorf(protocol.KindInvalid, "stage", "%s is %s: only what is in its challenge window, and was not upheld, can be challenged", v.Subject, v.Stage)
	}
	f := v.Finding
	switch {
	case want.force:
		f.Reason = challengeReasons[want.reason]
	case v.Problem != "":
		return protocol.Errorf(protocol.KindUnavailable, "document", "%s could not be judged: %s: try again, or challenge it for that with --force --reason data", v.Subject, v.Problem)
	case !f.Guilty:
		return protocol.Errorf(protocol.KindInvalid, "fault", "none was found in %s: a challenge would lose its bond of %s OPEN (--share 1 runs all receipts again, --force --reason challenges all the same)", v.Subject, node.FormatOpen(v.Bond))
	}
	raw, err := validator.EncodeChallenge(j.chain, f)
	if err != nil {
		return err
	}
	evidence, err := publishing{Blocks: blocksOf(j.client), node: j.content}.Put(ctx, raw)
	if err != nil {
		return err
	}
	// Who asks the coordinator for a block makes it fetch and keep it. The committee looks for
	// itself: without the document it only does not know where to look first.
	if _, err := blocksOf(j.client).Get(ctx, evidence); err != nil {
		c.say("the coordinator has no copy of the finding: %v", err)
	}
	var tx chain.Tx
	if want.epoch != 0 {
		v.Dispute, tx, err = j.chain.As(key).ChallengeEpoch(ctx, want.epoch, f.Reason, evidence)
	} else {
		v.Dispute, tx, err = j.chain.As(key).Challenge(ctx, want.worker, want.nonce, f.Reason, evidence)
	}
	v.Tx, v.Sent = tx.Hash, err == nil
	return err
}
