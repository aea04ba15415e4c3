package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/holiman/uint256"
	"github.com/openai/openai-go"
	"github.com/spf13/cobra"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/payout"
)

func agentAsk(c *cli) *cobra.Command {
	var s sampling
	cmd := &cobra.Command{
		Use:   "ask AGENT PROMPT",
		Short: "Ask an agent one question",
		Long: `AGENT is NAME (the agent that was registered first under it) or OWNER/NAME, with @VERSION
for another version than the newest. 'chat agent/NAME' talks to it turn by turn.`,
		Example: `  openledger agent ask poet 'A wolf'
  openledger agent ask 0x52908400098527886E0F7030069857D2E4169EE7/poet@2 'A wolf' --json`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			model := api.AgentPrefix + strings.TrimPrefix(args[0], api.AgentPrefix)
			a, err := c.ask(cmd.Context(), model, &s, chatOf(s, openai.UserMessage(args[1])), func(t string) {
				if !c.json {
					fmt.Fprint(c.out, t)
				}
			})
			if err != nil {
				return err
			}
			return c.print(a, func(w io.Writer) {
				fmt.Fprintln(w)
				c.say("%s", a.footer())
			})
		},
	}
	s.flags(cmd)
	return cmd
}

// agentEarned is what an agent earned an account in one batch.
type agentEarned struct {
	Worker  protocol.Account `json:"worker"`
	Batch   uint64           `json:"batch"`
	Answers int              `json:"answers"`
	Amount  *uint256.Int     `json:"amount"` // wei
	Status  string           `json:"status"`
}

func agentEarnings(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "earnings AGENT",
		Short: "Show what settled batches owe or have paid to an agent's owner for it",
		Long: `Earnings are the agent's price per request, less the platform's part. 'rewards claim'
collects them with whatever else the owner has earned. With --as, they are those of that
account, who may have owned the agent once.`,
		Example: "  openledger agent earnings poet --as alice\n  openledger agent earnings 1 --json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, info, ch, err := c.network(cmd.Context())
			if err != nil {
				return err
			}
			defer ch.Close()
			id, err := c.agentID(cmd.Context(), ch, args[0])
			if err != nil {
				return err
			}
			a, err := ch.Agent(cmd.Context(), id)
			if err != nil {
				return err
			}
			account := a.Owner
			if as, err := c.target(nil); err == nil {
				account = as
			}
			list, _, err := c.claims(cl, info, ch).Earnings(cmd.Context(), account, info.Contracts.FromBlock)
			if err != nil {
				return err
			}
			sum, out := new(uint256.Int), []agentEarned{}
			for i := range list {
				one := agentEarned{Worker: list[i].Claim.Worker, Batch: list[i].Claim.Nonce, Amount: new(uint256.Int), Status: status(&list[i])}
				for _, s := range list[i].Shares {
					if s.Role == payout.RoleAgent && s.Agent == id {
						one.Answers++
						one.Amount.Add(one.Amount, &s.Amount)
					}
				}
				if one.Answers > 0 {
					sum.Add(sum, one.Amount)
					out = append(out, one)
				}
			}
			return c.print(map[string]any{"agent": id, "account": account, "batches": out, "earned": sum}, func(w io.Writer) {
				t := newTable(w, "worker", "batch", "answers", "OPEN", "status")
				for _, e := range out {
					t.AppendRow([]any{short(e.Worker.Hex()), e.Batch, e.Answers, node.FormatOpen(*e.Amount), e.Status})
				}
				t.Render()
				fmt.Fprintf(w, "\nagent %d earned %s %s OPEN\n", id, account.Hex(), node.FormatOpen(*sum))
			})
		},
	}
}
