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

func get(t *testing.T, url string, header ...string) (*http.Response, string) {
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
	return resp, string(b)
}

// Every path that is no asset is a page: the browser's router reads it.
func TestEveryPageIsTheApplication(t *testing.T) {
	s := serve(t)
	for _, p := range []string{"/", "/datanets/3", "/index.html", "/no/such/page"} {
		resp, body := get(t, s.URL+p)
		if resp.StatusCode != http.StatusOK || !strings.Contains(body, `<div id="root">`) {
			t.Errorf("%s: %d %.60q", p, resp.StatusCode, body)
		}
		if got := resp.Header.Get("Content-Security-Policy"); got != policy {
			t.Errorf("%s: policy %q", p, got)
		}
	}
	if resp, _ := get(t, s.URL+"/assets/none.js"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("an asset that is not there: %d", resp.StatusCode)
	}
}

// What the page names is there, is this origin's, and the policy lets it run: no inline
// script, style or handler.
func TestThePageKeepsItsOwnPolicy(t *testing.T) {
	s := serve(t)
	_, page := get(t, s.URL+"/")
	names := regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(page, -1)
	if len(names) < 3 {
		t.Fatalf("the page names %d assets", len(names))
	}
	for _, m := range names {
		if !strings.HasPrefix(m[1], "/") || strings.HasPrefix(m[1], "//") {
			t.Errorf("%s is not of this origin", m[1])
			continue
		}
		resp, _ := get(t, s.URL+m[1])
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") == "" {
			t.Errorf("%s: %d, type %q", m[1], resp.StatusCode, resp.Header.Get("Content-Type"))
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
	plain, a := get(t, url)
	zipped, b := get(t, url, "Accept-Encoding", "br;q=1, gzip;q=0.8")
	if zipped.Header.Get("Content-Encoding") != "gzip" || a != b {
		t.Errorf("encoding %q, equal %v", zipped.Header.Get("Content-Encoding"), a == b)
	}
	if refused, _ := get(t, url, "Accept-Encoding", "gzip;q=0"); refused.Header.Get("Content-Encoding") != "" {
		t.Error("gzip was sent to who refuses it")
	}
	if !strings.Contains(plain.Header.Get("Cache-Control"), "immutable") {
		t.Errorf("cache: %q", plain.Header.Get("Cache-Control"))
	}
	if plain.Header.Get("ETag") == zipped.Header.Get("ETag") {
		t.Error("both encodings have one tag")
	}
	again, _ := get(t, url, "If-None-Match", plain.Header.Get("ETag"))
	if again.StatusCode != http.StatusNotModified {
		t.Errorf("asked again: %d", again.StatusCode)
	}
}
