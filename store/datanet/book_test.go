package datanet

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store"
	"github.com/openledger/openledger/store/ipfs"
)

// wireVerifier is what the services pass in: the real signatures.
type wireVerifier struct{ domain wire.Domain }

func (v wireVerifier) VerifyContribution(_ context.Context, s protocol.SignedContribution) error {
	return wire.VerifyContribution(v.domain, s)
}

func (v wireVerifier) VerifyReview(_ context.Context, s protocol.SignedReview, owner protocol.Account) error {
	return wire.VerifyReview(v.domain, owner, s)
}

// free asks nobody for a stake but those named.
type free struct{ without []protocol.Account }

func (f free) CheckStake(_ context.Context, datanet uint64, contributor protocol.Account) error {
	if slices.Contains(f.without, contributor) {
		return protocol.Errorf(protocol.KindEscrow, "stake", "datanet %d asks for one", datanet)
	}
	return nil
}

var domain = wire.Domain{ChainID: 31337, Contract: protocol.Account{0xdd}}

const now = int64(1_800_000_000_000)

func key(n byte) *ecdsa.PrivateKey {
	k, err := crypto.ToECDSA(bytes.Repeat([]byte{n}, 32))
	if err != nil {
		panic(err)
	}
	return k
}

func account(n byte) protocol.Account { return crypto.PubkeyToAddress(key(n).PublicKey) }

const (
	owner = 100
	alice = 1
	bob   = 2
)

// rig is a book over its own database and content node.
type rig struct {
	*Book
	t    *testing.T
	db   *store.DB
	node *ipfs.Node
}

func newRig(t *testing.T, fs vfs.FS, h host.Host) *rig {
	t.Helper()
	db, err := store.Open(store.Config{Dir: "db", FS: fs})
	require.NoError(t, err)
	cfg := ipfs.Config{DB: db}
	if h != nil {
		cfg.Host = h
	}
	node, err := ipfs.Open(cfg)
	require.NoError(t, err)
	b, err := New(Config{DB: db, Content: node, Verifier: wireVerifier{domain}, Stakes: free{}, Now: func() int64 { return now }})
	require.NoError(t, err)
	return &rig{Book: b, t: t, db: db, node: node}
}

func (r *rig) close() {
	require.NoError(r.t, r.node.Close())
	require.NoError(r.t, r.db.Close())
}

func memRig(t *testing.T) *rig {
	r := newRig(t, vfs.NewMem(), nil)
	t.Cleanup(r.close)
	require.NoError(t, r.Create(fables))
	return r
}

var fables = protocol.Datanet{ID: 1, Owner: account(owner), Name: "fables", Description: "Fables of Aesop", License: "CC0-1.0"}

func textRecord(t *testing.T, s string) Record {
	t.Helper()
	r, err := NewText(map[string]string{"title": s, "text": "Once upon a time: " + s})
	require.NoError(t, err)
	return r
}

func signed(t *testing.T, who byte, rec Record, at int64) protocol.SignedContribution {
	t.Helper()
	sc, err := wire.SignContribution(domain, protocol.Contribution{
		Datanet: 1, Record: rec.ID, Contributor: account(who), License: "CC0-1.0", At: at,
	}, key(who))
	require.NoError(t, err)
	return sc
}

func (r *rig) contribute(who byte, s string) (Record, error) {
	rec := textRecord(r.t, s)
	_, err := r.Contribute(r.t.Context(), signed(r.t, who, rec, now-1000), rec.Canonical)
	return rec, err
}

func (r *rig) review(rec Record, status protocol.ReviewStatus, reason string, at int64) error {
	sr, err := wire.SignReview(domain, protocol.Review{Datanet: 1, Record: rec.ID, Status: status, Reason: reason, At: at}, key(owner))
	require.NoError(r.t, err)
	_, err = r.Review(r.t.Context(), sr)
	return err
}

func (r *rig) accepted(who byte, s string) Record {
	rec, err := r.contribute(who, s)
	require.NoError(r.t, err)
	require.NoError(r.t, r.review(rec, protocol.ReviewAccepted, "", now))
	return rec
}

func kind(err error) protocol.Kind { return protocol.KindOf(err) }

func TestCreate(t *testing.T) {
	r := memRig(t)
	require.NoError(t, r.Create(fables), "again is nothing new")
	other := fables
	other.Name = "tales"
	require.Equal(t, protocol.KindExists, kind(r.Create(other)))
	for _, change := range []func(*protocol.Datanet){
		func(d *protocol.Datanet) { d.ID = 0 },
		func(d *protocol.Datanet) { d.Owner = protocol.Account{} },
		func(d *protocol.Datanet) { d.Name = " " },
		func(d *protocol.Datanet) { d.License = "free" },
		func(d *protocol.Datanet) { d.Name = "\xff" },
	} {
		d := fables
		d.ID = 2
		change(&d)
		require.Equal(t, protocol.KindInvalid, kind(r.Create(d)))
	}
	list, err := r.Datanets()
	require.NoError(t, err)
	require.Equal(t, []protocol.Datanet{fables}, list)
	_, err = r.Datanet(9)
	require.Equal(t, protocol.KindNotFound, kind(err))
}

func TestExactDuplicatesGoToTheFirst(t *testing.T) {
	r := memRig(t)
	rec, err := r.contribute(alice, "The Fox")
	require.NoError(t, err)
	again, err := r.Contribute(t.Context(), signed(t, alice, rec, now-1000), rec.Canonical)
	require.NoError(t, err, "the same contribution again is nothing new")
	require.Equal(t, protocol.ReviewPending, again.Status)

	_, err = r.contribute(bob, "The Fox")
	require.Equal(t, protocol.KindExists, kind(err))
	require.ErrorContains(t, err, account(alice).Hex())
	_, err = r.Contribute(t.Context(), signed(t, bob, rec, 5), rec.Canonical)
	require.Equal(t, protocol.KindExists, kind(err), "an earlier date is only a claim")
	_, err = r.Contribute(t.Context(), signed(t, alice, rec, now-5), rec.Canonical)
	require.ErrorContains(t, err, "by you before")

	e, err := r.Entry(1, rec.ID)
	require.NoError(t, err)
	require.Equal(t, account(alice), e.Signed.Contribution.Contributor)
	mine, err := r.EntriesBy(account(alice))
	require.NoError(t, err)
	require.Len(t, mine, 1)
	his, err := r.EntriesBy(account(bob))
	require.NoError(t, err)
	require.Empty(t, his)
	back, err := r.Record(t.Context(), rec.ID)
	require.NoError(t, err)
	require.Equal(t, rec, back)
}

func TestRejectedRecordMayComeFromSomebodyElse(t *testing.T) {
	r := memRig(t)
	rec, err := r.contribute(alice, "Copied")
	require.NoError(t, err)
	require.NoError(t, r.review(rec, protocol.ReviewRejected, "not yours", now))
	_, err = r.Contribute(t.Context(), signed(t, alice, rec, now), rec.Canonical)
	require.Equal(t, protocol.KindExists, kind(err))
	_, err = r.contribute(bob, "Copied")
	require.NoError(t, err)
	e, err := r.Entry(1, rec.ID)
	require.NoError(t, err)
	require.Equal(t, account(bob), e.Signed.Contribution.Contributor)
	require.Equal(t, protocol.ReviewPending, e.Status)
	require.NoError(t, r.review(rec, protocol.ReviewRejected, "nor yours", now+1))
	_, err = r.Contribute(t.Context(), signed(t, alice, rec, now), rec.Canonical)
	require.Equal(t, protocol.KindExists, kind(err), "once rejected, rejected")
}

func TestContributionIsChecked(t *testing.T) {
	r := memRig(t)
	rec := textRecord(t, "The Crow")
	good := signed(t, alice, rec, now)
	for name, change := range map[string]func(*protocol.SignedContribution, *[]byte){
		"signature":  func(s *protocol.SignedContribution, _ *[]byte) { s.Signature[3] ^= 1 },
		"bob's name": func(s *protocol.SignedContribution, _ *[]byte) { s.Contribution.Contributor = account(bob) },
		"time":       func(s *protocol.SignedContribution, _ *[]byte) { s.Contribution.At = now + maxSkew + 1 },
		"licence":    func(s *protocol.SignedContribution, _ *[]byte) { s.Contribution.License = "MIT" },
		"datanet":    func(s *protocol.SignedContribution, _ *[]byte) { s.Contribution.Datanet = 2 },
		"bytes":      func(_ *protocol.SignedContribution, b *[]byte) { *b = append(bytes.Clone(*b), ' ') },
		"hash": func(s *protocol.SignedContribution, b *[]byte) {
			*b = []byte(`{"a":"b"}`)
			s.Contribution.Record = ipfsDigest(*b)
		},
	} {
		sc, data := good, rec.Canonical
		sc.Signature = bytes.Clone(sc.Signature)
		change(&sc, &data)
		_, err := r.Contribute(t.Context(), sc, data)
		require.Error(t, err, name)
		require.NotEqual(t, protocol.KindInternal, kind(err), "%s: %v", name, err)
	}
	list, err := r.Entries(1, "")
	require.NoError(t, err)
	require.Empty(t, list)
}

func ipfsDigest(b []byte) protocol.Hash {
	d, err := ipfs.Digest(ipfs.CIDText(ipfs.RawCID(b)))
	if err != nil {
		panic(err)
	}
	return d
}

func TestReview(t *testing.T) {
	r := memRig(t)
	rec, err := r.contribute(alice, "The Lion")
	require.NoError(t, err)
	require.ErrorContains(t, r.review(rec, protocol.ReviewRejected, " ", now), "reason")
	require.Equal(t, protocol.KindInvalid, kind(r.review(rec, "maybe", "", now)))
	require.NoError(t, r.review(rec, protocol.ReviewAccepted, "", now))
	require.NoError(t, r.review(rec, protocol.ReviewAccepted, "", now), "again is nothing new")
	require.Equal(t, protocol.KindStale, kind(r.review(rec, protocol.ReviewRejected, "late", now)))
	require.NoError(t, r.review(rec, protocol.ReviewRejected, "second thoughts", now+1))
	list, err := r.Entries(1, protocol.ReviewRejected)
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, "second thoughts", list[0].Review.Review.Reason)
	require.Equal(t, protocol.KindNotFound, kind(r.review(textRecord(t, "none"), protocol.ReviewAccepted, "", now)))

	forged, err := wire.SignReview(domain, protocol.Review{Datanet: 1, Record: rec.ID, Status: protocol.ReviewAccepted, At: now + 2}, key(alice))
	require.NoError(t, err)
	_, err = r.Review(t.Context(), forged)
	require.Error(t, err, "only the owner reviews")
}

func TestVersionsAreReproducibleAndImmutable(t *testing.T) {
	var roots []protocol.CID
	for range 2 {
		r := memRig(t)
		_, err := r.BuildVersion(t.Context(), 1)
		require.ErrorContains(t, err, "no accepted contribution")
		order := rand.Perm(20)
		for _, i := range order {
			r.accepted(byte(1+i%3), fmt.Sprint("fable ", i))
		}
		_, err = r.contribute(alice, "pending")
		require.NoError(t, err)
		v, err := r.BuildVersion(t.Context(), 1)
		require.NoError(t, err)
		again, err := r.BuildVersion(t.Context(), 1)
		require.NoError(t, err)
		require.Equal(t, v, again, "nothing changed: the same version")
		require.EqualValues(t, 1, v.Number)
		require.Equal(t, 20, v.Records)
		roots = append(roots, v.Root)

		opened, err := OpenVersion(t.Context(), r.node, v.Root, nil)
		require.NoError(t, err)
		require.NoError(t, opened.Verify(t.Context(), wireVerifier{domain}))
		require.Equal(t, v, opened.Version())
		require.Len(t, opened.Records, 20)
		for i, rec := range opened.Records {
			require.Equal(t, opened.Manifest.Records[i].CID, rec.CID())
			if i > 0 {
				require.Negative(t, bytes.Compare(opened.Records[i-1].ID[:], rec.ID[:]))
			}
		}
		entries, err := r.node.List(t.Context(), v.Root, nil)
		require.NoError(t, err)
		require.Equal(t, "manifest.json", entries[0].Name)
		require.Equal(t, "records", entries[1].Name)

		r.accepted(bob, "one more")
		v2, err := r.BuildVersion(t.Context(), 1)
		require.NoError(t, err)
		require.EqualValues(t, 2, v2.Number)
		require.NotEqual(t, v.Root, v2.Root)
		list, err := r.Versions(1)
		require.NoError(t, err)
		require.Equal(t, []protocol.Version{v, v2}, list)
		newest, err := r.Version(1, 0)
		require.NoError(t, err)
		require.Equal(t, v2, newest)
		_, err = r.Version(1, 9)
		require.Equal(t, protocol.KindNotFound, kind(err))
		_, err = OpenVersion(t.Context(), r.node, v.Root, nil)
		require.NoError(t, err)
	}
	require.Equal(t, roots[0], roots[1], "the same records give the same root in any order")
}

func TestOpenVersionFromAnotherNode(t *testing.T) {
	hosts := make([]host.Host, 2)
	for i := range hosts {
		h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.DisableRelay())
		require.NoError(t, err)
		defer func() { require.NoError(t, h.Close()) }()
		hosts[i] = h
	}
	a, b := newRig(t, vfs.NewMem(), hosts[0]), newRig(t, vfs.NewMem(), hosts[1])
	defer a.close()
	defer b.close()
	require.NoError(t, a.Create(fables))
	for i := range 30 {
		a.accepted(byte(1+i%3), fmt.Sprint("fable ", i))
	}
	v, err := a.BuildVersion(t.Context(), 1)
	require.NoError(t, err)
	opened, err := OpenVersion(t.Context(), b.node, v.Root, []peer.AddrInfo{{ID: hosts[0].ID(), Addrs: hosts[0].Addrs()}})
	require.NoError(t, err)
	require.Len(t, opened.Records, 30)
	_, err = OpenVersion(t.Context(), b.node, v.Root, nil)
	require.NoError(t, err, "it stays here")

	plain, err := a.node.AddBytes(t.Context(), []byte("no datanet"))
	require.NoError(t, err)
	_, err = OpenVersion(t.Context(), a.node, plain, nil)
	require.ErrorContains(t, err, "is not a datanet version")
}

func TestExport(t *testing.T) {
	r := memRig(t)
	for i := range 5 {
		r.accepted(byte(1+i%2), fmt.Sprint("fable ", i))
	}
	img, err := NewOpaque("image/png", []byte{1, 2, 3})
	require.NoError(t, err)
	_, err = r.Contribute(t.Context(), signed(t, bob, img, now), img.Canonical)
	require.NoError(t, err)
	require.NoError(t, r.review(img, protocol.ReviewAccepted, "", now))
	v, err := r.BuildVersion(t.Context(), 1)
	require.NoError(t, err)

	dir := filepath.Join(t.TempDir(), "out")
	out, err := Export(t.Context(), r.node, v.Root, nil, dir)
	require.NoError(t, err)
	again, err := Export(t.Context(), r.node, v.Root, nil, dir)
	require.NoError(t, err)
	require.Equal(t, out, again, "the same root gives the same bytes")
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 3, "no temporary files stay")

	archive, err := os.Open(filepath.Join(dir, out.Archive.Name))
	require.NoError(t, err)
	other := newRig(t, vfs.NewMem(), nil)
	defer other.close()
	roots, _, err := other.node.ImportCAR(t.Context(), archive)
	require.NoError(t, err)
	require.NoError(t, archive.Close())
	require.Equal(t, []protocol.CID{v.Root}, roots)
	opened, err := OpenVersion(t.Context(), other.node, v.Root, nil)
	require.NoError(t, err)
	require.Len(t, opened.Records, 6)

	lines, err := os.ReadFile(filepath.Join(dir, out.Records.Name))
	require.NoError(t, err)
	require.Equal(t, 6, bytes.Count(lines, []byte("\n")))
	for line := range bytes.Lines(lines) {
		var row map[string]string
		require.NoError(t, json.Unmarshal(line, &row))
		require.Len(t, row, 7, "every line has every column")
	}
	var doc struct {
		ConformsTo string `json:"conformsTo"`
		License    string `json:"license"`
		URL        string `json:"url"`
		Dist       []struct {
			SHA256 string `json:"sha256"`
		} `json:"distribution"`
	}
	raw, err := os.ReadFile(filepath.Join(dir, out.Croissant.Name))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &doc))
	require.Equal(t, "http://mlcommons.org/croissant/1.0", doc.ConformsTo)
	require.Equal(t, "https://spdx.org/licenses/CC0-1.0.html", doc.License)
	require.Equal(t, "ipfs://"+string(v.Root), doc.URL)
	require.Equal(t, fmt.Sprintf("%x", out.Archive.SHA256[:]), doc.Dist[0].SHA256)
}

// Power may fail at any moment: what was confirmed is there, and a version can
// always be built from it with the root it would have had.
func TestCrashKeepsTheBook(t *testing.T) {
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 3))
		fs := vfs.NewCrashableMem()
		r := newRig(t, fs, nil)
		require.NoError(t, r.Create(fables))
		confirmed := map[protocol.Hash]protocol.ReviewStatus{}
		var built []protocol.Version
		for round := range 4 {
			for i := range 1 + rng.IntN(5) {
				rec, err := r.contribute(byte(1+i), fmt.Sprintf("fable %d.%d", round, i))
				require.NoError(t, err)
				confirmed[rec.ID] = protocol.ReviewPending
				if rng.IntN(2) == 0 {
					require.NoError(t, r.review(rec, protocol.ReviewAccepted, "", now))
					confirmed[rec.ID] = protocol.ReviewAccepted
				}
			}
			rec := r.accepted(9, fmt.Sprint("last of ", round))
			confirmed[rec.ID] = protocol.ReviewAccepted
			if rng.IntN(2) == 0 {
				v, err := r.BuildVersion(t.Context(), 1)
				require.NoError(t, err)
				built = append(built, v)
			}
			crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
			r.close()
			fs = crashed
			r = newRig(t, fs, nil)

			entries, err := r.Entries(1, "")
			require.NoError(t, err)
			require.Len(t, entries, len(confirmed))
			for _, e := range entries {
				require.Equal(t, confirmed[e.Signed.Contribution.Record], e.Status)
				_, err := r.Record(t.Context(), e.Signed.Contribution.Record)
				require.NoError(t, err)
			}
			versions, err := r.Versions(1)
			require.NoError(t, err)
			require.Equal(t, len(built), len(versions))
			for _, v := range versions {
				_, err := OpenVersion(t.Context(), r.node, v.Root, nil)
				require.NoError(t, err)
			}
		}
		r.close()
	}
}

func TestManifestIsChecked(t *testing.T) {
	r := memRig(t)
	r.accepted(alice, "a")
	r.accepted(bob, "b")
	v, err := r.BuildVersion(t.Context(), 1)
	require.NoError(t, err)
	m, err := ReadManifest(t.Context(), r.node, v.Root, nil)
	require.NoError(t, err)
	data := m.Encode()
	var plain map[string]any
	require.NoError(t, json.Unmarshal(data, &plain))
	for _, change := range []func(*Manifest){
		func(m *Manifest) { m.Format = "other" },
		func(m *Manifest) { m.Records = nil },
		func(m *Manifest) { m.Records[0], m.Records[1] = m.Records[1], m.Records[0] },
		func(m *Manifest) { m.Records[1] = m.Records[0] },
		func(m *Manifest) { m.Records[0].CID = v.Root },
		func(m *Manifest) { m.Records[0].CID = "x" },
	} {
		c, err := DecodeManifest(data)
		require.NoError(t, err)
		change(c)
		_, err = DecodeManifest(c.Encode())
		require.Equal(t, protocol.KindCorrupt, kind(err))
	}
	_, err = DecodeManifest(append(data, '\n'))
	require.Equal(t, protocol.KindCorrupt, kind(err))

	// A record under another contributor's name is found by its signature.
	c, err := DecodeManifest(data)
	require.NoError(t, err)
	c.Records[0].Contributor, c.Records[1].Contributor = c.Records[1].Contributor, c.Records[0].Contributor
	root, err := WriteVersion(t.Context(), r.node, c)
	require.NoError(t, err)
	opened, err := OpenVersion(t.Context(), r.node, root, nil)
	require.NoError(t, err)
	require.Error(t, opened.Verify(t.Context(), wireVerifier{domain}))
}

// Where a stake is asked for, nothing of a contributor without it enters; what entered
// before it was asked for stays.
func TestContributionsNeedTheStake(t *testing.T) {
	r := memRig(t)
	early, err := r.contribute(alice, "early")
	require.NoError(t, err)
	r.cfg.Stakes = free{without: []protocol.Account{account(alice)}}
	_, err = r.contribute(alice, "late")
	require.Equal(t, protocol.KindEscrow, protocol.KindOf(err), "%v", err)
	_, err = r.Entry(1, textRecord(t, "late").ID)
	require.Equal(t, protocol.KindNotFound, protocol.KindOf(err))
	_, err = r.contribute(alice, "early")
	require.NoError(t, err, "it is here already")
	_, err = r.contribute(bob, "late")
	require.NoError(t, err)
	e, err := r.Entry(1, early.ID)
	require.NoError(t, err)
	require.Equal(t, protocol.ReviewPending, e.Status)
}

// An abusive contribution is a rejected one with its own name: it needs a reason, enters
// no version, and another may offer the record.
func TestAbusiveIsARejection(t *testing.T) {
	r := memRig(t)
	rec, err := r.contribute(alice, "spam")
	require.NoError(t, err)
	review := func(reason string) error {
		sr, err := wire.SignReview(domain, protocol.Review{Datanet: 1, Record: rec.ID, Status: protocol.ReviewAbusive, Reason: reason, At: now}, key(owner))
		require.NoError(t, err)
		_, err = r.Review(t.Context(), sr)
		return err
	}
	require.ErrorContains(t, review(" "), "reason")
	require.NoError(t, review("an advertisement"))
	_, err = r.BuildVersion(t.Context(), 1)
	require.Error(t, err)
	_, err = r.contribute(alice, "spam")
	require.NoError(t, err, "the same again gives the entry that is there")
	_, err = r.contribute(bob, "spam")
	require.NoError(t, err)
}
