package store

import (
	"github.com/openledger/openledger/protocol"
)

// AdapterRecord is a registered adapter.
type AdapterRecord struct {
	CID          protocol.CID             `json:"cid"` // of the manifest document
	Digest       protocol.Hash            `json:"digest"`
	Owner        protocol.Account         `json:"owner"`
	Name         string                   `json:"name"`
	Manifest     protocol.AdapterManifest `json:"manifest"`
	Version      protocol.Version         `json:"version"` // the datanet version it was trained on
	TxHash       protocol.Hash            `json:"tx_hash"` // registration
	RegisteredAt int64                    `json:"registered_at"`
}

// PutAdapter stores an adapter under its CID and under owner and name.
func (c *Catalog) PutAdapter(a AdapterRecord) error {
	return c.db.Update(func(tx *Tx) error {
		if err := adapterName.Put(tx, PairOf(a.Owner, a.Name), a.CID); err != nil {
			return err
		}
		return adapterTable.Put(tx, a.CID, a)
	})
}

// Adapter gives an adapter by CID, or an error of kind not_found.
func (c *Catalog) Adapter(id protocol.CID) (AdapterRecord, error) { return adapterTable.Must(c.db, id) }

// AdapterByName gives an adapter by owner and name, or an error of kind not_found.
func (c *Catalog) AdapterByName(owner protocol.Account, name string) (AdapterRecord, error) {
	id, err := adapterName.Must(c.db, PairOf(owner, name))
	if err != nil {
		return AdapterRecord{}, err
	}
	return c.Adapter(id)
}

// Adapters lists all adapters by CID.
func (c *Catalog) Adapters() ([]AdapterRecord, error) {
	var out []AdapterRecord
	err := adapterTable.Scan(c.db, func(_ protocol.CID, a AdapterRecord) error {
		out = append(out, a)
		return nil
	})
	return out, err
}

// PutDatanet stores a datanet as the chain knows it.
func (c *Catalog) PutDatanet(d protocol.Datanet) error {
	return c.db.Update(func(tx *Tx) error { return datanetTable.Put(tx, d.ID, d) })
}

// Datanet gives a datanet, or an error of kind not_found.
func (c *Catalog) Datanet(id uint64) (protocol.Datanet, error) { return datanetTable.Must(c.db, id) }

// Datanets lists all datanets by ID.
func (c *Catalog) Datanets() ([]protocol.Datanet, error) {
	var out []protocol.Datanet
	err := datanetTable.Scan(c.db, func(_ uint64, d protocol.Datanet) error {
		out = append(out, d)
		return nil
	})
	return out, err
}

// PutVersion stores a published version of a datanet.
func (c *Catalog) PutVersion(v protocol.Version) error {
	return c.db.Update(func(tx *Tx) error {
		return versionTable.Put(tx, PairOf(v.Datanet, uint64(v.Number)), v)
	})
}

// Versions lists the published versions of a datanet by number.
func (c *Catalog) Versions(datanet uint64) ([]protocol.Version, error) {
	var out []protocol.Version
	err := ScanFirst(c.db, versionTable, Uint64Key(), datanet, func(_ uint64, v protocol.Version) error {
		out = append(out, v)
		return nil
	})
	return out, err
}
