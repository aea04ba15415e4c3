package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store"
	"github.com/openledger/openledger/store/datanet"
	"github.com/openledger/openledger/store/ipfs"
)

func newDatanet(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "datanet",
		Short: "Datanets: collections of contributed, licensed records",
		Example: `  openledger datanet create fables --license CC0-1.0 --as owner
  openledger datanet contribute 1 fables.jsonl notes.md --as alice
  openledger datanet review 1 --accept-all --as owner
  openledger datanet publish 1 --as owner
  openledger datanet export 1 --to ./fables`,
	}
	cmd.AddCommand(datanetCreate(c), datanetContribute(c), datanetReview(c), datanetReject(c), datanetPublish(c), datanetList(c), datanetShow(c), datanetGet(c), datanetExport(c),
		datanetRequire(c), datanetStake(c), datanetUnstake(c), datanetWithdraw(c), datanetCases(c), datanetAppeal(c), datanetResolve(c), datanetHistory(c), datanetPrice(c), datanetEmbed(c))
	return cmd
}

func datanetID(s string) (uint64, error) {
	id, err := strconv.ParseUint(s, 10, 64)
	if err != nil || id == 0 {
		return 0, protocol.Errorf(protocol.KindInvalid, "datanet", "%q is not a datanet's number: 'openledger datanet list' shows them", s)
	}
	return id, nil
}

func datanetCreate(c *cli) *cobra.Command {
	var d protocol.Datanet
	cmd := &cobra.Command{
		Use:     "create NAME",
		Short:   "Create a datanet on the chain; you are its owner",
		Example: "  openledger datanet create fables --license CC0-1.0 --description 'Old fables' --as owner",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			d.Name = args[0]
			if err := datanet.CheckLicense(d.License); err != nil {
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
			d.Owner = key.Account()
			made, err := ch.As(key).CreateDatanet(cmd.Context(), d)
			if err != nil {
				return err
			}
			return c.print(made, func(w io.Writer) {
				fmt.Fprintf(w, "datanet %d %q, licence %s, owner %s\n", made.ID, made.Name, made.License, made.Owner.Hex())
			})
		},
	}
	cmd.Flags().StringVar(&d.License, "license", "", "SPDX expression that every record is contributed under, such as CC0-1.0 (required)")
	cmd.Flags().StringVar(&d.Description, "description", "", "what is in it, in a sentence")
	_ = cmd.MarkFlagRequired("license")
	return cmd
}

func registryDomain(i api.NetworkInfo) wire.Domain {
	return wire.Domain{ChainID: i.ChainID, Contract: i.Contracts.Datanets}
}

func datanetReview(c *cli) *cobra.Command {
	var accept, reject []string
	var all bool
	var reason string
	cmd := &cobra.Command{
		Use:   "review DATANET",
		Short: "List what waits for the owner's decision, accept and reject",
		Example: `  openledger datanet review 1
  openledger datanet review 1 --accept-all --as owner
  openledger datanet review 1 --reject bafkrei… --reason 'not a fable' --as owner`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := datanetID(args[0])
			if err != nil {
				return err
			}
			if len(reject) > 0 && reason == "" {
				return protocol.Errorf(protocol.KindInvalid, "reason", "a rejection needs one: the contributor will read it")
			}
			cl, info, ch, err := c.network(cmd.Context())
			if err != nil {
				return err
			}
			defer ch.Close()
			pending, err := cl.Contributions(cmd.Context(), id, protocol.ReviewPending)
			if err != nil {
				return err
			}
			if !all && len(accept)+len(reject) == 0 {
				return c.print(map[string]any{"pending": pending}, func(w io.Writer) { contributionTable(w, pending) })
			}
			decisions := map[protocol.CID]protocol.ReviewStatus{}
			if all {
				for _, p := range pending {
					decisions[p.CID] = protocol.ReviewAccepted
				}
			}
			for _, cid := range accept {
				decisions[protocol.CID(cid)] = protocol.ReviewAccepted
			}
			for _, cid := range reject {
				decisions[protocol.CID(cid)] = protocol.ReviewRejected
			}
			key, err := c.signer()
			if err != nil {
				return err
			}
			known, err := cl.Contributions(cmd.Context(), id, "")
			if err != nil {
				return err
			}
			var reviews []protocol.Review
			for _, p := range known {
				status, decided := decisions[p.CID]
				if !decided {
					continue
				}
				delete(decisions, p.CID)
				r := protocol.Review{Datanet: id, Record: p.Contribution.Record, Status: status, At: time.Now().UnixMilli()}
				if status == protocol.ReviewRejected {
					r.Reason = reason
				}
				reviews = append(reviews, r)
			}
			out, err := c.sendReviews(cmd.Context(), cl, info, key, id, reviews)
			if err != nil {
				return err
			}
			for cid := range decisions { // any of them will do for the message
				return protocol.Errorf(protocol.KindNotFound, "record", "%s was not contributed to datanet %d", cid, id)
			}
			return c.print(map[string]any{"reviewed": out}, func(w io.Writer) { contributionTable(w, out) })
		},
	}
	cmd.Flags().StringSliceVar(&accept, "accept", nil, "CIDs of records to accept")
	cmd.Flags().BoolVar(&all, "accept-all", false, "accept everything that waits")
	cmd.Flags().StringSliceVar(&reject, "reject", nil, "CIDs of records to reject")
	cmd.Flags().StringVar(&reason, "reason", "", "why the records are rejected")
	return cmd
}

func contributionTable(w io.Writer, list []api.ContributionStatus) {
	t := newTable(w, "record", "title", "contributor", "bytes", "status")
	for _, p := range list {
		status := string(p.Status)
		if p.Reason != "" {
			status += ": " + p.Reason
		}
		t.AppendRow([]any{p.CID, p.Title, p.Contribution.Contributor.Hex(), p.Bytes, status})
	}
	t.Render()
}

func datanetPublish(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "publish DATANET",
		Short:   "Make the accepted records an immutable version and register its root on the chain",
		Example: "  openledger datanet publish 1 --as owner",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := datanetID(args[0])
			if err != nil {
				return err
			}
			key, err := c.signer()
			if err != nil {
				return err
			}
			cl, _, ch, err := c.network(cmd.Context())
			if err != nil {
				return err
			}
			defer ch.Close()
			switch d, err := ch.Datanet(cmd.Context(), id); {
			case err != nil:
				return err
			case d.Owner != key.Account():
				return protocol.Errorf(protocol.KindUnauthorized, "as", "%s does not own datanet %d: its owner %s publishes", key.Account().Hex(), id, d.Owner.Hex())
			}
			var v protocol.Version
			if err := cl.Call(cmd.Context(), http.MethodPost, fmt.Sprintf("/api/v1/datanets/%d/versions", id), struct{}{}, &v); err != nil {
				return err
			}
			var tx chain.Tx
			latest, err := ch.LatestVersion(cmd.Context(), id)
			if err != nil {
				return err
			}
			fresh := latest < v.Number
			if fresh {
				if tx, err = ch.As(key).PublishVersion(cmd.Context(), v); err != nil {
					return err
				}
			}
			return c.print(struct {
				protocol.Version
				Tx protocol.Hash `json:"tx"`
			}{v, tx.Hash}, func(w io.Writer) {
				fmt.Fprintf(w, "datanet %d version %d: %d records under %s\nroot %s\n", v.Datanet, v.Number, v.Records, v.License, v.Root)
				if !fresh {
					fmt.Fprintln(w, "published before: nothing has changed since")
				}
			})
		},
	}
}

func datanetList(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the datanets",
		Example: "  openledger datanet list --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.coordinator()
			if err != nil {
				return err
			}
			list, err := cl.Datanets(cmd.Context())
			if err != nil {
				return err
			}
			return c.print(map[string]any{"datanets": list}, func(w io.Writer) {
				t := newTable(w, "id", "name", "licence", "owner")
				for _, d := range list {
					t.AppendRow([]any{d.ID, d.Name, d.License, d.Owner.Hex()})
				}
				t.Render()
			})
		},
	}
}

func datanetShow(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "show DATANET",
		Short:   "Show a datanet: versions, contributions, contributors",
		Example: "  openledger datanet show 1",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := datanetID(args[0])
			if err != nil {
				return err
			}
			cl, err := c.coordinator()
			if err != nil {
				return err
			}
			var d protocol.Datanet
			if err := cl.Call(cmd.Context(), http.MethodGet, fmt.Sprintf("/api/v1/datanets/%d", id), nil, &d); err != nil {
				return err
			}
			versions, err := cl.Versions(cmd.Context(), id)
			if err != nil {
				return err
			}
			contributions, err := cl.Contributions(cmd.Context(), id, "")
			if err != nil {
				return err
			}
			return c.print(map[string]any{"datanet": d, "versions": versions, "contributions": contributions}, func(w io.Writer) {
				fmt.Fprintf(w, "datanet %d %q\n%s\nlicence %s, owner %s, public pool %s\n\n", d.ID, d.Name, d.Description, d.License, d.Owner.Hex(), d.Pool.Hex())
				t := newTable(w, "version", "records", "root")
				for _, v := range versions {
					t.AppendRow([]any{v.Number, v.Records, v.Root})
				}
				t.Render()
				fmt.Fprintln(w)
				contributionTable(w, contributions)
			})
		},
	}
}

// fetched is a version in a store of its own, whose blocks were checked on arrival.
type fetched struct {
	version protocol.Version
	node    *ipfs.Node
	close   func() error
}

// fetch downloads a version's archive and checks every block of it.
func (c *cli) fetch(cmd *cobra.Command, id uint64, number uint32) (_ *fetched, err error) {
	cl, _, ch, err := c.network(cmd.Context())
	if err != nil {
		return nil, err
	}
	defer ch.Close()
	if number == 0 {
		if number, err = ch.LatestVersion(cmd.Context(), id); err != nil {
			return nil, err
		}
	}
	f := &fetched{}
	if f.version, err = ch.Version(cmd.Context(), id, number); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "openledger-datanet-")
	if err != nil {
		return nil, err
	}
	db, err := store.Open(store.Config{Dir: filepath.Join(dir, "db")})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	f.close = func() error { return errors.Join(db.Close(), os.RemoveAll(dir)) }
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	if f.node, err = ipfs.Open(ipfs.Config{DB: db}); err != nil {
		return nil, err
	}
	archive := filepath.Join(dir, "version.car")
	if err := download(cmd, cl.Get, fmt.Sprintf("/api/v1/datanets/%d/versions/%d/car", id, number), archive); err != nil {
		return nil, err
	}
	in, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	roots, _, err := f.node.ImportCAR(cmd.Context(), in)
	if err != nil {
		return nil, err
	}
	if len(roots) != 1 || roots[0] != f.version.Root {
		return nil, protocol.Errorf(protocol.KindCorrupt, "root", "the coordinator sent %v, the chain says %s", roots, f.version.Root)
	}
	return f, nil
}

type getter func(ctx context.Context, path string) (io.ReadCloser, error)

func download(cmd *cobra.Command, get getter, path, to string) (err error) {
	body, err := get(cmd.Context(), path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = io.Copy(f, body)
	return err
}

func datanetGet(c *cli) *cobra.Command {
	var number uint32
	cmd := &cobra.Command{
		Use:     "get DATANET",
		Short:   "Print a published version's records as JSON lines, after checking every block",
		Example: "  openledger datanet get 1 --version 1 > records.jsonl",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			id, err := datanetID(args[0])
			if err != nil {
				return err
			}
			f, err := c.fetch(cmd, id, number)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, f.close()) }()
			v, err := datanet.OpenVersion(cmd.Context(), f.node, f.version.Root, nil)
			if err != nil {
				return err
			}
			return v.WriteJSONL(c.out)
		},
	}
	cmd.Flags().Uint32Var(&number, "version", 0, "number of the version (default: the newest)")
	return cmd
}

func datanetExport(c *cli) *cobra.Command {
	var number uint32
	var dir string
	cmd := &cobra.Command{
		Use:     "export DATANET",
		Short:   "Write a published version as a CAR archive, JSON lines and Croissant metadata",
		Example: "  openledger datanet export 1 --to ./fables",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			id, err := datanetID(args[0])
			if err != nil {
				return err
			}
			f, err := c.fetch(cmd, id, number)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, f.close()) }()
			out, err := datanet.Export(cmd.Context(), f.node, f.version.Root, nil, dir)
			if err != nil {
				return err
			}
			return c.print(out, func(w io.Writer) {
				fmt.Fprintf(w, "root %s\n", out.Root)
				for _, file := range []datanet.ExportedFile{out.Archive, out.Records, out.Croissant} {
					fmt.Fprintf(w, "%s  %s\n", file.SHA256, filepath.Join(dir, file.Name))
				}
			})
		},
	}
	cmd.Flags().Uint32Var(&number, "version", 0, "number of the version (default: the newest)")
	cmd.Flags().StringVar(&dir, "to", ".", "folder to write to")
	return cmd
}
