package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/spf13/cobra"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
)

func newGov(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "gov",
		Short: "Governance: parameters, votes, proposals, and who holds which role",
		Example: `  openledger gov params
  openledger gov wrap 20000 --as alice
  openledger gov delegate alice --as alice
  openledger gov propose 'A lower platform fee' --set fees.shares=500,4000,500,5000 --as alice
  openledger gov vote 0x1234… for --reason 'fair' --as alice
  openledger gov queue 0x1234… --as alice
  openledger gov execute 0x1234… --as alice`,
	}
	cmd.AddCommand(govParams(c), govRoles(c), govWrap(c), govUnwrap(c), govDelegate(c), govVotes(c),
		govPropose(c), govList(c), govShow(c), govVote(c),
		govStep(c, "queue", "Hand a proposal that succeeded to the timelock", "queued", (*chain.Sender).QueueProposal),
		govStep(c, "execute", "Do what a queued proposal says, once it is due; anybody may", "executed", (*chain.Sender).ExecuteProposal),
		govStep(c, "cancel", "Withdraw your own proposal before its vote starts", "cancelled", (*chain.Sender).CancelProposal))
	return cmd
}

type settingView struct {
	Name   string         `json:"name"`
	Fields []chain.Field  `json:"fields"`
	Values []*uint256.Int `json:"values"`
}

func govParams(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "params",
		Short:   "Print every governed parameter as it is now",
		Example: "  openledger gov params --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, _, ch, err := c.network(cmd.Context())
			if err != nil {
				return err
			}
			defer ch.Close()
			var list []settingView
			for _, s := range chain.Settings() {
				values, err := s.Values(cmd.Context(), ch)
				if err != nil {
					return err
				}
				v := settingView{Name: s.Name, Fields: s.Fields}
				for i := range values {
					v.Values = append(v.Values, &values[i])
				}
				list = append(list, v)
			}
			return c.print(map[string]any{"params": list}, func(w io.Writer) {
				t := newTable(w, "parameter", "value", "")
				for _, s := range list {
					for i, f := range s.Fields {
						text, unit := formatSetting(f.Unit, s.Values[i])
						name := s.Name
						if len(s.Fields) > 1 {
							name += " " + f.Name
						}
						t.AppendRow([]any{name, text, unit})
					}
				}
				t.Render()
			})
		},
	}
}

// formatSetting writes a value as parseSetting reads it.
func formatSetting(u chain.Unit, v *uint256.Int) (text, unit string) {
	switch u {
	case chain.UnitWei:
		return node.FormatOpen(*v), "OPEN"
	case chain.UnitAccount:
		return common.Address(v.Bytes20()).Hex(), ""
	case chain.UnitSeconds:
		if v.IsUint64() && v.Uint64() < 1<<33 {
			return (time.Duration(v.Uint64()) * time.Second).String(), ""
		}
		return v.Dec(), "s"
	}
	return v.Dec(), string(u)
}

func parseSetting(field string, u chain.Unit, text string) (v uint256.Int, err error) {
	switch u {
	case chain.UnitWei:
		return node.ParseOpen(field, text)
	case chain.UnitAccount:
		a, err := node.ParseAccount(field, text)
		v.SetBytes(a[:])
		return v, err
	case chain.UnitSeconds:
		if d, err := time.ParseDuration(text); err == nil && d >= 0 && d%time.Second == 0 {
			v.SetUint64(uint64(d / time.Second))
			return v, nil
		}
	}
	if err := v.SetFromDecimal(text); err != nil {
		return v, protocol.Errorf(protocol.KindInvalid, field, "%q is no %s", text, u)
	}
	return v, nil
}

// parseSet reads NAME=VALUE[,VALUE…].
func parseSet(at chain.Addresses, text string) (chain.Action, error) {
	name, list, ok := strings.Cut(text, "=")
	if !ok {
		return chain.Action{}, protocol.Errorf(protocol.KindInvalid, "set", "%q: write NAME=VALUE, as in 'openledger gov params'", text)
	}
	for _, s := range chain.Settings() {
		if s.Name != name {
			continue
		}
		parts := strings.Split(list, ",")
		if len(parts) != len(s.Fields) {
			names := make([]string, len(s.Fields))
			for i, f := range s.Fields {
				names[i] = strings.ToUpper(f.Name)
			}
			return chain.Action{}, protocol.Errorf(protocol.KindInvalid, "set", "%s takes %d values: %s=%s", name, len(s.Fields), name, strings.Join(names, ","))
		}
		values := make([]uint256.Int, len(parts))
		for i, p := range parts {
			var err error
			if values[i], err = parseSetting(name, s.Fields[i].Unit, strings.TrimSpace(p)); err != nil {
				return chain.Action{}, err
			}
		}
		return s.Action(at, values)
	}
	return chain.Action{}, protocol.Errorf(protocol.KindInvalid, "set", "there is no parameter %q: see 'openledger gov params'", name)
}

// parseGrant reads ACCOUNT=AMOUNT.
func parseGrant(at chain.Addresses, text, memo string) (chain.Action, error) {
	who, amount, ok := strings.Cut(text, "=")
	if !ok {
		return chain.Action{}, protocol.Errorf(protocol.KindInvalid, "grant", "%q: write ACCOUNT=AMOUNT", text)
	}
	to, err := node.ParseAccount("grant", who)
	if err != nil {
		return chain.Action{}, err
	}
	v, err := node.ParseOpen("grant", amount)
	return chain.GrantAction(at, to, v, memo), err
}

// parseCall reads ACCOUNT:HEX[:AMOUNT].
func parseCall(text string) (a chain.Action, err error) {
	parts := strings.Split(text, ":")
	if len(parts) < 2 || len(parts) > 3 {
		return a, protocol.Errorf(protocol.KindInvalid, "call", "%q: write CONTRACT:CALLDATA or CONTRACT:CALLDATA:AMOUNT, the call data in hex", text)
	}
	if a.To, err = node.ParseAccount("call", parts[0]); err != nil {
		return a, err
	}
	if a.Data, err = hex.DecodeString(strings.TrimPrefix(parts[1], "0x")); err != nil {
		return a, protocol.Errorf(protocol.KindInvalid, "call", "call data: %w", err)
	}
	if len(parts) == 3 {
		a.Value, err = node.ParseOpen("call", parts[2])
	}
	return a, err
}

func govPropose(c *cli) *cobra.Command {
	var sets, grants, calls []string
	cmd := &cobra.Command{
		Use:   "propose DESCRIPTION",
		Short: "Propose to change parameters, to grant from the treasury, or any other calls",
		Example: `  openledger gov propose 'A lower platform fee' --set fees.shares=500,4000,500,5000 --as alice
  openledger gov propose 'Faster votes' --set governance.voting_delay=12h --set governance.voting_period=72h --as alice
  openledger gov propose 'Pay the writers' --grant 0x52908400098527886E0F7030069857D2E4169EE7=1000 --as alice`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(sets)+len(grants)+len(calls) == 0 {
				return protocol.Errorf(protocol.KindInvalid, "set", "says nothing: a proposal needs at least one of --set, --grant and --call")
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
			var actions []chain.Action
			add := func(a chain.Action, err error) error {
				actions = append(actions, a)
				return err
			}
			for _, s := range sets {
				if err := add(parseSet(ch.Addresses(), s)); err != nil {
					return err
				}
			}
			for _, s := range grants {
				if err := add(parseGrant(ch.Addresses(), s, args[0])); err != nil {
					return err
				}
			}
			for _, s := range calls {
				if err := add(parseCall(s)); err != nil {
					return err
				}
			}
			id, tx, err := ch.As(key).Propose(cmd.Context(), actions, args[0])
			if err != nil {
				return err
			}
			return c.print(map[string]any{"proposal": id, "tx": tx.Hash}, func(w io.Writer) { fmt.Fprintf(w, "proposal %s\n", id) })
		},
	}
	cmd.Flags().StringArrayVar(&sets, "set", nil, "NAME=VALUE[,VALUE]: a parameter of 'gov params'")
	cmd.Flags().StringArrayVar(&grants, "grant", nil, "ACCOUNT=AMOUNT: pay OPEN from the treasury")
	cmd.Flags().StringArrayVar(&calls, "call", nil, "CONTRACT:CALLDATA[:AMOUNT]: any other call of the timelock")
	return cmd
}

// proposal reads a proposal's id.
func proposalID(text string) (protocol.Hash, error) {
	raw, err := hex.DecodeString(strings.TrimPrefix(text, "0x"))
	if err != nil || len(raw) != len(protocol.Hash{}) {
		return protocol.Hash{}, protocol.Errorf(protocol.KindInvalid, "proposal", "%q is no proposal id: it has 64 hex digits, see 'openledger gov list'", text)
	}
	return protocol.Hash(raw), nil
}

func govVote(c *cli) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:       "vote PROPOSAL for|against|abstain",
		Short:     "Cast your votes on a proposal",
		Example:   "  openledger gov vote 0x1234… for --reason 'fair' --as alice",
		Args:      cobra.ExactArgs(2),
		ValidArgs: []string{"for", "against", "abstain"},
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := proposalID(args[0])
			if err != nil {
				return err
			}
			support, ok := map[string]chain.Support{"for": chain.VoteFor, "against": chain.VoteAgainst, "abstain": chain.VoteAbstain}[args[1]]
			if !ok {
				return protocol.Errorf(protocol.KindInvalid, "vote", "%q is none of for, against, abstain", args[1])
			}
			return c.transact(cmd, "voted "+args[1], func(s *chain.Sender) (chain.Tx, error) {
				return s.Vote(cmd.Context(), id, support, reason)
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; it is on the chain for ever")
	return cmd
}

func govShow(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "show PROPOSAL",
		Short:   "Show a proposal: what it does, its votes, what comes next",
		Example: "  openledger gov show 0x1234… --json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := proposalID(args[0])
			if err != nil {
				return err
			}
			_, _, ch, err := c.network(cmd.Context())
			if err != nil {
				return err
			}
			defer ch.Close()
			all, err := ch.Proposals(cmd.Context())
			if err != nil {
				return err
			}
			for _, p := range all {
				if p.ID == id {
					return c.print(&p, func(w io.Writer) { printProposal(w, ch, p) })
				}
			}
			return protocol.Errorf(protocol.KindNotFound, "proposal", "there is no proposal %s: see 'openledger gov list'", id)
		},
	}
}

func (c *cli) proposals(cmd *cobra.Command) ([]chain.Proposal, error) {
	_, _, ch, err := c.network(cmd.Context())
	if err != nil {
		return nil, err
	}
	defer ch.Close()
	return ch.Proposals(cmd.Context())
}

func printProposal(w io.Writer, ch *chain.Client, p chain.Proposal) {
	fmt.Fprintf(w, "%s\nproposal  %s\nby        %s\nstate     %s\n", p.Description, p.ID, p.Proposer.Hex(), p.State)
	fmt.Fprintf(w, "voting    %s to %s\n", minute(p.VoteStart), minute(p.VoteEnd))
	if p.ExecutableAt != 0 {
		fmt.Fprintf(w, "due       %s\n", minute(p.ExecutableAt))
	}
	fmt.Fprintf(w, "votes     %s for, %s against, %s abstain; quorum %s\n",
		node.FormatOpen(p.For), node.FormatOpen(p.Against), node.FormatOpen(p.Abstain), node.FormatOpen(p.Quorum))
	for _, a := range p.Actions {
		if named, ok := ch.Name(a); ok && a.Value.IsZero() {
			fmt.Fprintf(w, "calls     %s\n", named)
			continue
		}
		fmt.Fprintf(w, "calls     %s with 0x%x and %s OPEN\n", a.To.Hex(), a.Data, node.FormatOpen(a.Value))
	}
}

func minute(unix int64) string { return time.Unix(unix, 0).UTC().Format("2006-01-02 15:04") }

func govList(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List all proposals with their state and votes",
		Example: "  openledger gov list --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := c.proposals(cmd)
			if err != nil {
				return err
			}
			return c.print(map[string]any{"proposals": all}, func(w io.Writer) {
				t := newTable(w, "proposal", "state", "for", "against", "voting ends", "description")
				for _, p := range all {
					t.AppendRow([]any{p.ID, string(p.State), node.FormatOpen(p.For), node.FormatOpen(p.Against), minute(p.VoteEnd), strconv.Quote(p.Description)})
				}
				t.Render()
			})
		},
	}
}

// govStep is a verb that only names a proposal.
func govStep(c *cli, verb, short, done string, send func(*chain.Sender, context.Context, protocol.Hash) (chain.Tx, error)) *cobra.Command {
	return &cobra.Command{
		Use:     verb + " PROPOSAL",
		Short:   short,
		Example: "  openledger gov " + verb + " 0x1234… --as alice",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := proposalID(args[0])
			if err != nil {
				return err
			}
			return c.transact(cmd, done, func(s *chain.Sender) (chain.Tx, error) { return send(s, cmd.Context(), id) })
		},
	}
}
