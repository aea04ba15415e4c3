package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// Controls are found as people and screen readers find them: by role and name, in the open
// dialog if there is one. One is used when it is enabled and nothing covers it.

// within is how long a page may take for what is not its own work, such as training.
const within = 5 * time.Minute

// named is JavaScript that finds a visible element of a role by its name: null where there
// is none that could be used now. A name that ends in … is how the element's begins.
const named = `((role, name) => {
	const roles = {button: 'button', link: 'a[href]', tab: '[role=tab]', mark: 'mark[role=button]', summary: 'summary',
		field: 'input:not([type=file]), textarea, select', region: '.drop'};
	const text = e => (e.getAttribute('aria-label') ?? (e.labels?.length ? e.labels[0].innerText : e.innerText)).trim();
	const all = [...document.querySelectorAll(roles[role])].filter(e => e.checkVisibility() && (role === 'mark' || role === 'region' || text(e) === name || name.endsWith('…') && text(e).startsWith(name.slice(0, -1))));
	const dialog = document.querySelector('dialog[open]');
	const e = (dialog ? all.filter(e => dialog.contains(e)) : all)[0];
	if (!e) return null;
	if (e.disabled) return null;
	e.scrollIntoView({block: 'center', behavior: 'instant'});
	const r = e.getBoundingClientRect();
	const top = document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2);
	return top && (e.contains(top) || top.contains(e) || e.labels && [...e.labels].some(l => l.contains(top))) ? e : null;
})`

// poll waits until an expression is true.
func (b *browser) poll(what, expression string, limit time.Duration) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, limit)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(limit))); err != nil {
		text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.body.innerText`))
		require.NoError(b.t, err, "%s; the page says: %.3000s; it did: %q", what, text, b.faults())
	}
}

func quoted(v any) string {
	q, _ := json.Marshal(v)
	return string(q)
}

// click presses the button, link or tab of a name, as soon as it can be.
func (b *browser) click(role, name string) {
	b.t.Helper()
	b.poll("click the "+role+" "+name, fmt.Sprintf(`(() => { const e = %s(%s, %s); if (!e) return false; e.click(); return true })()`, named, quoted(role), quoted(name)), within)
}

// fill writes into the field of a label what somebody would type, or chooses the option
// that begins so.
func (b *browser) fill(label, value string) {
	b.t.Helper()
	b.poll("fill "+label, fmt.Sprintf(`(() => {
		const e = %s('field', %s);
		if (!e) return false;
		e.focus();
		if (e.tagName !== 'SELECT') { e.select(); return document.activeElement === e; }
		const o = [...e.options].find(o => o.text.startsWith(%s));
		if (!o) return false;
		Object.getOwnPropertyDescriptor(HTMLSelectElement.prototype, 'value').set.call(e, o.value);
		e.dispatchEvent(new Event('change', {bubbles: true}));
		return true;
	})()`, named, quoted(label), quoted(value)), within)
	if eval[bool](b, `document.activeElement.tagName === 'SELECT'`) {
		return
	}
	b.run("type "+value, func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Call(ctx, input.InsertText, input.InsertTextParams{Text: value})
		return chromedp.Void{}, err
	})
	require.Equal(b.t, value, eval[string](b, `document.activeElement.value`), "the field %s", label)
}

// drop drags files from outside onto the place for them.
func (b *browser) drop(files ...string) {
	b.t.Helper()
	b.poll("find the place for files", `!!`+named+`('region', '')`, within)
	at := eval[[]float64](b, `(() => { const r = document.querySelector('.drop').getBoundingClientRect(); return [r.x + r.width / 2, r.y + 12] })()`)
	data := input.DragData{Items: []*input.DragDataItem{}, DragOperationsMask: 1}
	for _, f := range files {
		path, err := filepath.Abs(f)
		require.NoError(b.t, err)
		data.Files = append(data.Files, path)
	}
	for _, kind := range []input.DispatchDragEventType{input.DispatchDragEventTypeDragEnter, input.DispatchDragEventTypeDragOver, input.DispatchDragEventTypeDrop} {
		b.run(string(kind), func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
			_, err := chromedp.Call(ctx, input.DispatchDragEvent, input.DispatchDragEventParams{Type: kind, X: at[0], Y: at[1], Data: &data})
			return chromedp.Void{}, err
		})
	}
}

// await is see with the time that work of the network may take.
func (b *browser) await(words string) {
	b.t.Helper()
	b.poll("await "+words, fmt.Sprintf(`document.body.innerText.includes(%s)`, quoted(words)), within)
}
