package ipfs

import (
	"slices"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multihash"

	"github.com/openledger/openledger/protocol"
)

// ParseCID reads a CID in its text form and refuses digests other than SHA2-256
// and codecs other than raw and dag-pb.
func ParseCID(c protocol.CID) (cid.Cid, error) {
	if c == "" {
		return cid.Undef, protocol.Errorf(protocol.KindInvalid, "cid", "is empty: give a CID such as bafy…")
	}
	if len(c) > 128 {
		return cid.Undef, protocol.Errorf(protocol.KindInvalid, "cid", "is %d characters long: a CID has about 60", len(c))
	}
	id, err := cid.Decode(string(c))
	if err != nil {
		return cid.Undef, protocol.Errorf(protocol.KindInvalid, "cid", "%q is not a CID: %w", c, err)
	}
	if err := check(id); err != nil {
		return cid.Undef, err
	}
	return id, nil
}

func check(id cid.Cid) error {
	p := id.Prefix()
	if p.MhType != multihash.SHA2_256 || p.MhLength != 32 {
		return protocol.Errorf(protocol.KindInvalid, "cid", "%s has a digest other than SHA2-256: add the content again with SHA2-256", id)
	}
	if p.Codec != cid.Raw && p.Codec != cid.DagProtobuf {
		return protocol.Errorf(protocol.KindInvalid, "cid", "%s has codec 0x%x: only raw (0x55) and dag-pb (0x70) are stored here", id, p.Codec)
	}
	return nil
}

// CIDText is the canonical text form of id: version 1, base32.
func CIDText(id cid.Cid) protocol.CID {
	if id.Version() == 0 {
		id = cid.NewCidV1(id.Type(), id.Hash())
	}
	return protocol.CID(id.String())
}

// RawCID is the CID of data as one raw block.
func RawCID(data []byte) cid.Cid {
	mh, err := multihash.Sum(data, multihash.SHA2_256, -1)
	if err != nil {
		panic(err) // SHA2-256 of bytes in memory cannot fail
	}
	return cid.NewCidV1(cid.Raw, mh)
}

// RawCIDOf is the CID of the raw block with a digest.
func RawCIDOf(digest protocol.Hash) protocol.CID {
	mh, err := multihash.Encode(digest[:], multihash.SHA2_256)
	if err != nil {
		panic(err) // 32 bytes always encode
	}
	return CIDText(cid.NewCidV1(cid.Raw, mh))
}

// Digest is the SHA2-256 digest inside a CID.
func Digest(c protocol.CID) (protocol.Hash, error) {
	id, err := ParseCID(c)
	if err != nil {
		return protocol.Hash{}, err
	}
	return digestOf(id)
}

// Digests are the digests of CIDs in ascending order, each once.
func Digests(ids []protocol.CID) ([]protocol.Hash, error) {
	var out []protocol.Hash
	for _, id := range ids {
		d, err := Digest(id)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	slices.SortFunc(out, protocol.Hash.Cmp)
	return slices.Compact(out), nil
}

func digestOf(id cid.Cid) (protocol.Hash, error) {
	d, err := multihash.Decode(id.Hash())
	if err != nil || len(d.Digest) != 32 || d.Code != multihash.SHA2_256 {
		return protocol.Hash{}, protocol.Errorf(protocol.KindInvalid, "cid", "%s has a digest other than SHA2-256", id)
	}
	return protocol.Hash(d.Digest), nil
}

// ParseProviders reads multiaddrs that end in /p2p/PEER, grouped by peer.
func ParseProviders(addrs []string) ([]peer.AddrInfo, error) {
	var out []peer.AddrInfo
	at := map[peer.ID]int{}
	for _, a := range addrs {
		info, err := peer.AddrInfoFromString(a)
		if err != nil {
			return nil, protocol.Errorf(protocol.KindInvalid, "sources", "%q is not a multiaddr with /p2p/ at its end: %w", a, err)
		}
		i, ok := at[info.ID]
		if !ok {
			i = len(out)
			at[info.ID] = i
			out = append(out, peer.AddrInfo{ID: info.ID})
		}
		out[i].Addrs = append(out[i].Addrs, info.Addrs...)
	}
	return out, nil
}
