package llama

import (
	"fmt"
	"math"

	"github.com/openledger/openledger/worker/engine/tensor"
)

func sqrt(x float64) float64 { return math.Sqrt(x) }

// KV is the memory of a paged key-value cache. Which page belongs to whom is the caller's affair.
type KV struct {
	backend tensor.Backend
	pages   int
	size    int // positions in a page
	layers  []tensor.KVLayer
	width   int // values of one page in one buffer
	tmp     []float32
}

// NewKV allocates a cache of pages, each of pageTokens positions in all layers; 0 means tensor.DefaultPageTokens.
func (m *Model) NewKV(pages, pageTokens int) (*KV, error) {
	c := m.cfg
	if pageTokens == 0 {
		pageTokens = tensor.DefaultPageTokens
	}
	if err := tensor.CheckPageTokens(pageTokens); err != nil {
		return nil, fmt.Errorf("key-value cache: %w", err)
	}
	page := c.KVBytesPerToken() * int64(pageTokens)
	if pages < 1 || int64(pages) > (1<<40)/page {
		return nil, fmt.Errorf("key-value cache of %d pages of %d bytes: ask for between 1 page and 1 TiB", pages, page)
	}
	kv := &KV{backend: m.backend, pages: pages, size: pageTokens, width: c.KVHeads * c.HeadDim * pageTokens}
	for i := range c.Layers {
		k, err := m.backend.Alloc(pages * kv.width)
		if err != nil {
			return nil, fmt.Errorf("key-value cache: %w", err)
		}
		v, err := m.backend.Alloc(pages * kv.width)
		if err != nil {
			return nil, fmt.Errorf("key-value cache: %w", err)
		}
		kv.layers = append(kv.layers, tensor.KVLayer{K: k, V: v, Pages: pages, PageTokens: pageTokens, Heads: c.KVHeads, HeadDim: c.HeadDim, Window: c.Window(i)})
	}
	return kv, nil
}

// Pages is the number of pages.
func (kv *KV) Pages() int { return kv.pages }

// PageTokens is the number of positions in a page.
func (kv *KV) PageTokens() int { return kv.size }

// CopyPage copies a page, for a sequence that goes on from a shared partial page.
func (kv *KV) CopyPage(dst, src int32) {
	if kv.tmp == nil {
		kv.tmp = make([]float32, kv.width)
	}
	for _, l := range kv.layers {
		for _, b := range []tensor.Buffer{l.K, l.V} {
			kv.backend.Download(kv.tmp, b, int(src)*kv.width)
			kv.backend.Upload(b, int(dst)*kv.width, kv.tmp)
		}
	}
}

// Free gives the memory back.
func (kv *KV) Free() {
	for _, l := range kv.layers {
		kv.backend.Free(l.K)
		kv.backend.Free(l.V)
	}
	kv.layers = nil
}
