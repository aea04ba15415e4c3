package api

import (
	"context"
	"math/bits"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/openledger/openledger/protocol"
)

// Caller is who sends a request.
type Caller struct {
	Account protocol.Account // pays
	Key     protocol.Hash    // ID of the API key or of the payment; zero where none is needed
	KeyLimits
	Paid bool // for this one request: Key and the budget are those of a payment
	tab  *tab // of a request without a key
}

// allows says whether the caller's key has a scope.
func (c *Caller) allows(s Scope) error {
	if s == ScopeAny || len(c.Scopes) == 0 || slices.Contains(c.Scopes, s) {
		return nil
	}
	return &statusError{err: protocol.Errorf(protocol.KindUnauthorized, "api_key", "this key has not the scope %q: create one that has it with 'openledger coordinator key create --scope %s'", s, s),
		status: http.StatusForbidden, kind: "permission_error", code: "insufficient_scope"}
}

// mayAsk says whether the caller's key is for a model.
func (c *Caller) mayAsk(model string) error {
	name, _, _ := strings.Cut(model, "@")
	if len(c.Models) == 0 || slices.Contains(c.Models, model) || slices.Contains(c.Models, name) {
		return nil
	}
	return &statusError{err: protocol.Errorf(protocol.KindUnauthorized, "model", "this key is not for %q, it is for %s", model, strings.Join(c.Models, ", ")),
		status: http.StatusForbidden, kind: "permission_error", code: "model_not_allowed"}
}

// statusError is an error whose status its kind does not tell.
type statusError struct {
	err        error
	status     int
	kind, code string
	after      time.Duration // when it is worth asking again
}

func (r *statusError) Error() string { return r.err.Error() }

// Unwrap gives the error of the vocabulary.
func (r *statusError) Unwrap() error { return r.err }

// bucket is a leaky bucket (the generic cell rate algorithm of ITU-T I.371): it holds as
// much as flows out in a minute. at is when it will be empty.
type bucket struct{ at time.Time }

// take puts n into the bucket. When they do not fit it stays as it is, and wait is how
// long until they would.
func (b *bucket) take(now time.Time, perMinute, n int) (wait time.Duration) {
	if b.at.Before(now) {
		b.at = now
	}
	next := b.at.Add(cost(perMinute, n))
	if over := next.Sub(now) - time.Minute; over > 0 {
		return over
	}
	b.at = next
	return 0
}

// give takes n out again.
func (b *bucket) give(perMinute, n int) { b.at = b.at.Add(-cost(perMinute, n)) }

// left is how many fit, and reset when the bucket will be empty.
func (b *bucket) left(now time.Time, perMinute int) (n int, reset time.Duration) {
	reset = max(b.at.Sub(now), 0)
	return int(muldiv(uint64(max(time.Minute-reset, 0)), uint64(perMinute), uint64(time.Minute))), reset
}

// cost is how long n take to flow out, rounded down so that a full minute's worth fits.
func cost(perMinute, n int) time.Duration {
	return time.Duration(muldiv(uint64(time.Minute), uint64(n), uint64(perMinute)))
}

// muldiv is a*b/c, which fits.
func muldiv(a, b, c uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	q, _ := bits.Div64(hi%c, lo, c)
	return q
}

// limits holds the buckets of the API keys. They are kept in memory only: a restarted
// coordinator begins with empty ones.
type limits struct {
	now  func() time.Time
	mu   sync.Mutex
	keys map[protocol.Hash]*buckets
}

type buckets struct{ requests, tokens bucket }

// maxBuckets is how many are kept before those that are empty are dropped.
const maxBuckets = 10_000

// of gives the buckets of a key; l.mu is held.
func (l *limits) of(key protocol.Hash) *buckets {
	b := l.keys[key]
	if b == nil {
		if len(l.keys) >= maxBuckets {
			now := l.now()
			for k, b := range l.keys {
				if !b.requests.at.After(now) && !b.tokens.at.After(now) {
					delete(l.keys, k)
				}
			}
		}
		b = &buckets{}
		l.keys[key] = b
	}
	return b
}

// request counts one request and says in the headers how many are left.
func (l *limits) request(h http.Header, by *Caller) error {
	if by.RequestsPerMinute == 0 && by.TokensPerMinute == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now, b := l.now(), l.of(by.Key)
	var wait time.Duration
	if n := by.RequestsPerMinute; n > 0 {
		wait = b.requests.take(now, n, 1)
		left, reset := b.requests.left(now, n)
		tell(h, "requests", n, left, reset)
	}
	if n := by.TokensPerMinute; n > 0 {
		left, reset := b.tokens.left(now, n)
		tell(h, "tokens", n, left, reset)
	}
	if wait > 0 {
		return tooMany("requests", by.RequestsPerMinute, wait)
	}
	return nil
}

func tell(h http.Header, what string, limit, left int, reset time.Duration) {
	h.Set("X-Ratelimit-Limit-"+what, strconv.Itoa(limit))
	h.Set("X-Ratelimit-Remaining-"+what, strconv.Itoa(max(left, 0)))
	h.Set("X-Ratelimit-Reset-"+what, reset.Round(time.Millisecond).String())
}

func tooMany(what string, limit int, wait time.Duration) error {
	return &statusError{err: protocol.Errorf(protocol.KindBusy, "api_key", "this key may have %d %s a minute: try again in %s", limit, what, wait.Round(time.Millisecond)),
		status: http.StatusTooManyRequests, kind: "rate_limit_error", code: "rate_limit_exceeded", after: wait}
}

// tokens reserves what a request may take at most, and gives what to call with what it
// took. One that may take more than a minute's worth is let through alone.
func (l *limits) tokens(by *Caller, most int) (settle func(took int), err error) {
	limit := by.TokensPerMinute
	if limit == 0 {
		return func(int) {}, nil
	}
	most = min(most, limit)
	l.mu.Lock()
	defer l.mu.Unlock()
	if wait := l.of(by.Key).tokens.take(l.now(), limit, most); wait > 0 {
		return nil, tooMany("tokens", limit, wait)
	}
	return func(took int) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if b := l.of(by.Key); took < most {
			b.tokens.give(limit, most-took)
		} else { // more than it was let through with: later requests wait for it
			b.tokens.at = b.tokens.at.Add(cost(limit, took-most))
		}
	}, nil
}

// limited holds inference to what the caller's key allows.
type limited struct {
	Inference
	limits *limits
}

// Infer refuses a model that the key is not for, and waits for nobody: a request that
// would exceed the key's tokens per minute is statusError with when to ask again.
func (l limited) Infer(ctx context.Context, by Caller, r Request, onText func(Delta) error) (Answer, error) {
	if err := by.mayAsk(r.Model); err != nil {
		return Answer{}, err
	}
	most := r.Sampling.MaxTokens + len(r.Prompt)
	for _, m := range r.Messages {
		most += len(m.Content) + len(m.Fields)
	}
	settle, err := l.limits.tokens(&by, most)
	if err != nil {
		return Answer{}, err
	}
	a, err := l.Inference.Infer(ctx, by, r, onText)
	settle(int(a.Receipt.Receipt.PromptTokens) + int(a.Receipt.Receipt.OutputTokens))
	return a, err
}
