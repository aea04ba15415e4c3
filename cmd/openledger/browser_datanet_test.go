package main

import (
	"fmt"

	"github.com/stretchr/testify/require"
)

// record opens the page of the record of a title from the list of its datanet.
func (b *browser) record(title string) {
	b.t.Helper()
	b.click("link", "Datanets")
	b.click("link", "Tales of Brannoch…")
	b.click("tab", "Records")
	b.poll("open the record "+title, fmt.Sprintf(`(() => {
		const a = [...document.querySelectorAll('section.card')].find(s => s.querySelector('h2')?.innerText === %s)?.querySelector('a');
		a?.click();
		return !!a;
	})()`, quoted(title)), within)
	b.poll("its heading", fmt.Sprintf(`document.querySelector('h1')?.innerText === %s`, quoted(title)), within)
}

// records looks at the page of a record that was paid for, and of one whose file's name and
// text are markup: both are text and nothing else.
func (b *browser) records() {
	b.t.Helper()
	account := eval[string](b, `[...document.querySelectorAll('code[title^="0x"]')].find(e => !e.closest('main')).title.toLowerCase()`) // who is connected
	b.record("<img src=x onerror=hacked()>")
	b.await("<script>hacked()</script> ends nothing")
	b.await("It is no tale.")
	require.Zero(b.t, eval[int](b, `document.querySelectorAll('main script, main img, main iframe').length`), "what is in a record is not markup")
	require.Empty(b.t, b.violations())

	b.record("The lighthouse of Brannoch, page 1")
	b.await("ninety stairs")
	b.await("accepted")
	require.True(b.t, eval[bool](b, fmt.Sprintf(`[...document.querySelectorAll('main li code')].some(e => e.title.toLowerCase() === %s)`, quoted(account))), "its contributor is named")
	b.poll("it earned something", `[...document.querySelectorAll('.stat')].some(e => e.innerText.startsWith('Earned') && /[1-9]/.test(e.querySelector('b').innerText))`, within)
	b.fits("record")
	b.reload()
}

// reads sets what reading the datanet costs, and asks a question whose answer is given its
// records to read.
func (b *browser) reads() {
	b.t.Helper()
	b.click("link", "Back to the datanet")
	b.click("tab", "Versions")
	b.reload()
	b.click("tab", "Versions")
	b.await("for nothing")
	b.fill("Price of an answer that reads it, in OPEN", "0.02")
	b.click("button", "Set the price")
	b.await("An answer that reads it pays 0.02 OPEN")

	b.click("link", "Playground")
	b.click("button", "New conversation")
	b.click("summary", "Search datanets")
	b.click("field", "Tales of Brannoch")
	b.await("Searches 1 of the datanets")
	b.fill("Your message", "What is told of The ferry?")
	b.click("button", "Send")
	b.await("What it read")
	const list = `[...document.querySelectorAll('[aria-label="Records that it read"] > li')].map(e => e.innerText)`
	read := eval[[]string](b, list)
	require.NotEmpty(b.t, read)
	require.Contains(b.t, read[0], "[1] ")
	b.poll("a record that was read earns", list+`.some(t => t.includes('cited or repeated') && t.includes('earns'))`, within)
	b.await("Owner of a datanet it read")
	b.await("Contributor of a record [")
	b.fits("playground-retrieval")
}
