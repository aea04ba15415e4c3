package mcpserver

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/openledger/openledger/protocol"
)

// instructions are for the model of whoever connects.
const instructions = `OpenLedger is a network where models and agents answer for a fee, and every answer has a
receipt that names the data records behind it. list_models shows what can be asked, quote says
what an answer would cost at most, chat asks and costs the fee that it reports (in wei, 10^-18
OPEN), get_receipt explains an answer. search_datanet finds data records; name datanets in chat to
have it answer from them.`

// Version is that of the tools: a change that callers have to know is a new one.
const Version = "1"

// New makes a server whose tools use an API.
func New(api API) *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "openledger", Title: "OpenLedger", Version: Version}, &mcp.ServerOptions{Instructions: instructions})
	read := &mcp.ToolAnnotations{ReadOnlyHint: true}
	mcp.AddTool(s, &mcp.Tool{Name: "list_models", Annotations: read,
		Description: "Lists the models that can be asked: the base, adapters with their price per answer, and agents (agent/NAME) with their markup. Prices are in wei."},
		typed(api.listModels))
	mcp.AddTool(s, &mcp.Tool{Name: "quote", Annotations: read,
		Description: "Says what chat would cost at most with the same arguments, in wei: with all tokens of the answer, the longest records that may be found, and every round that an agent's tools may take. And who would be paid, and how long it may take. It costs nothing."},
		typed(api.quote))
	mcp.AddTool(s, &mcp.Tool{Name: "chat",
		Description: "Asks a model or an agent, and gives its answer with the receipt's ID and the fee in wei. With datanets, it answers from their records and says which. It is paid out of the escrow of the API key's account."},
		typed(api.chat))
	mcp.AddTool(s, &mcp.Tool{Name: "get_receipt", Annotations: read,
		Description: "Explains an answer by its receipt's ID: who computed it with which model, what it cost, and which data records it is attributed to, with their weights (parts of 10^9)."},
		typed(api.receipt))
	mcp.AddTool(s, &mcp.Tool{Name: "list_datanets", Annotations: read,
		Description: "Lists the datanets: collections of data records with their licence and owner."},
		typed(api.datanets))
	mcp.AddTool(s, &mcp.Tool{Name: "search_datanet", Annotations: read,
		Description: "Finds the records of a datanet that have most to do with a query, with the passages that say it and the licence. It asks no model. Free by words (method bm25); hybrid costs the fee that it reports, in wei."},
		typed(api.searchDatanet))
	s.AddResourceTemplate(&mcp.ResourceTemplate{Name: "receipt", URITemplate: "openledger://receipts/{id}", MIMEType: "application/json",
		Description: "a receipt with its evidence: the whole job as it was signed, the answer, its attribution"},
		api.resource("openledger://receipts/", "/api/v1/receipts/", "application/json"))
	s.AddResourceTemplate(&mcp.ResourceTemplate{Name: "block", URITemplate: "openledger://blocks/{digest}",
		Description: "a content-addressed block by its SHA2-256 digest, such as a data record that get_receipt names"},
		api.resource("openledger://blocks/", "/api/v1/blocks/", ""))
	return s
}

// Handler serves the protocol over Streamable HTTP, without sessions: each request has the
// API key under which its tools work.
func Handler(own http.Handler) http.Handler {
	return mcp.NewStreamableHTTPHandler(func(r *http.Request) *mcp.Server {
		return New(API{URL: "http://coordinator", Key: keyOf(r), HTTP: Own(own, r)})
	}, &mcp.StreamableHTTPOptions{Stateless: true, JSONResponse: true,
		// Against pages that reach a loopback address by a name of theirs: they have no API key.
		DisableLocalhostProtection: true})
}

// typed makes a tool's handler of a function.
func typed[In, Out any](fn func(context.Context, In) (Out, error)) mcp.ToolHandlerFor[In, Out] {
	return func(ctx context.Context, _ *mcp.CallToolRequest, in In) (*mcp.CallToolResult, Out, error) {
		out, err := fn(ctx, in)
		return nil, out, err // an error is told to the model, as a result
	}
}

type none struct{}

// Model is one that can be asked.
type Model struct {
	ID          string `json:"id" jsonschema:"what chat takes as model"`
	Kind        string `json:"kind" jsonschema:"base, adapter or agent"`
	Owner       string `json:"owner,omitempty"`
	Access      string `json:"access" jsonschema:"wei per answer for the adapter"`
	Markup      string `json:"markup,omitempty" jsonschema:"wei per request for the agent"`
	Description string `json:"description,omitempty"`
}

type models struct {
	Models []Model `json:"models"`
}

func (a *API) listModels(ctx context.Context, _ none) (models, error) {
	var in struct {
		Data []struct {
			ID    string `json:"id"`
			Model struct {
				CID    string `json:"cid"`
				Owner  string `json:"owner"`
				Access string `json:"access"`
				Agent  *struct {
					Markup      string `json:"markup"`
					Description string `json:"description"`
				} `json:"agent"`
			} `json:"openledger"`
		} `json:"data"`
	}
	out := models{Models: []Model{}}
	if err := a.call(ctx, http.MethodGet, "/v1/models", nil, &in); err != nil {
		return out, err
	}
	for _, m := range in.Data {
		one := Model{ID: m.ID, Kind: "base", Owner: m.Model.Owner, Access: m.Model.Access}
		switch {
		case m.Model.Agent != nil:
			one.Kind, one.Markup, one.Description = "agent", m.Model.Agent.Markup, m.Model.Agent.Description
		case m.Model.CID != "":
			one.Kind = "adapter"
		}
		out.Models = append(out.Models, one)
	}
	return out, nil
}

type receiptID struct {
	Receipt string `json:"receipt" jsonschema:"ID of the receipt, 0x and 64 hex digits"`
}

// Share is a record's part in an answer.
type Share struct {
	Record      string `json:"record" jsonschema:"digest; the resource openledger://blocks/{digest} has its bytes"`
	Contributor string `json:"contributor"`
	Weight      uint64 `json:"weight" jsonschema:"of 1000000000"`
}

type explained struct {
	Worker       string  `json:"worker"`
	Base         string  `json:"base"`
	Adapter      string  `json:"adapter,omitempty" jsonschema:"CID"`
	Agent        uint64  `json:"agent,omitempty" jsonschema:"registered number"`
	AgentVersion uint32  `json:"agent_version,omitempty"`
	PromptTokens int     `json:"prompt_tokens"`
	OutputTokens int     `json:"output_tokens"`
	Compute      string  `json:"compute" jsonschema:"wei to the worker, with the platform's part"`
	Access       string  `json:"access" jsonschema:"wei for the adapter"`
	Markup       string  `json:"markup" jsonschema:"wei for the agent"`
	Settled      bool    `json:"settled"`
	Answer       string  `json:"answer"`
	Attribution  string  `json:"attribution" jsonschema:"the method that gave the weights"`
	Pool         uint64  `json:"pool" jsonschema:"weight that no record has, of 1000000000"`
	Shares       []Share `json:"shares"`
}

func (a *API) receipt(ctx context.Context, in receiptID) (explained, error) {
	var h protocol.Hash
	if err := h.UnmarshalText([]byte(in.Receipt)); err != nil {
		return explained{}, protocol.Errorf(protocol.KindInvalid, "receipt", "%w", err)
	}
	var v struct {
		Receipt  protocol.Receipt  `json:"receipt"`
		Evidence protocol.Evidence `json:"evidence"`
		Settled  bool              `json:"settled"`
	}
	if err := a.call(ctx, http.MethodGet, "/api/v1/receipts/"+h.Hex(), nil, &v); err != nil {
		return explained{}, err
	}
	r, at := v.Receipt, v.Evidence.Attribution
	out := explained{Worker: r.Worker.Hex(), Base: r.Base.Hex(), Adapter: string(v.Evidence.Job.Adapter), Agent: r.Agent, AgentVersion: r.AgentVersion,
		PromptTokens: int(r.PromptTokens), OutputTokens: int(r.OutputTokens), Compute: r.Compute.Dec(), Access: r.Access.Dec(), Markup: r.Markup.Dec(),
		Settled: v.Settled, Answer: v.Evidence.Text, Attribution: at.Algorithm, Pool: at.Pool, Shares: []Share{}}
	for _, s := range at.Shares {
		out.Shares = append(out.Shares, Share{s.Record.Hex(), s.Contributor.Hex(), s.Weight})
	}
	return out, nil
}

// Datanet is a collection of records.
type Datanet struct {
	ID          uint64 `json:"id"`
	Name        string `json:"name"`
	Owner       string `json:"owner"`
	License     string `json:"license"`
	Description string `json:"description,omitempty"`
}

type datanets struct {
	Datanets []Datanet `json:"datanets"`
}

func (a *API) datanets(ctx context.Context, _ none) (datanets, error) {
	out := datanets{Datanets: []Datanet{}}
	err := a.call(ctx, http.MethodGet, "/api/v1/datanets", nil, &out)
	return out, err
}

// resource serves what one path of the API has.
func (a API) resource(prefix, path, mime string) mcp.ResourceHandler {
	return func(ctx context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		id, ok := strings.CutPrefix(req.Params.URI, prefix)
		if !ok {
			return nil, mcp.ResourceNotFoundError(req.Params.URI)
		}
		raw, err := a.send(ctx, http.MethodGet, path+url.PathEscape(id), nil)
		if err != nil {
			return nil, err
		}
		c := &mcp.ResourceContents{URI: req.Params.URI, MIMEType: mime}
		if mime == "application/json" {
			c.Text = string(raw)
		} else {
			c.Blob, c.MIMEType = raw, "application/octet-stream"
		}
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{c}}, nil
	}
}
