package ipfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	chunker "github.com/ipfs/boxo/chunker"
	"github.com/ipfs/boxo/ipld/merkledag"
	"github.com/ipfs/boxo/ipld/unixfs/importer/balanced"
	"github.com/ipfs/boxo/ipld/unixfs/importer/helpers"
	uio "github.com/ipfs/boxo/ipld/unixfs/io"
	"github.com/ipfs/go-cid"
	format "github.com/ipfs/go-ipld-format"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/openledger/openledger/protocol"
)

// maxLinks is how many children one inner node of a file has; kubo's default.
const maxLinks = 174

// AddFile stores what r gives as a UnixFS file (balanced, chunks of ChunkBytes,
// raw leaves) and makes it durable. Content up to one chunk is one raw block.
func (n *Node) AddFile(ctx context.Context, r io.Reader) (protocol.CID, int64, error) {
	root, size, err := n.layout(ctx, r, merkledag.NewDAGService(n.local))
	if err != nil {
		return "", 0, fmt.Errorf("ipfs: add file: %w", err)
	}
	return root, size, n.cfg.DB.Sync()
}

// PlanFile gives the CID that AddFile would give, and the digests of the file's leaves,
// each once and in order. It stores nothing.
func (n *Node) PlanFile(ctx context.Context, r io.Reader) (protocol.CID, []protocol.Hash, error) {
	p := &planner{seen: map[protocol.Hash]struct{}{}}
	root, _, err := n.layout(ctx, r, p)
	if err != nil {
		return "", nil, fmt.Errorf("ipfs: plan file: %w", err)
	}
	return root, p.leaves, nil
}

// layout builds the DAG of a file.
func (n *Node) layout(ctx context.Context, r io.Reader, to format.DAGService) (protocol.CID, int64, error) {
	in := &limited{r: r, left: n.cfg.MaxFileBytes}
	params := helpers.DagBuilderParams{Maxlinks: maxLinks, RawLeaves: true, CidBuilder: merkledag.V1CidPrefix(), Dagserv: to}
	builder, err := params.New(chunker.NewSizeSplitter(withContext{ctx, in}, ChunkBytes))
	if err != nil {
		return "", 0, err
	}
	root, err := balanced.Layout(builder)
	if err != nil {
		return "", 0, err
	}
	return CIDText(root.Cid()), in.read, nil
}

// planner notes the leaves of a DAG that is built, and drops it.
type planner struct {
	format.DAGService // nil: building only adds
	leaves            []protocol.Hash
	seen              map[protocol.Hash]struct{}
}

func (p *planner) Add(_ context.Context, nd format.Node) error {
	if nd.Cid().Type() != cid.Raw {
		return nil
	}
	d, err := digestOf(nd.Cid())
	if err != nil {
		return err
	}
	if _, ok := p.seen[d]; !ok {
		p.seen[d] = struct{}{}
		p.leaves = append(p.leaves, d)
	}
	return nil
}

func (p *planner) AddMany(ctx context.Context, list []format.Node) error {
	for _, nd := range list {
		if err := p.Add(ctx, nd); err != nil {
			return err
		}
	}
	return nil
}

// AddBytes is AddFile of bytes in memory.
func (n *Node) AddBytes(ctx context.Context, data []byte) (protocol.CID, error) {
	c, _, err := n.AddFile(ctx, bytes.NewReader(data))
	return c, err
}

// File reads a UnixFS file, fetching its blocks as it goes.
type File struct {
	uio.DagReader
	cancel context.CancelFunc
}

// Close ends the reading and what it still fetches.
func (f *File) Close() error {
	f.cancel()
	return f.DagReader.Close()
}

// Get opens the file behind c. Blocks that are not here come from the providers.
func (n *Node) Get(ctx context.Context, c protocol.CID, providers []peer.AddrInfo) (*File, error) {
	id, err := ParseCID(c)
	if err != nil {
		return nil, err
	}
	f := n.fetch(ctx, providers)
	nd, err := f.Get(f.ctx, id)
	if err != nil {
		f.close()
		return nil, err
	}
	r, err := uio.NewDagReader(f.ctx, nd, f)
	if err != nil {
		f.close()
		return nil, notFile(c, err)
	}
	if r.Size() > uint64(n.cfg.MaxFileBytes) {
		f.close()
		return nil, protocol.Errorf(protocol.KindInvalid, "cid", "%s says it is %d bytes, the limit is %d", c, r.Size(), n.cfg.MaxFileBytes)
	}
	return &File{DagReader: r, cancel: f.close}, nil
}

// ReadFile reads the whole file behind c, of at most limit bytes.
func (n *Node) ReadFile(ctx context.Context, c protocol.CID, providers []peer.AddrInfo, limit int64) (_ []byte, err error) {
	f, err := n.Get(ctx, c, providers)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if f.Size() > uint64(limit) {
		return nil, protocol.Errorf(protocol.KindInvalid, "cid", "%s is %d bytes, the limit is %d", c, f.Size(), limit)
	}
	// The declared size is a claim: never read or allocate beyond what arrives.
	var buf bytes.Buffer
	if _, err := io.Copy(&buf, io.LimitReader(f, limit+1)); err != nil {
		return nil, fmt.Errorf("ipfs: read %s: %w", c, err)
	}
	if int64(buf.Len()) > limit {
		return nil, protocol.Errorf(protocol.KindInvalid, "cid", "%s is more than %d bytes", c, limit)
	}
	return buf.Bytes(), nil
}

// Entry is a name in a directory.
type Entry struct {
	Name string       `json:"name"`
	CID  protocol.CID `json:"cid"`
	Size uint64       `json:"size"` // of the DAG behind CID, as the directory states it
}

// AddDirectory stores a UnixFS directory of blocks that are here. The same
// entries give the same CID in any order; large directories are sharded.
func (n *Node) AddDirectory(ctx context.Context, entries []Entry) (protocol.CID, error) {
	entries = slices.Clone(entries)
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	dag := merkledag.NewDAGService(n.local)
	dir, err := uio.NewDirectory(dag, uio.WithCidBuilder(merkledag.V1CidPrefix()))
	if err != nil {
		return "", fmt.Errorf("ipfs: add directory: %w", err)
	}
	for i, e := range entries {
		if e.Name == "" || e.Name == "." || e.Name == ".." || strings.ContainsAny(e.Name, "/\x00") {
			return "", protocol.Errorf(protocol.KindInvalid, "name", "%q cannot be a name in a directory", e.Name)
		}
		if i > 0 && entries[i-1].Name == e.Name {
			return "", protocol.Errorf(protocol.KindExists, "name", "%q is twice in the directory", e.Name)
		}
		id, err := ParseCID(e.CID)
		if err != nil {
			return "", err
		}
		b, err := n.blocks.Get(ctx, id)
		if err != nil {
			return "", notHere(id, err)
		}
		nd, err := decode(b)
		if err != nil {
			return "", err
		}
		if err := dir.AddChild(ctx, e.Name, nd); err != nil {
			return "", fmt.Errorf("ipfs: add %q to directory: %w", e.Name, err)
		}
	}
	root, err := dir.GetNode()
	if err != nil {
		return "", fmt.Errorf("ipfs: add directory: %w", err)
	}
	if err := dag.Add(ctx, root); err != nil {
		return "", fmt.Errorf("ipfs: add directory: %w", err)
	}
	return CIDText(root.Cid()), n.cfg.DB.Sync()
}

// List gives the entries of a directory, sorted by name.
func (n *Node) List(ctx context.Context, c protocol.CID, providers []peer.AddrInfo) ([]Entry, error) {
	f := n.fetch(ctx, providers)
	defer f.close()
	dir, err := n.directory(ctx, c, f)
	if err != nil {
		return nil, err
	}
	var out []Entry
	err = dir.ForEachLink(ctx, func(l *format.Link) error {
		out = append(out, Entry{Name: l.Name, CID: CIDText(l.Cid), Size: l.Size})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ipfs: list %s: %w", c, err)
	}
	slices.SortFunc(out, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// Resolve follows a path such as "records/x" from a directory.
func (n *Node) Resolve(ctx context.Context, root protocol.CID, path string, providers []peer.AddrInfo) (protocol.CID, error) {
	f := n.fetch(ctx, providers)
	defer f.close()
	at := root
	for _, name := range strings.Split(strings.Trim(path, "/"), "/") {
		dir, err := n.directory(ctx, at, f)
		if err != nil {
			return "", err
		}
		nd, err := dir.Find(ctx, name)
		if err != nil {
			if protocol.KindOf(err) != protocol.KindInternal {
				return "", err
			}
			return "", protocol.Errorf(protocol.KindNotFound, "path", "%s has no %q: %w", at, name, err)
		}
		at = CIDText(nd.Cid())
	}
	return at, nil
}

func (n *Node) directory(ctx context.Context, c protocol.CID, f *fetcher) (uio.Directory, error) {
	id, err := ParseCID(c)
	if err != nil {
		return nil, err
	}
	nd, err := f.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	dir, err := uio.NewDirectoryFromNode(readOnly{f}, nd)
	if err != nil {
		return nil, protocol.Errorf(protocol.KindInvalid, "cid", "%s is not a directory: %w", c, err)
	}
	return dir, nil
}

func notFile(c protocol.CID, err error) error {
	return protocol.Errorf(protocol.KindInvalid, "cid", "%s is not a file: %w", c, err)
}

// readOnly gives directories the service they want for reading.
type readOnly struct{ *fetcher }

var errReadOnly = errors.New("ipfs: directory is open for reading only")

func (readOnly) Add(context.Context, format.Node) error       { return errReadOnly }
func (readOnly) AddMany(context.Context, []format.Node) error { return errReadOnly }
func (readOnly) Remove(context.Context, cid.Cid) error        { return errReadOnly }
func (readOnly) RemoveMany(context.Context, []cid.Cid) error  { return errReadOnly }

// limited fails, rather than ends, when there is too much.
type limited struct {
	r    io.Reader
	left int64
	read int64
}

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	l.read += int64(n)
	if l.left -= int64(n); l.left < 0 {
		return 0, protocol.Errorf(protocol.KindInvalid, "file", "is larger than the limit of %d bytes", l.read+l.left)
	}
	return n, err
}

type withContext struct {
	ctx context.Context
	r   io.Reader
}

func (c withContext) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
