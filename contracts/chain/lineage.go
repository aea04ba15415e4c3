package chain

import (
	"context"
	"math/big"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/contracts/bindings"
	"github.com/openledger/openledger/protocol"
)

// LineageRules are the governed bounds of lineages and of the royalties along them.
type LineageRules struct {
	RoyaltyBps uint16 `json:"royalty_bps"` // most that one adapter asks
	TotalBps   uint16 `json:"total_bps"`   // most that the parents of one ask together
	Parents    uint8  `json:"parents"`
	Depth      uint8  `json:"depth"`
}

// Royalty is one step of an adapter's lineage: what the owner of a parent is owed of
// what the owner of the derived adapter would have had.
type Royalty struct {
	Adapter protocol.Hash    `json:"adapter"` // digest of the parent
	Account protocol.Account `json:"account"` // its owner
	From    uint16           `json:"from"`    // who owes: 0 the adapter that the list is of, k its k-th entry
	Bps     uint16           `json:"bps"`
}

// LineageRules are the bounds now.
func (c *Client) LineageRules(ctx context.Context) (LineageRules, error) {
	r, err := read(ctx, c, "read the rules of lineages", c.cfg.Addresses.Models, models.PackLineageRules(), models.UnpackLineageRules)
	return LineageRules(r), err
}

// RoyaltiesOf lists who is owed a part of what an adapter's owner earns, along its
// lineage; ancestors that ask for nothing are left out. An adapter that is not
// registered is an error of kind not_found.
func (c *Client) RoyaltiesOf(ctx context.Context, digest protocol.Hash) ([]Royalty, error) {
	list, err := read(ctx, c, "read an adapter's lineage", c.cfg.Addresses.Models, models.PackRoyaltiesOf(digest), models.UnpackRoyaltiesOf)
	if err != nil {
		return nil, err
	}
	var out []Royalty
	for _, r := range list {
		out = append(out, Royalty{Adapter: r.Adapter, Account: r.Account, From: r.From, Bps: r.Bps})
	}
	return out, nil
}

// DivideRoyalties is how the registry divides an adapter owner's part: what the owner
// keeps, then what each entry of RoyaltiesOf has.
func (c *Client) DivideRoyalties(ctx context.Context, digest protocol.Hash, amount uint256.Int) ([]uint256.Int, error) {
	parts, err := read(ctx, c, "divide an adapter owner's part", c.cfg.Addresses.Models, models.PackDivide(digest, big256(amount)), models.UnpackDivide)
	if err != nil {
		return nil, err
	}
	out := make([]uint256.Int, len(parts))
	for i, p := range parts {
		if out[i], err = toU256(p); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// LatestRevision is the number of the newest of an owner's adapters of one name; 0: none.
func (c *Client) LatestRevision(ctx context.Context, owner protocol.Account, name string) (uint32, error) {
	return read(ctx, c, "count an adapter's revisions", c.cfg.Addresses.Models, models.PackLatestRevision(owner, name), models.UnpackLatestRevision)
}

// AdapterRevision is one revision of an owner's adapter by name, or an error of kind
// not_found.
func (c *Client) AdapterRevision(ctx context.Context, owner protocol.Account, name string, revision uint32) (Adapter, error) {
	digest, err := read(ctx, c, "look up a revision", c.cfg.Addresses.Models, models.PackAdapterRevision(owner, name, revision), models.UnpackAdapterRevision)
	if err != nil {
		return Adapter{}, err
	}
	return c.Adapter(ctx, digest)
}

// OrderUsed says whether an adapter was registered under an owner's order with a nonce.
func (c *Client) OrderUsed(ctx context.Context, owner protocol.Account, nonce protocol.Hash) (bool, error) {
	return read(ctx, c, "look up an order", c.cfg.Addresses.Models, models.PackIsNonceUsed(owner, nonce), models.UnpackIsNonceUsed)
}

// LowerRoyalty lowers what the sender's adapter asks of the owners of derived ones.
func (s *Sender) LowerRoyalty(ctx context.Context, digest protocol.Hash, bps uint16) (Tx, error) {
	return s.Call(ctx, "lower an adapter's royalty", s.c.cfg.Addresses.Models, uint256.Int{}, models.PackLowerRoyalty(digest, bps))
}

func hashesOf(words [][32]byte) []protocol.Hash {
	var out []protocol.Hash
	for _, w := range words {
		out = append(out, w)
	}
	return out
}

func wordsOf(hashes []protocol.Hash) [][32]byte {
	out := make([][32]byte, len(hashes))
	for i, h := range hashes {
		out[i] = h
	}
	return out
}

// lineageSettings are the governed parameters of lineages.
func lineageSettings() []Setting {
	return []Setting{{
		Name:   "models.lineage",
		Fields: []Field{{"royalty", UnitBps, 16}, {"total", UnitBps, 16}, {"parents", UnitCount, 8}, {"depth", UnitCount, 8}},
		on:     func(a Addresses) protocol.Account { return a.Models },
		read: func(ctx context.Context, c *Client) ([]*big.Int, error) {
			r, err := c.LineageRules(ctx)
			return []*big.Int{number(uint64(r.RoyaltyBps)), number(uint64(r.TotalBps)), number(uint64(r.Parents)), number(uint64(r.Depth))}, err
		},
		pack: func(v []*big.Int) ([]byte, error) {
			return models.TryPackSetLineageRules(bindings.LineageRules{
				RoyaltyBps: uint16(v[0].Uint64()), TotalBps: uint16(v[1].Uint64()), Parents: uint8(v[2].Uint64()), Depth: uint8(v[3].Uint64()),
			})
		},
	}}
}
