//go:build long

package attrib

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/worker/engine/enginetest"
	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/optim"
)

// The linear datamodeling score of the algorithm, against retraining: adapters
// are trained on random halves of the records, and the sum of the influences of
// the half's records has to rank the halves as the loss on a query does.
//
// The records state facts (a key has a value) in words of their own, several
// records per fact, some of them contradicting the others. Shared words tell
// nearly all there is to tell about such records: they are shown, not a bar.

const (
	ldsFacts   = 20
	ldsSubsets = 60
	ldsSeeds   = 2
)

type fact struct{ key, value, other []uint32 }

func ldsData() (records []Record, queries []Record) {
	r := rand.New(rand.NewPCG(77, 1))
	draw := func(n int) []uint32 {
		s := make([]uint32, n)
		for i := range s {
			s[i] = 10 + r.Uint32N(enginetest.Vocab-10)
		}
		return s
	}
	template := draw(3)
	words := func(k []uint32) []uint32 { return slices.Concat(template, draw(2), k, draw(1)) }
	for f := range ldsFacts {
		k := fact{draw(2), draw(3), draw(3)}
		for i := range 2 + f%4 {
			answer := k.value
			if i == 2 {
				answer = k.other
			}
			records = append(records, Record{ID: protocol.Hash{byte(f), byte(i)}, Prompt: words(k.key), Answer: answer})
		}
		queries = append(queries, Record{ID: protocol.Hash{byte(f)}, Prompt: words(k.key), Answer: k.value})
	}
	return records, queries
}

// fit trains an adapter on the records, as worker/finetune does.
func fit(t *testing.T, m *llama.Model, records []Record, seed uint64) *lora.Adapter {
	t.Helper()
	var targets []lora.Module
	for x := range lora.NumModules {
		targets = append(targets, x)
	}
	a, err := lora.New(m.Config().Geometry(), lora.Config{Rank: 8, Alpha: 16, Targets: targets}, seed)
	require.NoError(t, err)
	g := lora.NewGrads(a)
	const epochs, batch = 24, 8
	steps := epochs * ((len(records) + batch - 1) / batch)
	opt, err := optim.New(optim.Config{LR: 1e-2, ClipNorm: 1, Steps: steps, Warmup: steps / 20},
		[]optim.Param{{Name: "all", W: a.Flat, G: g.Flat, Decay: true}})
	require.NoError(t, err)
	tr, err := m.NewTrainer()
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(seed, 3))
	for range epochs {
		order := r.Perm(len(records))
		for at := 0; at < len(order); at += batch {
			var ex []llama.Example
			for _, i := range order[at:min(at+batch, len(order))] {
				ex = append(ex, example(records[i]))
			}
			g.Zero()
			_, err := tr.LossGrad(ex, llama.GradOptions{Adapter: a, AdapterGrads: g})
			require.NoError(t, err)
			_, err = opt.Step()
			require.NoError(t, err)
		}
	}
	return a
}

func example(r Record) llama.Example {
	e := llama.Example{Tokens: slices.Concat(r.Prompt, r.Answer)}
	e.Mask = make([]bool, len(e.Tokens))
	for i := len(r.Prompt); i < len(e.Mask); i++ {
		e.Mask[i] = true
	}
	return e
}

func TestLDS(t *testing.T) {
	records, queries := ldsData()
	slices.SortFunc(records, func(a, b Record) int { return a.ID.Cmp(b.ID) })
	m := model(t, 2)
	tr, err := m.NewTrainer()
	require.NoError(t, err)

	r := rand.New(rand.NewPCG(5, 5))
	inside := make([][]bool, ldsSubsets)
	losses := make([][ldsSeeds][]float64, ldsSubsets) // subset, seed, query
	for s := range inside {
		inside[s] = make([]bool, len(records))
		var subset []Record
		for _, i := range r.Perm(len(records))[:len(records)/2] {
			inside[s][i] = true
		}
		for i, in := range inside[s] {
			if in {
				subset = append(subset, records[i])
			}
		}
		for seed := range ldsSeeds {
			a := fit(t, m, subset, uint64(seed+1))
			for _, q := range queries {
				l, err := tr.Loss([]llama.Example{example(q)}, a)
				require.NoError(t, err)
				losses[s][seed] = append(losses[s][seed], l.Sum)
			}
		}
	}

	full := fit(t, m, records, 1)
	score := func(of func(q Record) []float64) float64 {
		var all float64
		for k, q := range queries {
			influence := of(q)
			predicted, real := make([]float64, ldsSubsets), make([]float64, ldsSubsets)
			for s := range inside {
				for i, in := range inside[s] {
					if in {
						predicted[s] += influence[i]
					}
				}
				for seed := range ldsSeeds {
					real[s] -= losses[s][seed][k]
				}
			}
			all += spearman(predicted, real) / float64(len(queries))
		}
		return all
	}
	ix, err := Build(t.Context(), BuildConfig{Seed: 1}, m, full, records)
	require.NoError(t, err)
	querier, err := ix.Querier(m, full)
	require.NoError(t, err)
	ours := func(r Record) []float64 {
		s, err := querier.Scores(t.Context(), r.Prompt, r.Answer)
		require.NoError(t, err)
		out := make([]float64, len(s))
		for i := range s {
			out[i] = float64(s[i])
		}
		return out
	}
	flat := func(r Record) []float32 { // at the trained adapter itself
		g := lora.NewGrads(full)
		_, err := tr.LossGrad([]llama.Example{example(r)}, llama.GradOptions{Adapter: full, AdapterGrads: g})
		require.NoError(t, err)
		return g.Flat
	}
	var grads [][]float32
	for _, rec := range records {
		grads = append(grads, flat(rec))
	}
	gradDot := func(unit bool) func(q Record) []float64 {
		return func(q Record) []float64 {
			g := flat(q)
			out := make([]float64, len(grads))
			for i := range out {
				for j := range g {
					out[i] += float64(g[j]) * float64(grads[i][j])
				}
				if unit {
					out[i] /= norm(grads[i])
				}
			}
			return out
		}
	}
	words := func(q Record) []float64 { // shared tokens of prompt and answer
		out := make([]float64, len(records))
		for i, r := range records {
			for _, tok := range slices.Concat(q.Prompt, q.Answer) {
				if slices.Contains(r.Prompt, tok) || slices.Contains(r.Answer, tok) {
					out[i]++
				}
			}
		}
		return out
	}
	var ceiling float64 // how well one seed's losses rank the other's
	for k := range queries {
		a, b := make([]float64, ldsSubsets), make([]float64, ldsSubsets)
		for s := range losses {
			a[s], b[s] = losses[s][0][k], losses[s][1][k]
		}
		ceiling += spearman(a, b) / float64(len(queries))
	}
	got, product := score(ours), score(gradDot(false))
	t.Logf("LDS %s %.3f; at the adapter: gradient product %.3f, cosine %.3f; shared words %.3f; one seed by another %.3f",
		Algorithm, got, product, score(gradDot(true)), score(words), ceiling)
	require.Greater(t, got, 0.60)
	require.Greater(t, got, product+0.2)
}

func norm(v []float32) float64 {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum)
}

func spearman(a, b []float64) float64 {
	ra, rb := ranks(a), ranks(b)
	var ab, aa, bb float64
	mean := float64(len(a)-1) / 2
	for i := range ra {
		x, y := ra[i]-mean, rb[i]-mean
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}

// ranks with ties sharing their mean.
func ranks(v []float64) []float64 {
	order := make([]int, len(v))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(v[a], v[b]) })
	out := make([]float64, len(v))
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && v[order[j]] == v[order[i]] {
			j++
		}
		for _, k := range order[i:j] {
			out[k] = float64(i+j-1) / 2
		}
		i = j
	}
	return out
}
