package tokenizer

import (
	"bytes"
	"container/heap"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
)

// TrainConfig says what tokenizer to make.
type TrainConfig struct {
	VocabSize int      // special tokens, 256 bytes and merges together
	Special   []string // get the ids 0, 1, ...; default SpecialTokens()
	Pattern   string   // default PatternQwen2: single digits, words with the space before
	BOS       string   // put before every text by the post-processor; empty for none
}

// EnsureDefaults fills unset fields.
func (c *TrainConfig) EnsureDefaults() {
	if c.Pattern == "" {
		c.Pattern = PatternQwen2
	}
	if c.Special == nil {
		c.Special = SpecialTokens()
		if c.BOS == "" {
			c.BOS = TokenBOS
		}
	}
}

// Validate reports the first bad field.
func (c *TrainConfig) Validate() error {
	if least := 256 + len(c.Special); c.VocabSize < least || c.VocabSize > maxVocab {
		return fmt.Errorf("tokenizer: vocabulary size %d must lie between %d and %d", c.VocabSize, least, maxVocab)
	}
	if _, err := compile(c.Pattern); err != nil {
		return fmt.Errorf("tokenizer: %w", err)
	}
	seen := map[string]bool{}
	for _, s := range c.Special {
		if s == "" || seen[s] {
			return fmt.Errorf("tokenizer: special token %q is empty or given twice", s)
		}
		seen[s] = true
	}
	if c.BOS != "" && !seen[c.BOS] {
		return fmt.Errorf("tokenizer: beginning-of-text token %q is not a special token", c.BOS)
	}
	return nil
}

// Trainer counts words and learns merges from them.
type Trainer struct {
	cfg   TrainConfig
	split splitter
	words map[string]int
}

// NewTrainer checks the configuration.
func NewTrainer(cfg TrainConfig) (*Trainer, error) {
	cfg.EnsureDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	re, err := compile(cfg.Pattern)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	return &Trainer{cfg: cfg, split: regexSplitter(re, splitIsolated, false), words: map[string]int{}}, nil
}

// Add counts the words of a text.
func (t *Trainer) Add(text string) {
	t.split(text, func(w string) { t.words[w]++ })
}

// trainWord is one distinct word with its symbols.
type trainWord struct {
	ids   []uint32
	count int
}

// pairCount is a queue entry; stale entries are recognised by their count.
type pairCount struct {
	p     pair
	count int
}

type pairQueue []pairCount

func (q pairQueue) Len() int { return len(q) }
func (q pairQueue) Less(i, j int) bool {
	a, b := q[i], q[j]
	switch {
	case a.count != b.count:
		return a.count > b.count
	case a.p.a != b.p.a:
		return a.p.a < b.p.a
	default:
		return a.p.b < b.p.b
	}
}
func (q pairQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *pairQueue) Push(x any)   { *q = append(*q, x.(pairCount)) }
func (q *pairQueue) Pop() any {
	old := *q
	x := old[len(old)-1]
	*q = old[:len(old)-1]
	return x
}

// learner is the state of one training.
type learner struct {
	spelling []string
	words    []trainWord
	counts   map[pair]int
	where    map[pair][]int // words that may hold the pair
	queue    pairQueue
}

// Train learns the merges and returns a tokenizer.json. Ties go to the pair with
// the lowest ids: the result depends on the added texts only, not on their order.
func (t *Trainer) Train() ([]byte, error) {
	if len(t.words) == 0 {
		return nil, errors.New("tokenizer: no text to train on")
	}
	l := &learner{counts: map[pair]int{}, where: map[pair][]int{}}
	l.spelling = append(l.spelling, t.cfg.Special...)
	first := uint32(len(l.spelling))
	for b := range 256 {
		l.spelling = append(l.spelling, string(byteToRune[b]))
	}
	texts := make([]string, 0, len(t.words))
	for w := range t.words {
		texts = append(texts, w)
	}
	sort.Strings(texts)
	for _, w := range texts {
		ids := make([]uint32, len(w))
		for i := range ids {
			ids[i] = first + uint32(w[i])
		}
		l.words = append(l.words, trainWord{ids: ids, count: t.words[w]})
	}
	merges := l.learn(t.cfg.VocabSize)
	return t.write(l.spelling, merges)
}

func (l *learner) learn(vocab int) (merges []pair) {
	for i, w := range l.words {
		for k := 0; k+1 < len(w.ids); k++ {
			p := pair{w.ids[k], w.ids[k+1]}
			l.counts[p] += w.count
			l.note(p, i)
		}
	}
	for p, n := range l.counts { // heap order is total: insertion order does not matter
		l.queue = append(l.queue, pairCount{p, n})
	}
	heap.Init(&l.queue)
	taken := make(map[string]bool, vocab)
	for _, s := range l.spelling {
		taken[s] = true
	}
	for len(l.spelling) < vocab && l.queue.Len() > 0 {
		top := heap.Pop(&l.queue).(pairCount)
		if top.count != l.counts[top.p] || top.count < 2 {
			continue
		}
		s := l.spelling[top.p.a] + l.spelling[top.p.b]
		if taken[s] { // two ways to the same spelling: keep the first
			delete(l.counts, top.p)
			continue
		}
		taken[s] = true
		id := uint32(len(l.spelling))
		l.spelling = append(l.spelling, s)
		merges = append(merges, top.p)
		l.apply(top.p, id)
	}
	return merges
}

func (l *learner) note(p pair, word int) {
	list := l.where[p]
	if n := len(list); n == 0 || list[n-1] != word {
		l.where[p] = append(list, word)
	}
}

// apply replaces a pair everywhere and updates the counts around it.
func (l *learner) apply(p pair, id uint32) {
	changed := map[pair]bool{}
	var order []pair
	touch := func(q pair, by, word int) {
		l.counts[q] += by
		if by > 0 {
			l.note(q, word)
		}
		if !changed[q] {
			changed[q] = true
			order = append(order, q)
		}
	}
	for _, i := range l.where[p] {
		w := &l.words[i]
		for k := 0; k+1 < len(w.ids); k++ {
			if w.ids[k] != p.a || w.ids[k+1] != p.b {
				continue
			}
			if k > 0 {
				touch(pair{w.ids[k-1], p.a}, -w.count, i)
				touch(pair{w.ids[k-1], id}, w.count, i)
			}
			if k+2 < len(w.ids) {
				touch(pair{p.b, w.ids[k+2]}, -w.count, i)
				touch(pair{id, w.ids[k+2]}, w.count, i)
			}
			w.ids[k] = id
			w.ids = append(w.ids[:k+1], w.ids[k+2:]...)
		}
	}
	delete(l.counts, p)
	delete(l.where, p)
	for _, q := range order {
		if n, ok := l.counts[q]; ok && n > 0 && q != p {
			heap.Push(&l.queue, pairCount{q, n})
		}
	}
}

// write makes the file. Everything is an ordered structure, so that the bytes are
// a function of the merges.
func (t *Trainer) write(spelling []string, merges []pair) ([]byte, error) {
	type added struct {
		ID         int    `json:"id"`
		Content    string `json:"content"`
		SingleWord bool   `json:"single_word"`
		LStrip     bool   `json:"lstrip"`
		RStrip     bool   `json:"rstrip"`
		Normalized bool   `json:"normalized"`
		Special    bool   `json:"special"`
	}
	var specials []added
	for i, s := range t.cfg.Special {
		specials = append(specials, added{ID: i, Content: s, Special: true})
	}
	byteLevel := map[string]any{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}
	head := map[string]any{
		"version": "1.0", "truncation": nil, "padding": nil, "added_tokens": specials, "normalizer": nil,
		"pre_tokenizer": map[string]any{"type": "Sequence", "pretokenizers": []any{
			map[string]any{"type": "Split", "pattern": map[string]string{"Regex": t.cfg.Pattern}, "behavior": "Isolated", "invert": false},
			byteLevel,
		}},
		"post_processor": t.postProcessor(),
		"decoder":        byteLevel,
	}
	var b bytes.Buffer
	b.WriteString("{\n")
	for _, k := range []string{"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder"} {
		fmt.Fprintf(&b, "%q: ", k)
		if err := writeJSON(&b, head[k]); err != nil {
			return nil, err
		}
		b.WriteString(",\n")
	}
	b.WriteString(`"model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null, ` +
		`"end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,` + "\n\"vocab\": {")
	for i, s := range spelling {
		if i > 0 {
			b.WriteString(", ")
		}
		if err := writeJSON(&b, s); err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, ": %d", i)
	}
	b.WriteString("},\n\"merges\": [")
	for i, m := range merges {
		if i > 0 {
			b.WriteString(", ")
		}
		if err := writeJSON(&b, spelling[m.a]+" "+spelling[m.b]); err != nil {
			return nil, err
		}
	}
	b.WriteString("]}\n}\n")
	return b.Bytes(), nil
}

func (t *Trainer) postProcessor() any {
	if t.cfg.BOS == "" {
		return nil
	}
	id := 0
	for i, s := range t.cfg.Special {
		if s == t.cfg.BOS {
			id = i
		}
	}
	special := map[string]any{"SpecialToken": map[string]any{"id": t.cfg.BOS, "type_id": 0}}
	seq := func(name string) any { return map[string]any{"Sequence": map[string]any{"id": name, "type_id": 0}} }
	return map[string]any{
		"type": "TemplateProcessing", "single": []any{special, seq("A")}, "pair": []any{special, seq("A"), seq("B")},
		"special_tokens": map[string]any{t.cfg.BOS: map[string]any{"id": t.cfg.BOS, "ids": []int{id}, "tokens": []string{t.cfg.BOS}}},
	}
}

func writeJSON(b *bytes.Buffer, v any) error {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("tokenizer: %w", err)
	}
	b.Truncate(b.Len() - 1) // the newline
	return nil
}
