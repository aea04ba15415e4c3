// Package corpus is the text that the tiny base is pretrained on: three embedded
// sources (see README.md for their licences) and a seeded generator of stories,
// questions and recall tasks.
//
// Invariants: document i of a source, and document i of a seed, are always the
// same; every fiftieth document of each source is held out of training. Aesop's
// fables are not in it and must not be: they are what the project's demonstration
// teaches a fine-tuned adapter.
//
// It does not tokenize and does not download.
package corpus

import (
	"bufio"
	"bytes"
	"compress/gzip"
	_ "embed" // the sources
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
)

//go:embed gsm8k.jsonl.gz
var gsm8kGz []byte

//go:embed wordnet.tsv.gz
var wordnetGz []byte

//go:embed kjv.txt.gz
var kjvGz []byte

// Turn is one message of a chat document.
type Turn struct{ Role, Content string }

// Doc is one document: plain text, or a chat.
type Doc struct {
	Source string // "gsm8k", "wordnet", "kjv" or "generated"
	Text   string
	Chat   []Turn
}

// Chars is the length of a document's text in bytes.
func (d *Doc) Chars() int {
	n := len(d.Text)
	for _, t := range d.Chat {
		n += len(t.Content)
	}
	return n
}

// heldOutEvery says which documents are held out.
const heldOutEvery = 50

// Corpus holds the embedded sources.
type Corpus struct {
	Train, HeldOut []Doc
}

// Load unpacks the embedded sources.
func Load() (*Corpus, error) {
	c := &Corpus{}
	for _, s := range []struct {
		name string
		gz   []byte
		docs func(lines []string) ([]Doc, error)
	}{
		{"gsm8k", gsm8kGz, gsm8kDocs}, {"wordnet", wordnetGz, wordnetDocs}, {"kjv", kjvGz, kjvDocs},
	} {
		lines, err := unpack(s.gz)
		if err != nil {
			return nil, fmt.Errorf("corpus %s: %w", s.name, err)
		}
		docs, err := s.docs(lines)
		if err != nil {
			return nil, fmt.Errorf("corpus %s: %w", s.name, err)
		}
		for i, d := range docs {
			d.Source = s.name
			if i%heldOutEvery == heldOutEvery-1 {
				c.HeldOut = append(c.HeldOut, d)
			} else {
				c.Train = append(c.Train, d)
			}
		}
	}
	return c, nil
}

func unpack(gz []byte) (lines []string, err error) {
	z, err := gzip.NewReader(bytes.NewReader(gz))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, z.Close()) }()
	s := bufio.NewScanner(io.LimitReader(z, 64<<20))
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		lines = append(lines, s.Text())
	}
	return lines, s.Err()
}

func gsm8kDocs(lines []string) ([]Doc, error) {
	out := make([]Doc, 0, len(lines))
	for i, l := range lines {
		var r struct{ Q, A string }
		if err := json.Unmarshal([]byte(l), &r); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		out = append(out, Doc{Chat: []Turn{{"user", r.Q}, {"assistant", r.A}}})
	}
	return out, nil
}

// wordnetDocs asks for one to three definitions in a chat.
func wordnetDocs(lines []string) ([]Doc, error) {
	r := rand.New(rand.NewPCG(1, 1))
	order := r.Perm(len(lines))
	var out []Doc
	for len(order) > 0 {
		n := min(1+r.IntN(3), len(order))
		var d Doc
		for _, i := range order[:n] {
			f := strings.Split(lines[i], "\t")
			if len(f) != 3 {
				return nil, fmt.Errorf("line %d: has %d fields, want 3", i+1, len(f))
			}
			q := fmt.Sprintf([]string{
				"What is the meaning of the word \"%s\"?", "What does \"%s\" mean?", "Define \"%s\".",
				"What is the definition of \"%s\"?",
			}[r.IntN(4)], f[0])
			d.Chat = append(d.Chat, Turn{"user", q}, Turn{"assistant", sentence(f[2])})
		}
		order = order[n:]
		out = append(out, d)
	}
	return out, nil
}

// kjvDocs cuts chapters at sentence ends into pieces of different lengths, so that
// all positions are trained.
func kjvDocs(lines []string) ([]Doc, error) {
	r := rand.New(rand.NewPCG(2, 2))
	var out []Doc
	for _, l := range lines {
		for len(l) > 0 {
			n := []int{600, 1200, 2400, 3400}[r.IntN(4)]
			if n < len(l) {
				if at := strings.LastIndex(l[:n], ". "); at > n/2 {
					n = at + 1
				} else if at := strings.LastIndexByte(l[:n], ' '); at > 0 {
					n = at
				}
			}
			n = min(n, len(l))
			out = append(out, Doc{Text: strings.TrimSpace(l[:n])})
			l = strings.TrimSpace(l[n:])
		}
	}
	return out, nil
}

// sentence begins with a capital and ends with a full stop.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return s
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	if !strings.ContainsRune(".!?", rune(s[len(s)-1])) {
		s += "."
	}
	return s
}
