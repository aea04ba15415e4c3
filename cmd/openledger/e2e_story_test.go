package main

import (
	"archive/zip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What somebody new does, in a browser and with nothing else: a datanet, files dropped on
// it (one of which tries to run a script, and one has no text), the owner's review, a
// version, an adapter trained on it, an answer, whose records it rests on, and the claim of
// what they earned.
func TestTheStoryInABrowser(t *testing.T) {
	d := newDevnetProcess(t)
	b := newBrowser(t, d.ready.API)
	b.view(1280, "light")
	began := time.Now()
	last := began
	step := func(name string) {
		t.Helper()
		now := time.Now()
		t.Logf("%5.1f s  %s", now.Sub(last).Seconds(), name)
		require.Empty(t, b.faults(), name)
		last = now
	}
	// Pictures and axe are the test's own time, not a newcomer's.
	look := func(name string) {
		t.Helper()
		now := time.Now()
		assert.Empty(t, b.violations(), name)
		b.shoot(name)
		took := time.Since(now)
		began, last = began.Add(took), last.Add(took)
	}

	b.open("/")
	b.click("button", "Connect account")
	b.click("button", "Use a key of this browser")
	b.await("Disconnect")
	step("an account of the browser")

	b.click("link", "Datanets")
	b.click("link", "Create a datanet")
	b.fill("Name", "Tales of Brannoch")
	b.fill("Description", "What is told in the village")
	b.fill("Licence", "CC0-1.0")
	b.click("button", "Create datanet")
	b.await("Drop files here, or choose them")
	step("a datanet")

	const story = "testdata/story/"
	script := filepath.Join(t.TempDir(), `<img src=x onerror=hacked()>.txt`)
	require.NoError(t, os.WriteFile(script, []byte(`<script>hacked()</script> ends nothing`), 0o600))
	b.drop(story+"lighthouse.pdf", story+"The ferry.txt", story+"village.jsonl", story+"scan.pdf", script)
	b.await("is a PDF without text")
	b.await("<img src=x onerror=hacked()>.txt")
	huge, bomb := filepath.Join(t.TempDir(), "huge.jsonl"), filepath.Join(t.TempDir(), "bomb.docx")
	require.NoError(t, os.WriteFile(huge, nil, 0o600))
	require.NoError(t, os.Truncate(huge, 2<<30))
	zipBomb(t, bomb)
	b.drop(huge, bomb)
	b.await("The file has 2.0 GiB, and a JSON lines file may have 256 MiB")
	b.await("this is not what a word processor writes")
	b.click("button", "Take away huge.jsonl")
	b.click("button", "Take away bomb.docx")
	look("datanet-contribute")
	b.click("button", "Sign and offer 5 records")
	b.await("5 records are offered")
	step("seven files dropped, three are refused, five records offered with one signature")

	b.click("tab", "Review")
	b.await("<script>hacked()</script> ends nothing")
	require.Zero(t, eval[int](b, `document.querySelectorAll('main script, main img[onerror]').length`), "text of a record is not markup")
	b.click("field", "<img src=x onerror=hacked()>")
	b.click("button", "Reject 1")
	b.await("Say why")
	b.fill("Reason for rejecting", "It is no tale.")
	b.click("button", "Reject 1")
	b.await("4 wait for your decision")
	b.click("button", "Choose all")
	look("datanet-review")
	b.click("button", "Accept 4")
	b.await("Nothing waits for review")
	step("reviewed")

	b.click("tab", "Versions")
	b.click("button", "Build and publish")
	b.await("4 added, 0 removed, 0 changed.")
	look("datanet-versions")
	step("version 1 published")

	b.click("link", "Train an adapter")
	b.fill("Name of the adapter", "brannoch")
	b.fill("Question", "What is told of {title}?")
	b.fill("Answer", "{text}")
	b.fill("Epochs", "80")
	b.fill("Held-out share, %", "0")
	b.await("One of its records becomes")
	b.click("button", "Sign and start training")
	b.await("You can close this tab")
	step("a training is ordered")
	training := eval[string](b, `location.pathname`)
	b.open("/") // the training's page is gone with its connections, as a closed tab is
	b.open(training)
	b.await("Chat with it")
	b.await("The loss went from")
	b.await("80 epochs")
	look("factory-job")
	step("trained, watched on its page")

	b.click("link", "Chat with it")
	b.click("button", "Put aside")
	b.click("button", "Sign for a key")
	b.click("summary", "How it answers")
	b.fill("Temperature", "0")
	b.fill("Your message", "What is told of The lighthouse of Brannoch?")
	b.click("button", "Send")
	b.await("Records behind it")
	step("an answer, with where it comes from")
	b.await("climbs ninety stairs")
	b.await("The lighthouse of Brannoch, page 1")
	b.await("earns")
	b.click("mark", "")
	b.click("button", "Verify")
	b.await("Every bit is the same")
	look("playground-answer")
	step("verified by running it again")

	b.click("link", "Datanets")
	b.click("link", "Tales of Brannoch…")
	b.click("tab", "Contributors")
	b.await("80 %")
	look("datanet-contributors")
	step("its contributors")

	b.click("link", "Rewards")
	b.await("contributor")
	b.click("button", "Claim 0…") // once the batch's challenge window is over
	b.await("OPEN claimed")
	b.await("Nothing can be claimed now")
	look("rewards-claimed")
	step("claimed")
	t.Logf("%5.1f s  in all", time.Since(began).Seconds())

	b.records()
	step("the pages of a record that earned, and of one that tries to run a script")
	b.reads()
	step("an answer that read the datanet, whose contributors are paid for it")

	b.evaluated()
	step("a training with held-out records, and both models asked")
}

// zipBomb writes a small Word file that unpacks to 8 MiB of one letter.
func zipBomb(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	require.NoError(t, err)
	z := zip.NewWriter(f)
	for part, content := range map[string]string{
		"[Content_Types].xml": `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>`,
		"word/document.xml":   strings.Repeat("a", 8<<20),
	} {
		w, err := z.Create(part)
		require.NoError(t, err)
		_, err = io.WriteString(w, content)
		require.NoError(t, err)
	}
	require.NoError(t, errors.Join(z.Close(), f.Close()))
}
