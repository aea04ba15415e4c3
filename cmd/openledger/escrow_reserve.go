package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/holiman/uint256"
	"github.com/spf13/cobra"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
)

// maxOpeningBytes bounds a file with a signed opening.
const maxOpeningBytes = 64 << 10

func escrowReserve(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "reserve WORKER AMOUNT",
		Short: "Set aside escrow for one worker; no other worker can draw it",
		Long: `Sets aside AMOUNT of the escrow for one worker (its owner's account): the draws of other
workers cannot touch it. More than before counts at once. Less counts after the withdrawal
delay, in which the worker can draw; 'escrow release' then frees it.`,
		Example: `  openledger escrow reserve 0x52908400098527886E0F7030069857D2E4169EE7 25 --as alice
  openledger escrow reserve worker 0 --as alice   # give the reserve up, after the delay`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			worker, err := c.target(args[:1])
			if err != nil {
				return err
			}
			amount, err := node.ParseOpen("amount", args[1])
			if err != nil {
				return err
			}
			return c.transact(cmd, fmt.Sprintf("%s OPEN are for %s; if that is less than before, after the withdrawal delay", node.FormatOpen(amount), worker.Hex()), func(s *chain.Sender) (chain.Tx, error) {
				return s.Reserve(cmd.Context(), worker, amount)
			})
		},
	}
}

func escrowRelease(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "release WORKER",
		Short: "Free what a reserve was lowered by, once the delay is over; the first call lowers it to nothing",
		Example: `  openledger escrow release worker --as alice   # asks for it
  openledger escrow release worker --as alice   # the same after the delay: frees it`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			worker, err := c.target(args)
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
			s := ch.As(key)
			has, err := ch.ReserveOf(cmd.Context(), key.Account(), worker)
			if err != nil {
				return err
			}
			var tx chain.Tx
			done := "the reserve is free"
			if has.LowersAt != 0 {
				tx, err = s.ReleaseReserve(cmd.Context(), key.Account(), worker)
			} else {
				tx, err = s.Reserve(cmd.Context(), worker, uint256.Int{})
				done = "the reserve is free after the withdrawal delay: then release it again"
			}
			if err != nil {
				return err
			}
			left, err := ch.ReserveOf(cmd.Context(), key.Account(), worker)
			if err != nil {
				return err
			}
			return c.print(map[string]any{"tx": tx.Hash, "block": tx.Block, "gas_used": tx.GasUsed, "reserve": &left}, func(w io.Writer) {
				fmt.Fprintf(w, "%s\ntx %s in block %d, %d gas\n", done, tx.Hash, tx.Block, tx.GasUsed)
			})
		},
	}
}

type openFlags struct {
	limit, key, relay string
	reserves          []string
	lasts, validFor   time.Duration
	sign              bool
}

func escrowOpen(c *cli) *cobra.Command {
	var f openFlags
	cmd := &cobra.Command{
		Use:   "open [AMOUNT]",
		Short: "Deposit, authorise a session key and reserve for workers, in one transaction",
		Long: `Deposits AMOUNT, lets a session key (the coordinator's by default) spend up to --limit,
and sets aside --reserve amounts, all in one transaction.

An account without money to pay for gas signs an opening with --sign, which prints it and
sends nothing; anybody else brings it to the chain with --relay and pays deposit and gas.`,
		Example: `  openledger escrow open 100 --as alice
  openledger escrow open 100 --reserve worker=40 --lasts 720h --as alice
  openledger escrow open 100 --sign --as alice > opening.json
  openledger escrow open --relay opening.json --as bob`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case f.relay != "" && (len(args) != 0 || f.sign):
				return protocol.Errorf(protocol.KindInvalid, "relay", "takes no amount and no --sign: the signed opening says all")
			case f.relay != "":
				return c.relayOpening(cmd, f.relay)
			case len(args) == 0:
				return protocol.Errorf(protocol.KindInvalid, "amount", "is missing: say how much to deposit, or pass --relay FILE")
			}
			return c.openEscrow(cmd, args[0], f)
		},
	}
	cmd.Flags().StringArrayVar(&f.reserves, "reserve", nil, "WORKER=AMOUNT to set aside (may be repeated)")
	cmd.Flags().StringVar(&f.limit, "limit", "", "what the session key may spend in all (default: what it may now, and the deposit)")
	cmd.Flags().StringVar(&f.key, "key", "", "the session key (default: the coordinator's)")
	cmd.Flags().DurationVar(&f.lasts, "lasts", 365*24*time.Hour, "how long the session key may spend")
	cmd.Flags().DurationVar(&f.validFor, "valid-for", time.Hour, "how long a signed opening may be used")
	cmd.Flags().BoolVar(&f.sign, "sign", false, "print a signed opening for somebody else to send")
	cmd.Flags().StringVar(&f.relay, "relay", "", "send the signed opening in this file and pay for it (- is standard input)")
	return cmd
}

func (c *cli) openEscrow(cmd *cobra.Command, amount string, f openFlags) error {
	key, err := c.signer()
	if err != nil {
		return err
	}
	_, info, ch, err := c.network(cmd.Context())
	if err != nil {
		return err
	}
	defer ch.Close()
	o := protocol.Opening{Requester: key.Account(), Session: info.SessionKey}
	if o.Amount, err = node.ParseOpen("amount", amount); err != nil {
		return err
	}
	if f.key != "" {
		if o.Session, err = node.ParseAccount("key", f.key); err != nil {
			return err
		}
	}
	for _, r := range f.reserves {
		name, part, ok := strings.Cut(r, "=")
		if !ok {
			return protocol.Errorf(protocol.KindInvalid, "reserve", "%q is not WORKER=AMOUNT, such as worker=40", r)
		}
		worker, err := c.target([]string{name})
		if err != nil {
			return err
		}
		amount, err := node.ParseOpen("reserve", part)
		if err != nil {
			return err
		}
		o.Reserves = append(o.Reserves, protocol.Reserve{Worker: worker, Amount: amount})
	}
	session, err := ch.SessionOf(cmd.Context(), key.Account(), o.Session)
	if err != nil {
		return err
	}
	if f.lasts < time.Second || f.validFor < time.Second {
		return protocol.Errorf(protocol.KindInvalid, "lasts, valid-for", "must be at least a second")
	}
	o.Limit, o.Expiry = session.Extended(o.Amount, time.Now().Add(f.lasts).Unix())
	if f.limit != "" {
		if o.Limit, err = node.ParseOpen("limit", f.limit); err != nil {
			return err
		}
	}
	if err := chain.CheckOpening(o); err != nil {
		return err
	}
	if !f.sign {
		tx, err := ch.As(key).OpenEscrow(cmd.Context(), o)
		if err != nil {
			return err
		}
		return c.opened(tx, o)
	}
	if o.Nonce, err = ch.EscrowNonce(cmd.Context(), key.Account()); err != nil {
		return err
	}
	o.Deadline = time.Now().Add(f.validFor).Unix()
	signed := protocol.SignedOpening{Opening: o}
	if signed.Signature, err = key.SignTyped(cmd.Context(), wire.OpeningData(wire.Domain{ChainID: info.ChainID, Contract: info.Contracts.Escrow}, o)); err != nil {
		return err
	}
	enc := json.NewEncoder(c.out)
	enc.SetIndent("", "  ")
	return enc.Encode(&signed)
}

func (c *cli) opened(tx chain.Tx, o protocol.Opening) error {
	v := struct {
		Tx      protocol.Hash    `json:"tx"`
		Block   uint64           `json:"block"`
		GasUsed uint64           `json:"gas_used"`
		Opening protocol.Opening `json:"opening"`
	}{tx.Hash, tx.Block, tx.GasUsed, o}
	return c.print(v, func(w io.Writer) {
		fmt.Fprintf(w, "%s has %s OPEN more in escrow; %s may spend %s in all until %s\n", o.Requester.Hex(), node.FormatOpen(o.Amount), o.Session.Hex(), node.FormatOpen(o.Limit), minute(o.Expiry))
		for _, r := range o.Reserves {
			fmt.Fprintf(w, "reserved %s OPEN for %s\n", node.FormatOpen(r.Amount), r.Worker.Hex())
		}
		fmt.Fprintf(w, "tx %s in block %d, %d gas\n", tx.Hash, tx.Block, tx.GasUsed)
	})
}

func (c *cli) relayOpening(cmd *cobra.Command, file string) error {
	in := c.in
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return protocol.Errorf(protocol.KindInvalid, "relay", "%w", err)
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	var o protocol.SignedOpening
	dec := json.NewDecoder(io.LimitReader(in, maxOpeningBytes))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&o); err != nil {
		return protocol.Errorf(protocol.KindInvalid, "relay", "%s is no signed opening, as 'openledger escrow open --sign' prints it: %w", file, err)
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
	tx, err := ch.As(key).OpenEscrowFor(cmd.Context(), o)
	if err != nil {
		return err
	}
	return c.opened(tx, o.Opening)
}
