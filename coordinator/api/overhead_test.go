package api

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// overheadStreams is how many answers are under way at once.
const overheadStreams = 200

// paced answers with so many tokens, each the time (Unix ns) at which it was made. Nothing
// else takes time, so that what a client sees later than that is the API's.
func paced(tokens int, every time.Duration) func(context.Context, Request, func(Delta) error) (Answer, error) {
	return func(ctx context.Context, r Request, onText func(Delta) error) (Answer, error) {
		tick := time.NewTicker(max(every, 1))
		defer tick.Stop()
		for range tokens {
			if every > 0 {
				select {
				case <-tick.C:
				case <-ctx.Done():
					return Answer{}, ctx.Err()
				}
			}
			if err := onText(Delta{Text: strconv.FormatInt(time.Now().UnixNano(), 10) + " "}); err != nil {
				return Answer{}, err
			}
		}
		a := answerTo(r, "")
		a.FinishReason = "length"
		return a, nil
	}
}

// readStream takes one stream to its end and gives how late each token came. It fails when the
// stream does not end as it should.
func readStream(ctx context.Context, client *http.Client, url string) (late []time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/chat/completions",
		strings.NewReader(`{"model":"tiny","stream":true,"messages":[{"role":"user","content":"Hi"}]}`))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+testKey)
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		now := time.Now().UnixNano()
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		if data == "[DONE]" {
			return late, nil
		}
		var chunk struct {
			Choices []struct {
				Delta struct {
					Content string `json:"content"`
				} `json:"delta"`
			} `json:"choices"`
		}
		if err := json.Unmarshal([]byte(data), &chunk); err != nil {
			return late, err
		}
		for _, c := range chunk.Choices {
			for made := range strings.FieldsSeq(c.Delta.Content) {
				at, err := strconv.ParseInt(made, 10, 64)
				if err != nil {
					return late, err
				}
				late = append(late, time.Duration(now-at))
			}
		}
	}
	if err := lines.Err(); err != nil {
		return late, err
	}
	return late, io.ErrUnexpectedEOF
}

// readAll takes many streams at once and gives the lateness of all of their tokens, sorted.
func readAll(t testing.TB, url string, streams, tokens int) []time.Duration {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: streams}}
	defer client.CloseIdleConnections()
	var wg sync.WaitGroup
	each, failed := make([][]time.Duration, streams), make([]error, streams)
	for i := range streams {
		wg.Go(func() { each[i], failed[i] = readStream(t.Context(), client, url) })
	}
	wg.Wait()
	for i := range streams {
		require.NoError(t, failed[i])
		require.Len(t, each[i], tokens, "stream %d has all of its tokens", i)
	}
	all := slices.Concat(each...)
	slices.Sort(all)
	return all
}

// 200 answers at once lose no token.
func TestNoTokenIsLostInManyStreams(t *testing.T) {
	const tokens = 20
	url := serveBare(t, &service{infer: paced(tokens, 0)})
	require.Len(t, readAll(t, url, overheadStreams, tokens), overheadStreams*tokens)
}

// What the API adds to the time that the engine takes for a token, from the moment that
// it is made to the moment that a client on this machine has read it: the median and the
// 99th percentile, of one stream and of 200 at once, ten tokens a second each.
func BenchmarkAPIOverhead(b *testing.B) {
	for _, streams := range []int{1, overheadStreams} {
		b.Run(strconv.Itoa(streams), func(b *testing.B) {
			const tokens, every = 20, 100 * time.Millisecond
			url := serveBare(b, &service{infer: paced(tokens, every)})
			var all []time.Duration
			for b.Loop() {
				all = append(all, readAll(b, url, streams, tokens)...)
			}
			slices.Sort(all)
			ms := func(share float64) float64 { return all[int(share*float64(len(all)-1))].Seconds() * 1e3 }
			b.ReportMetric(ms(0.5), "ms-p50/token")
			b.ReportMetric(ms(0.99), "ms-p99/token")
			b.ReportMetric(0, "ns/op")
		})
	}
}
