package node_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openai/openai-go"
	"github.com/openai/openai-go/option"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/p2p"
	"github.com/openledger/openledger/protocol/wire"
)

// pacer is a staked worker whose engine takes no time: each token's text is the time (Unix
// ns) at which it was made. What a client sees later than that is the network's.
type pacer struct {
	liar
	tokens int
	every  time.Duration
}

func (p *pacer) Infer(ctx context.Context, _ protocol.PeerID, job protocol.InferenceJob, out p2p.Output) (protocol.SignedReceipt, protocol.Evidence, error) {
	e := evidenceOf(job)
	if err := out.Accepted(len(e.Prompt)); err != nil {
		return protocol.SignedReceipt{}, e, err
	}
	tick := time.NewTicker(p.every)
	defer tick.Stop()
	for range p.tokens {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return protocol.SignedReceipt{}, e, context.Cause(ctx)
		}
		made := strconv.FormatInt(time.Now().UnixNano(), 10) + " "
		if err := out.Token(p2p.Token{Index: len(e.Output), IDs: []uint32{1}, Text: made}); err != nil {
			return protocol.SignedReceipt{}, e, err
		}
		e.Output, e.Text = append(e.Output, 1), e.Text+made
	}
	r, err := p.receipt(e)
	if err != nil {
		return protocol.SignedReceipt{}, e, err
	}
	s, err := wire.SignReceipt(p.domain, r, p.hot.ECDSA())
	return s, e, err
}

// lateness takes one stream to its end with OpenAI's client and gives how late each token came.
func lateness(ctx context.Context, key string, tokens int64) (late []time.Duration, err error) {
	client := openai.NewClient(option.WithBaseURL(net.coord.API.URL()+"/v1"), option.WithAPIKey(key), option.WithMaxRetries(0))
	stream := client.Chat.Completions.NewStreaming(ctx, openai.ChatCompletionNewParams{Model: node.BaseName, MaxTokens: openai.Int(tokens),
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("Hi")}})
	defer func() { err = errors.Join(err, stream.Close()) }()
	for stream.Next() {
		now := time.Now().UnixNano()
		for _, c := range stream.Current().Choices {
			for made := range strings.FieldsSeq(c.Delta.Content) {
				at, err := strconv.ParseInt(made, 10, 64)
				if err != nil {
					return late, err
				}
				late = append(late, time.Duration(now-at))
			}
		}
	}
	return late, stream.Err()
}

// What everything between the engine and a client adds to a token: the worker's stream over
// libp2p, the coordinator with its journal, and the HTTP API. Real network, accounts and
// receipts; the engine is a stand-in that makes ten tokens a second and stream.
func BenchmarkNetworkOverhead(b *testing.B) {
	const tokens, every, most = 20, 100 * time.Millisecond, 200
	p := &pacer{liar: liar{identity: net.identity(b), domain: net.settlementDomain()}, tokens: tokens, every: every}
	p.join(b, p, most)
	key := net.apiKey(b, net.requester(b, 5e18))
	for _, streams := range []int{1, most} {
		b.Run(strconv.Itoa(streams), func(b *testing.B) {
			var all []time.Duration
			for b.Loop() {
				each, failed := make([][]time.Duration, streams), make([]error, streams)
				var wg sync.WaitGroup
				for i := range streams {
					wg.Go(func() { each[i], failed[i] = lateness(b.Context(), key, tokens) })
				}
				wg.Wait()
				for i := range streams {
					require.NoError(b, failed[i])
					require.Len(b, each[i], tokens, "stream %d has all of its tokens", i)
				}
				all = append(all, slices.Concat(each...)...)
			}
			slices.Sort(all)
			ms := func(share float64) float64 { return all[int(share*float64(len(all)-1))].Seconds() * 1e3 }
			b.ReportMetric(ms(0.5), "ms-p50/token")
			b.ReportMetric(ms(0.99), "ms-p99/token")
			b.ReportMetric(0, "ns/op")
		})
	}
}
