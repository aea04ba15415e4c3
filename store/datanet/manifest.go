package datanet

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store/ipfs"
)

// ManifestFormat names the format of manifest.json.
const ManifestFormat = "openledger/datanet/1"

// maxManifestBytes bounds manifest.json: 200,000 records need about 80 MB, or more where
// signatures come with a proof of their batch.
const maxManifestBytes = 256 << 20

// Manifest is manifest.json of a version: what is in it and who gave it.
type Manifest struct {
	Format      string           `json:"format"`
	Datanet     uint64           `json:"datanet"`
	Version     uint32           `json:"version"`
	Name        string           `json:"name"`
	Description string           `json:"description"`
	Owner       protocol.Account `json:"owner"`
	License     string           `json:"license"` // SPDX expression
	Records     []ManifestRecord `json:"records"` // sorted by id
}

// ManifestRecord is one record of a version with the contributor's signature over
// its [protocol.Contribution].
type ManifestRecord struct {
	CID         protocol.CID
	Contributor protocol.Account
	At          int64
	Signature   []byte
}

// Contribution is what the contributor of the i-th record signed.
func (m *Manifest) Contribution(i int) (protocol.SignedContribution, error) {
	r := &m.Records[i]
	digest, err := ipfs.Digest(r.CID)
	if err != nil {
		return protocol.SignedContribution{}, err
	}
	return protocol.SignedContribution{
		Contribution: protocol.Contribution{
			Datanet: m.Datanet, Record: digest, Contributor: r.Contributor, License: m.License, At: r.At,
		},
		Signature: r.Signature,
	}, nil
}

// Encode gives the manifest's canonical bytes (RFC 8785).
func (m *Manifest) Encode() []byte {
	b := make([]byte, 0, 512+320*len(m.Records))
	b = append(b, `{"datanet":`...)
	b = strconv.AppendUint(b, m.Datanet, 10)
	b = append(b, `,"description":`...)
	b = appendString(b, m.Description)
	b = append(b, `,"format":`...)
	b = appendString(b, m.Format)
	b = append(b, `,"license":`...)
	b = appendString(b, m.License)
	b = append(b, `,"name":`...)
	b = appendString(b, m.Name)
	b = append(b, `,"owner":`...)
	b = appendString(b, hexOf(m.Owner[:]))
	b = append(b, `,"records":[`...)
	for i, r := range m.Records {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"at":`...)
		b = strconv.AppendInt(b, r.At, 10)
		b = append(b, `,"cid":`...)
		b = appendString(b, string(r.CID))
		b = append(b, `,"contributor":`...)
		b = appendString(b, hexOf(r.Contributor[:]))
		b = append(b, `,"signature":`...)
		b = appendString(b, hexOf(r.Signature))
		b = append(b, '}')
	}
	b = append(b, `],"version":`...)
	b = strconv.AppendUint(b, uint64(m.Version), 10)
	return append(b, '}')
}

func hexOf(b []byte) string { return "0x" + hex.EncodeToString(b) }

// DecodeManifest reads manifest.json and refuses all but the canonical form.
func DecodeManifest(data []byte) (*Manifest, error) {
	if len(data) > maxManifestBytes {
		return nil, protocol.Errorf(protocol.KindInvalid, "manifest", "is %d bytes, the limit is %d", len(data), maxManifestBytes)
	}
	var w struct {
		Format      string           `json:"format"`
		Datanet     uint64           `json:"datanet"`
		Version     uint32           `json:"version"`
		Name        string           `json:"name"`
		Description string           `json:"description"`
		Owner       protocol.Account `json:"owner"`
		License     string           `json:"license"`
		Records     []struct {
			CID         protocol.CID     `json:"cid"`
			Contributor protocol.Account `json:"contributor"`
			At          int64            `json:"at"`
			Signature   string           `json:"signature"`
		} `json:"records"`
	}
	if err := json.Unmarshal(data, &w); err != nil {
		return nil, badManifest("is not the manifest of a datanet: %w", err)
	}
	if w.Format != ManifestFormat {
		return nil, badManifest("has format %q, this program reads %q", clip(w.Format), ManifestFormat)
	}
	if len(w.Records) == 0 || len(w.Records) > MaxRecords {
		return nil, badManifest("has %d records, 1 to %d are possible", len(w.Records), MaxRecords)
	}
	m := &Manifest{
		Format: w.Format, Datanet: w.Datanet, Version: w.Version, Name: w.Name, Description: w.Description,
		Owner: w.Owner, License: w.License, Records: make([]ManifestRecord, len(w.Records)),
	}
	var last protocol.Hash
	for i, r := range w.Records {
		digest, err := ipfs.Digest(r.CID)
		if err != nil {
			return nil, badManifest("record %d: %w", i, err)
		}
		if ipfs.RawCIDOf(digest) != r.CID {
			return nil, badManifest("record %d: %s is not the CID of a raw block", i, r.CID)
		}
		if i > 0 && bytes.Compare(last[:], digest[:]) >= 0 {
			return nil, badManifest("record %d is out of order or there twice", i)
		}
		last = digest
		if len(r.Signature) < 2 || r.Signature[:2] != "0x" {
			return nil, badManifest("record %d: signature is not 0x and hexadecimal digits", i)
		}
		sig, err := hex.DecodeString(r.Signature[2:])
		if err != nil {
			return nil, badManifest("record %d: signature: %w", i, err)
		}
		m.Records[i] = ManifestRecord{CID: r.CID, Contributor: r.Contributor, At: r.At, Signature: sig}
	}
	if !bytes.Equal(m.Encode(), data) {
		return nil, badManifest("is not in canonical form")
	}
	return m, nil
}

func badManifest(format string, args ...any) error {
	return protocol.Errorf(protocol.KindCorrupt, "manifest", format, args...)
}

// manifestOf lists entries, accepted ones, as version number of d.
func manifestOf(d protocol.Datanet, number uint32, entries []Entry) *Manifest {
	m := &Manifest{
		Format: ManifestFormat, Datanet: d.ID, Version: number, Name: d.Name,
		Description: d.Description, Owner: d.Owner, License: d.License,
	}
	for _, e := range entries {
		c := e.Signed.Contribution
		m.Records = append(m.Records, ManifestRecord{
			CID: ipfs.RawCIDOf(c.Record), Contributor: c.Contributor, At: c.At, Signature: e.Signed.Signature,
		})
	}
	slices.SortFunc(m.Records, func(a, b ManifestRecord) int {
		da, _ := ipfs.Digest(a.CID) // made above from digests
		db, _ := ipfs.Digest(b.CID)
		return bytes.Compare(da[:], db[:])
	})
	return m
}
