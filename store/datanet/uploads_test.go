package datanet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store"
	"github.com/openledger/openledger/store/ipfs"
)

// desk is uploads over a rig, with a clock that stands still.
type desk struct {
	*rig
	*Uploads
	dir string
	at  *int64
}

func newDesk(t *testing.T, change func(*UploadsConfig)) *desk {
	t.Helper()
	r := memRig(t)
	at := now
	r.cfg.Now = func() int64 { return at }
	cfg := UploadsConfig{Book: r.Book, Dir: t.TempDir()}
	if change != nil {
		change(&cfg)
	}
	u, err := NewUploads(cfg)
	require.NoError(t, err)
	return &desk{rig: r, Uploads: u, dir: cfg.Dir, at: &at}
}

func (d *desk) upload(who byte, name, content string) (Upload, error) {
	return d.Receive(d.t.Context(), 1, account(who), name, int64(len(content)), strings.NewReader(content))
}

// files is what lies in the folder.
func (d *desk) files() []string {
	list, err := os.ReadDir(d.dir)
	require.NoError(d.t, err)
	names := []string{}
	for _, f := range list {
		names = append(names, f.Name())
	}
	return names
}

// blocks is how many blocks of a file are here.
func (d *desk) blocks(c protocol.CID) (n int) {
	_, err := d.node.Local(d.t.Context(), c, func(protocol.Hash, int64) { n++ })
	require.NoError(d.t, err)
	return n
}

// contributeUploaded signs and contributes all records of an upload with one signature.
func (d *desk) contributeUploaded(who byte, id string) []Record {
	d.t.Helper()
	_, shown, err := d.Upload(id, account(who), 0, 1000)
	require.NoError(d.t, err)
	var list []protocol.Contribution
	for _, r := range shown {
		list = append(list, protocol.Contribution{Datanet: 1, Record: r.Record, Contributor: account(who), License: "CC0-1.0", At: *d.at - 1000})
	}
	signed, err := wire.SignContributions(domain, list, key(who))
	require.NoError(d.t, err)
	var out []Record
	for _, sc := range signed {
		canonical, err := d.Canonical(id, account(who), sc.Contribution.Record)
		require.NoError(d.t, err)
		_, err = d.Contribute(d.t.Context(), sc, canonical)
		require.NoError(d.t, err)
		rec, err := Decode(canonical)
		require.NoError(d.t, err)
		out = append(out, rec)
	}
	return out
}

const longText = "once upon a time a green heron stood in the shallow water of the lake and waited for a fish to come by"

func TestUploadShowsWhatItWouldContribute(t *testing.T) {
	d := newDesk(t, nil)
	old, err := NewText(map[string]string{"title": "Heron", "text": longText})
	require.NoError(t, err)
	_, err = d.Contribute(t.Context(), signed(t, bob, old, now-1000), old.Canonical)
	require.NoError(t, err)

	u, err := d.upload(alice, "C:\\me\\birds\u202e.jsonl", strings.Join([]string{
		`{"title":"Heron","text":"` + longText + `"}`,
		`{"title":"Heron, again","text":"` + longText + ` today"}`,
		`{"title":"Otter","text":"an <script>alert(1)</script> otter"}`,
		`{"text":"an <script>alert(1)</script> otter","title":"Otter"}`,
	}, "\n"))
	require.NoError(t, err)
	require.Equal(t, UploadReady, u.State)
	require.Equal(t, "birds.jsonl", u.Name)
	require.Equal(t, 3, u.Records)
	require.Equal(t, 1, u.Repeated)
	require.Empty(t, d.files(), "the file is not kept once it is read")

	_, got, err := d.Upload(u.ID, account(alice), 0, 2)
	require.NoError(t, err)
	require.Len(t, got, 2)
	require.Equal(t, protocol.ReviewPending, got[0].Duplicate)
	require.Nil(t, got[0].Similar)
	require.Empty(t, got[1].Duplicate)
	require.Equal(t, old.ID, got[1].Similar.Record)
	require.GreaterOrEqual(t, got[1].Similar.PerCent, similarFrom)
	_, got, err = d.Upload(u.ID, account(alice), 2, 10)
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.Equal(t, "an <script>alert(1)</script> otter", got[0].Preview, "text, for who shows it to escape")
	require.Nil(t, got[0].Similar)

	_, _, err = d.Upload(u.ID, account(bob), 0, 10)
	require.Equal(t, protocol.KindNotFound, kind(err), "another's upload")
	require.Equal(t, protocol.KindNotFound, kind(d.Delete(t.Context(), u.ID, account(bob))))
	require.NoError(t, d.Delete(t.Context(), u.ID, account(alice)))
	_, _, err = d.Upload(u.ID, account(alice), 0, 10)
	require.Equal(t, protocol.KindNotFound, kind(err))
}

func TestUploadThatIsWrongContributesNothing(t *testing.T) {
	d := newDesk(t, nil)
	u, err := d.upload(alice, "a.jsonl", "{\"a\":\"fine\"}\n{\"a\":1}")
	require.NoError(t, err)
	require.Equal(t, UploadRefused, u.State)
	require.Equal(t, []LineError{{File: "a.jsonl", Line: 2, Field: "a", Message: "is a number: fields are text, put it in quotes"}}, u.Errors)
	require.Zero(t, u.Records)
	_, records, err := d.Upload(u.ID, account(alice), 0, 10)
	require.NoError(t, err)
	require.Empty(t, records)
	_, err = d.upload(alice, "tool.exe", "MZ")
	require.Equal(t, protocol.KindInvalid, kind(err))
	_, err = d.Receive(t.Context(), 9, account(alice), "a.txt", -1, strings.NewReader("x"))
	require.Equal(t, protocol.KindNotFound, kind(err))
	require.Empty(t, d.files())
}

// unread fails the test when somebody reads it.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

func TestUploadsAreBounded(t *testing.T) {
	d := newDesk(t, func(c *UploadsConfig) { c.PerDay, c.Total = 100, 150 })
	for name, length := range map[string]int64{"film.mp4": 2 << 30, "a.txt": 3 << 20} {
		_, err := d.Receive(t.Context(), 1, account(alice), name, length, unread{t})
		require.Equal(t, protocol.KindTooLarge, kind(err))
		require.ErrorContains(t, err, "split it")
	}
	// Without a length, or with a wrong one, what comes is counted.
	_, err := d.Receive(t.Context(), 1, account(alice), "a.txt", -1, strings.NewReader(strings.Repeat("x", 101)))
	require.Equal(t, protocol.KindTooLarge, kind(err))
	_, err = d.Receive(t.Context(), 1, account(alice), "a.txt", 20, strings.NewReader("short"))
	require.Equal(t, protocol.KindInvalid, kind(err))
	require.ErrorContains(t, err, "broke off after 5 of 20 bytes")

	_, err = d.upload(alice, "a.txt", strings.Repeat("x", 90))
	require.NoError(t, err)
	_, err = d.upload(alice, "b.txt", strings.Repeat("y", 20))
	require.Equal(t, protocol.KindBusy, kind(err))
	require.ErrorContains(t, err, "you have uploaded 90 of 100 bytes today")
	_, err = d.upload(bob, "b.txt", strings.Repeat("y", 70))
	require.ErrorContains(t, err, "holds as many uploads as it may")
	*d.at += dayMillis
	require.NoError(t, d.Sweep(t.Context()))
	_, err = d.upload(alice, "b.txt", strings.Repeat("y", 20))
	require.NoError(t, err, "another day")
	require.Empty(t, d.files())
}

// cut ends a body in the middle, as a connection does.
type cut struct{ io.Reader }

func (c cut) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func TestCutConnectionLeavesNothing(t *testing.T) {
	d := newDesk(t, nil)
	_, err := d.Receive(t.Context(), 1, account(alice), "a.wav", 8044, cut{strings.NewReader(sample(t, "tone.wav")[:4000])})
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Empty(t, d.files())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = d.Receive(ctx, 1, account(alice), "a.wav", -1, strings.NewReader(sample(t, "tone.wav")))
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, d.files())
	used, err := d.used(account(alice))
	require.NoError(t, err)
	require.Zero(t, used)
	n := 0
	require.NoError(t, uploadTable.Scan(d.rig.db, func(string, uploadRow) error { n++; return nil }))
	require.Zero(t, n)
}

// bigWAV is a sound of several blocks whose content depends on seed.
func bigWAV(seed byte) string {
	head := []byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data\x00\x00\x00\x00")
	data := bytes.Repeat([]byte{seed, 1, 2, 3, 5, 7, 11}, 150_000)
	for i := 0; i < len(data); i += 4096 {
		data[i] = byte(i >> 12)
	}
	n := uint32(len(data))
	copy(head[40:], []byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)})
	return string(head) + string(data)
}

// The file of a media record lives as long as an upload, a contribution or a version needs
// it, and no longer.
func TestMediaLivesAsLongAsItIsHeld(t *testing.T) {
	d := newDesk(t, nil)
	content := bigWAV(1)
	one, err := d.upload(alice, "one.wav", content)
	require.NoError(t, err)
	require.Equal(t, UploadReady, one.State, "%v", one.Errors)
	_, shown, err := d.Upload(one.ID, account(alice), 0, 1)
	require.NoError(t, err)
	file := shown[0].Media.Content
	require.Greater(t, d.blocks(file), 3)

	// Another upload of the same file, under another name, holds it too.
	two, err := d.upload(bob, "two.wav", content)
	require.NoError(t, err)
	require.NoError(t, d.Delete(t.Context(), one.ID, account(alice)))
	require.Greater(t, d.blocks(file), 3)
	require.NoError(t, d.Delete(t.Context(), two.ID, account(bob)))
	require.Zero(t, d.blocks(file), "nobody holds it")

	// Contributed, it stays when the upload goes; a file that shares its beginning goes alone.
	u, err := d.upload(alice, "one.wav", content)
	require.NoError(t, err)
	rec := d.contributeUploaded(alice, u.ID)[0]
	other, err := d.upload(bob, "other.wav", bigWAV(1)[:600_000+44])
	require.NoError(t, err)
	require.Equal(t, UploadRefused, other.State, "cut off")
	*d.at += 2 * dayMillis
	require.NoError(t, d.Sweep(t.Context()))
	whole, err := d.node.Local(t.Context(), file, func(protocol.Hash, int64) {})
	require.NoError(t, err)
	require.True(t, whole)

	// Published, it stays although the record is rejected; a second rejected one goes.
	require.NoError(t, d.review(rec, protocol.ReviewAccepted, "", *d.at))
	v, err := d.BuildVersion(t.Context(), 1)
	require.NoError(t, err)
	require.NoError(t, d.review(rec, protocol.ReviewRejected, "noise", *d.at+1))
	u, err = d.upload(alice, "second.wav", bigWAV(2))
	require.NoError(t, err)
	second := d.contributeUploaded(alice, u.ID)[0]
	require.NoError(t, d.review(second, protocol.ReviewRejected, "noise", *d.at))
	*d.at += 8 * dayMillis
	require.NoError(t, d.Sweep(t.Context()))
	whole, err = d.node.Local(t.Context(), v.Root, func(protocol.Hash, int64) {})
	require.NoError(t, err)
	require.True(t, whole, "a version never changes")
	require.Zero(t, d.blocks(second.Media.Content))
	err = d.review(second, protocol.ReviewAccepted, "", *d.at)
	require.ErrorContains(t, err, "its file is gone")
}

// A file cannot be used to have a block of something else removed.
func TestUploadDoesNotTakeOthersBlocks(t *testing.T) {
	d := newDesk(t, nil)
	content := bigWAV(1)
	foreign, err := d.node.AddBlock(t.Context(), []byte(content[:ipfs.ChunkBytes])) // somebody's block: the file's first leaf
	require.NoError(t, err)
	u, err := d.upload(alice, "a.wav", content)
	require.NoError(t, err)
	require.NoError(t, d.Delete(t.Context(), u.ID, account(alice)))
	here, err := d.node.Has(t.Context(), foreign)
	require.NoError(t, err)
	require.True(t, here)
}

// A media record must say what its file says, and the file must be here.
func TestMediaRecordIsCheckedAgainstItsFile(t *testing.T) {
	d := newDesk(t, nil)
	u, err := d.upload(alice, "clip.webm", sample(t, "clip.webm"))
	require.NoError(t, err)
	_, shown, err := d.Upload(u.ID, account(alice), 0, 1)
	require.NoError(t, err)
	m := *shown[0].Media
	for want, change := range map[string]func(*Media){
		"upload the file first": func(m *Media) { m.Content = placeholder },
		"size":                  func(m *Media) { m.Size++ },
		"says":                  func(m *Media) { m.Width = 4000 },
		"is not read here":      func(m *Media) { m.MediaType = "text/html" },
		"is called .mp4":        func(m *Media) { m.MediaType = "video/mp4" },
	} {
		bad := m
		change(&bad)
		rec, err := NewMedia(bad, map[string]string{"caption": "x"})
		require.NoError(t, err)
		_, err = d.Contribute(t.Context(), signed(t, alice, rec, now-1), rec.Canonical)
		require.ErrorContains(t, err, want)
	}
	rec, err := NewMedia(m, map[string]string{"caption": "a red square that gets brighter"})
	require.NoError(t, err)
	_, err = d.Contribute(t.Context(), signed(t, alice, rec, now-1), rec.Canonical)
	require.NoError(t, err)
}

// A version with media travels whole by CAR, and is opened without its files by who only
// learns from it.
func TestVersionCarriesItsMedia(t *testing.T) {
	d := newDesk(t, nil)
	d.accepted(bob, "A fox")
	u, err := d.upload(alice, "one.wav", bigWAV(1))
	require.NoError(t, err)
	rec := d.contributeUploaded(alice, u.ID)[0]
	require.NoError(t, d.review(rec, protocol.ReviewAccepted, "", now))
	v, err := d.BuildVersion(t.Context(), 1)
	require.NoError(t, err)
	var archive bytes.Buffer
	_, err = d.node.ExportCAR(t.Context(), &archive, v.Root, ipfs.CARv1)
	require.NoError(t, err)

	other := newRig(t, vfs.NewMem(), nil)
	defer other.close()
	_, _, err = other.node.ImportCAR(t.Context(), bytes.NewReader(archive.Bytes()))
	require.NoError(t, err)
	opened, err := OpenVersion(t.Context(), other.node, v.Root, nil)
	require.NoError(t, err)
	require.NoError(t, opened.Verify(t.Context(), wireVerifier{domain}), "signatures of batches too")
	for _, r := range opened.Records {
		if r.Media != nil {
			got, err := other.node.ReadFile(t.Context(), r.Media.Content, nil, MaxMediaBytes)
			require.NoError(t, err)
			require.Equal(t, bigWAV(1), string(got))
		}
	}
	// The same root without the files still opens.
	_, err = other.node.Remove(t.Context(), owned(t, d.rig, rec.Media.Content), func(func(protocol.Hash)) error { return nil }, func(*store.Tx) error { return nil })
	require.NoError(t, err)
	_, err = OpenVersion(t.Context(), other.node, v.Root, nil)
	require.NoError(t, err)

	dir := t.TempDir()
	out, err := Export(t.Context(), d.node, v.Root, nil, dir)
	require.NoError(t, err)
	doc, err := os.ReadFile(dir + "/" + out.Croissant.Name)
	require.NoError(t, err)
	require.Contains(t, string(doc), "audio/wav")
}

func owned(t *testing.T, r *rig, c protocol.CID) (list []protocol.Hash) {
	row, ok, err := storedTable.Get(r.db, string(c))
	require.NoError(t, err)
	require.True(t, ok)
	return row.Owned
}

// After a kill at any moment, a received file is read to its end, and what was not
// received whole is gone.
func TestUploadSurvivesAKill(t *testing.T) {
	fs, dir := vfs.NewCrashableMem(), t.TempDir()
	open := func(fs vfs.FS) (*rig, *Uploads) {
		r := newRig(t, fs, nil)
		u, err := NewUploads(UploadsConfig{Book: r.Book, Dir: dir})
		require.NoError(t, err)
		return r, u
	}
	r, u := open(fs)
	require.NoError(t, r.Create(fables))
	content := bigWAV(3)
	// Received and noted, but not read: the state that a kill in the middle of reading leaves.
	_, err := u.write(t.Context(), "aa", strings.NewReader(content), -1, MaxMediaBytes)
	require.NoError(t, err)
	row := uploadRow{Upload: Upload{ID: "aa", Datanet: 1, Account: account(alice), Name: "a.wav", Bytes: int64(len(content)), State: UploadChecking, At: now, Expires: now + dayMillis}}
	require.NoError(t, r.db.Update(func(tx *store.Tx) error { return uploadTable.Put(tx, "aa", row) }))
	f, err := os.Open(u.file("aa"))
	require.NoError(t, err)
	half := row
	require.NoError(t, u.read(t.Context(), f, &half)) // everything but the last note
	require.NoError(t, f.Close())
	require.NoError(t, os.WriteFile(u.file("bb"), []byte("half a file"), 0o600)) // never noted
	crashed := fs.CrashClone(vfs.CrashCloneCfg{})
	r.close()

	r, u = open(crashed)
	defer r.close()
	require.NoError(t, u.Resume(t.Context()))
	require.NoFileExists(t, u.file("bb"))
	require.NoFileExists(t, u.file("aa"))
	got, shown, err := u.Upload("aa", account(alice), 0, 10)
	require.NoError(t, err)
	require.Equal(t, UploadReady, got.State)
	require.Len(t, shown, 1)
	require.Equal(t, half.Media[0], shown[0].Media.Content)
	require.NoError(t, u.Delete(t.Context(), "aa", account(alice)))
	n := 0
	_, err = r.node.Local(t.Context(), half.Media[0], func(protocol.Hash, int64) { n++ })
	require.NoError(t, err)
	require.Zero(t, n)
}

func TestDailyLimitOfContributors(t *testing.T) {
	d := newDesk(t, nil)
	require.NoError(t, d.Set(1, Settings{PerDay: 2, At: 5}))
	require.Equal(t, protocol.KindStale, kind(d.Set(1, Settings{PerDay: 9, At: 5})))
	require.Equal(t, protocol.KindInvalid, kind(d.Set(1, Settings{At: 6})))
	for i := range 2 {
		_, err := d.contribute(alice, fmt.Sprint("tale ", i))
		require.NoError(t, err)
	}
	_, err := d.contribute(alice, "tale 0")
	require.NoError(t, err, "the same again is not another one")
	_, err = d.contribute(alice, "tale 2")
	require.Equal(t, protocol.KindBusy, kind(err))
	require.ErrorContains(t, err, "has contributed 2 records to datanet 1 today")
	_, err = d.contribute(bob, "tale 3")
	require.NoError(t, err, "another's day is another's")
	*d.at += dayMillis
	_, err = d.contribute(alice, "tale 2")
	require.NoError(t, err)
}

func TestContributorsAndEarnings(t *testing.T) {
	d := newDesk(t, nil)
	a := d.accepted(alice, "one")
	b := d.accepted(alice, "two")
	_, err := d.contribute(alice, "three")
	require.NoError(t, err)
	require.NoError(t, d.review(b, protocol.ReviewRejected, "no", now+1))
	earn := []Earning{{Datanet: 1, Record: a.ID, Contributor: account(alice), Amount: *uint256.NewInt(7)}, {Datanet: 1, Record: b.ID, Contributor: account(alice), Amount: *uint256.NewInt(2)}}
	for range 2 {
		require.NoError(t, d.Earn(protocol.Hash{1}, earn), "once, however often it is told")
	}
	require.NoError(t, d.Earn(protocol.Hash{2}, earn[:1]))
	list, err := d.Contributors(1)
	require.NoError(t, err)
	require.Equal(t, []Contributor{{Account: account(alice), Pending: 1, Accepted: 1, Rejected: 1, Earned: *uint256.NewInt(16)}}, list)
	sum, err := d.RecordEarned(a.ID)
	require.NoError(t, err)
	require.Equal(t, "14", sum.Dec())
	require.True(t, d.Counted(protocol.Hash{2}))
	require.False(t, d.Counted(protocol.Hash{3}))
}

func TestPagesAndDifferences(t *testing.T) {
	d := newDesk(t, nil)
	for i := range 5 {
		d.accepted(alice, fmt.Sprint("tale ", i))
	}
	pending, err := d.contribute(bob, "waiting")
	require.NoError(t, err)
	var seen []protocol.Hash
	after := protocol.Hash{}
	for {
		list, next, err := d.EntriesPage(1, protocol.ReviewAccepted, after, 2)
		require.NoError(t, err)
		require.LessOrEqual(t, len(list), 2)
		for _, e := range list {
			seen = append(seen, e.Signed.Contribution.Record)
		}
		if after = next; next == (protocol.Hash{}) {
			break
		}
	}
	require.Len(t, seen, 5)
	require.NotContains(t, seen, pending.ID)

	_, err = d.BuildVersion(t.Context(), 1)
	require.NoError(t, err)
	require.NoError(t, d.review(textRecord(t, "tale 0"), protocol.ReviewRejected, "no", now+1))
	require.NoError(t, d.review(textRecord(t, "tale 1"), protocol.ReviewRejected, "replaced", now+1))
	better, err := NewText(map[string]string{"title": "tale 1", "text": "better"})
	require.NoError(t, err)
	_, err = d.Contribute(t.Context(), signed(t, alice, better, now-1), better.Canonical)
	require.NoError(t, err)
	require.NoError(t, d.review(better, protocol.ReviewAccepted, "", now+1))
	require.NoError(t, d.review(pending, protocol.ReviewAccepted, "", now+1))
	_, err = d.BuildVersion(t.Context(), 1)
	require.NoError(t, err)
	diff, err := d.Diff(t.Context(), 1, 1, 2)
	require.NoError(t, err)
	require.Equal(t, Difference{
		Added: []protocol.Hash{pending.ID}, Removed: []protocol.Hash{textRecord(t, "tale 0").ID},
		Changed: []Change{{From: textRecord(t, "tale 1").ID, To: better.ID}},
	}, diff)
	first, err := d.Diff(t.Context(), 1, 0, 1)
	require.NoError(t, err)
	require.Len(t, first.Added, 5)

	_, _, err = d.Shown(t.Context(), pending.ID)
	require.NoError(t, err)
	bad, err := d.contribute(bob, "abuse")
	require.NoError(t, err)
	require.NoError(t, d.review(bad, protocol.ReviewAbusive, "spam", now+1))
	_, _, err = d.Shown(t.Context(), bad.ID)
	require.Equal(t, protocol.KindNotFound, kind(err), "what was rejected as abusive is not shown")
}

func TestNearDuplicates(t *testing.T) {
	d := newDesk(t, nil)
	words := strings.Fields(strings.Repeat(longText+" ", 6))
	for i := range words {
		words[i] += fmt.Sprint(i % 37)
	}
	base := strings.Join(words, " ")
	rec, err := NewText(map[string]string{"title": "A", "text": base})
	require.NoError(t, err)
	_, err = d.Contribute(t.Context(), signed(t, bob, rec, now-1), rec.Canonical)
	require.NoError(t, err)
	alike := func(text string) *Similar {
		r, err := NewText(map[string]string{"title": "B", "text": text})
		require.NoError(t, err)
		s, err := d.similar(1, &r)
		require.NoError(t, err)
		return s
	}
	require.NotNil(t, alike(strings.ToUpper(base)), "case does not count")
	require.NotNil(t, alike(base+" and they lived happily"))
	require.Nil(t, alike("an altogether different story about otters who build dams of mud and twigs in the quiet river"))
	require.Nil(t, alike("too short to tell"))
	other, err := d.similar(2, &rec)
	require.NoError(t, err)
	require.Nil(t, other, "of another datanet")
}

func TestUploadsConfig(t *testing.T) {
	for _, c := range []UploadsConfig{{}, {Book: &Book{}}, {Book: &Book{}, Dir: "x", PerDay: -1}, {Book: &Book{}, Dir: "x", Lifetime: -time.Second}} {
		_, err := NewUploads(c)
		require.Equal(t, protocol.KindInvalid, kind(err))
	}
}
