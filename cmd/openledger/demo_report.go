package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/worker/settle"
)

// Figures that the demo has to reach.
const (
	minRecall   = 0.9
	minAccuracy = 0.9
)

// demoReport is what the demo prints at its end.
type demoReport struct {
	OK           bool    `json:"ok"`
	Why          string  `json:"why,omitempty"` // it is not ok
	Seconds      float64 `json:"seconds"`
	Workers      int     `json:"workers"`
	Killed       int     `json:"workers_killed"`
	Contributors int     `json:"contributors"`
	Records      int     `json:"records"`
	Datanet      struct {
		ID      uint64       `json:"id"`
		Version uint32       `json:"version"`
		Root    protocol.CID `json:"root"`
	} `json:"datanet"`
	Training demoTraining `json:"training"`
	Adapter  struct {
		CID        protocol.CID `json:"cid"`
		Registered bool         `json:"registered"`
	} `json:"adapter"`
	Inferences struct {
		Asked       int     `json:"asked"`
		Answered    int     `json:"answered"`
		ExactRecall float64 `json:"exact_recall"`
	} `json:"inferences"`
	Attribution struct {
		Top1Contributor float64 `json:"top1_contributor_accuracy"`
		Top1Record      float64 `json:"top1_record_accuracy"`
	} `json:"attribution"`
	Verified   int `json:"answers_computed_again"`
	Settlement struct {
		Receipts      int    `json:"receipts"`
		Batches       int    `json:"batches"`
		GasPerReceipt uint64 `json:"gas_per_receipt"`
		FeesWei       string `json:"fees_wei"`
		AllocatedWei  string `json:"allocated_wei"`
		ErrorWei      string `json:"error_wei"`
	} `json:"settlement"`
	Claims struct {
		Accounts   int    `json:"accounts"`
		ClaimedWei string `json:"claimed_wei"`
	} `json:"claims"`
	Without *demoWithout `json:"without,omitempty"`

	fees, allocated, claimed uint256.Int
	results                  []*settle.Result
}

type demoTraining struct {
	Steps     int     `json:"steps"`
	LossFirst float64 `json:"loss_first"`
	LossLast  float64 `json:"loss_last"`
	Seconds   float64 `json:"seconds"`
}

// demoWithout is how the contributor fared whose records were left out.
type demoWithout struct {
	Contributor string  `json:"contributor"`
	Asked       int     `json:"asked"`
	ExactRecall float64 `json:"exact_recall"`
	EarnedWei   string  `json:"earned_wei"`
}

// finish counts, and judges whether every figure was reached.
func (r *demoReport) finish(m *demo) {
	r.Seconds = time.Since(m.started).Seconds()
	r.Workers, r.Contributors, r.Records = demoWorkers, len(contributors), m.version.Records
	r.Datanet.ID, r.Datanet.Version, r.Datanet.Root = m.version.Datanet, m.version.Number, m.version.Root
	r.Inferences.Asked = len(m.asked)
	if m.without != "" {
		r.Contributors--
		r.Without = &demoWithout{Contributor: m.without}
	}
	r.score(m)
	diff := r.allocated
	if r.fees.Gt(&diff) {
		diff.Sub(&r.fees, &r.allocated)
	} else {
		diff.Sub(&r.allocated, &r.fees)
	}
	r.Settlement.FeesWei, r.Settlement.AllocatedWei, r.Settlement.ErrorWei = r.fees.Dec(), r.allocated.Dec(), diff.Dec()
	r.Claims.ClaimedWei = r.claimed.Dec()
	r.judge(m)
}

// score compares answers and attributions with the book. Questions about records that
// were left out are counted apart: nobody taught their answers.
func (r *demoReport) score(m *demo) {
	var asked, exact, attributed, contributor, record, outAsked, outExact int
	for _, q := range m.asked {
		if contributorOf(q.fable) == m.without {
			outAsked++
			if q.exact(m) {
				outExact++
			}
			continue
		}
		asked++
		if q.exact(m) {
			exact++
		}
		if q.err != nil {
			continue
		}
		attributed++
		shares := q.view.Evidence.Attribution.Shares
		if len(shares) == 0 {
			continue
		}
		if shares[0].Contributor == m.people[contributorOf(q.fable)].Account() {
			contributor++
		}
		if shares[0].Record == m.recordOf(q.fable) {
			record++
		}
	}
	r.Inferences.ExactRecall = part(exact, asked)
	r.Attribution.Top1Contributor, r.Attribution.Top1Record = part(contributor, attributed), part(record, attributed)
	if r.Without != nil {
		earned := r.earned(m.people[m.without].Account())
		r.Without.Asked, r.Without.ExactRecall, r.Without.EarnedWei = outAsked, part(outExact, outAsked), earned.Dec()
	}
}

func part(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

func (r *demoReport) judge(m *demo) {
	var why []string
	must := func(ok bool, format string, args ...any) {
		if !ok {
			why = append(why, fmt.Sprintf(format, args...))
		}
	}
	must(r.Inferences.Answered == r.Inferences.Asked, "%d of %d questions were answered", r.Inferences.Answered, r.Inferences.Asked)
	must(r.Inferences.ExactRecall >= minRecall, "exact recall %.3f is below %.2f", r.Inferences.ExactRecall, minRecall)
	must(r.Attribution.Top1Contributor >= minAccuracy, "the right contributor came first in %.3f of the answers, not in %.2f", r.Attribution.Top1Contributor, minAccuracy)
	must(r.Settlement.Receipts == r.Inferences.Answered, "%d receipts for %d answers", r.Settlement.Receipts, r.Inferences.Answered)
	must(r.fees.Eq(&r.allocated), "fees and payouts differ by %s wei", r.Settlement.ErrorWei)
	must(r.claimed.Eq(&r.allocated), "%s of %s wei were claimed", r.Claims.ClaimedWei, r.Settlement.AllocatedWei)
	must(r.Adapter.Registered, "the adapter is not registered on the chain")
	must(r.Killed == 1, "%d workers were killed", r.Killed)
	must(r.Verified == sampled, "%d of %d answers were computed again", r.Verified, sampled)
	if r.Without != nil {
		must(r.Without.EarnedWei == "0", "%s earned %s wei although its records were left out", m.without, r.Without.EarnedWei)
		must(r.Without.ExactRecall < r.Inferences.ExactRecall, "recall of the records left out is %.3f, not below that of the others", r.Without.ExactRecall)
	}
	r.OK, r.Why = len(why) == 0, strings.Join(why, "; ")
}

// tables are the report for people.
func (r *demoReport) tables(w io.Writer, m *demo) {
	names := m.names()
	fmt.Fprintln(w)
	t := newTable(w, "question", "answer", "exact", "credited first", "weight")
	for _, q := range m.asked {
		credited, weighs := "", ""
		if shares := q.view.Evidence.Attribution.Shares; len(shares) > 0 {
			credited, weighs = names[shares[0].Contributor], percent(weight(shares[0].Weight))
		}
		text := q.answer.Text
		if q.err != nil {
			text = q.err.Error()
		}
		t.AppendRow([]any{clip(m.fables[q.fable].Title, 34), clip(text, 52), yes(q.exact(m)), credited, weighs})
	}
	t.Render()

	fmt.Fprintln(w)
	t = newTable(w, "account", "earned OPEN", "as")
	for _, name := range contributors {
		earned := r.earned(m.people[name].Account())
		t.AppendRow([]any{name, node.FormatOpen(earned), "contributor"})
	}
	for _, x := range m.others() {
		earned := r.earned(x.account)
		t.AppendRow([]any{x.name, node.FormatOpen(earned), x.role})
	}
	t.Render()

	fmt.Fprintf(w, `
training     loss %.3f -> %.3f in %d steps, %.0f s
recall       %d questions, %.1f %% of the answers exact
attribution  right contributor first %.1f %%, right record first %.1f %%
settlement   %d receipts in %d batches, %d gas a receipt
money        %s OPEN in fees, %s OPEN allocated, %s OPEN claimed by %d accounts, error %s wei
network      %d workers, %d killed on the way, %d answers computed again bit for bit
took         %.0f s
`,
		r.Training.LossFirst, r.Training.LossLast, r.Training.Steps, r.Training.Seconds,
		r.Inferences.Asked, 100*r.Inferences.ExactRecall, 100*r.Attribution.Top1Contributor, 100*r.Attribution.Top1Record,
		r.Settlement.Receipts, r.Settlement.Batches, r.Settlement.GasPerReceipt,
		node.FormatOpen(r.fees), node.FormatOpen(r.allocated), node.FormatOpen(r.claimed), r.Claims.Accounts, r.Settlement.ErrorWei,
		r.Workers, r.Killed, r.Verified, r.Seconds)
	if r.Without != nil {
		fmt.Fprintf(w, "without      %s: %d questions, %.1f %% exact, earned %s wei\n", r.Without.Contributor, r.Without.Asked, 100*r.Without.ExactRecall, r.Without.EarnedWei)
	}
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func clip(s string, runes int) string {
	r := []rune(s)
	if len(r) <= runes {
		return s
	}
	return string(r[:runes-1]) + "…"
}

// names gives accounts their names.
func (m *demo) names() map[protocol.Account]string {
	out := map[protocol.Account]string{}
	for name, key := range m.people {
		out[key.Account()] = name
	}
	return out
}

// earner is an account that is not a contributor's.
type earner struct {
	name, role string
	account    protocol.Account
}

func (m *demo) others() []earner {
	out := []earner{{"owner", "model owner", m.people[netOwnerKey].Account()}}
	for i := range m.workers {
		if b, err := m.binding(i); err == nil {
			out = append(out, earner{fmt.Sprintf("worker %d", i), "compute and stake", b.Owner})
		}
	}
	if key, err := m.d.wallet.Key(delegatorKey); err == nil {
		out = append(out, earner{"delegator", "stake", key.Account()})
	}
	return append(out, earner{"public pool", "what no record accounts for", m.datanet.Pool}, earner{"treasury", "platform", m.info.Contracts.Treasury})
}

func (m *demo) binding(i int) (protocol.Binding, error) {
	var s node.WorkerSettings
	err := node.ReadJSON(m.workers[i].home.Path(node.WorkerFile), &s)
	return s.Binding.Binding, err
}
