package api

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

func (s *service) Formats() []FileFormat {
	return []FileFormat{{Name: "PNG", Endings: []string{".png"}, MediaType: "image/png", MaxBytes: 7}}
}

func (s *service) UploadsPerDay() int64 { return 1 << 40 }

func (s *service) UploadToken(account protocol.Account, at int64, signature []byte) (protocol.Account, error) {
	if at != 7 || !bytes.Equal(signature, []byte{0xab}) {
		return account, protocol.Errorf(protocol.KindUnauthorized, "signature", "it is not by %s", account.Hex())
	}
	return account, nil
}

func (s *service) ReceiveUpload(_ context.Context, f UploadedFile) (UploadView, error) {
	if f.Length > 100 {
		return UploadView{}, protocol.Errorf(protocol.KindTooLarge, "file", "is %d bytes, the limit is 100: split it", f.Length)
	}
	b, err := io.ReadAll(f.Body)
	if err != nil {
		return UploadView{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.uploaded = append(s.uploaded, fmt.Sprintf("%s %s %s", f.By.Hex(), f.Name, b))
	if strings.HasSuffix(f.Name, ".exe") {
		return UploadView{}, protocol.Errorf(protocol.KindInvalid, "name", "is of a kind that is not read here")
	}
	return UploadView{ID: "u1", Datanet: f.Datanet, Account: f.By, Name: f.Name, Bytes: int64(len(b)), State: "ready", Errors: []FileError{}, Records: 3}, s.err
}

var media = MediaView{Content: "bafkmedia", MediaType: "image/png", Size: 9, Width: 3, Height: 4}

func (s *service) Upload(_ context.Context, by protocol.Account, id string, from uint64, limit int) (UploadView, []UploadedRecord, error) {
	view := UploadView{ID: id, Account: by, State: "ready", Errors: []FileError{}, Records: 3}
	list := []UploadedRecord{
		{Record: hash, Type: "text", Duplicate: protocol.ReviewAccepted}, {Record: hash, Type: "media", Media: &media},
		{Record: hash, Type: "text", Similar: &SimilarView{Record: hash, Title: "x", PerCent: 90}},
	}
	list = list[min(from, 3):]
	return view, list[:min(limit, len(list))], s.err
}

func (s *service) DeleteUpload(context.Context, protocol.Account, string) error { return s.err }

func (s *service) ContributeBatch(_ context.Context, _ uint64, b ContributionBatch, records [][]byte) ([]Outcome, error) {
	out := []Outcome{}
	for i, c := range b.Contributions {
		o := Outcome{Record: c.Contribution.Record, Status: ContributionStatus{SignedContribution: c.SignedContribution, Status: protocol.ReviewPending, Bytes: len(records[i])}}
		if o.Status.Signature == nil {
			o.Status.Signature = b.Signature
		}
		if i == 1 {
			o.Err = protocol.Errorf(protocol.KindExists, "record", "was contributed before")
		}
		out = append(out, o)
	}
	return out, s.err
}

func (s *service) ReviewBatch(_ context.Context, _ uint64, b ReviewBatch) ([]Outcome, error) {
	out := []Outcome{}
	for _, r := range b.Reviews {
		out = append(out, Outcome{Record: r.Review.Record, Status: ContributionStatus{SignedContribution: protocol.SignedContribution{Signature: []byte{1}}, Status: r.Review.Status}})
	}
	return out, s.err
}

func (s *service) VersionRecords(_ context.Context, _ uint64, _ uint32, from uint64, limit int) ([]RecordSummary, int, error) {
	list := []RecordSummary{{Record: hash, Type: "text", Title: "<b>one</b>"}, {Record: hash, Type: "media", Media: &media}}
	list = list[min(from, 2):]
	return list[:min(limit, len(list))], 2, s.err
}

func (s *service) VersionDiff(_ context.Context, _ uint64, from, to uint32) (VersionDiff, error) {
	d := VersionDiff{From: from, To: to, Added: []RecordSummary{{Record: hash, Type: "text"}}, Removed: []RecordSummary{}, Changed: []RecordChange{{From: RecordSummary{Type: "text"}, To: RecordSummary{Type: "text"}}}}
	d.Counts.Added = 1
	return d, s.err
}

func (s *service) Record(_ context.Context, cid protocol.CID) (RecordView, error) {
	return RecordView{Record: hash, CID: cid, Type: "text", Fields: map[string]string{"text": "<script>"}, Earned: huge, Trainable: true,
		Contributions: []RecordContribution{{Datanet: 1, Status: protocol.ReviewAccepted}}}, s.err
}

type content struct{ io.ReadSeeker }

func (content) Close() error { return nil }

func (s *service) RecordContent(context.Context, protocol.CID) (RecordContent, error) {
	return RecordContent{MediaType: s.contentType, Name: "../<script>.html\r\nX: y", Content: content{strings.NewReader("0123456789")}}, s.err
}

func (s *service) Contributors(context.Context, uint64) ([]ContributorView, error) {
	return []ContributorView{{Account: owner, Accepted: 3, Rejected: 1, Ratio: 0.75, Earned: huge}}, s.err
}

func (s *service) Limits(context.Context, uint64) (DatanetLimits, error) {
	return DatanetLimits{PerDay: 10}, s.err
}

func (s *service) SetLimits(_ context.Context, _ uint64, l DatanetLimits) error {
	if len(l.Signature) == 0 {
		return protocol.Errorf(protocol.KindUnauthorized, "signature", "is missing")
	}
	return s.err
}

// ask sends a request with an API key and gives status, headers and body.
func ask(t *testing.T, method, url, contentType string, body io.Reader, header map[string]string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+testKey)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for k, v := range header {
		if req.Header.Set(k, v); v == "" {
			req.Header.Del(k)
		}
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, res.Header, string(b)
}

func TestUploadEndpoints(t *testing.T) {
	s := &service{}
	url := serve(t, s, nil)
	at := url + "/api/v1/datanets/1/uploads"
	status, _, body := ask(t, "POST", at+"?name=a%20%3Cscript%3E.txt", "application/octet-stream", strings.NewReader("text"), nil)
	require.Equal(t, http.StatusCreated, status, body)
	require.Equal(t, tenant.Hex()+" a <script>.txt text", s.uploaded[0])

	// A signature stands for an API key, here only.
	token := map[string]string{"Authorization": "", SignedHeader: owner.Hex() + " 7 0xab"}
	status, _, body = ask(t, "POST", at+"?name=b.txt", "application/octet-stream", strings.NewReader("text"), token)
	require.Equal(t, http.StatusCreated, status, body)
	require.Equal(t, owner.Hex()+" b.txt text", s.uploaded[1])
	for _, bad := range []string{owner.Hex() + " 8 0xab", owner.Hex() + " 7 0xac", "x", owner.Hex() + " 7 ab zz", "0x12 7 0xab"} {
		status, _, body = ask(t, "GET", url+"/api/v1/uploads/u1", "", nil, map[string]string{"Authorization": "", SignedHeader: bad})
		require.Equal(t, http.StatusUnauthorized, status, "%s: %s", bad, body)
	}
	status, _, _ = ask(t, "GET", url+"/v1/models", "", nil, token)
	require.Equal(t, http.StatusUnauthorized, status)

	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	for _, name := range []string{"one.txt", "two.exe", "three.txt"} {
		part, err := w.CreateFormFile("file", name)
		require.NoError(t, err)
		_, err = io.WriteString(part, "content of "+name)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	status, _, body = ask(t, "POST", at, w.FormDataContentType(), bytes.NewReader(form.Bytes()), nil)
	require.Equal(t, http.StatusCreated, status, body)
	var got struct{ Uploads []UploadView }
	require.NoError(t, json.Unmarshal([]byte(body), &got))
	require.Len(t, got.Uploads, 3)
	require.Equal(t, []string{"ready", "refused", "ready"}, []string{got.Uploads[0].State, got.Uploads[1].State, got.Uploads[2].State})
	require.Contains(t, got.Uploads[1].Errors[0].Message, "not read here")

	status, _, body = ask(t, "POST", at, "application/octet-stream", strings.NewReader("text"), nil)
	require.Equal(t, http.StatusBadRequest, status)
	require.Contains(t, body, "?name=")

	status, _, body = ask(t, "GET", url+"/api/v1/uploads/u1?limit=2", "", nil, nil)
	require.Equal(t, http.StatusOK, status, body)
	require.Contains(t, body, `"next":"2"`)
	status, _, body = ask(t, "GET", url+"/api/v1/uploads/u1?limit=2&cursor=2", "", nil, nil)
	require.Equal(t, http.StatusOK, status, body)
	require.Contains(t, body, `"next":""`)
	for _, bad := range []string{"?limit=0", "?limit=1001", "?limit=x", "?cursor=-1", "?cursor=x"} {
		status, _, _ = ask(t, "GET", url+"/api/v1/uploads/u1"+bad, "", nil, nil)
		require.Equal(t, http.StatusBadRequest, status, bad)
	}
	status, _, _ = ask(t, "DELETE", url+"/api/v1/uploads/u1", "", nil, nil)
	require.Equal(t, http.StatusNoContent, status)
}

// endless is a body that must not be read.
type endless struct{ read int }

func (e *endless) Read(b []byte) (int, error) {
	e.read += len(b)
	return len(b), nil
}

// A file of 2 GB is refused by its length, with the way out, before it is sent.
func TestUploadOfTwoGigabytes(t *testing.T) {
	url := serveBare(t, &service{})
	for _, kind := range []string{"application/octet-stream", "multipart/form-data; boundary=x"} {
		body := &endless{}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/api/v1/datanets/1/uploads?name=film.mp4", body)
		require.NoError(t, err)
		req.ContentLength = 2 << 30
		req.Header.Set("Authorization", "Bearer "+testKey)
		req.Header.Set("Content-Type", kind)
		req.Header.Set("Expect", "100-continue")
		client := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: 1 << 40}}
		res, err := client.Do(req)
		require.NoError(t, err)
		b, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, http.StatusRequestEntityTooLarge, res.StatusCode)
		require.Contains(t, string(b), "split")
		require.Zero(t, body.read, "nothing was sent")
	}
}

func TestBatchEndpoints(t *testing.T) {
	url := serve(t, &service{}, nil)
	item := func(datanet uint64) string {
		return fmt.Sprintf(`{"contribution":{"datanet":%d,"record":"%s","contributor":"%s","license":"CC0-1.0","at":1}}`, datanet, hash.Hex(), owner.Hex())
	}
	status, _, body := ask(t, "POST", url+"/api/v1/datanets/1/contributions/batch", "application/json",
		strings.NewReader(`{"upload":"u1","signature":"AQ==","contributions":[`+item(1)+`,`+item(1)+`]}`), nil)
	require.Equal(t, http.StatusOK, status, body)
	var got struct {
		Results []BatchResult
		Failed  int
	}
	require.NoError(t, json.Unmarshal([]byte(body), &got))
	require.Equal(t, 1, got.Failed)
	require.Empty(t, got.Results[0].Refusal())
	require.Equal(t, "record: was contributed before", got.Results[1].Refusal())
	for _, bad := range []string{`{"contributions":[]}`, `{"contributions":[` + item(2) + `]}`, `{"contributions":[` + strings.TrimSuffix(item(1), "}") + `,"bytes":"%"}]}`,
		`{"contributions":[` + strings.Repeat(item(1)+",", MaxBatch) + item(1) + `]}`} {
		status, _, body = ask(t, "POST", url+"/api/v1/datanets/1/contributions/batch", "application/json", strings.NewReader(bad), nil)
		require.Equal(t, http.StatusBadRequest, status, body)
	}
	review := func(datanet uint64) string {
		return fmt.Sprintf(`{"review":{"datanet":%d,"record":"%s","status":"accepted","at":1}}`, datanet, hash.Hex())
	}
	status, _, body = ask(t, "POST", url+"/api/v1/datanets/1/reviews/batch", "application/json", strings.NewReader(`{"signature":"AQ==","reviews":[`+review(1)+`]}`), nil)
	require.Equal(t, http.StatusOK, status, body)
	status, _, _ = ask(t, "POST", url+"/api/v1/datanets/1/reviews/batch", "application/json", strings.NewReader(`{"reviews":[`+review(2)+`]}`), nil)
	require.Equal(t, http.StatusBadRequest, status)
}

// What is in a record never runs in a browser: its type is one of a few, or it is a
// download, in a sandbox, and its name is a plain one.
func TestRecordContentIsHarmless(t *testing.T) {
	s := &service{}
	url := serve(t, s, nil)
	for kind, want := range map[string]string{
		"image/png": "image/png", "video/webm": "video/webm", "audio/flac": "audio/flac", "text/plain": "text/plain; charset=utf-8",
		"text/html": "application/octet-stream", "image/svg+xml": "application/octet-stream", "application/pdf": "application/octet-stream",
		"": "application/octet-stream", "text/html; charset=utf-8": "application/octet-stream", "application/xhtml+xml": "application/octet-stream",
	} {
		s.contentType = kind
		status, h, body := ask(t, "GET", url+"/api/v1/records/bafkreia/content", "", nil, nil)
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, "0123456789", body)
		require.Equal(t, want, h.Get("Content-Type"), kind)
		require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
		require.Equal(t, "sandbox; default-src 'none'", h.Get("Content-Security-Policy"))
		require.NotContains(t, h.Get("Content-Disposition"), "<")
		require.NotContains(t, h.Get("Content-Disposition"), "/")
		require.Equal(t, want == "application/octet-stream", strings.HasPrefix(h.Get("Content-Disposition"), "attachment"), kind)
	}
	s.contentType = "video/webm"
	status, h, body := ask(t, "GET", url+"/api/v1/records/bafkreia/content", "", nil, map[string]string{"Range": "bytes=2-4"})
	require.Equal(t, http.StatusPartialContent, status)
	require.Equal(t, "234", body)
	require.Equal(t, "bytes 2-4/10", h.Get("Content-Range"))
	status, _, _ = ask(t, "GET", url+"/api/v1/records/bafkreia/content", "", nil, map[string]string{"If-None-Match": h.Get("ETag")})
	require.Equal(t, http.StatusNotModified, status)
}

func TestDatanetPages(t *testing.T) {
	url := serve(t, &service{}, nil)
	get := func(path string) (int, string) {
		status, _, body := ask(t, "GET", url+path, "", nil, nil)
		return status, body
	}
	for path, want := range map[string]string{
		"/api/v1/datanets?q=FAB":                                                      `"total":1`,
		"/api/v1/datanets?q=tale":                                                     `"total":0`,
		"/api/v1/datanets?license=cc0-1.0&limit=1":                                    `"next":""`,
		"/api/v1/datanets?owner=" + owner.Hex():                                       `"total":1`,
		"/api/v1/datanets?owner=" + tenant.Hex():                                      `"total":0`,
		"/api/v1/datanets/1/contributions?limit=1":                                    `"next":"` + hex.EncodeToString(hash[:]) + `"`,
		"/api/v1/datanets/1/contributions?status=pending":                             `"title":"b"`,
		"/api/v1/datanets/1/versions/2/records?limit=1":                               `"next":"1"`,
		"/api/v1/datanets/1/versions/2/records?cursor=1":                              `"next":""`,
		"/api/v1/datanets/1/versions/2/diff":                                          `"from":1`,
		"/api/v1/datanets/1/versions/2/diff?from=0":                                   `"from":0`,
		"/api/v1/records/bafkreia":                                                    hugeText,
		"/api/v1/datanets/1/contributors":                                             hugeText,
		"/api/v1/formats":                                                             `"max_bytes":7`,
		"/api/v1/datanets/1/limits":                                                   `"per_day":10`,
		"/api/v1/datanets/1/contributions?cursor=" + "abcd" + strings.Repeat("0", 60): `"next":""`,
	} {
		status, body := get(path)
		require.Equal(t, http.StatusOK, status, "%s: %s", path, body)
		require.Contains(t, body, want, path)
		require.NotContains(t, body, "<b>", "%s: markup is escaped in JSON too", path)
	}
	for _, path := range []string{"/api/v1/datanets?owner=me", "/api/v1/datanets?limit=0", "/api/v1/datanets/1/contributions?cursor=x", "/api/v1/datanets/1/versions/2/diff?from=x"} {
		status, _ := get(path)
		require.Equal(t, http.StatusBadRequest, status, path)
	}
	status, _, body := ask(t, "PUT", url+"/api/v1/datanets/1/limits", "application/json", strings.NewReader(`{"per_day":5,"at":1,"signature":"0xab"}`), nil)
	require.Equal(t, http.StatusOK, status, body)
	status, _, _ = ask(t, "PUT", url+"/api/v1/datanets/1/limits", "application/json", strings.NewReader(`{"per_day":5,"at":1,"signature":"0x"}`), nil)
	require.Equal(t, http.StatusUnauthorized, status)
}
