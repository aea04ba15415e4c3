package datanet

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
	"github.com/openledger/openledger/store/ipfs"
)

// Names inside a version's root directory.
const (
	manifestName = "manifest.json"
	recordsName  = "records"
	recordSuffix = ".json"
)

// build is a version that this node built.
type build struct {
	Version protocol.Version `json:"version"`
	Content protocol.Hash    `json:"content"` // SHA2-256 of the manifest as version 0
	BuiltAt int64            `json:"built_at"`
}

// BuildVersion makes the accepted records an immutable version with the next
// number. When nothing changed since the newest version, it gives that one again,
// so a publication that broke off can be repeated.
func (b *Book) BuildVersion(ctx context.Context, datanet uint64) (protocol.Version, error) {
	b.publish.Lock()
	defer b.publish.Unlock()
	d, err := b.Datanet(datanet)
	if err != nil {
		return protocol.Version{}, err
	}
	entries, err := b.Entries(datanet, protocol.ReviewAccepted)
	if err != nil {
		return protocol.Version{}, err
	}
	if len(entries) == 0 {
		return protocol.Version{}, protocol.Errorf(protocol.KindInvalid, "datanet", "%d has %w: review some first", datanet, errNothing)
	}
	if len(entries) > MaxRecords {
		return protocol.Version{}, protocol.Errorf(protocol.KindInvalid, "datanet", "%d has %d records, a version holds %d", datanet, len(entries), MaxRecords)
	}
	m := manifestOf(d, 0, entries)
	content := protocol.Hash(sha256.Sum256(m.Encode()))
	last, ok, err := lastBuild(b.cfg.DB, datanet)
	if err != nil {
		return protocol.Version{}, err
	}
	if ok && last.Content == content {
		return last.Version, nil
	}
	m.Version = last.Version.Number + 1
	if size := len(m.Encode()); size > maxManifestBytes {
		return protocol.Version{}, protocol.Errorf(protocol.KindInvalid, "datanet", "%d has a list of records of %d bytes, a version holds %d: sign contributions in smaller batches, or split the datanet", datanet, size, maxManifestBytes)
	}
	var files []protocol.CID
	var size int64
	seen := map[protocol.CID]bool{}
	for _, e := range entries {
		if e.Media != nil && !seen[e.Media.Content] {
			seen[e.Media.Content] = true
			files, size = append(files, e.Media.Content), size+e.Media.Size
		}
	}
	if size > maxVersionData {
		return protocol.Version{}, protocol.Errorf(protocol.KindInvalid, "datanet", "%d has %d bytes of pictures, sound and video, a version holds %d: split the datanet", datanet, size, maxVersionData)
	}
	root, err := WriteVersion(ctx, b.cfg.Content, m)
	if err != nil {
		return protocol.Version{}, err
	}
	v := protocol.Version{
		Datanet: datanet, Number: m.Version, Root: root, License: d.License, Records: len(m.Records), Owner: d.Owner,
	}
	err = b.cfg.DB.Update(func(tx *store.Tx) error {
		for _, c := range files {
			if err := hold(tx, c, versionHolder(datanet, m.Version)); err != nil {
				return err
			}
		}
		return buildTable.Insert(tx, store.PairOf(datanet, uint64(m.Version)), build{Version: v, Content: content, BuiltAt: b.cfg.Now()})
	})
	if err != nil {
		return protocol.Version{}, err
	}
	b.cfg.Logger.Info("version built", "datanet", datanet, "version", v.Number, "root", v.Root, "records", v.Records)
	return v, nil
}

// Versions lists the versions of a datanet that were built here, by number.
func (b *Book) Versions(datanet uint64) ([]protocol.Version, error) {
	if _, err := b.Datanet(datanet); err != nil {
		return nil, err
	}
	var out []protocol.Version
	err := store.ScanFirst(b.cfg.DB, buildTable, store.Uint64Key(), datanet, func(_ uint64, v build) error {
		out = append(out, v.Version)
		return nil
	})
	return out, err
}

// Version gives one version that was built here; number 0 is the newest.
func (b *Book) Version(datanet uint64, number uint32) (protocol.Version, error) {
	if _, err := b.Datanet(datanet); err != nil {
		return protocol.Version{}, err
	}
	var v build
	var ok bool
	var err error
	if number == 0 {
		v, ok, err = lastBuild(b.cfg.DB, datanet)
	} else {
		v, ok, err = buildTable.Get(b.cfg.DB, store.PairOf(datanet, uint64(number)))
	}
	if err == nil && !ok {
		err = protocol.Errorf(protocol.KindNotFound, "version", "datanet %d has no version %d: publish it first", datanet, number)
	}
	return v.Version, err
}

func lastBuild(r store.Reader, datanet uint64) (last build, ok bool, err error) {
	err = store.ScanFirstReverse(r, buildTable, store.Uint64Key(), datanet, func(_ uint64, v build) error {
		last, ok = v, true
		return store.ErrStop
	})
	return last, ok, err
}

// WriteVersion stores the directory of a version, whose records are here, and
// gives its root.
func WriteVersion(ctx context.Context, content *ipfs.Node, m *Manifest) (protocol.CID, error) {
	manifest, err := content.AddBytes(ctx, m.Encode())
	if err != nil {
		return "", fmt.Errorf("datanet: write manifest: %w", err)
	}
	links := make([]ipfs.Entry, len(m.Records))
	for i, r := range m.Records {
		links[i] = ipfs.Entry{Name: string(r.CID) + recordSuffix, CID: r.CID}
	}
	records, err := content.AddDirectory(ctx, links)
	if err != nil {
		return "", fmt.Errorf("datanet: write records: %w", err)
	}
	top := []ipfs.Entry{{Name: manifestName, CID: manifest}, {Name: recordsName, CID: records}}
	files, err := mediaOf(ctx, content, m)
	if err != nil {
		return "", fmt.Errorf("datanet: write media: %w", err)
	}
	if len(files) > 0 {
		c, err := content.AddDirectory(ctx, files)
		if err != nil {
			return "", fmt.Errorf("datanet: write media: %w", err)
		}
		top = append(top, ipfs.Entry{Name: mediaDirectory, CID: c})
	}
	root, err := content.AddDirectory(ctx, top)
	if err != nil {
		return "", fmt.Errorf("datanet: write version: %w", err)
	}
	return root, nil
}

// mediaOf lists the files of a version's media records, each once, by CID.
func mediaOf(ctx context.Context, content *ipfs.Node, m *Manifest) ([]ipfs.Entry, error) {
	cids := make([]protocol.CID, len(m.Records))
	for i, r := range m.Records {
		cids[i] = r.CID
	}
	seen := map[protocol.CID]bool{}
	var out []ipfs.Entry
	err := content.GetBlocks(ctx, cids, nil, func(_ protocol.CID, data []byte) error {
		rec, err := Decode(data)
		if err == nil && rec.Media != nil && !seen[rec.Media.Content] {
			seen[rec.Media.Content] = true
			out = append(out, ipfs.Entry{Name: string(rec.Media.Content), CID: rec.Media.Content})
		}
		return err
	})
	return out, err
}

// ContributedRecord is a record of a version with who gave it.
type ContributedRecord struct {
	Record
	Contributor protocol.Account
}

// OpenedVersion is a version with all its records, sorted by id.
type OpenedVersion struct {
	Root     protocol.CID
	Manifest *Manifest
	Records  []ContributedRecord
}

// OpenVersion reads the version behind root, without the files of media records: what is
// learned from is their text. What is not here is fetched from the providers and stays,
// so that this node provides it too. Every block is checked against
// its hash, and the manifest and every record for canonical form; the
// contributors' signatures are the caller's to check ([OpenedVersion.Verify]) if
// it does not trust the registered root.
func OpenVersion(ctx context.Context, content *ipfs.Node, root protocol.CID, providers []peer.AddrInfo) (*OpenedVersion, error) {
	m, err := ReadManifest(ctx, content, root, providers)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{manifestName, recordsName} {
		part, err := content.Resolve(ctx, root, name, providers)
		if err != nil {
			return nil, fmt.Errorf("datanet: open version: %w", err)
		}
		if _, err := content.Fetch(ctx, part, providers); err != nil {
			return nil, fmt.Errorf("datanet: open version: %w", err)
		}
	}
	v := &OpenedVersion{Root: root, Manifest: m, Records: make([]ContributedRecord, len(m.Records))}
	at := make(map[protocol.CID]int, len(m.Records))
	cids := make([]protocol.CID, len(m.Records))
	for i, r := range m.Records {
		at[r.CID], cids[i] = i, r.CID
	}
	err = content.GetBlocks(ctx, cids, nil, func(c protocol.CID, data []byte) error {
		rec, err := Decode(data)
		if err != nil {
			return fmt.Errorf("record %s: %w", c, err)
		}
		v.Records[at[c]] = ContributedRecord{Record: rec, Contributor: m.Records[at[c]].Contributor}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("datanet: open version: %w", err)
	}
	return v, nil
}

// ReadManifest reads only the manifest of the version behind root.
func ReadManifest(ctx context.Context, content *ipfs.Node, root protocol.CID, providers []peer.AddrInfo) (*Manifest, error) {
	c, err := content.Resolve(ctx, root, manifestName, providers)
	if err != nil {
		return nil, fmt.Errorf("datanet: %s is not a datanet version: %w", root, err)
	}
	data, err := content.ReadFile(ctx, c, providers, maxManifestBytes)
	if err != nil {
		return nil, fmt.Errorf("datanet: read manifest: %w", err)
	}
	return DecodeManifest(data)
}

// Verify checks every contributor's signature.
func (v *OpenedVersion) Verify(ctx context.Context, check Verifier) error {
	for i := range v.Manifest.Records {
		sc, err := v.Manifest.Contribution(i)
		if err == nil {
			err = check.VerifyContribution(ctx, sc)
		}
		if err != nil {
			return fmt.Errorf("record %s: %w", v.Manifest.Records[i].CID, err)
		}
	}
	return nil
}

// Version is what the registry stores of an opened version.
func (v *OpenedVersion) Version() protocol.Version {
	return protocol.Version{
		Datanet: v.Manifest.Datanet, Number: v.Manifest.Version, Root: v.Root,
		License: v.Manifest.License, Records: len(v.Records), Owner: v.Manifest.Owner,
	}
}
