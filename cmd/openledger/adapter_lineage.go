package main

import (
	"context"
	"fmt"
	"io"
	"math/big"
	"strings"

	"github.com/holiman/uint256"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/payout"
	"github.com/openledger/openledger/store/ipfs"
	"github.com/openledger/openledger/worker"
)

func royaltyFlag(f *pflag.FlagSet, royalty *string) {
	f.StringVar(royalty, "royalty", "0", "percent of what owners of adapters derived from this one earn that you ask for; it can be lowered later, not raised")
}

// parseBps reads a percentage with up to two decimals, such as "12.5", into basis points.
func parseBps(field, s string) (uint16, error) {
	r, ok := new(big.Rat).SetString(strings.TrimSuffix(strings.TrimSpace(s), "%"))
	if ok {
		r.Mul(r, big.NewRat(100, 1))
	}
	if !ok || strings.ContainsAny(s, "eE/_xX") || !r.IsInt() || r.Sign() < 0 || r.Num().Cmp(big.NewInt(payout.BpsScale)) > 0 {
		return 0, protocol.Errorf(protocol.KindInvalid, field, "%q is not a percentage from 0 to 100 with up to two decimals, such as 12.5", s)
	}
	return uint16(r.Num().Uint64()), nil
}

// formatBps writes basis points as a percentage.
func formatBps(bps uint16) string {
	s := fmt.Sprintf("%d.%02d", bps/100, bps%100)
	return strings.TrimRight(strings.TrimRight(s, "0"), ".") + " %"
}

// setLineage fills an order's royalty and revision in: the next under its name.
func setLineage(ctx context.Context, ch *chain.Client, owner protocol.Account, royalty string, o *protocol.TrainingOrder) error {
	var err error
	if o.RoyaltyBps, err = parseBps("royalty", royalty); err != nil {
		return err
	}
	rules, err := ch.LineageRules(ctx)
	if err != nil {
		return err
	}
	if o.RoyaltyBps > rules.RoyaltyBps {
		return protocol.Errorf(protocol.KindInvalid, "royalty", "%s is more than an adapter may ask for, %s ('openledger gov params' shows models.lineage)", formatBps(o.RoyaltyBps), formatBps(rules.RoyaltyBps))
	}
	latest, err := ch.LatestRevision(ctx, owner, o.Name)
	o.Revision = latest + 1
	return err
}

// royaltiesAsked is what the parents of a merge ask for together.
func royaltiesAsked(parents []worker.MergeParent) (bps uint16) {
	for _, p := range parents {
		bps += p.Registered.RoyaltyBps
	}
	return bps
}

// parentView is one line of a lineage.
type parentView struct {
	Name       string           `json:"name"`
	Revision   uint32           `json:"revision"`
	Adapter    protocol.CID     `json:"adapter"`
	Owner      protocol.Account `json:"owner"`
	Weight     float64          `json:"weight"`
	RoyaltyBps uint16           `json:"royalty_bps"`
}

// earning is what one party gets of an answer's access price.
type earning struct {
	Role    payout.Role       `json:"role"`
	Account *protocol.Account `json:"account,omitempty"` // of one party
	Adapter string            `json:"adapter,omitempty"` // royalties: of which
	Wei     string            `json:"wei"`
}

// lineageView is where an adapter stands among others, as the chain has it now.
type lineageView struct {
	Revisions  uint32 // of its name
	Parents    []parentView
	Earnings   []earning
	registered chain.Adapter
}

func (c *cli) lineage(cmd *cobra.Command, m api.Model, h protocol.Hyper) (l lineageView, err error) {
	_, _, ch, err := c.network(cmd.Context())
	if err != nil {
		return l, err
	}
	defer ch.Close()
	ctx := cmd.Context()
	digest, err := ipfs.Digest(m.CID)
	if err != nil {
		return l, err
	}
	if l.registered, err = ch.Adapter(ctx, digest); err != nil {
		return l, err
	}
	if l.Revisions, err = ch.LatestRevision(ctx, l.registered.Owner, l.registered.Name); err != nil {
		return l, err
	}
	for _, p := range l.registered.Parents {
		a, err := ch.Adapter(ctx, p)
		if err != nil {
			return l, err
		}
		v := parentView{Name: a.Name, Revision: a.Revision, Adapter: a.CID, Owner: a.Owner, RoyaltyBps: a.RoyaltyBps}
		if h.Merge != nil {
			for _, q := range h.Merge.Parents {
				if q.Adapter == a.CID {
					v.Weight = q.Weight
				}
			}
		}
		l.Parents = append(l.Parents, v)
	}
	l.Earnings, err = earnings(ctx, ch, l.registered)
	return l, err
}

// earnings divides the access price of one answer as settlement will. Who the stakers
// and contributors are depends on the worker and on the answer, so each are one line.
func earnings(ctx context.Context, ch *chain.Client, a chain.Adapter) ([]earning, error) {
	fees, err := ch.FeeParams(ctx)
	if err != nil {
		return nil, err
	}
	several := protocol.Account{1} // stands for parties that are not known yet
	parties := payout.Parties{Treasury: fees.Treasury, WorkerPayout: several, ModelOwner: a.Owner, Pool: several,
		Stakers: []payout.Stake{{Account: several, Amount: *uint256.NewInt(1)}}}
	shares, err := payout.Split(protocol.Fee{Access: a.Access}, payout.Params{PlatformBps: fees.PlatformBps, OwnerPart: fees.OwnerPart,
		StakersPart: fees.StakersPart, ContributorsPart: fees.ContributorsPart}, parties, protocol.Attribution{Pool: protocol.WeightScale})
	if err != nil {
		return nil, err
	}
	var out []earning
	for _, s := range shares {
		switch s.Role {
		case payout.RoleOwner:
			along, err := royalties(ctx, ch, a, s.Amount)
			if err != nil {
				return nil, err
			}
			out = append(out, along...)
		case payout.RolePlatform:
			out = append(out, earning{Role: s.Role, Account: &s.Account, Wei: s.Amount.Dec()})
		case payout.RolePool: // records and the pool, by attribution
			out = append(out, earning{Role: payout.RoleContributor, Wei: s.Amount.Dec()})
		default:
			out = append(out, earning{Role: s.Role, Wei: s.Amount.Dec()})
		}
	}
	return out, nil
}

// royalties divides the owner's part of an answer's price along the lineage.
func royalties(ctx context.Context, ch *chain.Client, a chain.Adapter, amount uint256.Int) ([]earning, error) {
	steps, err := ch.RoyaltiesOf(ctx, a.Digest)
	if err != nil {
		return nil, err
	}
	lineage := make([]payout.Royalty, len(steps))
	for i, s := range steps {
		lineage[i] = payout.Royalty(s)
	}
	parts, err := payout.Royalties(&amount, lineage)
	if err != nil {
		return nil, err
	}
	out := []earning{{Role: payout.RoleOwner, Account: &a.Owner, Wei: parts[0].Dec()}}
	for i, s := range steps {
		p, err := ch.Adapter(ctx, s.Adapter)
		if err != nil {
			return nil, err
		}
		out = append(out, earning{Role: payout.RoleRoyalty, Account: &p.Owner, Adapter: p.Name, Wei: parts[i+1].Dec()})
	}
	return out, nil
}

// print says who owns the parents and who earns from an answer.
func (l lineageView) print(w io.Writer) {
	for _, p := range l.Parents {
		fmt.Fprintf(w, "parent    %s revision %d of %s, royalty %s\n", p.Name, p.Revision, p.Owner.Hex(), formatBps(p.RoyaltyBps))
	}
	for _, e := range l.Earnings {
		who := string(e.Role)
		if e.Adapter != "" {
			who += " for " + e.Adapter
		}
		if e.Account != nil {
			who += " " + e.Account.Hex()
		}
		fmt.Fprintf(w, "earns     %s wei of an answer's price: %s\n", e.Wei, who)
	}
}

func adapterRoyalty(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "royalty NAME PERCENT",
		Short: "Lower what you ask of the owners of adapters derived from yours",
		Long: `Royalty lowers, never raises, the part of what owners of derived adapters earn that you
ask for, of those registered already too. To ask for more, register the next revision
with another --royalty: what was derived from this one keeps its terms.`,
		Example: "  openledger adapter royalty fable-lessons 5 --as owner\n  openledger adapter royalty fable-lessons@1 0 --as owner --json",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			bps, err := parseBps("royalty", args[1])
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
			a, err := ownAdapter(cmd.Context(), ch, key.Account(), args[0])
			ch.Close()
			if err != nil {
				return err
			}
			if bps >= a.RoyaltyBps {
				return protocol.Errorf(protocol.KindInvalid, "royalty", "%s asks for %s now, and that can only be lowered: ask for more with the next revision", args[0], formatBps(a.RoyaltyBps))
			}
			return c.transact(cmd, fmt.Sprintf("%s asks for %s of what owners of derived adapters earn", args[0], formatBps(bps)), func(s *chain.Sender) (chain.Tx, error) {
				return s.LowerRoyalty(cmd.Context(), a.Digest, bps)
			})
		},
	}
}

// ownAdapter is an owner's adapter by its name: the newest revision, or one by
// NAME@REVISION.
func ownAdapter(ctx context.Context, ch *chain.Client, owner protocol.Account, name string) (a chain.Adapter, err error) {
	plain, number, numbered := strings.Cut(name, "@")
	if numbered {
		var n uint32
		if _, err := fmt.Sscanf(number, "%d", &n); err != nil || fmt.Sprint(n) != number {
			return a, protocol.Errorf(protocol.KindInvalid, "name", "%q is no revision: write it like fable-lessons@2", name)
		}
		a, err = ch.AdapterRevision(ctx, owner, plain, n)
	} else {
		a, err = ch.AdapterByName(ctx, owner, name)
	}
	if protocol.KindOf(err) == protocol.KindNotFound {
		err = protocol.Errorf(protocol.KindNotFound, "name", "%s owns no adapter %q: see 'openledger adapter list'", owner.Hex(), name)
	}
	return a, err
}
