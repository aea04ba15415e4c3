package coordinator

import (
	"context"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store/agent"
)

// StoreManifest keeps the manifest of an agent's version, so that others find it by its
// CID. It takes what the registry names and nothing else: nobody fills this store for
// free.
func (c *Coordinator) StoreManifest(ctx context.Context, id uint64, version uint32, manifest []byte) (protocol.CID, error) {
	registered, err := c.chain.AgentVersion(ctx, id, version)
	if err != nil {
		return "", err
	}
	m, err := agent.Decode(manifest)
	if err != nil {
		return "", err
	}
	if cid := agent.CID(manifest); cid != registered.Manifest {
		return "", protocol.Errorf(protocol.KindInvalid, "manifest", "of %q is %s, version %d of agent %d is %s", m.Name, cid, version, id, registered.Manifest)
	}
	return c.ipfs.AddBlock(ctx, manifest)
}
