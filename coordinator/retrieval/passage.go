package retrieval

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Passage is a part of a text of at most limit bytes: all of it if it fits, else the
// stretch that holds most of the question's words, from the beginning of a word on.
func Passage(text, question string, limit int) string {
	text = strings.TrimSpace(text)
	if len(text) <= limit {
		return text
	}
	asked := map[string]bool{}
	for _, w := range Words(question) {
		asked[w] = true
	}
	type word struct {
		at   int
		hits int
	}
	var words []word
	for _, s := range spansOf(text) {
		w := word{at: s.start}
		for _, part := range Words(text[s.start:s.end]) {
			if asked[part] {
				w.hits++
			}
		}
		words = append(words, w)
	}
	best, most, hits, end := 0, -1, 0, 0
	for i := range words {
		for end < len(words) && words[end].at-words[i].at <= limit {
			hits += words[end].hits
			end++
		}
		if hits > most {
			best, most = words[i].at, hits
		}
		hits -= words[i].hits
	}
	out := text[best:min(len(text), best+limit)]
	for len(out) > 0 && !utf8.ValidString(out) { // half a letter at the end
		out = out[:len(out)-1]
	}
	if best+len(out) < len(text) { // and half a word, unless it is all there is
		if i := strings.LastIndexFunc(out, unicode.IsSpace); i > len(out)/2 {
			out = out[:i]
		}
	}
	return strings.TrimSpace(out)
}

type span struct{ start, end int }

// spansOf are the places of a text's words, by bytes.
func spansOf(text string) (out []span) {
	start := -1
	for i, r := range text {
		if unicode.IsSpace(r) {
			if start >= 0 {
				out = append(out, span{start, i})
			}
			start = -1
		} else if start < 0 {
			start = i
		}
	}
	if start >= 0 {
		out = append(out, span{start, len(text)})
	}
	return out
}

// Range is a stretch of a text, in characters (code points); End is behind its last.
type Range struct {
	Start int `json:"start"`
	End   int `json:"end"`
}

// minRepeat is how many words an answer must repeat in a row to count as a quotation.
const minRepeat = 4

// Repeats are the stretches of at least four words that an answer repeats from a text,
// punctuation and case aside: the longest from each place on, without overlaps.
func Repeats(answer, text string) []Range {
	said, source := wordsAt(answer), wordsAt(text)
	places := map[string][]int{}
	for i, w := range source {
		places[w.text] = append(places[w.text], i)
	}
	var out []Range
	for i := 0; i < len(said); {
		longest := 0
		for _, p := range places[said[i].text] {
			n := 0
			for i+n < len(said) && p+n < len(source) && said[i+n].text == source[p+n].text {
				n++
			}
			longest = max(longest, n)
		}
		if longest < minRepeat {
			i++
			continue
		}
		out = append(out, Range{said[i].start, said[i+longest-1].end})
		i += longest
	}
	return out
}

type placed struct {
	text       string
	start, end int
}

// wordsAt are the words of a text in lower case, with their places in characters.
func wordsAt(text string) (out []placed) {
	start, n := -1, 0
	var word strings.Builder
	flush := func() {
		if start >= 0 {
			out = append(out, placed{word.String(), start, n})
			start = -1
			word.Reset()
		}
	}
	for _, r := range text {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.Mn, r) {
			if start < 0 {
				start = n
			}
			word.WriteRune(unicode.ToLower(r))
		} else {
			flush()
		}
		n++
	}
	flush()
	return out
}
