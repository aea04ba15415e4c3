package web

import (
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func serve(t *testing.T) *httptest.Server {
	t.Helper()
	h, err := Handler()
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// reply is an answer, read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

func get(t *testing.T, url string, header ...string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", "identity")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var body io.Reader = resp.Body
	if resp.Header.Get("Content-Encoding") == "gzip" {
		if body, err = gzip.NewReader(resp.Body); err != nil {
			t.Fatal(err)
		}
	}
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, string(b)}
}

// Every path that is no asset is a page: the browser's router reads it.
func TestEveryPageIsTheApplication(t *testing.T) {
	s := serve(t)
	for _, p := range []string{"/", "/datanets/3", "/index.html", "/no/such/page"} {
		r := get(t, s.URL+p)
		if r.status != http.StatusOK || !strings.Contains(r.body, `<div id="root">`) {
			t.Errorf("%s: %d %.60q", p, r.status, r.body)
		}
		if got := r.header.Get("Content-Security-Policy"); got != policy {
			t.Errorf("%s: policy %q", p, got)
		}
	}
	if r := get(t, s.URL+"/assets/none.js"); r.status != http.StatusNotFound {
		t.Errorf("an asset that is not there: %d", r.status)
	}
}

// What the page names is there, is this origin's, and the policy lets it run: no inline
// script, style or handler.
func TestThePageKeepsItsOwnPolicy(t *testing.T) {
	s := serve(t)
	page := get(t, s.URL+"/").body
	names := regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(page, -1)
	if len(names) < 3 {
		t.Fatalf("the page names %d assets", len(names))
	}
	for _, m := range names {
		if !strings.HasPrefix(m[1], "/") || strings.HasPrefix(m[1], "//") {
			t.Errorf("%s is not of this origin", m[1])
			continue
		}
		r := get(t, s.URL+m[1])
		if r.status != http.StatusOK || r.header.Get("Content-Type") == "" {
			t.Errorf("%s: %d, type %q", m[1], r.status, r.header.Get("Content-Type"))
		}
	}
	if inline := regexp.MustCompile(`<script[^>]*>[^<]|<style| on[a-z]+="| style="`).FindString(page); inline != "" {
		t.Errorf("the policy refuses %q", inline)
	}
}

// Assets are compressed, kept by their tag, and the same after either encoding.
func TestAssetsAreSmallAndKept(t *testing.T) {
	s := serve(t)
	files, err := fs.Glob(dist, "dist/assets/*.js")
	if err != nil || len(files) == 0 {
		t.Fatalf("assets: %v, %v", files, err)
	}
	url := s.URL + strings.TrimPrefix(files[0], "dist")
	plain := get(t, url)
	zipped := get(t, url, "Accept-Encoding", "br;q=1, gzip;q=0.8")
	if zipped.header.Get("Content-Encoding") != "gzip" || plain.body != zipped.body {
		t.Errorf("encoding %q, equal %v", zipped.header.Get("Content-Encoding"), plain.body == zipped.body)
	}
	if refused := get(t, url, "Accept-Encoding", "gzip;q=0"); refused.header.Get("Content-Encoding") != "" {
		t.Error("gzip was sent to who refuses it")
	}
	if !strings.Contains(plain.header.Get("Cache-Control"), "immutable") {
		t.Errorf("cache: %q", plain.header.Get("Cache-Control"))
	}
	if plain.header.Get("ETag") == zipped.header.Get("ETag") {
		t.Error("both encodings have one tag")
	}
	if again := get(t, url, "If-None-Match", plain.header.Get("ETag")); again.status != http.StatusNotModified {
		t.Errorf("asked again: %d", again.status)
	}
}
