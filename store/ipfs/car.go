package ipfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	car "github.com/ipld/go-car/v2"
	"github.com/ipld/go-car/v2/storage"
	"github.com/multiformats/go-varint"

	"github.com/openledger/openledger/protocol"
)

const (
	maxCARHeader = 1 << 20
	maxCARRoots  = 1024
	importBatch  = 4 << 20 // bytes of blocks in one commit
)

// CARVersion is a version of the CAR format.
type CARVersion int

// Versions of CAR: 1 streams everywhere, 2 wraps it with sizes (without an index).
const (
	CARv1 CARVersion = 1
	CARv2 CARVersion = 2
)

// ExportCAR writes everything behind root, which must be here, as an archive. The
// same root gives the same bytes, those of kubo's `ipfs dag export` for version 1.
func (n *Node) ExportCAR(ctx context.Context, w io.Writer, root protocol.CID, version CARVersion) (Stats, error) {
	id, err := ParseCID(root)
	if err != nil {
		return Stats{}, err
	}
	switch version {
	case CARv1:
	case CARv2:
		size, err := n.payloadSize(ctx, id)
		if err != nil {
			return Stats{}, err
		}
		if _, err := w.Write(car.Pragma); err != nil {
			return Stats{}, fmt.Errorf("ipfs: write archive: %w", err)
		}
		h := car.NewHeader(size)
		h.IndexOffset = 0
		if _, err := h.WriteTo(w); err != nil {
			return Stats{}, fmt.Errorf("ipfs: write archive: %w", err)
		}
	default:
		return Stats{}, protocol.Errorf(protocol.KindInvalid, "version", "is %d: CAR has versions 1 and 2", version)
	}
	out, err := storage.NewWritable(w, []cid.Cid{id}, car.WriteAsCarV1(true), car.UseWholeCIDs(true))
	if err != nil {
		return Stats{}, fmt.Errorf("ipfs: write archive: %w", err)
	}
	stats, err := n.depthFirst(ctx, id, func(b blocks.Block) error {
		return out.Put(ctx, b.Cid().KeyString(), b.RawData())
	})
	if err == nil {
		err = out.Finalize()
	}
	if err != nil {
		return stats, fmt.Errorf("ipfs: export %s: %w", root, err)
	}
	return stats, nil
}

// payloadSize is how long the CAR v1 of root is.
func (n *Node) payloadSize(ctx context.Context, root cid.Cid) (uint64, error) {
	var head bytes.Buffer
	if _, err := storage.NewWritable(&head, []cid.Cid{root}, car.WriteAsCarV1(true)); err != nil {
		return 0, fmt.Errorf("ipfs: write archive: %w", err)
	}
	size := uint64(head.Len())
	_, err := n.depthFirst(ctx, root, func(b blocks.Block) error {
		section := uint64(b.Cid().ByteLen() + len(b.RawData()))
		size += uint64(varint.UvarintSize(section)) + section
		return nil
	})
	return size, err
}

// ImportCAR stores the DAGs of an archive, version 1 or 2, and gives its roots.
// It reads the archive twice: first it checks that every block matches its CID and
// that nothing behind the roots is missing, and only then it stores. Blocks that
// the roots do not reach are left out.
func (n *Node) ImportCAR(ctx context.Context, r io.ReadSeeker) ([]protocol.CID, Stats, error) {
	start, err := r.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, Stats{}, fmt.Errorf("ipfs: import: %w", err)
	}
	roots, reach, err := n.checkCAR(ctx, r)
	if err != nil {
		return nil, Stats{}, err
	}
	if _, err := r.Seek(start, io.SeekStart); err != nil {
		return nil, Stats{}, fmt.Errorf("ipfs: import: %w", err)
	}
	var stats Stats
	var batch []blocks.Block
	size := 0
	flush := func() error {
		if err := n.local.AddBlocks(ctx, batch); err != nil {
			return fmt.Errorf("ipfs: import: %w", err)
		}
		batch, size = batch[:0:0], 0
		return nil
	}
	_, err = n.eachInCAR(ctx, r, func(b blocks.Block) error {
		if _, ok := reach[b.Cid().KeyString()]; !ok {
			return nil
		}
		delete(reach, b.Cid().KeyString()) // a block that comes twice counts once
		stats.Blocks++
		stats.Bytes += int64(len(b.RawData()))
		batch, size = append(batch, b), size+len(b.RawData())
		if size < importBatch {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return nil, stats, err
	}
	out := make([]protocol.CID, len(roots))
	for i, c := range roots {
		out[i] = CIDText(c)
	}
	return out, stats, n.cfg.DB.Sync()
}

// checkCAR gives the roots of an archive and the keys of all that they reach.
func (n *Node) checkCAR(ctx context.Context, r io.Reader) ([]cid.Cid, map[string]struct{}, error) {
	links := map[string][]cid.Cid{} // of every block in the archive
	roots, err := n.eachInCAR(ctx, r, func(b blocks.Block) error {
		if len(links) == maxDAGBlocks {
			return protocol.Errorf(protocol.KindInvalid, "car", "has more than %d blocks: split it", maxDAGBlocks)
		}
		nd, err := decode(b)
		if err != nil {
			return err
		}
		ids := make([]cid.Cid, 0, len(nd.Links()))
		for _, l := range nd.Links() {
			ids = append(ids, l.Cid)
		}
		links[b.Cid().KeyString()] = slices.Clip(ids)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	reach := map[string]struct{}{}
	queue := slices.Clone(roots)
	for len(queue) > 0 {
		id := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		key := id.KeyString()
		if _, ok := reach[key]; ok {
			continue
		}
		if _, inline := identity(id); inline {
			continue
		}
		children, ok := links[key]
		if !ok {
			return nil, nil, protocol.Errorf(protocol.KindCorrupt, "car", "is incomplete: block %s is missing; nothing was imported, get the archive again", id)
		}
		reach[key] = struct{}{}
		queue = append(queue, children...)
	}
	return roots, reach, nil
}

// eachInCAR calls fn with each block, checked against its CID, and gives the roots.
func (n *Node) eachInCAR(ctx context.Context, r io.Reader, fn func(blocks.Block) error) ([]cid.Cid, error) {
	in := &limited{r: withContext{ctx, r}, left: n.cfg.MaxFileBytes}
	br, err := car.NewBlockReader(in, car.MaxAllowedHeaderSize(maxCARHeader), car.MaxAllowedSectionSize(MaxBlockBytes+128))
	if err != nil {
		return nil, badCAR(err)
	}
	if len(br.Roots) == 0 || len(br.Roots) > maxCARRoots {
		return nil, protocol.Errorf(protocol.KindCorrupt, "car", "has %d roots, 1 to %d are possible; nothing was imported", len(br.Roots), maxCARRoots)
	}
	for _, root := range br.Roots {
		if err := check(root); err != nil {
			return nil, err
		}
	}
	for {
		b, err := br.Next()
		if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return br.Roots, nil
		}
		if err != nil {
			return nil, badCAR(err)
		}
		if len(b.RawData()) > MaxBlockBytes {
			return nil, protocol.Errorf(protocol.KindInvalid, "car", "block %s is %d bytes, the limit is %d; nothing was imported", b.Cid(), len(b.RawData()), MaxBlockBytes)
		}
		if _, inline := identity(b.Cid()); !inline {
			if err := check(b.Cid()); err != nil {
				return nil, err
			}
		}
		if err := fn(b); err != nil {
			return nil, err
		}
	}
}

func badCAR(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if protocol.KindOf(err) == protocol.KindInvalid {
		return err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return protocol.Errorf(protocol.KindCorrupt, "car", "is cut off: %w; nothing was imported, get the archive again", err)
	}
	return protocol.Errorf(protocol.KindCorrupt, "car", "is damaged or not a CAR archive: %w; nothing was imported", err)
}
