package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/openai/openai-go"
	"golang.org/x/sync/errgroup"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store/datanet"
)

// contributorOf deals the fables out in turn.
func contributorOf(i int) string { return contributors[i%len(contributors)] }

// contribute offers every fable, has the owner accept them (and reject those of the
// contributor who is left out), and publishes a version.
func (m *demo) contribute(ctx context.Context) error {
	owner := m.people[netOwnerKey]
	sender := m.d.chain.Client.As(owner)
	var err error
	m.datanet, err = sender.CreateDatanet(ctx, protocol.Datanet{Owner: owner.Account(), Name: "aesop-for-children",
		Description: "Fables with their lessons, from The Aesop for Children (1919)", License: "CC0-1.0"})
	if err != nil {
		return err
	}
	bar := newBar(m.c.err, "contribute", len(m.fables))
	defer bar.stop()
	domain := registryDomain(m.info)
	for i, f := range m.fables {
		key := m.people[contributorOf(i)]
		record, err := datanet.NewText(map[string]string{"title": f.Title, "lesson": f.Lesson, "fable": f.Fable, "source": f.Source})
		if err != nil {
			return fmt.Errorf("fable %q: %w", f.Title, err)
		}
		sc, err := wire.SignContribution(domain, protocol.Contribution{Datanet: m.datanet.ID, Record: record.ID, Contributor: key.Account(),
			License: m.datanet.License, At: time.Now().UnixMilli()}, key.ECDSA())
		if err != nil {
			return err
		}
		if _, err := offer(m.cmd, m.d.api.Call, m.datanet.ID, sc, record.Canonical); err != nil {
			return fmt.Errorf("fable %q: %w", f.Title, err)
		}
		review := protocol.Review{Datanet: m.datanet.ID, Record: record.ID, Status: protocol.ReviewAccepted, At: time.Now().UnixMilli()}
		if contributorOf(i) == m.without {
			review.Status, review.Reason = protocol.ReviewRejected, "left out of this run on purpose"
		}
		signed, err := wire.SignReview(domain, review, owner.ECDSA())
		if err != nil {
			return err
		}
		if err := m.d.api.Call(ctx, http.MethodPost, fmt.Sprintf("/api/v1/datanets/%d/reviews", m.datanet.ID), signed, nil); err != nil {
			return err
		}
		bar.add()
	}
	if err := m.d.api.Call(ctx, http.MethodPost, fmt.Sprintf("/api/v1/datanets/%d/versions", m.datanet.ID), struct{}{}, &m.version); err != nil {
		return err
	}
	_, err = sender.PublishVersion(ctx, m.version)
	return err
}

func (m *demo) train(ctx context.Context) error {
	h := node.DefaultHyper()
	h.PromptTemplate, h.AnswerTemplate = demoPrompt, demoAnswer
	if m.epochs > 0 {
		h.Epochs = m.epochs
	}
	job, err := SignOrder(ctx, m.info, m.people[netOwnerKey], protocol.TrainingOrder{Name: demoAdapter, Datanet: m.datanet.ID,
		Version: m.version.Number, Root: m.version.Root, Access: milliOpen(10)}, h)
	if err != nil {
		return err
	}
	var status api.TrainingStatus
	if err := m.d.api.Call(ctx, http.MethodPost, "/api/v1/training_jobs", job, &status); err != nil {
		return err
	}
	if status, err = m.c.follow(m.cmd, m.d.api, status.ID); err != nil {
		return err
	}
	r := status.Result
	m.report.Training = demoTraining{Steps: r.Steps, LossFirst: r.LossFirst, LossLast: r.LossLast, Seconds: r.Seconds}
	m.report.Adapter.CID = r.Adapter
	models, err := m.d.api.Models(ctx)
	if err != nil {
		return err
	}
	for _, x := range models {
		m.report.Adapter.Registered = m.report.Adapter.Registered || x.CID == r.Adapter && x.Owner == m.people[netOwnerKey].Account()
	}
	return nil
}

// question is one question with what became of it.
type question struct {
	fable  int // index into the book
	answer answer
	err    error
	view   api.ReceiptView
}

// exact says whether the answer is the lesson, word for word.
func (q *question) exact(m *demo) bool {
	return q.err == nil && strings.TrimSpace(q.answer.Text) == strings.TrimSpace(m.fables[q.fable].Lesson)
}

// choose picks the fables to ask about: evenly through the book, without the titles
// that two fables share, since nobody could know which of them is meant.
func (m *demo) choose() []int {
	times := map[string]int{}
	for _, f := range m.fables {
		times[f.Title]++
	}
	var single []int
	for i, f := range m.fables {
		if times[f.Title] == 1 {
			single = append(single, i)
		}
	}
	out := make([]int, demoQuestions)
	for i := range out {
		out[i] = single[i*len(single)/demoQuestions]
	}
	return out
}

const (
	askAtOnce = 6
	// The worker dies when a third of the answers are in and comes back after two thirds.
	killAfter    = demoQuestions / 3
	restartAfter = 2 * demoQuestions / 3
)

// ask sends the questions, some at a time, through OpenAI's own client. In the middle it
// kills a worker that is streaming, and starts it again later.
func (m *demo) ask(ctx context.Context) error {
	bar := newBar(m.c.err, "ask", demoQuestions)
	defer bar.stop()
	for _, i := range m.choose() {
		m.asked = append(m.asked, &question{fable: i})
	}
	var answered atomic.Int32
	var showing sync.Mutex
	drama := &drama{m: m}
	tasks, asking := errgroup.WithContext(ctx)
	tasks.SetLimit(askAtOnce)
	for _, q := range m.asked {
		tasks.Go(func() error {
			prompt := strings.ReplaceAll(demoPrompt, "{title}", m.fables[q.fable].Title)
			turn := []openai.ChatCompletionMessageParamUnion{openai.UserMessage(prompt)}
			q.answer, q.err = m.c.ask(asking, demoAdapter, &sampling{topP: 1, repetition: 1, logprobs: -1, maxTokens: 96}, turn, func(string) {
				if answered.Load() >= killAfter {
					drama.kill()
				}
			})
			n := answered.Add(1)
			if n >= restartAfter {
				drama.restart()
			}
			showing.Lock()
			bar.set(int(answered.Load()), "")
			showing.Unlock()
			return asking.Err()
		})
	}
	if err := tasks.Wait(); err != nil {
		return err
	}
	for _, q := range m.asked {
		if q.err != nil {
			m.c.say("no answer about %q: %v", m.fables[q.fable].Title, q.err)
		}
	}
	return drama.end()
}

// drama kills one worker while it streams, and brings it back later.
type drama struct {
	m      *demo
	mu     sync.Mutex
	victim *workerProcess
	back   bool
	err    error
}

func (d *drama) kill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.victim == nil && d.err == nil {
		d.victim, d.err = d.m.killStreaming()
	}
}

func (d *drama) restart() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.victim != nil && !d.back && d.err == nil {
		d.back = true
		d.err = d.victim.start()
	}
}

// end makes sure that it happened, and that the worker is back.
func (d *drama) end() error {
	d.restart()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil && d.victim == nil {
		return protocol.Errorf(protocol.KindInternal, "", "no worker was streaming when one was to be killed")
	}
	return d.err
}

// killStreaming kills the worker that has the most jobs now.
func (m *demo) killStreaming() (*workerProcess, error) {
	busiest, _ := m.d.coord.Busiest()
	for _, w := range m.workers {
		id, err := node.PeerID(w.home)
		if err != nil {
			return nil, err
		}
		if id == busiest {
			m.report.Killed++
			return w, w.kill()
		}
	}
	return nil, nil // between two jobs: the next token tries again
}

// recordOf is the digest of a fable's record.
func (m *demo) recordOf(i int) protocol.Hash {
	f := m.fables[i]
	record, err := datanet.NewText(map[string]string{"title": f.Title, "lesson": f.Lesson, "fable": f.Fable, "source": f.Source})
	if err != nil {
		return protocol.Hash{} // it was contributed, so it is well-formed
	}
	return record.ID
}
