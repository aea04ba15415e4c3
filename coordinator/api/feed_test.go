package api

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

// listener reads a stream of events.
type listener struct {
	t   *testing.T
	res *http.Response
	in  *bufio.Reader
}

func listenTo(t *testing.T, url, last string) *listener {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/api/v1/events", nil)
	require.NoError(t, err)
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	t.Cleanup(func() { _ = res.Body.Close() })
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Equal(t, "text/event-stream", res.Header.Get("Content-Type"))
	l := &listener{t, res, bufio.NewReader(res.Body)}
	require.Equal(t, "retry: 2000", l.block())
	return l
}

// block is what comes before the next empty line; "" at the end.
func (l *listener) block() string {
	l.t.Helper()
	var lines []string
	for {
		line, err := l.in.ReadString('\n')
		if err != nil || line == "\n" {
			return strings.Join(lines, "\n")
		}
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
}

// event is the next event's id and data.
func (l *listener) event() (id, data string) {
	l.t.Helper()
	id, data, ok := strings.Cut(l.block(), "\ndata: ")
	require.True(l.t, ok, id)
	return strings.TrimPrefix(id, "id: "), data
}

func training(n int) Event {
	return Event{Type: EventTraining, At: 1, Training: &TrainingEvent{Name: fmt.Sprintf("number %d", n), State: "running"}}
}

func TestEventsComeAndGoOnWhereAListenerWas(t *testing.T) {
	feed := NewFeed()
	url := serve(t, &service{}, func(c *Config) { c.Feed = feed })
	l := listenTo(t, url, "")
	feed.Publish(Event{Type: EventReceipt, At: 1, Receipt: &ReceiptEvent{ID: hash, Fee: huge}})
	first, data := l.event()
	require.Contains(t, data, `"fee":`+hugeText)
	feed.Publish(training(1))
	second, data := l.event()
	require.Contains(t, data, "number 1")
	require.NoError(t, l.res.Body.Close())

	feed.Publish(Event{Type: EventWorker, At: 1, Worker: &WorkerEvent{State: "left"}})
	feed.Publish(Event{Type: EventBatch, At: 1, Batch: &BatchEvent{Total: huge}})
	for _, tt := range []struct {
		last string
		want []string
	}{
		{first, []string{"number 1", "left", `"batch"`}},
		{second, []string{"left", `"batch"`}},
		{"0badc0ffee-1", []string{"reset"}},                       // before a restart
		{strings.TrimSuffix(first, "0") + "9", []string{"reset"}}, // has not been yet
		{"nonsense", []string{"reset"}},
	} {
		again := listenTo(t, url, tt.last)
		for _, words := range tt.want {
			_, data := again.event()
			require.Contains(t, data, words, tt.last)
		}
		require.NoError(t, again.res.Body.Close())
	}
	status, _, body := send(t, "GET", url+"/api/v1/events", "", "Last-Event-ID", strings.Repeat("1", 65))
	require.Equal(t, http.StatusBadRequest, status, body)
}

func TestEventsOlderThanTheRingAreReset(t *testing.T) {
	f := NewFeed()
	for i := range feedRing + 2 {
		f.Publish(training(i))
	}
	missed, err := f.since(f.run + "-1")
	require.NoError(t, err)
	require.Len(t, missed, feedRing)
	require.Contains(t, string(missed[0]), `"number 2"`)
	missed, err = f.since(f.run + "-0")
	require.NoError(t, err)
	require.Len(t, missed, 1)
	require.Contains(t, string(missed[0]), "reset")
	id, _, _ := strings.Cut(strings.TrimPrefix(string(missed[0]), "id: "), "\n")
	missed, err = f.since(id)
	require.NoError(t, err)
	require.Empty(t, missed, "after a reset what comes goes on")
}

// A listener that takes nothing is dropped; the others lose nothing, and publishing never
// waits. As many as may listen, listen; others are told.
func TestSlowListenersAreDropped(t *testing.T) {
	f := NewFeed()
	_, slow, stop, err := f.listen("")
	require.NoError(t, err)
	defer stop()
	_, quick, stopQuick, err := f.listen("")
	require.NoError(t, err)
	defer stopQuick()
	for i := range feedBuffer + 1 {
		f.Publish(training(i))
		require.Contains(t, string(<-quick), fmt.Sprintf(`"number %d"`, i))
	}
	n := 0
	for range slow {
		n++
	}
	require.Equal(t, feedBuffer, n, "its channel is closed")
	require.Len(t, f.listeners, 1)
	for range feedListeners - 1 {
		_, _, end, err := f.listen("")
		require.NoError(t, err)
		defer end()
	}
	_, _, _, err = f.listen("")
	require.Equal(t, protocol.KindBusy, protocol.KindOf(err))
	f.close()
	_, ok := <-quick
	require.False(t, ok)
	_, _, _, err = f.listen("")
	require.Equal(t, protocol.KindUnavailable, protocol.KindOf(err))
}

func TestHeartbeatsAndShutdown(t *testing.T) {
	s := &service{}
	server, err := New(configOf(s))
	require.NoError(t, err)
	server.heartbeat = time.Millisecond
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	l := listenTo(t, server.URL(), "")
	require.Equal(t, ": still here", l.block())
	stop()
	for l.block() != "" {
	}
	require.NoError(t, <-done, "a listener does not hold up a server that is to stop")
}

func TestStats(t *testing.T) {
	status, _, body := send(t, "GET", serve(t, &service{}, nil)+"/api/v1/stats", "")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, `"settled":`+hugeText)
	require.Contains(t, body, `{"role":"worker","amount":`+hugeText+`}`)
	require.Contains(t, body, `"paid":[]`)
}
