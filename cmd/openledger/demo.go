package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/cmd/openledger/fables"
	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
)

// What the demo does.
const (
	demoWorkers   = 3
	demoSlots     = 2 // answers that a worker gives at once, so that all of them have work
	demoQuestions = 60
	demoAdapter   = "fable-lessons"
	demoPrompt    = node.FablesPrompt
	demoAnswer    = node.FablesAnswer
)

// contributors of the demo. The fables are dealt to them in turn.
var contributors = []string{"ada", "boris", "chen", "dalia", "emeka", "freya"}

// demo is one run of the whole story.
type demo struct {
	c       *cli
	cmd     *cobra.Command
	d       *devnet
	info    api.NetworkInfo
	without string
	started time.Time
	epochs  int

	people  map[string]*keystore.Key
	fables  []fables.Fable
	workers []*workerProcess
	datanet protocol.Datanet
	version protocol.Version
	asked   []*question
	report  demoReport
}

func newDemo(c *cli) *cobra.Command {
	m := &demo{c: c}
	var keep bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "The whole story in a few minutes: contribute, train, ask, attribute, settle, claim",
		Long: `Demo starts a fresh network on this machine: a chain with the contracts, a coordinator,
and three workers in processes of their own. Six people contribute the fables of "The
Aesop for Children"; the owner reviews and publishes them; an adapter is trained over the
network; sixty questions are asked through the OpenAI-compatible API while one worker is
killed and comes back; every answer is attributed; the receipts are settled on the chain;
everyone claims. The network and its data are removed at the end unless --keep is given.`,
		Example: `  openledger demo
  openledger demo --json 2>/dev/null
  openledger demo --without chen`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := m.validate(); err != nil {
				return err
			}
			dir, err := os.MkdirTemp("", "openledger-demo-")
			if err != nil {
				return err
			}
			if !keep {
				defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
			} else {
				c.say("everything stays in %s", dir)
			}
			c.home, c.password, c.quiet, m.cmd = dir, "", true, cmd
			return m.run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&m.without, "without", "", "leave this contributor's records out of the training: ada, boris, chen, dalia, emeka or freya")
	cmd.Flags().IntVar(&m.epochs, "epochs", 0, "passes over the records (default: the trainer's)")
	cmd.Flags().BoolVar(&keep, "keep", false, "keep the network's folder")
	return cmd
}

func (m *demo) validate() error {
	if m.without == "" {
		return nil
	}
	for _, name := range contributors {
		if name == m.without {
			return nil
		}
	}
	return protocol.Errorf(protocol.KindInvalid, "without", "%q is nobody here: choose one of %v", m.without, contributors)
}

// run goes through the story. Its steps really happen, in this order, or it fails.
func (m *demo) run(ctx context.Context) (err error) {
	m.started = time.Now()
	defer func() {
		for _, w := range m.workers {
			w.stop()
		}
		if m.d != nil {
			err = errors.Join(err, m.d.close())
		}
	}()
	steps := []struct {
		says string
		do   func(context.Context) error
	}{
		{"starting chain, contracts, coordinator and API", m.startNetwork},
		{fmt.Sprintf("starting %d workers as processes of their own", demoWorkers), m.startWorkers},
		{fmt.Sprintf("%d people contribute fables, the owner reviews and publishes them", len(contributors)), m.contribute},
		{"training an adapter over the network", m.train},
		{fmt.Sprintf("asking %d questions; one worker is killed on the way", demoQuestions), m.ask},
		{"settling every receipt on the chain", m.settle},
		{"everyone claims", m.claim},
		{"checking: attribution, money, and three answers computed again", m.check},
	}
	for i, s := range steps {
		m.c.say("[%d/%d] %s", i+1, len(steps), s.says)
		if err := s.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", s.says, err)
		}
	}
	m.report.finish(m)
	if err := m.c.printLine(m.report, func(w io.Writer) { m.report.tables(w, m) }); err != nil {
		return err
	}
	if !m.report.OK {
		m.c.say("the demo did not reach its figures: %s", m.report.Why)
		return errReported
	}
	return nil
}

func (m *demo) startNetwork(ctx context.Context) error {
	var err error
	if m.fables, err = fables.All(); err != nil {
		return err
	}
	m.d, err = m.c.openDevnet(m.cmd, devnetConfig{rpc: "127.0.0.1:0", api: "127.0.0.1:0",
		peer: node.PeerConfig{Listen: []string{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"}}})
	if err != nil {
		return err
	}
	m.c.api, m.c.apiKey = m.d.coord.API.URL(), m.d.apiKey
	if m.info, err = m.d.api.Network(ctx); err != nil {
		return err
	}
	m.people = map[string]*keystore.Key{}
	for _, name := range contributors {
		if m.people[name], err = m.d.account(ctx, name, 10); err != nil {
			return err
		}
	}
	m.people[netOwnerKey], err = m.d.wallet.Key(netOwnerKey)
	return err
}

func (m *demo) startWorkers(ctx context.Context) error {
	for i := range demoWorkers {
		home, err := m.d.workerHome(ctx, i, node.WorkerSettings{
			Listen: []string{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"}, SettleEvery: "12s", MaxBatch: demoSlots,
		})
		if err != nil {
			return err
		}
		w := &workerProcess{home: home}
		m.workers = append(m.workers, w)
		if err := w.start(); err != nil {
			return err
		}
	}
	return m.wait(ctx, time.Minute, "the workers' announcements", func() (bool, error) {
		list, err := m.d.api.Workers(ctx)
		return len(list) == demoWorkers, err
	})
}

// wait polls until something is so, and looks after the worker processes meanwhile.
func (m *demo) wait(ctx context.Context, patience time.Duration, what string, so func() (bool, error)) error {
	deadline := time.Now().Add(patience)
	for {
		ok, err := so()
		if ok || err != nil {
			return err
		}
		for i, w := range m.workers {
			if err := w.died(); err != nil {
				return fmt.Errorf("worker %d stopped by itself: %w", i, err)
			}
		}
		if time.Now().After(deadline) {
			return protocol.Errorf(protocol.KindDeadline, "", "waited %s for %s", patience, what)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}
