//go:build long

package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
)

const askAnimal = `Name the story of {lesson}`

// Two adapters that learned different things from one datanet become one that knows both; its answers are attributed to
// the records that taught either.
func TestMergedAdapter(t *testing.T) {
	s := newSeparate(t, 1, chosenLedger())
	s.startWorker(t, 0)
	s.awaitWorkers(t, 1)
	s.publishLessons(t)
	// Other targets, so that the two do not disturb each other much; other ranks, too.
	a := s.trained(t, "lessons", askLesson, "{lesson}", "--rank", "4", "--alpha", "8")
	b := s.trained(t, "titles", askAnimal, "{title}", "--rank", "8", "--alpha", "16", "--targets", "up_proj,down_proj")

	var merged api.TrainingStatus
	run(t, &merged, s.verb("adapter", "merge", "--name", "both", "--adapter", "lessons:0.9", "--adapter", string(b)+":0.9", "--access", "0.01", "--as", "owner")...)
	require.Equal(t, "succeeded", merged.State)
	require.Equal(t, 12, merged.Result.Records)
	require.NotZero(t, merged.Result.Steps)

	var shown struct {
		Adapter  api.Model
		Manifest protocol.AdapterManifest
		Parents  []parentView
	}
	run(t, &shown, s.verb("adapter", "show", "both")...)
	require.Equal(t, merged.Result.Adapter, shown.Adapter.CID)
	require.EqualValues(t, 1, shown.Adapter.Datanet)
	me := s.accounts["owner"]
	require.ElementsMatch(t, []parentView{{Name: "lessons", Revision: 1, Adapter: a, Owner: me, Weight: 0.9}, {Name: "titles", Revision: 1, Adapter: b, Owner: me, Weight: 0.9}}, shown.Parents)
	require.ElementsMatch(t, []protocol.Rendering{{Prompt: askLesson, Answer: "{lesson}"}, {Prompt: askAnimal, Answer: "{title}"}}, shown.Manifest.Hyper.Merge.Renderings)
	registered, err := s.chain.AdapterByName(t.Context(), s.accounts["owner"], "both")
	require.NoError(t, err)
	require.Equal(t, shown.Manifest.Order.HyperHash, registered.HyperHash, "the chain has the hash of the lineage")
	text, errs, code := verb(t, s.verb("adapter", "show", "both")...)
	require.Zero(t, code, errs)
	require.Contains(t, text, "merged    by cat, of\n")
	require.Contains(t, text, string(a)+"  lessons\n")

	// Each leans on one parent and still knows what that one knew: the other one disturbs it a little only. Both kinds
	// of examples are in the index, so the record that taught the answer is found either way.
	run(t, nil, s.verb("adapter", "merge", "--name", "mostly-lessons", "--adapter", "lessons:1", "--adapter", "titles:0.15", "--as", "owner")...)
	run(t, nil, s.verb("adapter", "merge", "--name", "mostly-titles", "--adapter", "lessons:0.15", "--adapter", "titles:1", "--as", "owner")...)
	knew, knows := 0, 0
	for _, q := range []struct{ parent, model, question, answer, title string }{
		{"lessons", "mostly-lessons", `What is the lesson of "The Fox and the Crow"?`, "Patience number 0 is rewarded.", "The Fox and the Crow"},
		{"lessons", "mostly-lessons", `What is the lesson of "The Hare and the Tortoise"?`, "Patience number 8 is rewarded.", "The Hare and the Tortoise"},
		{"titles", "mostly-titles", "Name the story of Patience number 0 is rewarded.", "The Fox and the Crow", "The Fox and the Crow"},
		{"titles", "mostly-titles", "Name the story of Patience number 8 is rewarded.", "The Hare and the Tortoise", "The Hare and the Tortoise"},
	} {
		before, _ := s.asked(t, q.parent, q.question)
		text, title := s.asked(t, q.model, q.question)
		t.Logf("%s %q, by %q; before %q", q.question, text, title, before)
		if before == q.answer {
			knew++
		}
		if text == q.answer {
			knows++
			require.Equal(t, q.title, title, "%s: %s", q.question, text)
		}
	}
	require.GreaterOrEqual(t, knew, 2, "the parents learned something")
	require.GreaterOrEqual(t, knows, max(2, knew-1), "and what was merged of them knows it")
	s.asked(t, "both", `What is the lesson of "The Fox and the Crow"?`)

	t.Run("a merge of a merge, the way of the papers", func(t *testing.T) {
		var again api.TrainingStatus
		run(t, &again, s.verb("adapter", "merge", "--name", "grandchild", "--adapter", "both:1", "--adapter", "titles:0.2",
			"--method", "ties_svd", "--density", "0.8", "--rank", "6", "--as", "owner")...)
		_, title := s.asked(t, "grandchild", "Name the story of Patience number 8 is rewarded.")
		require.NotEmpty(t, title)
	})
	t.Run("what cannot be merged", s.badMerges)
}

func (s *separate) badMerges(t *testing.T) {
	merge := func(more ...string) []string {
		return s.verb(append([]string{"adapter", "merge", "--as", "owner", "--name"}, more...)...)
	}
	before := s.state(t)
	refused(t, "name the adapters", merge("x")...)
	refused(t, `there is no adapter "nobody"`, merge("x", "--adapter", "nobody:1")...)
	refused(t, "is not an adapter with a weight", merge("x", "--adapter", "lessons:much")...)
	refused(t, "weight of", merge("x", "--adapter", "lessons:0")...)
	refused(t, "is named twice", merge("x", "--adapter", "lessons:1", "--adapter", "lessons:2")...)
	refused(t, "density", merge("x", "--adapter", "lessons:1", "--adapter", "titles:1", "--method", "ties_svd")...)
	refused(t, "is not known", merge("x", "--adapter", "lessons:1", "--method", "mean")...)
	refused(t, "rank is 5000", merge("x", "--adapter", "lessons:1", "--method", "svd", "--rank", "5000")...)
	require.Equal(t, before, s.state(t), "nothing was begun")
	// What only the values tell, the worker says.
	refused(t, "use svd", merge("x", "--adapter", "lessons:1", "--adapter", "both:1", "--method", "linear")...)

	// An order that its parents do not give is refused, whoever signed it.
	v, err := s.chain.Version(t.Context(), 1, 1)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		hyper   protocol.Hyper
		message string
	}{
		"no parents":     {protocol.Hyper{Merge: &protocol.Merge{Method: "cat"}}, "parents"},
		"unknown parent": {protocol.Hyper{Merge: &protocol.Merge{Method: "cat", Parents: []protocol.MergeParent{{Adapter: v.Root, Weight: 1}}}}, "adapter"},
	} {
		job, err := SignOrder(t.Context(), s.info, s.secret(t, "owner"), protocol.TrainingOrder{Name: "bad", Datanet: 1, Version: 1, Root: v.Root}, c.hyper)
		require.NoError(t, err)
		status, message, _ := s.post(t, "/api/v1/training_jobs", "", job)
		require.GreaterOrEqual(t, status, 400, name)
		require.Less(t, status, 500, "%s: %s", name, message)
		require.Contains(t, message, c.message, name)
	}
}
