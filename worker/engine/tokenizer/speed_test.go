package tokenizer

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// BenchmarkEncode encodes a book line by line; testdata/tokenizers/speed.py is the
// same with Hugging Face tokenizers.
func BenchmarkEncode(b *testing.B) {
	f, err := os.Open("../base/corpus/kjv.txt.gz")
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		b.Fatal(err)
	}
	text, err := io.ReadAll(io.LimitReader(z, 4_000_000))
	if err != nil {
		b.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	for _, path := range []string{"../base/tokenizer.json", filepath.Join(golden, "llama3.json"), filepath.Join(golden, "sentencepiece.json")} {
		b.Run(strings.TrimSuffix(filepath.Base(path), ".json"), func(b *testing.B) {
			tk := load(b, path)
			b.SetBytes(int64(len(text)))
			tokens := 0
			for b.Loop() {
				tokens = 0
				for _, l := range lines {
					tokens += len(tk.Encode(l))
				}
			}
			b.ReportMetric(float64(tokens), "tokens")
		})
	}
}
