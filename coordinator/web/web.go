package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"
)

//go:embed all:dist
var dist embed.FS

// policy is the Content-Security-Policy of every page. Media and frames of records come
// from this origin, where they are served with a policy of their own that runs nothing;
// blob: is for previews of files that the visitor has just chosen.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; " +
	"font-src 'self'; connect-src 'self'; frame-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"

// asset is one file, ready to be sent.
type asset struct {
	name   string
	plain  []byte
	zipped func() []byte // made when first asked for; nil where it would be larger
	tag    string
	kind   string
}

// handler serves assets by their paths, and index.html for every other path: the
// application's own router knows what that means.
type handler struct {
	assets map[string]*asset
	index  *asset
}

// Handler serves the application. Files of /assets have their content's hash in their
// name and may be kept for ever; everything else is asked for again.
func Handler() (http.Handler, error) {
	h := &handler{assets: map[string]*asset{}}
	root, err := fs.Sub(dist, "dist")
	if err != nil {
		return nil, err
	}
	err = fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		h.assets["/"+name] = newAsset(name, content)
		return nil
	})
	if err != nil {
		return nil, err
	}
	h.index = h.assets["/index.html"]
	return h, nil
}

func newAsset(name string, content []byte) *asset {
	sum := sha256.Sum256(content)
	return &asset{name: name, plain: content, kind: mime.TypeByExtension(path.Ext(name)),
		tag:    `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`,
		zipped: sync.OnceValue(func() []byte { return zip(content) })}
}

// zip compresses a file, unless that makes it larger.
func zip(content []byte) []byte {
	var buf bytes.Buffer
	z, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		return nil
	}
	if _, err := z.Write(content); err != nil {
		return nil
	}
	if err := z.Close(); err != nil || buf.Len() >= len(content) {
		return nil
	}
	return buf.Bytes()
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, ok := h.assets[r.URL.Path]
	if !ok {
		// A path of an asset that is not there is a mistake, not a page.
		if strings.HasPrefix(r.URL.Path, "/assets/") {
			http.NotFound(w, r)
			return
		}
		a = h.index
	}
	header := w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	if a == h.index {
		header.Set("Content-Security-Policy", policy)
	}
	if strings.HasPrefix(a.name, "assets/") {
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		header.Set("Cache-Control", "no-cache")
	}
	if a.kind != "" {
		header.Set("Content-Type", a.kind)
	}
	header.Add("Vary", "Accept-Encoding")
	body, tag := a.plain, a.tag
	if acceptsGzip(r.Header.Get("Accept-Encoding")) && a.zipped() != nil {
		header.Set("Content-Encoding", "gzip")
		body, tag = a.zipped(), strings.TrimSuffix(a.tag, `"`)+`-gz"`
	}
	header.Set("ETag", tag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// acceptsGzip reads Accept-Encoding (RFC 9110, section 12.5.3) as far as gzip goes.
func acceptsGzip(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		name, params, _ := strings.Cut(part, ";")
		if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
			continue
		}
		weight, ok := strings.CutPrefix(strings.TrimSpace(params), "q=")
		if !ok {
			return true
		}
		q, err := strconv.ParseFloat(weight, 64)
		return err == nil && q > 0
	}
	return false
}
