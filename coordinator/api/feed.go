package api

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/openledger/openledger/protocol"
)

// Feed passes events on to whoever listens. It keeps the newest ones, so that a listener
// that was away for a moment misses nothing. Publishing never waits: a listener that does
// not take its events in time is dropped, and comes again by itself.
//
// Events have ids of the form RUN-NUMBER. RUN is of this process, since numbers begin
// anew when it does.
type Feed struct {
	run string

	mu        sync.Mutex
	next      uint64 // number of the next event
	ring      [][]byte
	listeners map[chan []byte]struct{}
	closed    bool
}

const (
	feedRing      = 256 // events kept
	feedBuffer    = 64  // events that a listener may be behind
	feedListeners = 256
	feedHeartbeat = 15 * time.Second
	feedPatience  = 10 * time.Second // for one write
	feedRetry     = 2 * time.Second  // after which a client comes again
)

// NewFeed makes a feed with nothing in it.
func NewFeed() *Feed {
	var run [6]byte
	_, _ = rand.Read(run[:]) // never fails
	return &Feed{run: hex.EncodeToString(run[:]), listeners: map[chan []byte]struct{}{}}
}

// Publish tells the listeners of an event. It never waits.
func (f *Feed) Publish(e Event) {
	if e.At == 0 {
		e.At = time.Now().UnixMilli()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	frame, err := f.frame(f.next, &e)
	if err != nil {
		return // an event has nothing that JSON does not hold
	}
	f.next++
	if len(f.ring) == feedRing {
		f.ring = append(f.ring[:0:0], f.ring[1:]...)
	}
	f.ring = append(f.ring, frame)
	for l := range f.listeners {
		select {
		case l <- frame:
		default:
			f.drop(l)
		}
	}
}

// frame is an event as it is sent. Its id is where to go on after it.
func (f *Feed) frame(number uint64, e *Event) ([]byte, error) {
	data, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "id: %s-%d\ndata: %s\n\n", f.run, number, data), nil
}

// drop ends a listener; f.mu is held.
func (f *Feed) drop(l chan []byte) {
	if _, ok := f.listeners[l]; ok {
		delete(f.listeners, l)
		close(l)
	}
}

// listen gives what a listener has missed since the event last ("": nothing), and what
// comes from now on, until the channel is closed.
func (f *Feed) listen(last string) (missed [][]byte, events chan []byte, stop func(), err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, nil, nil, protocol.Errorf(protocol.KindUnavailable, "", "the coordinator is stopping: try again after it is back")
	}
	if len(f.listeners) >= feedListeners {
		return nil, nil, nil, protocol.Errorf(protocol.KindBusy, "", "%d listen already, which is as many as may: ask GET /api/v1/stats now and then instead", feedListeners)
	}
	if last != "" {
		if missed, err = f.since(last); err != nil {
			return nil, nil, nil, err
		}
	}
	events = make(chan []byte, feedBuffer)
	f.listeners[events] = struct{}{}
	return missed, events, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.drop(events)
	}, nil
}

// since are the events after the one with an id, or a reset where they are not all here.
func (f *Feed) since(last string) ([][]byte, error) {
	run, number, _ := strings.Cut(last, "-")
	n, err := strconv.ParseUint(number, 10, 64)
	if oldest := f.next - uint64(len(f.ring)); err == nil && run == f.run && n < f.next && n+1 >= oldest {
		return append([][]byte(nil), f.ring[n+1-oldest:]...), nil
	}
	// Its id is that of the newest event, after which what comes goes on.
	reset := Event{Type: EventReset, At: time.Now().UnixMilli()}
	if f.next > 0 {
		frame, err := f.frame(f.next-1, &reset)
		return [][]byte{frame}, err
	}
	data, err := json.Marshal(&reset)
	return [][]byte{fmt.Appendf(nil, "data: %s\n\n", data)}, err
}

// close ends all listeners.
func (f *Feed) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for l := range f.listeners {
		f.drop(l)
	}
}

// events serves GET /api/v1/events.
func (s *Server) events(w http.ResponseWriter, r *http.Request) error {
	last := r.Header.Get("Last-Event-ID")
	if len(last) > 64 {
		return invalid("Last-Event-ID", "it is the id of an event, such as 1f0c-17; leave it out to begin with what comes")
	}
	missed, events, stop, err := s.cfg.Feed.listen(last)
	if err != nil {
		return err
	}
	defer stop()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // proxies that buffer would hold events back
	control := http.NewResponseController(w)
	send := func(frame []byte) error {
		// A server without deadlines ends a slow listener by its buffer alone.
		_ = control.SetWriteDeadline(time.Now().Add(feedPatience))
		if _, err := w.Write(frame); err != nil {
			return err
		}
		return control.Flush()
	}
	first := fmt.Appendf(nil, "retry: %d\n\n", feedRetry.Milliseconds())
	for _, frame := range append([][]byte{first}, missed...) {
		if send(frame) != nil {
			return nil // the client hung up
		}
	}
	heartbeat := time.NewTicker(s.heartbeat)
	defer heartbeat.Stop()
	for {
		select {
		case <-r.Context().Done():
			return nil
		case frame, ok := <-events:
			if !ok || send(frame) != nil {
				return nil
			}
		case <-heartbeat.C:
			if send([]byte(": still here\n\n")) != nil {
				return nil
			}
		}
	}
}
