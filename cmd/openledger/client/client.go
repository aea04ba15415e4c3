// Package client calls a coordinator's HTTP API for the command line.
//
// Invariants: an answer that is not a success becomes the coordinator's own error,
// with its kind; answers are bounded.
//
// It caches nothing, and signs nothing but payments of single requests (Payer).
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store/ipfs"
)

// maxAnswer bounds a JSON answer.
const maxAnswer = 64 << 20

// Client talks to one coordinator.
type Client struct {
	base string
	key  string // API key for /v1
	http *http.Client
}

// New makes a client of the coordinator at a URL.
func New(address, key string) (*Client, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, protocol.Errorf(protocol.KindInvalid, "api", "%q is not the address of a coordinator: give one like http://127.0.0.1:8420", address)
	}
	return &Client{base: strings.TrimSuffix(address, "/"), key: key, http: &http.Client{}}, nil
}

func (c *Client) do(ctx context.Context, method, path string, in any, header http.Header) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, err
	}
	for k, v := range header {
		req.Header[k] = v
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	res, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, protocol.Errorf(protocol.KindUnavailable, "api", "no coordinator answers at %s (%w): is 'openledger devnet' running?", c.base, err)
	}
	if res.StatusCode < 300 {
		return res, nil
	}
	defer func() { _ = res.Body.Close() }()
	return nil, refusal(res)
}

// refusal turns an error answer into an error.
func refusal(res *http.Response) error {
	var body struct {
		Error struct {
			Message string  `json:"message"`
			Param   *string `json:"param"`
			Code    string  `json:"code"`
		} `json:"error"`
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil || json.Unmarshal(raw, &body) != nil || body.Error.Message == "" {
		return protocol.Errorf(protocol.KindInternal, "", "the coordinator answered %s", res.Status)
	}
	kind := protocol.KindInternal
	switch k := protocol.Kind(body.Error.Code); k {
	case protocol.KindInvalid, protocol.KindTooLarge, protocol.KindNotFound, protocol.KindExists, protocol.KindUnauthorized, protocol.KindForbidden, protocol.KindEscrow, protocol.KindStale,
		protocol.KindBusy, protocol.KindUnavailable, protocol.KindDeadline, protocol.KindCancelled, protocol.KindCorrupt:
		kind = k
	case "invalid_api_key":
		kind = protocol.KindUnauthorized
	case "model_not_found":
		kind = protocol.KindNotFound
	}
	return &protocol.Error{Kind: kind, Message: body.Error.Message}
}

// Call sends in (nil: no body) and reads the JSON answer into out (nil: dropped).
func (c *Client) Call(ctx context.Context, method, path string, in, out any) error {
	res, err := c.do(ctx, method, path, in, nil)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(out); err != nil {
		return fmt.Errorf("answer to %s %s: %w", method, path, err)
	}
	return nil
}

// Send sends bytes (nil: none) and reads the JSON answer into out (nil: dropped).
func (c *Client) Send(ctx context.Context, method, path string, body io.Reader, length int64, header http.Header, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return err
	}
	for k, v := range header {
		req.Header[k] = v
	}
	if body != nil {
		req.ContentLength = length
		req.Header.Set("Content-Type", "application/octet-stream")
		req.Header.Set("Expect", "100-continue") // what is refused is not sent
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	res, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return protocol.Errorf(protocol.KindUnavailable, "api", "no coordinator answers at %s (%w): is 'openledger devnet' running?", c.base, err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode >= 300 {
		return refusal(res)
	}
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(out); err != nil {
		return fmt.Errorf("answer to %s %s: %w", method, path, err)
	}
	return nil
}

// Network says what network the coordinator belongs to.
func (c *Client) Network(ctx context.Context) (api.NetworkInfo, error) {
	var out api.NetworkInfo
	return out, c.Call(ctx, http.MethodGet, "/api/v1/network", nil, &out)
}

// Datanets lists the datanets.
func (c *Client) Datanets(ctx context.Context) ([]protocol.Datanet, error) {
	var out struct {
		Datanets []protocol.Datanet `json:"datanets"`
	}
	return out.Datanets, c.Call(ctx, http.MethodGet, "/api/v1/datanets", nil, &out)
}

// Versions lists a datanet's versions.
func (c *Client) Versions(ctx context.Context, datanet uint64) ([]protocol.Version, error) {
	var out struct {
		Versions []protocol.Version `json:"versions"`
	}
	return out.Versions, c.Call(ctx, http.MethodGet, fmt.Sprintf("/api/v1/datanets/%d/versions", datanet), nil, &out)
}

// Contributions lists a datanet's contributions, of one status if it is not empty.
func (c *Client) Contributions(ctx context.Context, datanet uint64, status protocol.ReviewStatus) ([]api.ContributionStatus, error) {
	list := []api.ContributionStatus{}
	for cursor := ""; ; {
		var out struct {
			Contributions []api.ContributionStatus `json:"contributions"`
			Next          string                   `json:"next"`
		}
		path := fmt.Sprintf("/api/v1/datanets/%d/contributions?status=%s&cursor=%s", datanet, url.QueryEscape(string(status)), url.QueryEscape(cursor))
		if err := c.Call(ctx, http.MethodGet, path, nil, &out); err != nil {
			return nil, err
		}
		list = append(list, out.Contributions...)
		if cursor = out.Next; cursor == "" {
			return list, nil
		}
	}
}

// Models lists the base and the adapters.
func (c *Client) Models(ctx context.Context) ([]api.Model, error) {
	var out struct {
		Models []api.Model `json:"models"`
	}
	return out.Models, c.Call(ctx, http.MethodGet, "/api/v1/models", nil, &out)
}

// Workers lists the workers.
func (c *Client) Workers(ctx context.Context) ([]api.WorkerView, error) {
	var out struct {
		Workers []api.WorkerView `json:"workers"`
	}
	return out.Workers, c.Call(ctx, http.MethodGet, "/api/v1/workers", nil, &out)
}

// Receipts lists receipts from the newest.
func (c *Client) Receipts(ctx context.Context, limit int) ([]api.ReceiptView, error) {
	var out struct {
		Receipts []api.ReceiptView `json:"receipts"`
	}
	return out.Receipts, c.Call(ctx, http.MethodGet, fmt.Sprintf("/api/v1/receipts?limit=%d", limit), nil, &out)
}

// Receipt gives one receipt.
func (c *Client) Receipt(ctx context.Context, id protocol.Hash) (api.ReceiptView, error) {
	var out api.ReceiptView
	return out, c.Call(ctx, http.MethodGet, "/api/v1/receipts/"+id.Hex(), nil, &out)
}

// Training says where a training job stands.
func (c *Client) Training(ctx context.Context, id protocol.Hash) (api.TrainingStatus, error) {
	var out api.TrainingStatus
	return out, c.Call(ctx, http.MethodGet, "/api/v1/training_jobs/"+id.Hex(), nil, &out)
}

// Get opens a binary answer, such as an archive.
func (c *Client) Get(ctx context.Context, path string) (io.ReadCloser, error) {
	res, err := c.do(ctx, http.MethodGet, path, nil, nil)
	if err != nil {
		return nil, err
	}
	return res.Body, nil
}

// Blocks reads content-addressed blocks through the coordinator and checks their
// digests: it need not be trusted.
type Blocks struct{ Client *Client }

// maxBlock bounds one block.
const maxBlock = 2 << 20

// Put is not possible through a coordinator.
func (b Blocks) Put(context.Context, []byte) (protocol.Hash, error) {
	return protocol.Hash{}, protocol.Errorf(protocol.KindInvalid, "", "blocks can't be stored through the API")
}

// Get fetches one block.
func (b Blocks) Get(ctx context.Context, digest protocol.Hash) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	body, err := b.Client.Get(ctx, "/api/v1/blocks/"+digest.Hex())
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(body, maxBlock+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxBlock || ipfs.CIDText(ipfs.RawCID(raw)) != ipfs.RawCIDOf(digest) {
		return nil, protocol.Errorf(protocol.KindCorrupt, "digest", "the coordinator sent other bytes than block %s", digest)
	}
	return raw, nil
}
