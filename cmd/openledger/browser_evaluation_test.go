package main

import (
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fits looks at the page that is open, narrow and wide, dark and light: nothing serious for
// axe, nothing wider than the window, no fault.
func (b *browser) fits(name string) {
	b.t.Helper()
	for _, v := range []struct {
		width int64
		theme string
	}{{360, "dark"}, {1280, "light"}} {
		b.view(v.width, v.theme)
		assert.Empty(b.t, b.violations(), "%s at %d px, %s", name, v.width, v.theme)
		over := eval[int](b, `document.documentElement.scrollWidth - document.documentElement.clientWidth`)
		assert.LessOrEqual(b.t, over, 0, "%s at %d px is wider than the window", name, v.width)
		if v.width > 600 {
			b.shoot(name)
		} else {
			b.shoot(name + "-narrow")
		}
	}
	assert.Empty(b.t, b.faults(), name)
}

// evaluated trains on a part of datanet 1 and looks at what came of the rest: both curves,
// base and adapter beside each other, and the log; then it asks both a question.
func (b *browser) evaluated() {
	b.t.Helper()
	b.open("/factory/new?datanet=1")
	b.fill("Name of the adapter", "careful")
	b.fill("Question", "What is told of {title}?")
	b.fill("Answer", "{text}")
	b.fill("Epochs", "4")
	b.fill("Held-out share, %", "50")
	b.await("One of its records becomes")
	b.await("4 records, those held out included") // the coordinator's quote
	b.shoot("factory-order")
	b.click("button", "Sign and start training")
	b.await("Beside the base")
	b.await("The record says")
	b.await("on held-out records.")
	require.Contains(b.t, eval[string](b, `document.querySelector('[role=log]').innerText`), "before the first step: held-out loss")
	rows := eval[[]string](b, `[...document.querySelectorAll('.sides tbody tr')].map(r => r.cells.length + ' ' + r.cells[1].innerText)`)
	require.NotEmpty(b.t, rows)
	for _, r := range rows {
		require.Regexp(b.t, `^4 .{20,}`, r, "question, record, base, adapter")
	}
	b.fits("factory-evaluation")

	b.click("link", "Compare with the base")
	b.fill("Your message", "What is told of the ferry?")
	b.click("button", "Send")
	b.poll("two receipts", `document.querySelectorAll('section.said a[href^="/receipts/"]').length === 2`, within)
	require.Len(b.t, eval[[]string](b, `[...document.querySelectorAll('section.said .answer')].map(e => e.innerText).filter(t => t !== '…')`), 2)
	b.fits("playground-compare")
}
