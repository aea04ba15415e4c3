package engine

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/openledger/openledger/worker/engine/grammar"
	"github.com/openledger/openledger/worker/engine/kvcache"
	"github.com/openledger/openledger/worker/engine/sample"
	"github.com/openledger/openledger/worker/engine/tokenizer"
)

// job is one request on its way through the engine. The loop owns all of it but
// the outbox and the cancelled flag, which it shares with Generate.
type job struct {
	req     Request
	seq     kvcache.Seq
	adapter *resident // held; nil before it is there, and for the bare base
	loads   *loading  // waited for
	missed  bool      // counted as not resident
	limit   int       // output tokens at most
	tenant  *tenant

	overtaken int                    // others admitted while it was first in line but did not fit
	why       atomic.Pointer[string] // it waits

	input   []uint32 // prompt, resumed and generated tokens
	prompt  int      // how many of them are the prompt
	done    int      // how many are in the KV cache
	chunk   int      // how many go into the current step
	text    textStream
	sampler *sample.Sampler
	match   *grammar.Matcher // nil: plain text
	pool    *pool            // of an embedding, which has no output; nil: a completion
	ended   bool

	cancelled atomic.Bool // set by Generate

	queued, admitted, first, last time.Time

	out outbox
}

func (j *job) output() []uint32 { return j.input[j.prompt:] }

// outbox hands tokens from the loop to Generate without ever blocking the loop.
// It holds at most MaxTokens tokens.
type outbox struct {
	mu     sync.Mutex
	tokens []Token
	ended  bool
	result Result
	err    error
	wake   chan struct{} // capacity 1
}

func (o *outbox) push(t Token) {
	o.mu.Lock()
	o.tokens = append(o.tokens, t)
	o.mu.Unlock()
	o.signal()
}

func (o *outbox) end(r Result, err error) {
	o.mu.Lock()
	if !o.ended {
		o.ended, o.result, o.err = true, r, err
	}
	o.mu.Unlock()
	o.signal()
}

func (o *outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// take moves what has arrived into buf.
func (o *outbox) take(buf []Token) (tokens []Token, ended bool, r Result, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	tokens = append(buf[:0], o.tokens...)
	o.tokens = o.tokens[:0]
	return tokens, o.ended, o.result, o.err
}

// textStream turns tokens into text and looks for stop strings across tokens.
type textStream struct {
	stream *tokenizer.Stream
	stops  []string
	held   string // decoded, but it may be the beginning of a stop string
	text   strings.Builder
}

// push takes a token and returns the text that is certain now, and whether a
// stop string was completed.
func (s *textStream) push(id uint32) (text string, stopped bool) {
	return s.add(s.stream.Push(id))
}

// flush returns what is held back when the output ends.
func (s *textStream) flush() (text string, stopped bool) {
	text, stopped = s.add(s.stream.Flush())
	if !stopped {
		text += s.held
		s.text.WriteString(s.held)
		s.held = ""
	}
	return text, stopped
}

func (s *textStream) add(more string) (text string, stopped bool) {
	s.held += more
	cut := -1
	for _, stop := range s.stops {
		if i := strings.Index(s.held, stop); i >= 0 && (cut < 0 || i < cut) {
			cut = i
		}
	}
	if cut >= 0 {
		text, s.held = s.held[:cut], ""
		s.text.WriteString(text)
		return text, true
	}
	keep := 0
	for _, stop := range s.stops {
		for n := min(len(stop)-1, len(s.held)); n > keep; n-- {
			if strings.HasSuffix(s.held, stop[:n]) {
				keep = n
				break
			}
		}
	}
	text, s.held = s.held[:len(s.held)-keep], s.held[len(s.held)-keep:]
	s.text.WriteString(text)
	return text, false
}

// result is what the job has come to.
func (j *job) result(reason string) Result {
	return Result{Tokens: slices.Clone(j.output()), Text: j.text.text.String(), FinishReason: reason, PromptTokens: j.prompt}
}
