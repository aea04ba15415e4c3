package sim

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/scheduler"
)

func compare(t *testing.T, cfg Config) map[scheduler.Policy]Row {
	t.Helper()
	r, err := Compare(cfg)
	require.NoError(t, err)
	rows := map[scheduler.Policy]Row{}
	for _, x := range r.Rows {
		require.Equal(t, r.Requests, x.Completed+x.Refused, x.Policy)
		rows[x.Policy] = x
	}
	return rows
}

func TestCompare_SameSeed_SameBytes(t *testing.T) {
	var out [2]bytes.Buffer
	for i := range out {
		r, err := Compare(Config{Requests: 400, KillPercent: 25})
		require.NoError(t, err)
		require.NoError(t, r.WriteJSON(&out[i]))
		require.NoError(t, r.WriteTable(&out[i]))
	}
	require.Equal(t, out[0].String(), out[1].String())
	other, err := Compare(Config{Requests: 400, KillPercent: 25, Seed: 43})
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, other.WriteJSON(&b))
	require.NotContains(t, out[0].String(), b.String())
}

// A third of the workers die in the middle of the streams: every request is
// answered in full all the same, whatever the policy.
func TestCompare_WorkersDie_EveryRequestCompletes(t *testing.T) {
	for p, x := range compare(t, Config{Requests: 800, Speed: 4, KillPercent: 33}) {
		require.Zero(t, x.Refused, p)
		require.Positive(t, x.Retries, p)
	}
}

// Each output token is delivered exactly once, across resumed attempts too.
func TestRun_WorkersDie_NoTokenLostOrDoubled(t *testing.T) {
	cfg := Config{Trace: TraceSLoRA, KillPercent: 50, Workers: 8, SLoRA: SLoRA{Rate: 6, Seconds: 40}}
	cfg.EnsureDefaults()
	list, err := requests(&cfg)
	require.NoError(t, err)
	r, err := newRun(&cfg, scheduler.PolicyAffinity, list)
	require.NoError(t, err)
	r.play()
	resumed := 0
	for i := range r.jobs {
		j := &r.jobs[i]
		require.False(t, j.refused)
		require.Equal(t, j.Output, j.tokens)
		resumed += j.retries
	}
	require.Positive(t, resumed)
	st := r.state.Stats()
	require.Zero(t, st.Queued+st.Running)
}

// On a skewed workload with room to choose, affinity saves most of the cold
// loads that load balancing alone causes, and shortens the tail.
func TestCompare_Skewed_AffinityBeatsLoadBalancing(t *testing.T) {
	skewed := Config{Trace: TraceSLoRA, Alpha: 0.2, Adapters: 200, Workers: 12, SLoRA: SLoRA{Rate: 6, Seconds: 150},
		Cost:     CostModel{LoadMS: [4]int64{0, 15, 120, 1500}},
		Policies: []scheduler.Policy{scheduler.PolicyAffinity, scheduler.PolicyRandom, scheduler.PolicyLeastLoaded, scheduler.PolicyPowerOfTwo}}
	for _, seed := range []uint64{1, 2} {
		skewed.Seed = seed
		rows := compare(t, skewed)
		ours := rows[scheduler.PolicyAffinity]
		for _, p := range skewed.Policies[1:] {
			require.Less(t, float64(ours.ColdLoads), 0.5*float64(rows[p].ColdLoads), "cold loads against %s, seed %d", p, seed)
			require.Less(t, ours.TTFTP50, 0.5*rows[p].TTFTP50, "p50 against %s, seed %d", p, seed)
			require.Less(t, ours.TTFTP99, 0.9*rows[p].TTFTP99, "p99 against %s, seed %d", p, seed)
		}
	}
}

func TestCompare_DefaultTrace_OursIsBest(t *testing.T) {
	rows := compare(t, Config{})
	ours := rows[scheduler.PolicyAffinity]
	require.Zero(t, ours.Refused)
	for p, x := range rows {
		if p == scheduler.PolicyAffinity {
			continue
		}
		require.Less(t, ours.TTFTP50, 0.9*x.TTFTP50, p)
		require.Less(t, ours.TTFTP99, 0.9*x.TTFTP99, p)
	}
	require.Less(t, float64(ours.ColdLoads), 0.6*float64(rows[scheduler.PolicyLeastLoaded].ColdLoads))
}

func TestReadAzure_BadLines_NameTheLine(t *testing.T) {
	head := "TIMESTAMP,ContextTokens,GeneratedTokens\n"
	for want, text := range map[string]string{
		"t:1: the header":           "A,B,C\n",
		"t:2: has 2 fields":         head + "2023-11-16 18:17:03.9799600,1\n",
		"t:2: TIMESTAMP":            head + "yesterday,1,2\n",
		"t:3: ContextTokens":        head + "2023-11-16 18:17:03.9799600,1,2\n2023-11-16 18:17:04,x,2\n",
		"t:2: GeneratedTokens":      head + "2023-11-16 18:17:03.9799600,1,\n",
		"t:2: -1 prompt":            head + "2023-11-16 18:17:03.9799600,-1,2\n",
		"t:3: its time":             head + "2023-11-16 18:17:03.9799600,1,2\n2023-11-16 18:17:02,1,2\n",
		"t: the trace holds no req": head,
	} {
		_, err := ReadAzure(strings.NewReader(text), "t", 0)
		require.ErrorContains(t, err, want)
		require.Equal(t, protocol.KindInvalid, protocol.KindOf(err))
	}
	list, err := ReadAzure(strings.NewReader(head+"2023-11-16 18:17:03.9799600,7,8\r\n\n2023-11-16 18:17:04.0799600,9,0"), "t", 0)
	require.NoError(t, err)
	require.Equal(t, []Request{{At: 0, Prompt: 7, Output: 8}, {At: 100_000, Prompt: 9, Output: 1}}, list)
}

func TestReadMooncake_BadLines_NameTheLine(t *testing.T) {
	good := `{"timestamp": 5, "input_length": 10, "output_length": 2, "hash_ids": [1, 2]}` + "\n"
	for want, text := range map[string]string{
		"t:1: must have": "{}\n",
		"t:2: invalid":   good + "nonsense\n",
		"t:1: json":      `{"timestamp": "now", "input_length": 10, "output_length": 2}`,
		"t:1: timestamp": `{"timestamp": 9223372036854775807, "input_length": 10, "output_length": 2}`,
		"t:1: 10 prompt": `{"timestamp": 1, "input_length": 10, "output_length": 99999999}`,
		"token too long": strings.Repeat("x", maxLineBytes+1),
	} {
		_, err := ReadMooncake(strings.NewReader(text), "t", 0)
		require.ErrorContains(t, err, want)
	}
	path := filepath.Join(t.TempDir(), "m.jsonl")
	require.NoError(t, os.WriteFile(path, []byte(strings.Repeat(good, 20)), 0o600))
	rows := compare(t, Config{Trace: path, Policies: []scheduler.Policy{scheduler.PolicyAffinity}})
	require.Equal(t, 20, rows[scheduler.PolicyAffinity].Completed)
	_, err := Compare(Config{Trace: path + ".gone.csv"})
	require.Equal(t, protocol.KindNotFound, protocol.KindOf(err))
}

func FuzzReadTraces(f *testing.F) {
	f.Add([]byte("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,4808,10\n"))
	f.Add([]byte(`{"timestamp": 0, "input_length": 40160, "output_length": 6, "hash_ids": [0]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, read := range []func() ([]Request, error){
			func() ([]Request, error) { return ReadAzure(bytes.NewReader(data), "t", 100) },
			func() ([]Request, error) { return ReadMooncake(bytes.NewReader(data), "t", 100) },
		} {
			list, err := read()
			if err == nil && (len(list) == 0 || len(list) > 100) {
				t.Fatalf("%d requests", len(list))
			}
			for i, q := range list {
				if q.Prompt < 0 || q.Output < 1 || q.Prompt > maxRequestTokens || q.Output > maxRequestTokens || q.At < 0 || i > 0 && q.At < list[i-1].At {
					t.Fatalf("request %d: %+v", i, q)
				}
			}
		}
	})
}

// The synthetic workload has the shape that its formula says: with alpha 0.1 and
// 200 adapters the first one gets 200^-0.1 = 59 % of the requests.
func TestSLoRA_Alpha01_Skew(t *testing.T) {
	cfg := Config{Trace: TraceSLoRA, Alpha: 0.1, Adapters: 200, SLoRA: SLoRA{Rate: 100, Seconds: 100, CV: 2}}
	cfg.EnsureDefaults()
	require.NoError(t, cfg.Validate())
	list, err := requests(&cfg)
	require.NoError(t, err)
	top := 0
	for _, q := range list {
		if q.Adapter == 0 {
			top++
		}
		require.True(t, q.Prompt >= 8 && q.Prompt < 512 && q.Output >= 8 && q.Output < 512)
	}
	require.InDelta(t, 10_000, len(list), 700)
	require.InDelta(t, 0.59, float64(top)/float64(len(list)), 0.02)
}

func TestConfig_BadValues_NameTheField(t *testing.T) {
	for field, c := range map[string]Config{
		"trace":                {Trace: "x.txt"},
		"workers":              {Workers: -1},
		"alpha":                {Alpha: 99},
		"policy":               {Policies: []scheduler.Policy{"best"}},
		"kill_percent":         {KillPercent: 101},
		"s_lora":               {SLoRA: SLoRA{MinLen: 10, MaxLen: 5}},
		"cost.slots":           {Cost: CostModel{Slots: -1}},
		"cost.device_adapters": {Cost: CostModel{DeviceAdapters: 2}},
		"cost.load_ms":         {Cost: CostModel{LoadMS: [4]int64{0, 0, 0, -5}}},
	} {
		_, err := Compare(c)
		require.Error(t, err, field)
		require.True(t, strings.HasPrefix(err.Error(), field+": "), "%s: %v", field, err)
	}
	c, err := ParseCostModel([]byte(`{"slots": 4, "load_ms": [0, 1, 2, 3]}`))
	require.NoError(t, err)
	require.Equal(t, 4, c.Slots)
	require.Equal(t, [4]int64{0, 1, 2, 3}, c.LoadMS)
	require.NotZero(t, c.PrefillTPS)
	c, err = ParseCostModel([]byte(`{"machine": "m", "cost_model": {"slots": 7, "step_ms": 1.5}}`))
	require.NoError(t, err, "the report of a machine")
	require.Equal(t, [2]float64{7, 1.5}, [2]float64{float64(c.Slots), c.StepMS})
	_, err = ParseCostModel([]byte(`{"cost_model": {"slotz": 4}}`))
	require.ErrorContains(t, err, "slotz")
	_, err = ParseCostModel([]byte(`{"slotz": 4}`))
	require.ErrorContains(t, err, "slotz")
}

func TestReport_Table_HasEveryPolicy(t *testing.T) {
	r, err := Compare(Config{Requests: 50})
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, r.WriteTable(&b))
	for _, p := range scheduler.Policies() {
		require.Contains(t, b.String(), string(p))
	}
}
