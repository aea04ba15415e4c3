package coordinator

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store"
	"github.com/openledger/openledger/store/ipfs"
)

// Receipts lists accepted receipts from the newest.
func (c *Coordinator) Receipts(ctx context.Context, limit int) ([]api.ReceiptView, error) {
	list, err := c.book.AcceptedReceipts(limit, nil)
	if err != nil {
		return nil, err
	}
	drawn := map[[2]protocol.Account]amount{}
	out := make([]api.ReceiptView, 0, len(list))
	for _, a := range list {
		v, err := c.view(ctx, a, drawn)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// Receipt gives one accepted receipt with its evidence.
func (c *Coordinator) Receipt(ctx context.Context, id protocol.Hash) (api.ReceiptView, error) {
	a, err := c.book.Accepted(id)
	if protocol.KindOf(err) == protocol.KindNotFound {
		err = protocol.Errorf(protocol.KindNotFound, "receipt", "there is no receipt %s here: 'openledger receipts list' shows them", id)
	}
	if err != nil {
		return api.ReceiptView{}, err
	}
	return c.view(ctx, a, map[[2]protocol.Account]amount{})
}

// view adds what the chain says. A receipt is settled when what was drawn for its
// requester and worker reaches the voucher that was given for it.
func (c *Coordinator) view(ctx context.Context, a store.AcceptedReceipt, drawn map[[2]protocol.Account]amount) (api.ReceiptView, error) {
	r := a.Signed.Receipt
	key := [2]protocol.Account{r.Requester, r.Worker}
	d, ok := drawn[key]
	if !ok {
		var err error
		if d, err = c.chain.DrawnOf(ctx, r.Requester, r.Worker); err != nil {
			return api.ReceiptView{}, err
		}
		drawn[key] = d
	}
	e, err := c.evidence(ctx, r)
	if err != nil {
		return api.ReceiptView{}, err
	}
	return api.ReceiptView{SignedReceipt: a.Signed, Evidence: e, Voucher: a.Voucher.Voucher.Cumulative,
		Settled: !d.Lt(&a.Voucher.Voucher.Cumulative)}, nil
}

// evidence reads the document behind a receipt.
func (c *Coordinator) evidence(ctx context.Context, r protocol.Receipt) (protocol.Evidence, error) {
	b, err := c.ipfs.GetBlock(ctx, ipfs.RawCIDOf(r.Evidence), nil)
	if err != nil {
		return protocol.Evidence{}, err
	}
	return wire.DecodeEvidence(b)
}

// Batches lists the settled batches on the chain, in the order of their blocks.
func (c *Coordinator) Batches(ctx context.Context) ([]api.BatchView, error) {
	out := []api.BatchView{}
	_, err := c.chain.EachBatch(ctx, protocol.Account{}, c.chain.Addresses().Block, 0, func(b chain.BatchEvent, _ chain.Event) error {
		out = append(out, api.BatchView{Worker: b.Worker, Nonce: b.Nonce, Root: b.Root, Total: b.Total, Leaves: b.Count,
			Document: b.DataDigest, OpensAt: b.ClaimableAt})
		return nil
	})
	return out, err
}

// Block gives a content-addressed block, from here or from the workers, and keeps it. It
// asks anew when nothing comes: what was asked of a peer that has just died is lost.
func (c *Coordinator) Block(ctx context.Context, digest protocol.Hash) ([]byte, error) {
	const attempts, each = 3, 6 * time.Second
	had, err := c.ipfs.Has(ctx, ipfs.RawCIDOf(digest))
	if err != nil {
		return nil, err
	}
	for range attempts {
		one, cancel := context.WithTimeout(ctx, each)
		var b []byte
		b, err = c.ipfs.GetBlock(one, ipfs.RawCIDOf(digest), c.workerAddrs())
		cancel()
		if err == nil && !had {
			// Who has seen us give it counts on our copy, and may end.
			return b, c.cfg.DB.Sync()
		}
		if err == nil {
			return b, nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, err
}

// workerAddrs are the workers heard of lately, as providers of content.
func (c *Coordinator) workerAddrs() []peer.AddrInfo {
	c.mu.Lock()
	workers := c.state.Workers()
	c.mu.Unlock()
	var out []peer.AddrInfo
	for _, w := range workers {
		if id, err := peer.Decode(string(w.Announcement.Peer)); err == nil {
			out = append(out, peer.AddrInfo{ID: id, Addrs: c.host.Libp2p().Peerstore().Addrs(id)})
		}
	}
	return out
}

// replicateBatches keeps a copy of every batch's and every epoch's document, so that
// claims do not depend on the worker that settled or on who proposed.
func (c *Coordinator) replicateBatches(ctx context.Context) error {
	ticker := time.NewTicker(2 * time.Second)
	defer ticker.Stop()
	missing := map[protocol.Hash]bool{}
	next, nextEpoch := c.chain.Addresses().Block, c.chain.Addresses().Block
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		to, err := c.chain.EachBatch(ctx, protocol.Account{}, next, 0, func(b chain.BatchEvent, _ chain.Event) error {
			missing[b.DataDigest] = true
			return nil
		})
		if err != nil {
			c.log.Warn("batches not read from the chain", "err", err)
			continue
		}
		next = to
		if to, err = c.chain.EachEpoch(ctx, nextEpoch, 0, func(e chain.EpochEvent, _ chain.Event) error {
			missing[e.Document] = true
			return nil
		}); err != nil {
			c.log.Warn("epochs not read from the chain", "err", err)
			continue
		}
		nextEpoch = to
		for _, digest := range slices.SortedFunc(maps.Keys(missing), protocol.Hash.Cmp) {
			if err := c.replicate(ctx, digest); err != nil {
				c.log.Debug("document of a batch or an epoch not found yet", "document", digest, "err", err)
				continue
			}
			delete(missing, digest)
		}
	}
}

// replicate copies a document: its top block and the parts that it lists.
func (c *Coordinator) replicate(ctx context.Context, digest protocol.Hash) error {
	b, err := c.Block(ctx, digest)
	if err != nil {
		return err
	}
	var top struct {
		Parts []protocol.Hash `json:"parts"`
	}
	if err := json.Unmarshal(b, &top); err != nil {
		return protocol.Errorf(protocol.KindCorrupt, "document", "%s is no document of a batch or an epoch: %w", digest, err)
	}
	for _, part := range top.Parts {
		if _, err := c.Block(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

// Info is what clients need to join and to sign.
func (c *Coordinator) Info(context.Context) (api.NetworkInfo, error) {
	at := c.chain.Addresses()
	return api.NetworkInfo{
		ChainID: c.chain.ChainID(), RPC: c.cfg.RPC,
		Contracts: api.Contracts{FromBlock: at.Block, Staking: at.Staking, Escrow: at.Escrow, Delegates: at.Delegates, Datanets: at.Datanets, Models: at.Models,
			Settlement: at.Settlement, Validators: at.Validators, Disputes: at.Disputes, Agents: at.Agents, Contributors: at.Contributors,
			Treasury: at.Treasury, Fees: at.Fees, Epochs: at.Epochs,
			GOPEN: at.GOPEN, Timelock: at.Timelock, Governor: at.Governor},
		Base: c.cfg.Base, BaseName: c.cfg.BaseName, Bootstrap: c.host.Addrs(), Peer: c.host.ID(), SessionKey: c.SessionAccount(),
	}, nil
}

// addresses are where a worker's peer was seen.
func (c *Coordinator) addresses(id protocol.PeerID) []string {
	p, err := peer.Decode(string(id))
	if err != nil {
		return []string{}
	}
	full, err := peer.AddrInfoToP2pAddrs(&peer.AddrInfo{ID: p, Addrs: c.host.Libp2p().Peerstore().Addrs(p)})
	if err != nil {
		return []string{}
	}
	out := make([]string, len(full))
	for i, a := range full {
		out[i] = a.String()
	}
	return out
}
