package coordinator

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store"
	"github.com/openledger/openledger/store/datanet"
	"github.com/openledger/openledger/store/ipfs"
)

var uploadDomain = wire.Domain{ChainID: 31337, Contract: protocol.Account{0xdd}}

// ownHand takes what an account signed itself, and asks for no stake.
type ownHand struct{}

func (ownHand) VerifyContribution(_ context.Context, s protocol.SignedContribution) error {
	return wire.VerifyContribution(uploadDomain, s)
}

func (ownHand) VerifyReview(_ context.Context, s protocol.SignedReview, owner protocol.Account) error {
	return wire.VerifyReview(uploadDomain, owner, s)
}

func (ownHand) CheckStake(context.Context, uint64, protocol.Account) error { return nil }

// takingUploads is a coordinator that has datanet 1 and takes uploads, over a database and a folder
// that outlive it.
func takingUploads(t *testing.T, fs vfs.FS, dir string, owner protocol.Account, perDay int64) (c *Coordinator, end func()) {
	t.Helper()
	db, err := store.Open(store.Config{Dir: "db", FS: fs})
	require.NoError(t, err)
	node, err := ipfs.Open(ipfs.Config{DB: db})
	require.NoError(t, err)
	c = &Coordinator{ipfs: node, cfg: Config{UploadsPerDay: perDay}}
	c.records, err = datanet.New(datanet.Config{DB: db, Content: node, Verifier: ownHand{}, Stakes: ownHand{}})
	require.NoError(t, err)
	require.NoError(t, c.records.Create(protocol.Datanet{ID: 1, Owner: owner, Name: "fables", License: "CC0-1.0"}))
	c.uploads, err = datanet.NewUploads(datanet.UploadsConfig{Book: c.records, Dir: dir, PerDay: perDay})
	require.NoError(t, err)
	return c, func() {
		require.NoError(t, node.Close())
		require.NoError(t, db.Close())
	}
}

func somebody(t *testing.T) (*ecdsa.PrivateKey, protocol.Account) {
	t.Helper()
	k, err := crypto.GenerateKey()
	require.NoError(t, err)
	return k, crypto.PubkeyToAddress(k.PublicKey)
}

func receive(t *testing.T, c *Coordinator, by protocol.Account, text string) (api.UploadView, error) {
	t.Helper()
	return c.ReceiveUpload(t.Context(), api.UploadedFile{Datanet: 1, By: by, Name: "facts.jsonl", Length: -1, Body: strings.NewReader(text)})
}

// What an account uploads in a day is bounded, also by a coordinator that was stopped in
// between; what lay half received in its folder is gone then, what was whole is there. An
// upload is its account's alone.
func TestUploadsAreAnAccountsAndBoundedThroughARestart(t *testing.T) {
	fs, dir := vfs.NewMem(), t.TempDir()
	_, owner := somebody(t)
	_, alice := somebody(t)
	_, bob := somebody(t)
	c, end := takingUploads(t, fs, dir, owner, 100)
	text := `{"text":"` + strings.Repeat("a", 50) + `"}` + "\n"
	first, err := receive(t, c, alice, text)
	require.NoError(t, err)
	require.Equal(t, "ready", first.State)
	require.Equal(t, 1, first.Records)
	require.EqualValues(t, 100, c.UploadsPerDay())
	_, _, err = c.Upload(t.Context(), bob, first.ID, 0, 10)
	require.Error(t, err, "an upload is not shown to others")
	require.Error(t, c.DeleteUpload(t.Context(), bob, first.ID), "nor ended by them")
	_, err = receive(t, c, alice, text)
	require.Error(t, err, "twice is more than a day's")
	end()

	require.NoError(t, os.WriteFile(filepath.Join(dir, strings.Repeat("0", 32)), []byte(text), 0o600))
	c, end = takingUploads(t, fs, dir, owner, 100)
	defer end()
	_, err = os.Stat(filepath.Join(dir, strings.Repeat("0", 32)))
	require.ErrorIs(t, err, os.ErrNotExist)
	view, records, err := c.Upload(t.Context(), alice, first.ID, 0, 10)
	require.NoError(t, err)
	require.Equal(t, first, view)
	require.Len(t, records, 1)
	_, err = c.ReceiveUpload(t.Context(), api.UploadedFile{Datanet: 1, By: alice, Name: "facts.jsonl", Length: int64(len(text)), Body: strings.NewReader(text)})
	require.Equal(t, protocol.KindBusy, protocol.KindOf(err), "%v", err)
	_, err = receive(t, c, bob, text)
	require.NoError(t, err, "another account has a day of its own")
}

// Records of an upload are contributed by their ids, each by itself, and the same again
// changes nothing; what the owner rejected as abusive is shown to nobody.
func TestUploadedRecordsAreContributedAndShown(t *testing.T) {
	ownerKey, owner := somebody(t)
	key, alice := somebody(t)
	c, end := takingUploads(t, vfs.NewMem(), t.TempDir(), owner, 1<<20)
	defer end()
	upload, err := receive(t, c, alice, `{"text":"the otter"}`+"\n"+`{"text":"the heron"}`+"\n")
	require.NoError(t, err)
	_, list, err := c.Upload(t.Context(), alice, upload.ID, 0, 10)
	require.NoError(t, err)
	require.Len(t, list, 2)
	at := upload.At
	b := api.ContributionBatch{Upload: upload.ID}
	for _, id := range []protocol.Hash{list[0].Record, list[1].Record, {9}} {
		s, err := wire.SignContribution(uploadDomain, protocol.Contribution{Datanet: 1, Record: id, Contributor: alice, License: "CC0-1.0", At: at}, key)
		require.NoError(t, err)
		b.Contributions = append(b.Contributions, api.ContributionItem{SignedContribution: s})
	}
	for range 2 {
		out, err := c.ContributeBatch(t.Context(), 1, b, make([][]byte, 3))
		require.NoError(t, err)
		require.NoError(t, out[0].Err)
		require.NoError(t, out[1].Err)
		require.Error(t, out[2].Err, "the upload has no such record")
	}
	contributors, err := c.Contributors(t.Context(), 1)
	require.NoError(t, err)
	require.Len(t, contributors, 1)
	require.EqualValues(t, 2, contributors[0].Pending, "once")

	var reviews api.ReviewBatch
	for i, status := range []protocol.ReviewStatus{protocol.ReviewAccepted, protocol.ReviewAbusive} {
		reason := ""
		if status == protocol.ReviewAbusive {
			reason = "spam"
		}
		s, err := wire.SignReview(uploadDomain, protocol.Review{Datanet: 1, Record: list[i].Record, Status: status, Reason: reason, At: at + 1}, ownerKey)
		require.NoError(t, err)
		reviews.Reviews = append(reviews.Reviews, s)
	}
	out, err := c.ReviewBatch(t.Context(), 1, reviews)
	require.NoError(t, err)
	require.NoError(t, out[0].Err)
	require.NoError(t, out[1].Err)
	shown, err := c.RecordContent(t.Context(), list[0].CID)
	require.NoError(t, err)
	text, err := io.ReadAll(shown.Content)
	require.NoError(t, err)
	require.True(t, bytes.Contains(text, []byte("the otter")), "%s", text)
	_, err = c.RecordContent(t.Context(), list[1].CID)
	require.Error(t, err, "what is abusive is not shown")
	_, err = c.Record(t.Context(), list[1].CID)
	require.Error(t, err)
	contributors, err = c.Contributors(t.Context(), 1)
	require.NoError(t, err)
	require.InDelta(t, 0.5, contributors[0].Ratio, 1e-9)
}
