package retrieval

import (
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func docs(texts ...string) []Document {
	out := make([]Document, len(texts))
	for i, t := range texts {
		out[i].Text = t
	}
	return out
}

// The order is that of BM25's formula, worked out document by document.
func TestBM25_AgainstTheFormula(t *testing.T) {
	texts := []string{
		"The fox and the crow", "A fox, a Fox, a FOX!", "the hen", "crow crow crow and a very long tail of words that dilutes it all",
		"", "Der Fuchs und die Krähe", "fox", "nothing here", "the the the the",
	}
	ix := New(docs(texts...))
	question := "crow fox the fox"
	total := 0
	for _, x := range texts {
		total += len(Words(x))
	}
	score := func(text string) (s float64) {
		words := Words(text)
		for _, q := range []string{"crow", "fox", "the"} {
			tf, df := 0.0, 0.0
			for _, w := range words {
				if w == q {
					tf++
				}
			}
			for _, x := range texts {
				if strings.Contains(" "+strings.Join(Words(x), " ")+" ", " "+q+" ") {
					df++
				}
			}
			idf := math.Log(1 + (float64(len(texts))-df+0.5)/(df+0.5))
			s += idf * tf * 2.2 / (tf + 1.2*(0.25+0.75*float64(len(words))/(float64(total)/float64(len(texts)))))
		}
		return s
	}
	got := ix.BM25(question, 100)
	require.Len(t, got, 6, "only what shares a word")
	for i := 1; i < len(got); i++ {
		x, y := score(texts[got[i-1]]), score(texts[got[i]])
		require.True(t, x > y || x == y && got[i-1] < got[i], "%d before %d: %v, %v", got[i-1], got[i], x, y)
	}
	require.Equal(t, got[:2], ix.BM25(question, 2))
	require.Equal(t, []int{5}, ix.BM25("KRÄHE?", 3))
	require.Empty(t, ix.BM25("?!", 3))
	require.Empty(t, New(nil).BM25("fox", 3))
}

func TestNearestAndFuse(t *testing.T) {
	vectors := [][]float32{{1, 0}, nil, {0.6, 0.8}, {0, 1}, {0.6, 0.8}}
	require.Equal(t, []int{2, 4, 3, 0}, Nearest([]float32{0.5, 0.9}, vectors, 9), "ties to the earlier; what has no vector is passed over")
	require.Equal(t, []int{2, 4}, Nearest([]float32{0.5, 0.9}, vectors, 2))
	both := Fuse(9, []int{1, 7, 2}, []int{7, 9})
	require.InDelta(t, 1./62+1./61, both[0].Score, 1e-12)
	both[0].Score = 0
	require.Equal(t, []Ranked{{Doc: 7}, {1, 1. / 61}, {9, 1. / 62}, {2, 1. / 63}}, both, "what both have comes before what one has first")
	require.Equal(t, []Ranked{{1, 1. / 61}, {7, 1. / 62}}, Fuse(2, []int{1, 7, 2}))
	require.Empty(t, Fuse(3))
}

func TestPassage_KeepsWhatWasAskedFor(t *testing.T) {
	long := strings.Repeat("filler words of no use. ", 40) + "The capital of Marrowland is Quince, by the river. " + strings.Repeat("more of the same. ", 40)
	got := Passage(long, "What is the capital of Marrowland?", 80)
	require.LessOrEqual(t, len(got), 80)
	require.Contains(t, got, "capital of Marrowland is Quince")
	require.Contains(t, long, got, "a passage is a part of its text, as it stands")
	require.Equal(t, "short", Passage("  short ", "x", 80))
	for limit := range 40 {
		got := Passage("äöü "+strings.Repeat("ß", 50)+" 你好世界你好世界", "世界", limit)
		require.True(t, utf8.ValidString(got))
		require.LessOrEqual(t, len(got), limit)
	}
}

func TestRepeats_AreWhereTheAnswerQuotes(t *testing.T) {
	answer := "Né: as told, the GREEN heron – of Marrowland – sings. The green heron of Prussia sings at night."
	source := "the green heron of Marrowland sings at night, at night only."
	var said []string
	letters := []rune(answer)
	for _, r := range Repeats(answer, source) {
		said = append(said, string(letters[r.Start:r.End]))
	}
	require.Equal(t, []string{"the GREEN heron – of Marrowland – sings", "The green heron of"}, said)
	require.Empty(t, Repeats("nothing in common at all", source))
	require.Empty(t, Repeats("", source))
}
