package main

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/holiman/uint256"
	"github.com/spf13/cobra"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
)

func datanetRequire(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "require DATANET AMOUNT",
		Short:   "Ask contributors to your datanet for a stake from now on; 0 for none",
		Example: "  openledger datanet require 1 5 --as owner",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := datanetID(args[0])
			if err != nil {
				return err
			}
			amount, err := node.ParseOpen("amount", args[1])
			if err != nil {
				return err
			}
			return c.transact(cmd, fmt.Sprintf("datanet %d asks contributors for %s OPEN", id, node.FormatOpen(amount)), func(s *chain.Sender) (chain.Tx, error) {
				return s.RequireStake(cmd.Context(), id, amount)
			})
		},
	}
}

// stakeTx is a verb that changes the signer's stake on a datanet. Without an amount it is
// the one that pick gives.
func (c *cli) stakeTx(cmd *cobra.Command, args []string, pick func(chain.ContributorStake) uint256.Int, send func(*chain.Sender, uint64, uint256.Int) (chain.Tx, error)) error {
	id, err := datanetID(args[0])
	if err != nil {
		return err
	}
	key, err := c.signer()
	if err != nil {
		return err
	}
	_, _, ch, err := c.network(cmd.Context())
	if err != nil {
		return err
	}
	defer ch.Close()
	before, err := ch.ContributorStake(cmd.Context(), id, key.Account())
	if err != nil {
		return err
	}
	amount := pick(before)
	if len(args) > 1 {
		if amount, err = node.ParseOpen("amount", args[1]); err != nil {
			return err
		}
	}
	tx, err := send(ch.As(key), id, amount)
	if err != nil {
		return err
	}
	after, err := ch.ContributorStake(cmd.Context(), id, key.Account())
	if err != nil {
		return err
	}
	v := struct {
		chain.ContributorStake
		Tx protocol.Hash `json:"tx"`
	}{after, tx.Hash}
	return c.print(v, func(w io.Writer) {
		fmt.Fprintf(w, "datanet  %d asks for %s OPEN\nstaked   %s OPEN\n", id, node.FormatOpen(after.Required), node.FormatOpen(after.Staked))
		if !after.Leaving.IsZero() {
			fmt.Fprintf(w, "leaving  %s OPEN, free at %s\n", node.FormatOpen(after.Leaving), minute(after.ReleaseAt))
		}
		fmt.Fprintf(w, "tx %s in block %d, %d gas\n", tx.Hash, tx.Block, tx.GasUsed)
	})
}

func datanetStake(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "stake DATANET [AMOUNT]",
		Short:   "Stake on a datanet as a contributor; without an amount, what it asks for and you lack",
		Example: "  openledger datanet stake 1 --as alice\n  openledger datanet stake 1 5 --as alice --json",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.stakeTx(cmd, args, chain.ContributorStake.Missing, func(s *chain.Sender, id uint64, amount uint256.Int) (chain.Tx, error) {
				if amount.IsZero() {
					return chain.Tx{}, protocol.Errorf(protocol.KindInvalid, "amount", "is 0: the datanet asks for no more than you have staked")
				}
				return s.StakeDatanet(cmd.Context(), id, amount)
			})
		},
	}
}

func datanetUnstake(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "unstake DATANET [AMOUNT]",
		Short:   "Start taking your stake out (all of it without an amount); 'datanet withdraw' pays it after the delay",
		Example: "  openledger datanet unstake 1 --as alice",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.stakeTx(cmd, args, func(s chain.ContributorStake) uint256.Int { return s.Staked }, func(s *chain.Sender, id uint64, amount uint256.Int) (chain.Tx, error) {
				return s.UnstakeDatanet(cmd.Context(), id, amount)
			})
		},
	}
}

func datanetWithdraw(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "withdraw DATANET",
		Short:   "Take out the stake whose delay is over",
		Example: "  openledger datanet withdraw 1 --as alice",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.stakeTx(cmd, args, func(s chain.ContributorStake) uint256.Int { return s.Leaving }, func(s *chain.Sender, id uint64, _ uint256.Int) (chain.Tx, error) {
				return s.WithdrawDatanet(cmd.Context(), id)
			})
		},
	}
}

// rejected is how one rejection fared.
type rejected struct {
	api.ContributionStatus
	Case *chain.AbuseCase `json:"case,omitempty"` // of an abusive contribution with a stake
}

func datanetReject(c *cli) *cobra.Command {
	var reason string
	var abusive bool
	cmd := &cobra.Command{
		Use:   "reject DATANET CID...",
		Short: "Reject records; as abusive, this costs the contributor a share of its stake",
		Long: `Signs a rejection of each record. With --abusive it also opens a case on the chain: a share
of the contributor's stake on this datanet is set aside, the contributor may appeal, and
without a successful appeal the share goes to the datanet's public pool.`,
		Example: `  openledger datanet reject 1 bafkrei... --reason "a duplicate of the first fable" --as owner
  openledger datanet reject 1 bafkrei... --abusive --reason "an advertisement" --as owner`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := datanetID(args[0])
			if err != nil {
				return err
			}
			key, err := c.signer()
			if err != nil {
				return err
			}
			cl, info, ch, err := c.network(cmd.Context())
			if err != nil {
				return err
			}
			defer ch.Close()
			known, err := cl.Contributions(cmd.Context(), id, "")
			if err != nil {
				return err
			}
			of := map[protocol.CID]api.ContributionStatus{}
			for _, k := range known {
				of[k.CID] = k
			}
			var out []rejected
			for _, cid := range args[1:] {
				k, ok := of[protocol.CID(cid)]
				if !ok {
					return protocol.Errorf(protocol.KindNotFound, "record", "%s was not contributed to datanet %d", cid, id)
				}
				signed := protocol.SignedReview{Review: protocol.Review{
					Datanet: id, Record: k.Contribution.Record, Status: protocol.ReviewRejected, Reason: reason, At: time.Now().UnixMilli(),
				}}
				if abusive {
					signed.Review.Status = protocol.ReviewAbusive
				}
				if signed.Signature, err = key.SignTyped(cmd.Context(), wire.ReviewData(registryDomain(info), signed.Review)); err != nil {
					return err
				}
				done := rejected{}
				if err := cl.Call(cmd.Context(), http.MethodPost, fmt.Sprintf("/api/v1/datanets/%d/reviews", id), signed, &done.ContributionStatus); err != nil {
					return err
				}
				if abusive {
					if done.Case, err = accuse(cmd, ch.As(key), signed, k.SignedContribution); err != nil {
						return err
					}
				}
				out = append(out, done)
			}
			return c.print(map[string]any{"rejected": out}, func(w io.Writer) {
				for _, r := range out {
					fmt.Fprintf(w, "%s is %s\n", r.CID, r.Status)
					switch {
					case r.Case != nil:
						fmt.Fprintf(w, "  case %d: %s OPEN of %s are set aside; it may appeal until %s\n", r.Case.ID, node.FormatOpen(r.Case.Amount), r.Case.Contributor.Hex(), minute(r.Case.Until))
					case abusive:
						fmt.Fprintln(w, "  the contributor has no stake here: nothing is set aside")
					}
				}
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why the records are rejected (required)")
	cmd.Flags().BoolVar(&abusive, "abusive", false, "the contribution is an abuse, such as spam or stolen text")
	_ = cmd.MarkFlagRequired("reason")
	return cmd
}

// accuse opens the case of an abusive contribution; nil: its contributor has no stake.
func accuse(cmd *cobra.Command, s *chain.Sender, r protocol.SignedReview, k protocol.SignedContribution) (*chain.AbuseCase, error) {
	stake, err := s.Client().ContributorStake(cmd.Context(), r.Review.Datanet, k.Contribution.Contributor)
	if err != nil {
		return nil, err
	}
	if stake.Staked.IsZero() && stake.Leaving.IsZero() {
		return nil, nil
	}
	_, opened, err := s.Accuse(cmd.Context(), r, k)
	return &opened, err
}

func caseID(s string) (uint64, error) {
	id, err := strconv.ParseUint(s, 10, 64)
	if err != nil || id == 0 {
		return 0, protocol.Errorf(protocol.KindInvalid, "case", "%q is not a case's number: 'openledger datanet cases' shows them", s)
	}
	return id, nil
}

func datanetCases(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "cases [DATANET]",
		Short:   "List the cases of abusive contributions",
		Example: "  openledger datanet cases 1 --json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var id uint64
			var err error
			if len(args) > 0 {
				if id, err = datanetID(args[0]); err != nil {
					return err
				}
			}
			_, _, ch, err := c.network(cmd.Context())
			if err != nil {
				return err
			}
			defer ch.Close()
			list, err := ch.AbuseCases(cmd.Context(), id)
			if err != nil {
				return err
			}
			return c.print(map[string]any{"cases": list}, func(w io.Writer) {
				t := newTable(w, "case", "datanet", "contributor", "amount", "state", "until")
				for _, k := range list {
					t.AppendRow([]any{k.ID, k.Datanet, k.Contributor.Hex(), node.FormatOpen(k.Amount), k.State, minute(k.Until)})
				}
				t.Render()
			})
		},
	}
}

// caseTx is a verb that sends one transaction about a case.
func (c *cli) caseTx(cmd *cobra.Command, text string, send func(*chain.Sender, uint64) (chain.Tx, error)) error {
	id, err := caseID(text)
	if err != nil {
		return err
	}
	key, err := c.signer()
	if err != nil {
		return err
	}
	_, _, ch, err := c.network(cmd.Context())
	if err != nil {
		return err
	}
	defer ch.Close()
	tx, err := send(ch.As(key), id)
	if err != nil {
		return err
	}
	k, err := ch.AbuseCase(cmd.Context(), id)
	if err != nil {
		return err
	}
	v := struct {
		chain.AbuseCase
		Tx protocol.Hash `json:"tx"`
	}{k, tx.Hash}
	return c.print(v, func(w io.Writer) {
		fmt.Fprintf(w, "case %d about %s OPEN of %s is %s, until %s\n", k.ID, node.FormatOpen(k.Amount), k.Contributor.Hex(), k.State, minute(k.Until))
	})
}

func datanetAppeal(c *cli) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:     "appeal CASE",
		Short:   "Contest a case against you; governance decides it",
		Example: "  openledger datanet appeal 3 --reason 'it is a fable of my own' --as alice",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.caseTx(cmd, args[0], func(s *chain.Sender, id uint64) (chain.Tx, error) { return s.Appeal(cmd.Context(), id, reason) })
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "a public word on why (required)")
	_ = cmd.MarkFlagRequired("reason")
	return cmd
}

func datanetResolve(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "resolve CASE",
		Short:   "End a case whose period is over: the pool gets the share, or after an undecided appeal the contributor",
		Example: "  openledger datanet resolve 3 --as owner",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.caseTx(cmd, args[0], func(s *chain.Sender, id uint64) (chain.Tx, error) { return s.ResolveCase(cmd.Context(), id) })
		},
	}
}
