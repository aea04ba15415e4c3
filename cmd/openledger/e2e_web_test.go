package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/coordinator/api"
)

// Every page, narrow and wide, light and dark: it fits, nothing serious stands in the way
// of a keyboard or a screen reader, no error, nothing asked of anybody but the
// coordinator, and no more JavaScript than it may have.
func TestEveryPageOfTheWebApplication(t *testing.T) {
	d := newDevnetProcess(t)
	var receipt string
	{
		a, err := d.stream(t.Context(), rambling(1, 12), nil)
		require.NoError(t, err)
		receipt = a.receipt.Hex()
	}
	manifest := filepath.Join(t.TempDir(), "poet.json")
	require.NoError(t, os.WriteFile(manifest, []byte(`{"name":"poet","description":"Answers in verse","instructions":"Answer in verse.","price":"5","base":"`+d.info.Base.Hex()+`"}`), 0o600))
	run(t, nil, "agent", "register", manifest, "--stake", "100", "--as", "owner", "--home", d.home, "--api", d.ready.API)
	workers, err := d.cl.Workers(t.Context())
	require.NoError(t, err)
	batch := settledPage(t, d)
	b := newBrowser(t, d.ready.API)

	b.open("/")
	b.see("answers under way")
	scripts := b.scripts()
	t.Logf("JavaScript of the first page, gzipped: %.0f kB", float64(scripts)/1e3)
	require.LessOrEqual(t, scripts, int64(300e3))
	for _, p := range []struct{ name, path, words string }{
		{"home", "/", "Latest answers"},
		{"datanets", "/datanets", "Datanets"},
		{"datanet-new", "/datanets/new", "Licence"},
		{"factory", "/factory", "ModelFactory"},
		{"factory-new", "/factory/new", "Datanet"},
		{"models", "/models", "Models"},
		{"playground", "/playground", "Playground"},
		{"agents", "/agents", "Answers in verse"},
		{"agent", "/agents/1", "Answer in verse."},
		{"agent-new", "/agents/new", "Instructions"},
		{"workers", "/workers", "All workers"},
		{"worker", "/workers/" + string(workers[0].Peer), "GiB of memory, as it says itself"},
		{"receipts", "/receipts", "Asked by"},
		{"receipt", "/receipts/" + receipt, "What the worker signed"},
		{"batch", batch, "Platform treasury"},
		{"disputes", "/receipts?tab=disputes", "Nothing was ever disputed"},
		{"rewards", "/rewards?account=" + workers[0].Worker.Hex(), "To be claimed"},
		{"governance", "/governance", "Your votes"},
		{"account-none", "/account", "make API keys"},
	} {
		for _, v := range []struct {
			width int64
			theme string
		}{{360, "dark"}, {1280, "light"}} {
			b.view(v.width, v.theme)
			b.open(p.path)
			b.see(p.words)
			assert.Empty(t, b.violations(), "%s at %d px, %s", p.path, v.width, v.theme)
			over := eval[int](b, `document.documentElement.scrollWidth - document.documentElement.clientWidth`)
			assert.LessOrEqual(t, over, 0, "%s at %d px is wider than the window", p.path, v.width)
			title := eval[string](b, `document.title`)
			assert.True(t, p.path == "/" || strings.HasSuffix(title, " · OpenLedger"), "%s has the title %q", p.path, title)
			assert.Empty(t, b.faults(), "%s at %d px", p.path, v.width)
			if v.width > 600 {
				b.shoot(p.name)
			} else {
				b.shoot(p.name + "-narrow")
			}
		}
	}

	b.open("/receipts/" + receipt)
	b.see("What the worker signed")
	b.poll("the way to the worker", `(() => { const a = document.querySelector('main a[href="/workers/`+workers[0].Worker.Hex()+`" i], main a[href="/workers/`+workers[1].Worker.Hex()+`" i]'); a?.click(); return a !== null })()`, within)
	b.see("Where it is reached")
	b.account(d.ready.API)
}

// settledPage is the path of a batch's page, whose document the coordinator has read.
func settledPage(t *testing.T, d *onDevnet) string {
	path := ""
	eventually(t, 2*time.Minute, "a batch is settled and read", func() error {
		var all struct {
			Batches []api.BatchView `json:"batches"`
		}
		if err := d.cl.Call(t.Context(), http.MethodGet, "/api/v1/batches", nil, &all); err != nil {
			return err
		}
		if len(all.Batches) == 0 {
			return errors.New("there is none yet")
		}
		path = fmt.Sprintf("/batches/%s/%d", all.Batches[0].Worker.Hex(), all.Batches[0].Nonce)
		var b api.BatchPage
		if err := d.cl.Call(t.Context(), http.MethodGet, "/api/v1"+path, nil, &b); err != nil {
			return err
		}
		if !b.Read {
			return errors.New("its document is not read yet")
		}
		return nil
	})
	return path
}
