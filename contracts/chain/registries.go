package chain

import (
	"context"
	"math/big"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/contracts/bindings"
	"github.com/openledger/openledger/protocol"
)

var (
	datanets = bindings.NewDatanetRegistry()
	models   = bindings.NewModelRegistry()
)

// Datanet is a datanet by its id, or an error of kind not_found.
func (c *Client) Datanet(ctx context.Context, id uint64) (protocol.Datanet, error) {
	d, err := read(ctx, c, "read a datanet", c.cfg.Addresses.Datanets, datanets.PackDatanetOf(id), datanets.UnpackDatanetOf)
	if err != nil {
		return protocol.Datanet{}, err
	}
	return protocol.Datanet{ID: id, Owner: d.Owner, Name: d.Name, Description: d.Metadata, License: d.License, Pool: d.Pool}, nil
}

// Datanets lists all datanets by id.
func (c *Client) Datanets(ctx context.Context) ([]protocol.Datanet, error) {
	n, err := read(ctx, c, "count the datanets", c.cfg.Addresses.Datanets, datanets.PackCount(), datanets.UnpackCount)
	if err != nil {
		return nil, err
	}
	var out []protocol.Datanet
	for id := range n {
		d, err := c.Datanet(ctx, id+1)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

// LatestVersion is the number of a datanet's newest version; 0: none.
func (c *Client) LatestVersion(ctx context.Context, datanet uint64) (uint32, error) {
	return read(ctx, c, "read a datanet's newest version", c.cfg.Addresses.Datanets, datanets.PackLatestVersion(datanet), datanets.UnpackLatestVersion)
}

// RetrievalPrice is what an answer pays that was given records of a datanet, in wei.
func (c *Client) RetrievalPrice(ctx context.Context, datanet uint64) (uint256.Int, error) {
	return readAmount(ctx, c, "read a datanet's retrieval price", c.cfg.Addresses.Datanets, datanets.PackRetrievalPriceOf(datanet), datanets.UnpackRetrievalPriceOf)
}

// SetRetrievalPrice sets it for the sender's datanet.
func (s *Sender) SetRetrievalPrice(ctx context.Context, datanet uint64, price uint256.Int) (Tx, error) {
	return s.Call(ctx, "set a datanet's retrieval price", s.c.cfg.Addresses.Datanets, uint256.Int{}, datanets.PackSetRetrievalPrice(datanet, big256(price)))
}

// Version is a published version, or an error of kind not_found.
func (c *Client) Version(ctx context.Context, datanet uint64, number uint32) (protocol.Version, error) {
	v, err := read(ctx, c, "read a datanet's version", c.cfg.Addresses.Datanets, datanets.PackVersionOf(datanet, number), datanets.UnpackVersionOf)
	if err != nil {
		return protocol.Version{}, err
	}
	owner, err := read(ctx, c, "read a datanet's owner", c.cfg.Addresses.Datanets, datanets.PackOwnerOf(datanet), datanets.UnpackOwnerOf)
	if err != nil {
		return protocol.Version{}, err
	}
	return protocol.Version{
		Datanet: datanet, Number: number, Root: protocol.CID(v.Root), License: v.License, Records: int(v.RecordCount), Owner: owner,
	}, nil
}

// Versions lists a datanet's versions by number.
func (c *Client) Versions(ctx context.Context, datanet uint64) ([]protocol.Version, error) {
	n, err := c.LatestVersion(ctx, datanet)
	if err != nil {
		return nil, err
	}
	var out []protocol.Version
	for i := range n {
		v, err := c.Version(ctx, datanet, i+1)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// CreateDatanetFor creates a datanet in the name of an owner whose delegate the sender is.
func (s *Sender) CreateDatanetFor(ctx context.Context, owner protocol.Account, d protocol.Datanet) (protocol.Datanet, error) {
	return s.createDatanet(ctx, d, datanets.PackCreateFor(owner, d.Name, d.License, d.Description))
}

// CreateDatanet creates a datanet owned by the sender. The registry gives id and
// pool; ID, Owner and Pool of d are not looked at.
func (s *Sender) CreateDatanet(ctx context.Context, d protocol.Datanet) (protocol.Datanet, error) {
	return s.createDatanet(ctx, d, datanets.PackCreate(d.Name, d.License, d.Description))
}

func (s *Sender) createDatanet(ctx context.Context, d protocol.Datanet, call []byte) (protocol.Datanet, error) {
	at := s.c.cfg.Addresses.Datanets
	tx, err := s.Call(ctx, "create a datanet", at, uint256.Int{}, call)
	if err != nil {
		return protocol.Datanet{}, err
	}
	for _, l := range tx.Logs {
		if l.Address != at {
			continue
		}
		if ev, err := datanets.UnpackDatanetCreatedEvent(l); err == nil {
			d.ID, d.Owner, d.Pool = ev.Datanet, ev.Owner, ev.Pool
			return d, nil
		}
	}
	return protocol.Datanet{}, protocol.Errorf(protocol.KindCorrupt, "", "create a datanet: transaction %s has no event", tx.Hash)
}

// PublishVersion publishes the next version of a datanet of the sender, or of an owner whose
// delegate it is. Publishing
// the same version again, after an interruption, succeeds without a transaction.
func (s *Sender) PublishVersion(ctx context.Context, v protocol.Version) (Tx, error) {
	if v.Records < 0 {
		return Tx{}, protocol.Errorf(protocol.KindInvalid, "records", "%d is negative", v.Records)
	}
	tx, err := s.Call(ctx, "publish a version", s.c.cfg.Addresses.Datanets, uint256.Int{},
		datanets.PackPublish(v.Datanet, v.Number, string(v.Root), v.License, uint64(v.Records)))
	if protocol.KindOf(err) == protocol.KindExists {
		if have, rerr := s.c.Version(ctx, v.Datanet, v.Number); rerr == nil && have.Root == v.Root {
			return Tx{}, nil
		}
	}
	return tx, err
}

// BaseModel is a base model by its hash, or an error of kind not_found.
func (c *Client) BaseModel(ctx context.Context, hash protocol.Hash) (Base, error) {
	b, err := read(ctx, c, "read a base model", c.cfg.Addresses.Models, models.PackBaseOf(hash), models.UnpackBaseOf)
	return Base{Hash: b.Hash, Name: b.Name, URI: b.Uri, At: int64(b.RegisteredAt)}, err
}

// BaseModels lists the base models in order of registration.
func (c *Client) BaseModels(ctx context.Context) ([]Base, error) {
	n, err := readAmount(ctx, c, "count the base models", c.cfg.Addresses.Models, models.PackBaseCount(), models.UnpackBaseCount)
	if err != nil {
		return nil, err
	}
	var out []Base
	for i := range n.Uint64() {
		b, err := read(ctx, c, "read a base model", c.cfg.Addresses.Models, models.PackBaseAt(new(big.Int).SetUint64(i)), models.UnpackBaseAt)
		if err != nil {
			return nil, err
		}
		out = append(out, Base{Hash: b.Hash, Name: b.Name, URI: b.Uri, At: int64(b.RegisteredAt)})
	}
	return out, nil
}

// RegisterBase adds a base model. It needs the registrar role. A base that is
// registered already is left as it is.
func (s *Sender) RegisterBase(ctx context.Context, hash protocol.Hash, name, uri string) (Tx, error) {
	tx, err := s.Call(ctx, "register a base model", s.c.cfg.Addresses.Models, uint256.Int{}, models.PackRegisterBase(hash, name, uri))
	if protocol.KindOf(err) == protocol.KindExists {
		return Tx{}, nil
	}
	return tx, err
}

func adapterOf(a bindings.ModelRegistryAdapter) (Adapter, error) {
	access, err := toU256(a.Access)
	return Adapter{
		Digest: a.Digest, CID: protocol.CID(a.Cid), Owner: a.Owner, Name: a.Name, Base: a.Base, Datanet: a.Datanet,
		Version: a.Version, DatanetRoot: a.DatanetRoot, HyperHash: a.HyperHash, Access: access, Registrant: a.Registrant, Signer: a.Signer,
		At: int64(a.RegisteredAt), Revision: a.Revision, RoyaltyBps: a.RoyaltyBps, Parents: hashesOf(a.Parents), Depth: a.Depth, Ancestors: a.Ancestors,
	}, err
}

// Adapter is an adapter by the digest of its CID, or an error of kind not_found.
func (c *Client) Adapter(ctx context.Context, digest protocol.Hash) (Adapter, error) {
	a, err := read(ctx, c, "read an adapter", c.cfg.Addresses.Models, models.PackAdapterOf(digest), models.UnpackAdapterOf)
	if err != nil {
		return Adapter{}, err
	}
	return adapterOf(a)
}

// AdapterByName is the newest revision of an owner's adapter by name, or an error of
// kind not_found.
func (c *Client) AdapterByName(ctx context.Context, owner protocol.Account, name string) (Adapter, error) {
	digest, err := read(ctx, c, "look up an adapter", c.cfg.Addresses.Models, models.PackAdapterByName(owner, name), models.UnpackAdapterByName)
	if err != nil {
		return Adapter{}, err
	}
	if digest == (protocol.Hash{}) {
		return Adapter{}, protocol.Errorf(protocol.KindNotFound, "adapter", "%s has no adapter named %q", owner, name)
	}
	return c.Adapter(ctx, digest)
}

// AdapterCount is the number of adapters.
func (c *Client) AdapterCount(ctx context.Context) (uint64, error) {
	n, err := readAmount(ctx, c, "count the adapters", c.cfg.Addresses.Models, models.PackAdapterCount(), models.UnpackAdapterCount)
	return n.Uint64(), err
}

// adaptersFrom reads the adapters from a place in order of registration on.
func (c *Client) adaptersFrom(ctx context.Context, from, n uint64) ([]Adapter, error) {
	var out []Adapter
	for i := from; i < n; i++ {
		raw, err := read(ctx, c, "read an adapter", c.cfg.Addresses.Models, models.PackAdapterAt(new(big.Int).SetUint64(i)), models.UnpackAdapterAt)
		if err != nil {
			return nil, err
		}
		a, err := adapterOf(raw)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

// RegisterAdapter registers a trained adapter and its lineage by its owner's
// signed order. Doing the same again, after an interruption, succeeds without a
// transaction.
func (s *Sender) RegisterAdapter(ctx context.Context, o protocol.TrainingOrder, signature []byte, id protocol.CID, digest protocol.Hash) (Tx, error) {
	if o.Deadline < 0 {
		return Tx{}, protocol.Errorf(protocol.KindInvalid, "deadline", "%d is no time in Unix seconds", o.Deadline)
	}
	tx, err := s.Call(ctx, "register an adapter", s.c.cfg.Addresses.Models, uint256.Int{}, models.PackRegisterAdapter(bindings.TrainingOrder{
		Owner: o.Owner, Name: o.Name, Base: o.Base, Datanet: o.Datanet, Version: o.Version, Root: string(o.Root),
		HyperHash: o.HyperHash, Access: big256(o.Access), RoyaltyBps: o.RoyaltyBps, Revision: o.Revision, Parents: wordsOf(o.Parents),
		Nonce: o.Nonce, Deadline: uint64(o.Deadline),
	}, string(id), signature))
	if protocol.KindOf(err) == protocol.KindExists {
		if have, rerr := s.c.Adapter(ctx, digest); rerr == nil && have.Owner == o.Owner && have.Name == o.Name && have.Revision == o.Revision {
			return Tx{}, nil
		}
	}
	return tx, err
}

// SetAccess sets the price per inference of the sender's adapter.
func (s *Sender) SetAccess(ctx context.Context, digest protocol.Hash, access uint256.Int) (Tx, error) {
	return s.Call(ctx, "set an adapter's price", s.c.cfg.Addresses.Models, uint256.Int{}, models.PackSetAccess(digest, big256(access)))
}
