package corpus

import (
	"reflect"
	"strings"
	"testing"
)

func TestSourcesLoadAndSplit(t *testing.T) {
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	train, held := map[string]int{}, map[string]int{}
	seen := map[string]bool{}
	key := func(d Doc) string {
		s := d.Text
		for _, u := range d.Chat {
			s += "\x00" + u.Role + "\x00" + u.Content
		}
		return s
	}
	for _, d := range c.Train {
		train[d.Source]++
		seen[key(d)] = true
		if d.Chars() == 0 {
			t.Fatalf("empty document in %s", d.Source)
		}
	}
	for _, d := range c.HeldOut {
		held[d.Source]++
		if seen[key(d)] {
			t.Errorf("a held-out document of %s is trained on: %.80q", d.Source, key(d))
		}
	}
	for _, s := range []string{"gsm8k", "wordnet", "kjv"} {
		if train[s] == 0 || held[s] == 0 || train[s]/held[s] < 40 || train[s]/held[s] > 60 {
			t.Errorf("%s: %d documents to train on, %d held out", s, train[s], held[s])
		}
	}
	t.Log(train, held)
}

func TestGenerateDependsOnSeedAndIndexOnly(t *testing.T) {
	different := 0
	for i := range uint64(2000) {
		a, b := Generate(7, i), Generate(7, i)
		if !reflect.DeepEqual(a, b) {
			t.Fatalf("document %d differs from itself", i)
		}
		if !reflect.DeepEqual(a, Generate(8, i)) {
			different++
		}
		if a.Chars() == 0 {
			t.Fatalf("document %d is empty", i)
		}
		for k, turn := range a.Chat {
			if strings.Contains(turn.Content, "%!") || strings.TrimSpace(turn.Content) != turn.Content {
				t.Fatalf("document %d turn %d is malformed: %q", i, k, turn.Content)
			}
		}
		if strings.Contains(a.Text, "%!") {
			t.Fatalf("document %d is malformed: %q", i, a.Text)
		}
	}
	if different < 1900 {
		t.Errorf("only %d of 2000 documents depend on the seed", different)
	}
}
