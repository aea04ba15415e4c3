package main

import (
	"net/http"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/spf13/cobra"

	"github.com/openledger/openledger/coordinator/mcpserver"
	"github.com/openledger/openledger/protocol"
)

func newMCP(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "mcp",
		Short: "Offer the network to another agent, by the Model Context Protocol over stdin and stdout",
		Long: `A program that speaks the Model Context Protocol starts this one and uses its tools:
list_models, quote, chat, get_receipt and list_datanets. Answers are paid out of the escrow of the
API key's account. The coordinator offers the same under /mcp over Streamable HTTP.`,
		Example: `  openledger mcp --api http://127.0.0.1:8420
  {"mcpServers": {"openledger": {"command": "openledger", "args": ["mcp"], "env": {"OPENLEDGER_API_KEY": "..."}}}}`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.apiKey == "" {
				return protocol.Errorf(protocol.KindUnauthorized, "api key", "there is none: set $OPENLEDGER_API_KEY, or put it in the file api.key in the home; 'openledger coordinator key' issues one")
			}
			api := mcpserver.API{URL: strings.TrimSuffix(c.api, "/"), Key: c.apiKey, HTTP: http.DefaultTransport}
			return mcpserver.New(api).Run(cmd.Context(), &mcp.StdioTransport{})
		},
	}
}
