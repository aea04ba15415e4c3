package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/cmd/openledger/client"
	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/p2p"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store"
	"github.com/openledger/openledger/store/ipfs"
	"github.com/openledger/openledger/worker/adapter"
	"github.com/openledger/openledger/worker/finetune"
)

func newAdapter(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "adapter",
		Short: "Adapters: fine-tune one on a datanet, merge, list, show, download",
		Example: `  openledger adapter train fable-lessons --datanet 1 --prompt 'What is the lesson of "{title}"?' --answer '{lesson}' --as owner
  openledger adapter list
  openledger adapter show fable-lessons`,
	}
	cmd.AddCommand(adapterControls(c)...)
	cmd.AddCommand(adapterTrain(c), adapterMerge(c), adapterStatus(c), adapterEvaluation(c), adapterList(c), adapterShow(c), adapterGet(c), adapterPrice(c), adapterRoyalty(c))
	cmd.AddCommand(adapterPlace(c)...)
	return cmd
}

func adapterTrain(c *cli) *cobra.Command {
	h := node.DefaultHyper()
	var id uint64
	var number uint32
	var access, royalty string
	var resume string
	cmd := &cobra.Command{
		Use:   "train NAME",
		Short: "Fine-tune a LoRA adapter on a datanet, over the network",
		Long: `Train signs an order that names base, datanet version and hyper-parameters, hands it
to the network, and shows how the training goes. A worker fetches the records by CID,
trains, builds the attribution index, and registers the adapter in your name. A second
adapter under the same name is its next revision: requests get the newest one, and
NAME@1 names the first.

Interrupting this command leaves the training running: '--resume JOB' shows it again,
'openledger adapter cancel JOB' stops it.`,
		Example: `  openledger adapter train fable-lessons --datanet 1 \
      --prompt 'What is the lesson of "{title}"?' --answer '{lesson}' --access 0.01 --as owner
  openledger adapter train sums --datanet 2 --prompt '{question}' --answer '{answer}' \
      --epochs 10 --eval-ratio 0.1 --patience 3 --as owner`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := c.signer()
			if err != nil {
				return err
			}
			cl, info, ch, err := c.network(cmd.Context())
			if err != nil {
				return err
			}
			defer ch.Close()
			var job protocol.Hash
			if resume != "" {
				if job, err = parseHash("job", resume); err != nil {
					return err
				}
			} else {
				price, err := node.ParseOpen("access", access)
				if err != nil {
					return err
				}
				if number == 0 {
					if number, err = ch.LatestVersion(cmd.Context(), id); err != nil {
						return err
					}
				}
				v, err := ch.Version(cmd.Context(), id, number)
				if err != nil {
					return err
				}
				if !cmd.Flags().Changed("alpha") {
					h.Alpha = finetune.DefaultAlpha(h.Rank, h.RSLoRA)
				}
				if err := checkHyper(h); err != nil {
					return err
				}
				o := protocol.TrainingOrder{Name: args[0], Datanet: id, Version: number, Root: v.Root, Access: price}
				if err := setLineage(cmd.Context(), ch, key.Account(), royalty, &o); err != nil {
					return err
				}
				order, err := SignOrder(cmd.Context(), info, key, o, h)
				if err != nil {
					return err
				}
				var status api.TrainingStatus
				if err := cl.Call(cmd.Context(), http.MethodPost, "/api/v1/training_jobs", order, &status); err != nil {
					return err
				}
				job = status.ID
				c.say("training job %s", job)
			}
			status, err := c.follow(cmd, cl, job)
			if err != nil {
				return err
			}
			return c.print(status, func(w io.Writer) {
				fmt.Fprintf(w, "adapter %s\nloss %.4f -> %.4f in %d steps, %.1f s, %d records\n", status.Result.Adapter,
					status.Result.LossFirst, status.Result.LossLast, status.Result.Steps, status.Result.Seconds, status.Result.Records)
				if e := status.Result.Eval; e != nil {
					fmt.Fprintf(w, "best at step %d: loss %.4f on %d held-out records, %d of them exact\n", e.Step, e.Loss, e.Records, e.Exact)
				}
				fmt.Fprintf(w, "ask it: openledger infer %s 'your question'\n", args[0])
			})
		},
	}
	f := cmd.Flags()
	f.Uint64Var(&id, "datanet", 0, "number of the datanet (required)")
	f.Uint32Var(&number, "version", 0, "version of the datanet (default: the newest)")
	f.StringVar(&access, "access", "0", "price per answer in OPEN, shared by you, the stakers and the contributors")
	royaltyFlag(f, &royalty)
	f.StringVar(&h.PromptTemplate, "prompt", h.PromptTemplate, "how a record becomes a prompt; {field} stands for a field")
	f.StringVar(&h.AnswerTemplate, "answer", h.AnswerTemplate, "how a record becomes the answer to learn")
	f.IntVar(&h.Rank, "rank", h.Rank, "rank of the adapter's matrices")
	f.Float32Var(&h.Alpha, "alpha", h.Alpha, "scaling: the change is multiplied by alpha/rank (default: 4 times the rank, or that over its root with --rslora)")
	f.Lookup("alpha").DefValue = "0" // it depends on the rank
	f.BoolVar(&h.RSLoRA, "rslora", h.RSLoRA, "multiply by alpha/sqrt(rank) instead, which keeps large ranks learning")
	f.StringSliceVar(&h.Targets, "targets", h.Targets, "projections that get matrices")
	f.Float32Var(&h.LearningRate, "learning-rate", h.LearningRate, "peak learning rate, reached after the warm-up")
	f.StringVar(&h.Schedule, "schedule", h.Schedule, "how the learning rate falls from there: cosine (to a tenth), linear (to nothing) or constant (default cosine)")
	f.Float32Var(&h.WeightDecay, "weight-decay", h.WeightDecay, "decoupled weight decay of AdamW")
	f.Float32Var(&h.ClipNorm, "clip-norm", h.ClipNorm, "gradients are scaled down to this norm over all of them (default 1; a large number switches it off)")
	f.IntVar(&h.Epochs, "epochs", h.Epochs, "passes over the records")
	f.IntVar(&h.BatchSize, "batch-size", h.BatchSize, "records of a batch")
	f.IntVar(&h.Accumulation, "accumulation", h.Accumulation, "batches whose gradients are added up for one step (default 1)")
	f.Float32Var(&h.EvalRatio, "eval-ratio", h.EvalRatio, "share of the records to hold out, chosen by their digests; the adapter with the lowest loss on them is the result")
	f.StringVar(&h.HeldOut, "held-out", h.HeldOut, "instead: hold out the records whose field of this name is \"validation\"")
	f.IntVar(&h.EvalSteps, "eval-steps", h.EvalSteps, "steps between two evaluations (default: an epoch)")
	f.IntVar(&h.Patience, "patience", h.Patience, "stop after so many evaluations without a lower held-out loss (default: never)")
	f.IntVar(&h.MaxLength, "max-length", h.MaxLength, "tokens of an example; longer ones are cut")
	f.Float32Var(&h.WarmupRatio, "warmup-ratio", h.WarmupRatio, "share of the steps in which the learning rate rises")
	f.Uint64Var(&h.Seed, "seed", h.Seed, "seed of the initial matrices and of the shuffling")
	f.StringVar(&resume, "resume", "", "show a running job again instead of starting one")
	return cmd
}

// checkHyper finds what a coordinator or a worker would refuse, before anything is signed.
func checkHyper(h protocol.Hyper) error {
	if err := h.Validate(); err != nil {
		return err
	}
	err := finetune.CheckTemplates(h.PromptTemplate, h.AnswerTemplate)
	var field *finetune.FieldError
	if errors.As(err, &field) {
		return protocol.Errorf(protocol.KindInvalid, "hyper."+field.Field, "%s", field.Message)
	}
	return err
}

// SignOrder completes a training order, its parents included, and signs it. Without a
// revision it is the first of its name.
func SignOrder(ctx context.Context, info api.NetworkInfo, owner keystore.Signer, o protocol.TrainingOrder, h protocol.Hyper) (protocol.TrainingJob, error) {
	job := protocol.TrainingJob{Order: o, Hyper: h}
	hash, err := wire.HyperHash(h)
	if err != nil {
		return job, err
	}
	job.Order.Owner, job.Order.Base, job.Order.HyperHash = owner.Account(), info.Base, hash
	job.Order.Revision = max(job.Order.Revision, 1)
	if job.Order.Parents, err = ipfs.Digests(h.Parents()); err != nil {
		return job, err
	}
	job.Order.Deadline = time.Now().Add(48 * time.Hour).Unix()
	for _, b := range []*protocol.Hash{&job.ID, &job.Order.Nonce} {
		if _, err := rand.Read(b[:]); err != nil {
			return job, err
		}
	}
	job.Signature, err = owner.SignTyped(ctx, wire.TrainingOrderData(wire.Domain{ChainID: info.ChainID, Contract: info.Contracts.Models}, job.Order))
	return job, err
}

// follow shows a training job until it ends.
func (c *cli) follow(cmd *cobra.Command, cl *client.Client, id protocol.Hash) (api.TrainingStatus, error) {
	bar := newBar(c.err, "waiting for a worker", 0)
	defer bar.stop()
	for {
		s, err := cl.Training(cmd.Context(), id)
		if err != nil {
			return s, err
		}
		switch s.State {
		case "succeeded":
			bar.stop()
			return s, nil
		case "failed", "cancelled":
			bar.stop()
			return s, protocol.Errorf(protocol.KindInternal, "", "training %s: %s", s.State, s.Error)
		}
		bar.training(s.Progress)
		select {
		case <-cmd.Context().Done():
			c.say("\nthe training goes on; see it again with --resume %s", id)
			return s, cmd.Context().Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func adapterList(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the base and the adapters that can be asked",
		Example: "  openledger adapter list --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.coordinator()
			if err != nil {
				return err
			}
			list, err := cl.Models(cmd.Context())
			if err != nil {
				return err
			}
			return c.print(map[string]any{"models": list}, func(w io.Writer) {
				t := newTable(w, "name", "cid", "datanet", "OPEN per answer", "royalty", "parents", "owner")
				for _, m := range list {
					data := ""
					if m.Datanet != 0 {
						data = fmt.Sprintf("%d v%d", m.Datanet, m.Version)
					}
					t.AppendRow([]any{m.ID, m.CID, data, node.FormatOpen(m.Access), formatBps(m.RoyaltyBps), len(m.Parents), m.Owner.Hex()})
				}
				t.Render()
			})
		},
	}
}

// find looks an adapter up by name or CID.
func find(cmd *cobra.Command, cl *client.Client, name string) (api.Model, error) {
	list, err := cl.Models(cmd.Context())
	if err != nil {
		return api.Model{}, err
	}
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].CID != "" && list[i].Called(name) {
			return list[i], nil
		}
	}
	return api.Model{}, protocol.Errorf(protocol.KindNotFound, "adapter", "there is no adapter %q: 'openledger adapter list' shows them", name)
}

// open makes a node with the network's peers as providers, for reading content.
func (c *cli) open(info api.NetworkInfo) (_ *ipfs.Node, _ func() error, err error) {
	dir, err := os.MkdirTemp("", "openledger-content-")
	if err != nil {
		return nil, nil, err
	}
	closers := []func() error{func() error { return os.RemoveAll(dir) }}
	closeAll := func() error {
		var errs []error
		for i := len(closers) - 1; i >= 0; i-- {
			errs = append(errs, closers[i]())
		}
		return errors.Join(errs...)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, closeAll())
		}
	}()
	db, err := store.Open(store.Config{Dir: filepath.Join(dir, "db")})
	if err != nil {
		return nil, nil, err
	}
	closers = append(closers, db.Close)
	key, err := p2p.LoadOrCreateKey(filepath.Join(dir, "peer.key"))
	if err != nil {
		return nil, nil, err
	}
	host, err := p2p.New(p2p.Config{PrivateKey: key, Bootstrap: info.Bootstrap, DHT: p2p.DHTClient, Logger: c.logger(),
		Domain: wire.Domain{ChainID: info.ChainID, Contract: info.Contracts.Staking}})
	if err != nil {
		return nil, nil, err
	}
	closers = append(closers, host.Close)
	n, err := ipfs.Open(ipfs.Config{DB: db, Host: host.Libp2p(), Routing: host.Routing(), Logger: c.logger()})
	if err != nil {
		return nil, nil, err
	}
	closers = append(closers, n.Close)
	return n, closeAll, nil
}

// manifestLimit bounds an adapter's manifest, fileLimit one of its files.
const (
	manifestLimit = 64 << 10
	fileLimit     = 512 << 20
)

func adapterShow(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "show ADAPTER",
		Short:   "Show an adapter's lineage, who earns from an answer, hyper-parameters and files",
		Example: "  openledger adapter show fable-lessons --json\n  openledger adapter show fable-lessons@1",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withManifest(cmd, args[0], func(m api.Model, manifest protocol.AdapterManifest, _ *ipfs.Node) error {
				l, err := c.lineage(cmd, m, manifest.Hyper)
				if err != nil {
					return err
				}
				m.Access, m.RoyaltyBps = l.registered.Access, l.registered.RoyaltyBps // as they are now
				out := map[string]any{"adapter": &m, "manifest": manifest, "parents": l.Parents, "revisions": l.Revisions, "earnings": l.Earnings}
				return c.print(out, func(w io.Writer) {
					fmt.Fprintf(w, "%s  %s\nrevision  %d of %d\nbase      %s\ndatanet   %d version %d\nowner     %s\ntrained   by %s under %s\nprice     %s OPEN per answer\nroyalty   %s of what owners of derived adapters earn\n",
						m.ID, m.CID, m.Revision, l.Revisions, m.Base, m.Datanet, m.Version, m.Owner.Hex(), manifest.Trainer.Hex(), manifest.Profile,
						node.FormatOpen(m.Access), formatBps(m.RoyaltyBps))
					printHyper(w, manifest.Hyper, l.Parents)
					l.print(w)
				})
			})
		},
	}
}

func adapterGet(c *cli) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:     "get ADAPTER",
		Short:   "Download an adapter as a PEFT folder, with its attribution index and its evaluation",
		Example: "  openledger adapter get fable-lessons --to ./fable-lessons",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withManifest(cmd, args[0], func(m api.Model, manifest protocol.AdapterManifest, n *ipfs.Node) error {
				if err := os.MkdirAll(dir, 0o755); err != nil {
					return err
				}
				// A manifest is foreign: it does not choose which files are written here.
				for _, name := range []string{adapter.ConfigFile, adapter.WeightsFile, adapter.IndexFile, adapter.EvaluationFile} {
					cid, ok := manifest.Files[name]
					if !ok && name == adapter.EvaluationFile { // nothing was held out, or it is merged
						continue
					}
					if !ok {
						return protocol.Errorf(protocol.KindCorrupt, "files", "the manifest of %s lists no %s", m.CID, name)
					}
					b, err := n.ReadFile(cmd.Context(), cid, nil, fileLimit)
					if err != nil {
						return err
					}
					if err := node.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
						return err
					}
				}
				return c.print(map[string]any{"adapter": &m, "folder": dir, "files": manifest.Files}, func(w io.Writer) {
					fmt.Fprintf(w, "%s is in %s\n", m.ID, dir)
				})
			})
		},
	}
	cmd.Flags().StringVar(&dir, "to", ".", "folder to write to")
	return cmd
}

// withManifest fetches an adapter's manifest from the network.
func (c *cli) withManifest(cmd *cobra.Command, name string, use func(api.Model, protocol.AdapterManifest, *ipfs.Node) error) (err error) {
	cl, info, ch, err := c.network(cmd.Context())
	if err != nil {
		return err
	}
	ch.Close()
	m, err := find(cmd, cl, name)
	if err != nil {
		return err
	}
	n, done, err := c.open(info)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	providers, err := ipfs.ParseProviders(info.Bootstrap)
	if err != nil {
		return err
	}
	raw, err := n.ReadFile(cmd.Context(), m.CID, providers, manifestLimit)
	if err != nil {
		return err
	}
	var manifest protocol.AdapterManifest
	if err := json.Unmarshal(raw, &manifest); err != nil {
		return protocol.Errorf(protocol.KindCorrupt, "adapter", "%s is not a manifest: %w", m.CID, err)
	}
	return use(m, manifest, n)
}

func parseHash(field, s string) (protocol.Hash, error) {
	var h protocol.Hash
	if err := h.UnmarshalText([]byte(s)); err != nil {
		return h, protocol.Errorf(protocol.KindInvalid, field, "%q is not 0x and 64 hexadecimal digits", s)
	}
	return h, nil
}
