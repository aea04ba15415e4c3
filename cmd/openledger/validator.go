package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
)

// validatorKey is the name of a validator's key in its wallet: it bonds, signs verdicts
// and pays for transactions.
const validatorKey = "validator"

func newValidator(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "validator",
		Short: "Check what workers settle: challenge lies, sit on committees",
		Long: `A validator fetches every batch that workers settle, works it out again, runs a share
of the inferences once more, and challenges on the chain what does not hold. It does the
same with the root of every epoch. Drawn into a committee it judges what is disputed for
itself. docs/validators.md says what it costs and earns.`,
		Example: `  openledger validator join --home ./v1 --bond 2000
  openledger validator run --home ./v1
  openledger validator status --home ./v1
  openledger validator check 0x52908400098527886E0F7030069857D2E4169EE7 3`,
	}
	cmd.AddCommand(validatorJoin(c), validatorRun(c), validatorStatus(c), validatorVerdicts(c), validatorCheck(c), validatorCollect(c), validatorLeave(c), validatorWithdraw(c))
	return cmd
}

// asValidator makes the validator's own key the one that signs, unless another is named.
func (c *cli) asValidator() {
	if c.account == "" {
		c.account = validatorKey
	}
}

func validatorJoin(c *cli) *cobra.Command {
	var bond string
	var s node.ValidatorSettings
	cmd := &cobra.Command{
		Use:   "join",
		Short: "Make a validator's key and settings, and bond",
		Long: `Join makes a key named validator in the home's wallet and bonds with it. When it has
too little OPEN, join says how much to send where; run it again afterwards. Bond more than
the minimum: who misses a vote loses a part, and below the minimum nobody is drawn.`,
		Example: "  openledger validator join --home ./v1 --bond 2000 --metrics 127.0.0.1:9310",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			amount, err := node.ParseOpen("bond", bond)
			if err != nil {
				return err
			}
			if err := s.Validate(); err != nil {
				return err
			}
			_, info, ch, err := c.network(cmd.Context())
			if err != nil {
				return err
			}
			defer ch.Close()
			rules, err := ch.ValidatorRules(cmd.Context())
			if err != nil {
				return err
			}
			if amount.Lt(&rules.MinBond) {
				return protocol.Errorf(protocol.KindInvalid, "bond", "is %s OPEN: at least %s", node.FormatOpen(amount), node.FormatOpen(rules.MinBond))
			}
			w, err := c.wallet()
			if err != nil {
				return err
			}
			key, err := w.Ensure(validatorKey)
			if err != nil {
				return err
			}
			s.RPC, s.Addresses = info.RPC, addressesOf(info)
			if s.BaseModel, err = c.checkBase(info); err != nil {
				return err
			}
			if len(s.Bootstrap) == 0 {
				s.Bootstrap = info.Bootstrap
			}
			have, err := ch.Validator(cmd.Context(), key.Account())
			if err != nil {
				return err
			}
			balance, err := ch.Balance(cmd.Context(), key.Account())
			if err != nil {
				return err
			}
			need := node.Open(1) // gas
			need.Add(&need, &amount)
			if need.Gt(&have.Bond) {
				need.Sub(&need, &have.Bond)
			} else {
				need.Clear()
			}
			if balance.Lt(&need) {
				return protocol.Errorf(protocol.KindEscrow, "bond", "the validator %s has %s OPEN and needs %s, and a challenge's bond besides: send them with 'openledger wallet send %s %s --as FROM', then run join again",
					key.Account().Hex(), node.FormatOpen(balance), node.FormatOpen(need), key.Account().Hex(), node.FormatOpen(need))
			}
			if err := node.WriteJSON(c.Home().Path(node.ValidatorFile), s); err != nil {
				return err
			}
			if _, err := ch.As(key).EnsureJoined(cmd.Context(), amount); err != nil {
				return err
			}
			now, err := ch.Validator(cmd.Context(), key.Account())
			if err != nil {
				return err
			}
			return c.print(map[string]any{"home": c.home, "validator": &now}, func(w io.Writer) {
				fmt.Fprintf(w, "validator %s, %s OPEN bonded\n\nrun it:   openledger validator run --home %s\n", now.Account.Hex(), node.FormatOpen(now.Bond), c.home)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&bond, "bond", "2000", "OPEN to bond; it weighs in draws, and answers for missed votes")
	f.StringSliceVar(&s.Bootstrap, "bootstrap", nil, "multiaddrs of peers to join (default: the coordinator's)")
	f.StringSliceVar(&s.Listen, "listen", nil, "multiaddrs to listen on (default: QUIC and TCP on all interfaces, any port)")
	f.StringVar(&s.Metrics, "metrics", "", "TCP address for Prometheus metrics and health (default: none)")
	f.BoolVar(&s.NAT, "nat", false, "find a way through a home router: port mapping, hole punching, relays")
	f.IntVar(&s.Threads, "threads", 0, "threads (default: all cores)")
	f.Float64Var(&s.Share, "share", 0.05, "share of a batch's receipts that are run again; one at least")
	f.Float64Var(&s.Patience, "patience", 0.5, "share of the challenge window for which data may be missing before the batch is challenged")
	f.BoolVar(&s.Observe, "observe", false, "judge only: neither challenge nor vote (absent members are penalised)")
	return cmd
}

func validatorRun(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "run",
		Short:   "Watch, challenge and vote until interrupted",
		Example: "  openledger validator run --home ./v1 -v",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if _, err := os.Stat(c.Home().Path(node.ValidatorFile)); err != nil {
				return protocol.Errorf(protocol.KindNotFound, "home", "%w: run 'openledger validator join' first", err)
			}
			w, err := c.wallet()
			if err != nil {
				return err
			}
			key, err := w.Key(validatorKey)
			if err != nil {
				return err
			}
			v, err := node.OpenValidator(cmd.Context(), c.Home(), key, c.logger())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, v.Close()) }()
			if err := c.print(map[string]any{"validator": key.Account(), "addresses": v.Addrs(), "metrics": v.MetricsAddr()}, func(w io.Writer) {
				fmt.Fprintln(w, "validator", key.Account().Hex())
				for _, a := range v.Addrs() {
					fmt.Fprintln(w, "listening on", a)
				}
			}); err != nil {
				return err
			}
			return v.Run(cmd.Context())
		},
	}
}

func validatorLeave(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "leave",
		Short:   "Serve no more; the bond is free after the unbonding period",
		Example: "  openledger validator leave --home ./v1\n  openledger validator withdraw --home ./v1",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c.asValidator()
			return c.transact(cmd, "left; keep it running until it sits in no dispute, then withdraw the bond with 'openledger validator withdraw'", func(s *chain.Sender) (chain.Tx, error) {
				return s.Leave(cmd.Context())
			})
		},
	}
}

func validatorWithdraw(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "withdraw",
		Short:   "Take back the bond of a service that was left",
		Example: "  openledger validator withdraw --home ./v1",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c.asValidator()
			return c.transact(cmd, "bond withdrawn", func(s *chain.Sender) (chain.Tx, error) {
				return s.WithdrawBond(cmd.Context())
			})
		},
	}
}

func validatorCollect(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "collect [ACCOUNT]",
		Short:   "Pay out what disputes have earned an account",
		Long:    "Collect pays rewards of challenges and verdicts, bonds that came back, and what a worker or proposer got of a lost challenge. Anybody may send it.",
		Example: "  openledger validator collect --home ./v1",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c.asValidator()
			account, err := c.target(args)
			if err != nil {
				return err
			}
			return c.transact(cmd, "collected for "+account.Hex(), func(s *chain.Sender) (chain.Tx, error) {
				return s.CollectDisputes(cmd.Context(), account)
			})
		},
	}
}

// until is a time for people; 0 is none.
func until(unix int64) string {
	if unix == 0 {
		return ""
	}
	return time.Unix(unix, 0).UTC().Format(time.DateTime)
}
