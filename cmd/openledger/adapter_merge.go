package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/spf13/cobra"

	"github.com/openledger/openledger/cmd/openledger/client"
	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store/ipfs"
	"github.com/openledger/openledger/worker"
	"github.com/openledger/openledger/worker/engine/lora"
)

func adapterMerge(c *cli) *cobra.Command {
	var m protocol.Merge
	var from []string
	var name, access, royalty, resume string
	var rank int
	var seed uint64
	cmd := &cobra.Command{
		Use:   "merge",
		Short: "Merge adapters into a new one, over the network",
		Long: `Merge signs an order that names the parents, their weights and the method, and hands it
to the network. A worker that trains fetches the parents by CID, merges them, builds the
attribution index anew for the result, and registers it in your name. The parents must
be for one base and have learned from one datanet; the result is registered under the
newest of their versions and pays that datanet's contributors. Its lineage is part of
what you sign: 'openledger adapter show' prints it. The parents' owners get their
royalties from your part of what an answer earns.

Methods and their meaning are those of PEFT's add_weighted_adapter. cat is the exact
weighted sum, with the ranks added up; svd is the nearest to it of a rank of your
choice. linear, ties, dare_linear, dare_ties and magnitude_prune work on the factors of
parents of one rank. With _svd they work on the weight changes themselves, as the papers
of TIES and DARE do, for any ranks.

Interrupting this command leaves the job running: '--resume JOB' shows it again,
'openledger adapter cancel JOB' stops it.`,
		Example: `  openledger adapter merge --name both --adapter fable-lessons:0.6 --adapter fable-titles:0.4 --as owner
  openledger adapter merge --name both --adapter bafk…:0.6 --adapter bafk…:0.4 \
      --method ties_svd --density 0.5 --rank 16 --access 0.01 --as owner`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
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
				o := protocol.TrainingOrder{Name: name}
				if name == "" {
					return protocol.Errorf(protocol.KindInvalid, "name", "name the new adapter with --name")
				}
				if o.Access, err = node.ParseOpen("access", access); err != nil {
					return err
				}
				parents, err := c.mergeParents(cmd, cl, info, ch, from, &m)
				if err != nil {
					return err
				}
				h, lineage, err := worker.PlanMerge(m, rank, seed, parents)
				if err != nil {
					return err
				}
				o.Datanet, o.Version, o.Root = lineage.Datanet, lineage.Version, lineage.Root
				if err := setLineage(cmd.Context(), ch, key.Account(), royalty, &o); err != nil {
					return err
				}
				if asked := royaltiesAsked(parents); asked > 0 {
					c.say("the parents' owners get %s of what you earn from answers", formatBps(asked))
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
				c.say("merge job %s", job)
			}
			status, err := c.follow(cmd, cl, job)
			if err != nil {
				return err
			}
			return c.print(status, func(w io.Writer) {
				fmt.Fprintf(w, "adapter %s\nmerged %d modules and indexed %d records in %.1f s\n", status.Result.Adapter,
					status.Result.Steps, status.Result.Records, status.Result.Seconds)
				fmt.Fprintf(w, "ask it: openledger infer %s 'your question'\n", status.Name)
			})
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&from, "adapter", nil, "CID or name of a parent, with its weight: ADAPTER:WEIGHT (repeat; without a weight: 1)")
	f.StringVar(&name, "name", "", "name of the new adapter (required)")
	f.StringVar(&m.Method, "method", string(lora.MergeCat), fmt.Sprintf("one of %v", lora.Methods()))
	f.Float64Var(&m.Density, "density", 0, "part of the values that is kept, above 0 and up to 1; for methods that prune")
	f.BoolVar(&m.Frequency, "majority", false, "ties: elect a sign by how many parents have it, not by the sum of their values")
	f.IntVar(&rank, "rank", 0, "rank of the result, for svd and the methods that end in _svd (default: the largest of the parents')")
	f.Uint64Var(&seed, "seed", 0, "seed of what dare drops")
	f.StringVar(&access, "access", "0", "price per answer in OPEN, shared by you, the stakers and the contributors")
	royaltyFlag(f, &royalty)
	f.StringVar(&resume, "resume", "", "show a running job again instead of starting one")
	return cmd
}

// mergeParents looks the parents up, fills them into m, and fetches their manifests.
func (c *cli) mergeParents(cmd *cobra.Command, cl *client.Client, info api.NetworkInfo, ch *chain.Client, from []string, m *protocol.Merge) (out []worker.MergeParent, err error) {
	if len(from) == 0 {
		return nil, protocol.Errorf(protocol.KindInvalid, "adapter", "name the adapters to merge with --adapter ADAPTER:WEIGHT")
	}
	n, done, err := c.open(info)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, done()) }()
	providers, err := ipfs.ParseProviders(info.Bootstrap)
	if err != nil {
		return nil, err
	}
	for _, s := range from {
		name, weight, err := parseWeighted(s)
		if err != nil {
			return nil, err
		}
		model, err := find(cmd, cl, name)
		if err != nil {
			return nil, err
		}
		m.Parents = append(m.Parents, protocol.MergeParent{Adapter: model.CID, Weight: weight})
		p, err := mergeParent(cmd.Context(), n, ch, model.CID, providers)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// parseWeighted reads ADAPTER or ADAPTER:WEIGHT.
func parseWeighted(s string) (name string, weight float64, err error) {
	name, w, ok := strings.Cut(s, ":")
	if !ok {
		return name, 1, nil
	}
	if weight, err = strconv.ParseFloat(w, 64); err != nil || name == "" {
		return "", 0, protocol.Errorf(protocol.KindInvalid, "adapter", "%q is not an adapter with a weight: write it like fable-lessons:0.5", s)
	}
	return name, weight, nil
}

func mergeParent(ctx context.Context, n *ipfs.Node, ch *chain.Client, id protocol.CID, providers []peer.AddrInfo) (worker.MergeParent, error) {
	digest, err := ipfs.Digest(id)
	if err != nil {
		return worker.MergeParent{}, err
	}
	registered, err := ch.Adapter(ctx, digest)
	if err != nil {
		return worker.MergeParent{}, err
	}
	raw, err := n.ReadFile(ctx, id, providers, manifestLimit)
	if err != nil {
		return worker.MergeParent{}, err
	}
	p := worker.MergeParent{Registered: registered}
	if err := json.Unmarshal(raw, &p.Manifest); err != nil {
		return p, protocol.Errorf(protocol.KindCorrupt, "adapter", "%s is not a manifest: %w", id, err)
	}
	return p, nil
}

// printHyper says how an adapter came to be.
func printHyper(w io.Writer, h protocol.Hyper, parents []parentView) {
	if h.Merge == nil {
		fmt.Fprintf(w, "hyper     rank %d, alpha %g, lr %g, %d epochs, batch %d\n", h.Rank, h.Alpha, h.LearningRate, h.Epochs, h.BatchSize)
		return
	}
	fmt.Fprintf(w, "merged    by %s", h.Merge.Method)
	if h.Rank != 0 {
		fmt.Fprintf(w, ", rank %d", h.Rank)
	}
	if h.Merge.Density != 0 {
		fmt.Fprintf(w, ", density %g", h.Merge.Density)
	}
	if h.Merge.Frequency {
		fmt.Fprint(w, ", signs by majority")
	}
	fmt.Fprintln(w, ", of")
	for _, p := range parents {
		fmt.Fprintf(w, "          %8.4g  %s  %s\n", p.Weight, p.Adapter, p.Name)
	}
}
