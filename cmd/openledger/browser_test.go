package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdp "github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// browser is a real Chromium with one tab. It notes what no page may do: errors in the
// console, exceptions, and requests to anything but the coordinator.
type browser struct {
	t      *testing.T
	ctx    context.Context
	origin string

	mu     sync.Mutex
	wrong  []string
	script int64 // bytes of JavaScript as they came over the wire
	kinds  map[cdp.RequestID]cdp.ResourceType
	asked  func(payload string) // of the browser's wallet, if it has one
}

// chromium is the program, by the names that distributions give it.
func chromium(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("CHROMIUM"); path != "" {
		return path
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("there is no Chromium: install Debian's package chromium, or name the program in $CHROMIUM")
	return ""
}

// newBrowser starts Chromium for pages of one origin, such as http://127.0.0.1:8420.
func newBrowser(t *testing.T, origin string) *browser {
	t.Helper()
	b := &browser{t: t, origin: origin, kinds: map[cdp.RequestID]cdp.ResourceType{}}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium(t)), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()), chromedp.WSURLReadTimeout(time.Minute),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-quic", true))
	alloc, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	var cancel context.CancelFunc
	b.ctx, cancel = chromedp.NewContext(alloc)
	t.Cleanup(func() {
		_ = chromedp.Cancel(b.ctx) // waits for the browser, so that its folder can go
		cancel()
	})
	require.NoError(t, chromedp.Listen(b.ctx, b.note), "start Chromium")
	return b
}

func (b *browser) note(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.wrong = append(b.wrong, "exception: "+e.ExceptionDetails.Text+" "+described(e.ExceptionDetails.Exception))
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError {
			var words []string
			for _, a := range e.Args {
				words = append(words, described(a))
			}
			b.wrong = append(b.wrong, "console: "+strings.Join(words, " "))
		}
	case *runtime.EventBindingCalled:
		go b.asked(e.Payload) // it answers through the tab, which waits for this
	case *cdp.EventRequestWillBeSent:
		b.kinds[e.RequestID] = e.Type
		if !strings.HasPrefix(e.Request.URL, b.origin+"/") && !strings.HasPrefix(e.Request.URL, "blob:"+b.origin) && !strings.HasPrefix(e.Request.URL, "about:") {
			b.wrong = append(b.wrong, "request to "+e.Request.URL)
		}
	case *cdp.EventLoadingFinished:
		if b.kinds[e.RequestID] == cdp.ResourceTypeScript {
			b.script += int64(e.EncodedDataLength)
		}
	}
}

func described(o *runtime.RemoteObject) string {
	if o == nil {
		return ""
	}
	return string(o.Value) + o.Description
}

// run does things in the tab, within a minute.
func (b *browser) run(what string, actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.body.innerText`))
		require.NoError(b.t, err, "%s; the page says: %.2000s; it did: %q", what, text, b.faults())
	}
}

// eval gives the value of an expression of the page; a promise is awaited.
func eval[T any](b *browser, expression string) T {
	b.t.Helper()
	var v T
	b.run(expression, func(ctx context.Context, t *chromedp.Target) (_ chromedp.Void, err error) {
		v, err = chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise)(ctx, t)
		return
	})
	return v
}

// open loads a path, waits for its heading, and logs how soon there was something to see.
func (b *browser) open(path string) {
	b.t.Helper()
	b.run("open "+path, chromedp.Navigate(b.origin+path), chromedp.WaitVisible(chromedp.CSS("h1")))
	paint := eval[float64](b, `new Promise(done => new PerformanceObserver(l => l.getEntriesByName('first-contentful-paint').forEach(e => done(e.startTime))).observe({type: 'paint', buffered: true}))`)
	b.t.Logf("%s at %d px: first contentful paint after %.0f ms", path, eval[int](b, `innerWidth`), paint)
}

// reload loads the page that is open as one who comes by its address does.
func (b *browser) reload() {
	b.t.Helper()
	b.open(eval[string](b, `location.pathname + location.search`))
}

// see waits until the page shows the words.
func (b *browser) see(words string) {
	b.t.Helper()
	quoted, err := json.Marshal(words)
	require.NoError(b.t, err)
	b.run("see "+words, func(ctx context.Context, t *chromedp.Target) (_ chromedp.Void, err error) {
		_, err = chromedp.Poll[bool](fmt.Sprintf(`document.body.innerText.includes(%s)`, quoted), chromedp.WithPollingTimeout(50*time.Second))(ctx, t)
		return
	})
}

// view sets the window's width and the theme.
func (b *browser) view(width int64, theme string) {
	b.t.Helper()
	b.run("view", chromedp.EmulateViewport(width, 900), func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: theme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}})
		return chromedp.Void{}, err
	})
}

// faults are what the page did that it may not, since the last call.
func (b *browser) faults() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.wrong
	b.wrong = nil
	return w
}

// scripts is how much JavaScript came since the last call, in bytes as sent.
func (b *browser) scripts() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.script
	b.script = 0
	return n
}

// violations are what axe-core finds serious or critical on the page.
func (b *browser) violations() []string {
	b.t.Helper()
	axe, err := os.ReadFile(filepath.FromSlash("../../coordinator/web/app/node_modules/axe-core/axe.min.js"))
	require.NoError(b.t, err, "make test installs what the browser's tests need")
	eval[bool](b, string(axe)+"; true")
	return eval[[]string](b, `axe.run(document, {resultTypes: ['violations']}).then(r => r.violations
		.filter(v => v.impact === 'serious' || v.impact === 'critical')
		.map(v => v.id + ': ' + v.help + ' at ' + v.nodes.slice(0, 5).map(n => n.target.join(' ') + ' (' + (n.any[0]?.message ?? '') + ')').join(', ')))`)
}

// shoot writes a picture of the whole page into docs/screenshots, when SCREENSHOTS is set.
func (b *browser) shoot(name string) {
	b.t.Helper()
	if os.Getenv("SCREENSHOTS") == "" {
		return
	}
	eval[bool](b, `scrollTo(0, 0); true`)                                                   // what sticks to the window stands at the page's top
	eval[bool](b, `(document.querySelector('.toasts').style.visibility = 'hidden') !== ''`) // they lie over the page
	var picture []byte
	b.run("screenshot", func(ctx context.Context, t *chromedp.Target) (_ chromedp.Void, err error) {
		picture, err = chromedp.FullScreenshot(100)(ctx, t) // 100 is PNG
		return
	})
	eval[bool](b, `(document.querySelector('.toasts').style.visibility = '') === ''`)
	dir := filepath.FromSlash("../../docs/screenshots")
	require.NoError(b.t, os.MkdirAll(dir, 0o755))
	require.NoError(b.t, os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644))
}
