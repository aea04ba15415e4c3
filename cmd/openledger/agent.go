package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/holiman/uint256"
	"github.com/spf13/cobra"

	"github.com/openledger/openledger/cmd/openledger/client"
	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store/agent"
)

// orderLasts is how long a signed agent order may be brought to the chain.
const orderLasts = time.Hour

func newAgent(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "Agents: register, update, show, ask, stake, hand over, retire",
		Long: `An agent is a manifest (instructions, model, tools, datanets for retrieval, price) under
an owner's signature, and a stake that disputes can slash. The registry keeps the CID of the
manifest of every version; the manifest itself is a block that the coordinator provides.`,
		Example: `  openledger agent register poet.json --stake 100 --as alice
  openledger agent update poet.json --as alice
  openledger agent show poet --as alice
  openledger agent ask poet 'A wolf'
  openledger agent earnings poet --as alice
  openledger agent transfer poet bob --as alice && openledger agent accept 1 --as bob
  openledger agent retire poet --as alice`,
	}
	cmd.AddCommand(agentRegister(c), agentUpdate(c), agentList(c), agentShow(c), agentStake(c), agentUnstake(c), agentWithdraw(c),
		agentSet(c, "retire", "Offer the agent no more; its stake can leave then", false),
		agentSet(c, "activate", "Offer the agent; it needs the least stake", true),
		agentTransfer(c), agentAccept(c), agentAsk(c), agentEarnings(c), agentHistory(c))
	return cmd
}

// agentID reads an agent's number, or the name of one of the signer's agents.
func (c *cli) agentID(ctx context.Context, ch *chain.Client, text string) (uint64, error) {
	if id, err := strconv.ParseUint(text, 10, 64); err == nil && id != 0 {
		return id, nil
	}
	owner, err := c.target(nil)
	if err != nil {
		return 0, protocol.Errorf(protocol.KindInvalid, "agent", "%q is no agent's number, and a name needs its owner: pass --as", text)
	}
	return ch.AgentByName(ctx, owner, text)
}

func agentRegister(c *cli) *cobra.Command {
	var stake string
	cmd := &cobra.Command{
		Use:   "register FILE",
		Short: "Sign a manifest and register it as a new agent",
		Long: `FILE is JSON: name, instructions, price (wei per request, as a string of digits), and
either "base" (hash of a base model) or "adapter" (CID); optionally description, tools (functions
that its requesters run), servers (of the Model Context Protocol, whose tools are run for it) and
datanets for retrieval. The same again, after an interruption, sends nothing twice.`,
		Example: `  openledger agent register poet.json --stake 100 --as alice
  echo '{"name":"poet","instructions":"Answer in verse.","price":"0","base":"0x..."}' > poet.json
  echo '{"name":"guide","instructions":"Help with trips.","price":"0","base":"0x...",
         "servers":[{"url":"https://weather.example/mcp","tools":["forecast"]}]}' > guide.json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.publishAgent(cmd, args[0], stake, false)
		},
	}
	cmd.Flags().StringVar(&stake, "stake", "0", "OPEN to stake on it")
	return cmd
}

func agentUpdate(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "update FILE",
		Short:   "Publish a changed manifest as the next version of the agent of its name",
		Example: "  openledger agent update poet.json --as alice",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.publishAgent(cmd, args[0], "0", true)
		},
	}
}

func (c *cli) publishAgent(cmd *cobra.Command, file, staked string, update bool) error {
	stake, err := node.ParseOpen("stake", staked)
	if err != nil {
		return err
	}
	key, err := c.signer()
	if err != nil {
		return err
	}
	m, canonical, err := readManifest(file, key.Account())
	if err != nil {
		return err
	}
	cl, info, ch, err := c.network(cmd.Context())
	if err != nil {
		return err
	}
	defer ch.Close()
	order := protocol.AgentOrder{Owner: m.Owner, Version: 1, Name: m.Name, Manifest: agent.CID(canonical), Deadline: time.Now().Add(orderLasts).Unix()}
	if order.Price, err = m.PriceWei(); err != nil {
		return err
	}
	if update {
		if order.Agent, order.Version, err = nextVersion(cmd.Context(), ch, order); err != nil {
			return err
		}
	}
	tx, id, err := signAndPublish(cmd.Context(), ch, key, info.Contracts.Agents, order, stake)
	if err != nil {
		return err
	}
	if err := storeManifest(cmd.Context(), cl, id, order.Version, canonical); err != nil {
		return fmt.Errorf("agent %d is registered, but its manifest is not stored yet, do the same again: %w", id, err)
	}
	a, err := ch.Agent(cmd.Context(), id)
	if err != nil {
		return err
	}
	v := struct {
		chain.Agent
		Tx protocol.Hash `json:"tx"` // zero: nothing was left to send
	}{a, tx.Hash}
	return c.print(v, func(w io.Writer) { printAgent(w, a) })
}

func readManifest(file string, owner protocol.Account) (*agent.Manifest, []byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, protocol.Errorf(protocol.KindInvalid, "file", "%w", err)
	}
	defer func() { _ = f.Close() }()
	raw, err := io.ReadAll(io.LimitReader(f, agent.MaxBytes+1))
	if err != nil {
		return nil, nil, protocol.Errorf(protocol.KindInvalid, "file", "%w", err)
	}
	m, err := agent.Parse(raw, owner)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	if m.Owner != owner {
		return nil, nil, protocol.Errorf(protocol.KindInvalid, "owner", "%s says %s, but %s signs: leave the owner out, or sign as it", file, m.Owner.Hex(), owner.Hex())
	}
	canonical, err := m.Encode()
	return m, canonical, err
}

// nextVersion is the number that a manifest gets; the newest again if it is the newest.
func nextVersion(ctx context.Context, ch *chain.Client, o protocol.AgentOrder) (id uint64, version uint32, err error) {
	if id, err = ch.AgentByName(ctx, o.Owner, o.Name); err != nil {
		return 0, 0, err
	}
	a, err := ch.Agent(ctx, id)
	if err != nil {
		return 0, 0, err
	}
	if a.Manifest == o.Manifest {
		return id, a.Version, nil
	}
	return id, a.Version + 1, nil
}

func signAndPublish(ctx context.Context, ch *chain.Client, key keystore.Signer, registry protocol.Account, o protocol.AgentOrder, stake uint256.Int) (chain.Tx, uint64, error) {
	signature, err := key.SignTyped(ctx, wire.AgentOrderData(wire.Domain{ChainID: ch.ChainID(), Contract: registry}, o))
	if err != nil {
		return chain.Tx{}, 0, err
	}
	return ch.As(key).PublishAgent(ctx, o, signature, stake)
}

func storeManifest(ctx context.Context, cl *client.Client, id uint64, version uint32, canonical []byte) error {
	in := map[string]string{"bytes": base64.StdEncoding.EncodeToString(canonical)}
	var out map[string]protocol.CID
	return cl.Call(ctx, http.MethodPost, fmt.Sprintf("/api/v1/agents/%d/versions/%d/manifest", id, version), in, &out)
}

func printAgent(w io.Writer, a chain.Agent) {
	state := "active"
	if !a.Active {
		state = "not active"
	}
	fmt.Fprintf(w, "agent    %d %q, %s\nowner    %s\nversion  %d\nmanifest %s\nprice    %s OPEN a request\nstake    %s OPEN\n",
		a.ID, a.Name, state, a.Owner.Hex(), a.Version, a.Manifest, node.FormatOpen(a.Price), node.FormatOpen(a.Stake))
	if !a.Leaving.IsZero() {
		fmt.Fprintf(w, "leaving  %s OPEN, free at %s\n", node.FormatOpen(a.Leaving), minute(a.ReleaseAt))
	}
	if a.PendingOwner != (protocol.Account{}) {
		fmt.Fprintf(w, "offered  to %s\n", a.PendingOwner.Hex())
	}
}

func agentList(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the registered agents",
		Example: "  openledger agent list --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, _, ch, err := c.network(cmd.Context())
			if err != nil {
				return err
			}
			defer ch.Close()
			list, err := ch.Agents(cmd.Context())
			if err != nil {
				return err
			}
			return c.print(map[string]any{"agents": list}, func(w io.Writer) {
				t := newTable(w, "id", "name", "owner", "version", "price", "stake", "active")
				for _, a := range list {
					t.AppendRow([]any{a.ID, a.Name, a.Owner.Hex(), a.Version, node.FormatOpen(a.Price), node.FormatOpen(a.Stake), a.Active})
				}
				t.Render()
			})
		},
	}
}

func agentShow(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "show AGENT",
		Short:   "Show an agent (its number, or a name with --as its owner) with its manifest, checked against its CID",
		Example: "  openledger agent show 1 --json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, _, ch, err := c.network(cmd.Context())
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
			raw, err := client.Blocks{Client: cl}.Get(cmd.Context(), a.Digest)
			if err != nil {
				return fmt.Errorf("the manifest of agent %d: %w", id, err)
			}
			m, err := agent.Decode(raw)
			if err != nil {
				return err
			}
			v := struct {
				chain.Agent
				Content *agent.Manifest `json:"content"`
			}{a, m}
			return c.print(v, func(w io.Writer) {
				printAgent(w, a)
				fmt.Fprintf(w, "\n%s\n", m.Instructions)
				for _, s := range m.Servers {
					tools := "all of its tools"
					if len(s.Tools) > 0 {
						tools = strings.Join(s.Tools, ", ")
					}
					fmt.Fprintf(w, "\ncalls    %s: %s\n", s.URL, tools)
				}
			})
		},
	}
}

// agentTx is a verb that sends one transaction about an agent.
func (c *cli) agentTx(cmd *cobra.Command, text string, send func(*chain.Sender, uint64) (chain.Tx, error)) error {
	key, err := c.signer()
	if err != nil {
		return err
	}
	_, _, ch, err := c.network(cmd.Context())
	if err != nil {
		return err
	}
	defer ch.Close()
	id, err := c.agentID(cmd.Context(), ch, text)
	if err != nil {
		return err
	}
	tx, err := send(ch.As(key), id)
	if err != nil {
		return err
	}
	a, err := ch.Agent(cmd.Context(), id)
	if err != nil {
		return err
	}
	v := struct {
		chain.Agent
		Tx protocol.Hash `json:"tx"`
	}{a, tx.Hash}
	return c.print(v, func(w io.Writer) { printAgent(w, a) })
}

func agentAmount(c *cli, verb, short string, send func(*chain.Sender, context.Context, uint64, uint256.Int) (chain.Tx, error)) *cobra.Command {
	return &cobra.Command{
		Use:     verb + " AGENT AMOUNT",
		Short:   short,
		Example: "  openledger agent " + verb + " poet 50 --as alice",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			amount, err := node.ParseOpen("amount", args[1])
			if err != nil {
				return err
			}
			return c.agentTx(cmd, args[0], func(s *chain.Sender, id uint64) (chain.Tx, error) { return send(s, cmd.Context(), id, amount) })
		},
	}
}

func agentStake(c *cli) *cobra.Command {
	return agentAmount(c, "stake", "Add to an agent's stake", (*chain.Sender).StakeAgent)
}

func agentUnstake(c *cli) *cobra.Command {
	return agentAmount(c, "unstake", "Start taking stake off an agent; an active one keeps the minimum", (*chain.Sender).UnstakeAgent)
}

func agentWithdraw(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "withdraw AGENT",
		Short:   "Take out stake whose unbonding period is over",
		Example: "  openledger agent withdraw poet --as alice",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.agentTx(cmd, args[0], func(s *chain.Sender, id uint64) (chain.Tx, error) { return s.WithdrawAgent(cmd.Context(), id) })
		},
	}
}

func agentSet(c *cli, verb, short string, active bool) *cobra.Command {
	return &cobra.Command{
		Use:     verb + " AGENT",
		Short:   short,
		Example: "  openledger agent " + verb + " poet --as alice",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.agentTx(cmd, args[0], func(s *chain.Sender, id uint64) (chain.Tx, error) {
				return s.SetAgentActive(cmd.Context(), id, active)
			})
		},
	}
}

func agentTransfer(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "transfer AGENT ACCOUNT",
		Short:   "Offer an agent, with its stake, to another owner, who accepts it",
		Example: "  openledger agent transfer poet bob --as alice",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			to, err := c.target(args[1:])
			if err != nil {
				return err
			}
			return c.agentTx(cmd, args[0], func(s *chain.Sender, id uint64) (chain.Tx, error) { return s.OfferAgent(cmd.Context(), id, to) })
		},
	}
}

func agentAccept(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "accept AGENT",
		Short:   "Take over an agent (by its number) that was offered to you",
		Example: "  openledger agent accept 1 --as bob",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.agentTx(cmd, args[0], func(s *chain.Sender, id uint64) (chain.Tx, error) { return s.AcceptAgent(cmd.Context(), id) })
		},
	}
}
