package main

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
)

func datanetPrice(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "price DATANET AMOUNT",
		Short:   "Set what an answer pays that reads your datanet; 0 for nothing",
		Example: "  openledger datanet price 1 0.01 --as owner",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := datanetID(args[0])
			if err != nil {
				return err
			}
			amount, err := node.ParseOpen("amount", args[1])
			if err != nil {
				return err
			}
			return c.transact(cmd, fmt.Sprintf("an answer that reads datanet %d pays %s OPEN", id, node.FormatOpen(amount)), func(s *chain.Sender) (chain.Tx, error) {
				return s.SetRetrievalPrice(cmd.Context(), id, amount)
			})
		},
	}
}

func datanetEmbed(c *cli) *cobra.Command {
	var version uint32
	cmd := &cobra.Command{
		Use:   "embed DATANET",
		Short: "Have the vectors of a version's records made, so that retrieval finds records by meaning",
		Long: `Has workers make the vectors that a version's records lack. The account of your API key
pays for their tokens. It can be interrupted: ordered again, it goes on where it ended.`,
		Example: "  openledger datanet embed 1\n  openledger datanet embed 1 --version 2 --json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := datanetID(args[0])
			if err != nil {
				return err
			}
			if c.apiKey == "" {
				return protocol.Errorf(protocol.KindUnauthorized, "api key", "there is none: set $OPENLEDGER_API_KEY, or put it in the file api.key in the home; 'openledger coordinator key' issues one")
			}
			web, err := c.coordinator()
			if err != nil {
				return err
			}
			path := fmt.Sprintf("/api/v1/datanets/%d/versions/%d/embeddings", id, version)
			var s api.EmbeddingStatus
			if err := web.Call(cmd.Context(), http.MethodPost, path, nil, &s); err != nil {
				return err
			}
			for s.Running {
				select {
				case <-cmd.Context().Done():
					return cmd.Context().Err()
				case <-time.After(200 * time.Millisecond):
				}
				if err := web.Call(cmd.Context(), http.MethodGet, path, nil, &s); err != nil {
					return err
				}
			}
			if err := c.print(&s, func(w io.Writer) {
				fmt.Fprintf(w, "%d of %d records of datanet %d, version %d, have vectors (%s); this order cost %s OPEN\n", s.Embedded, s.Records, s.Datanet, s.Version, s.Algorithm, node.FormatOpen(s.Fee))
			}); err != nil {
				return err
			}
			if s.Error != "" {
				c.say("%s: order again to go on", s.Error)
				return errReported
			}
			return nil
		},
	}
	cmd.Flags().Uint32Var(&version, "version", 0, "of the datanet; 0 is the newest")
	return cmd
}
