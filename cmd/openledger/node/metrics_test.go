package node_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/VictoriaMetrics/metricsql"
	"github.com/stretchr/testify/require"
)

// exposed is what a scrape shows: the type of every metric, and the labels of its series.
type exposed struct {
	kind   map[string]string
	labels map[string]map[string]bool
}

var sampleLine = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? [^ ]+$`)
var labelName = regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_]*)="(?:[^"\\]|\\.)*"`)

func (e *exposed) scrape(t *testing.T, url string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, http.StatusOK, res.StatusCode)
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSpace(line)
		if kind, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, kind, _ := strings.Cut(kind, " ")
			e.kind[name] = kind
			continue
		}
		if m := sampleLine.FindStringSubmatch(line); m != nil && !strings.HasPrefix(line, "#") {
			if e.labels[m[1]] == nil {
				e.labels[m[1]] = map[string]bool{"instance": true, "job": true} // Prometheus adds them
			}
			for _, l := range labelName.FindAllStringSubmatch(m[2], -1) {
				e.labels[m[1]][l[1]] = true
			}
		}
	}
}

// counts says whether a sample only ever goes up: a counter, or a part of a histogram.
func (e *exposed) counts(sample string) bool {
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		if base, ok := strings.CutSuffix(sample, suffix); ok && e.kind[base] == "histogram" {
			return true
		}
	}
	return e.kind[sample] == "counter"
}

// everything is what a worker and a coordinator expose that have done some work, and a
// validator.
func everything(t *testing.T) *exposed {
	t.Helper()
	w := net.worker(t, net.identity(t))
	_, _, err := net.ask(t.Context(), net.requester(t, 1e18), request("Once upon a time", 4))
	require.NoError(t, err)
	e := &exposed{kind: map[string]string{}, labels: map[string]map[string]bool{}}
	e.scrape(t, "http://"+w.MetricsAddr()+"/metrics")
	e.scrape(t, net.coord.API.URL()+"/metrics")
	e.scrape(t, "http://"+net.validator(t).MetricsAddr()+"/metrics")
	return e
}

const docs = "../../../docs"

type target struct{ panel, expr, legend string }

// dashboard reads the queries of the Grafana file.
func dashboard(t *testing.T) []target {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(docs, "grafana", "openledger.json"))
	require.NoError(t, err)
	var d struct {
		Panels []struct {
			ID          int
			Type        string
			Title       string
			Description string
			GridPos     struct{ H, W, X, Y int }
			Targets     []struct{ Expr, LegendFormat string }
		}
		Templating struct {
			List []struct {
				Name  string
				Query any
			}
		}
	}
	require.NoError(t, json.Unmarshal(raw, &d))
	var out []target
	ids := map[int]bool{}
	for _, p := range d.Panels {
		require.False(t, ids[p.ID], "panel %d is there twice", p.ID)
		ids[p.ID] = true
		if p.Type == "row" {
			continue
		}
		require.NotEmpty(t, p.Description, "%s: say what it means", p.Title)
		require.NotEmpty(t, p.Targets, p.Title)
		for _, q := range p.Targets {
			out = append(out, target{p.Title, q.Expr, q.LegendFormat})
		}
	}
	require.Len(t, d.Templating.List, 2)
	require.Contains(t, fmt.Sprint(d.Templating.List[1].Query), "label_values(openledger_base_info, instance)")
	return append(out, target{"variable instance", "openledger_base_info", "{{instance}}"})
}

// functions are PromQL's that the dashboard uses. The parser knows more than Prometheus does.
var functions = []string{"rate", "increase", "histogram_quantile", "sum", "count", "topk", "max"}

var legendLabel = regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}`)

// Every query of the dashboard is PromQL over metrics and labels that are really there.
func TestDashboard(t *testing.T) {
	e := everything(t)
	for _, q := range dashboard(t) {
		expr := strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*").Replace(q.expr)
		require.NotContains(t, expr, "$", "%s: a variable that nothing sets", q.panel)
		parsed, err := metricsql.Parse(expr)
		require.NoError(t, err, "%s: %s", q.panel, q.expr)
		checkQuery(t, e, q, parsed)
	}
}

func checkQuery(t *testing.T, e *exposed, q target, parsed metricsql.Expr) {
	t.Helper()
	at := q.panel + ": " + q.expr
	var samples []string
	grouped := map[string]bool{}
	aggregated := false
	metricsql.VisitAll(parsed, func(x metricsql.Expr) {
		switch x := x.(type) {
		case *metricsql.MetricExpr:
			require.Len(t, x.LabelFilterss, 1, at)
			filters := x.LabelFilterss[0]
			require.NotEmpty(t, filters, at)
			require.Equal(t, "__name__", filters[0].Label, at)
			name := filters[0].Value
			require.NotEmpty(t, e.labels[name], "%s: nothing exposes %s", at, name)
			for _, f := range filters[1:] {
				require.True(t, e.labels[name][f.Label], "%s: %s has no label %s", at, name, f.Label)
			}
			samples = append(samples, name)
		case *metricsql.FuncExpr:
			require.Contains(t, functions, x.Name, at)
			if x.Name == "rate" || x.Name == "increase" {
				window, ok := x.Args[0].(*metricsql.RollupExpr)
				require.True(t, ok && window.Window != nil, "%s: %s needs a range", at, x.Name)
				inner, ok := window.Expr.(*metricsql.MetricExpr)
				require.True(t, ok, at)
				require.True(t, e.counts(inner.LabelFilterss[0][0].Value), "%s: %s of what does not count", at, x.Name)
			}
			if x.Name == "histogram_quantile" {
				require.Contains(t, string(x.AppendString(nil)), "_bucket", at)
			}
		case *metricsql.AggrFuncExpr:
			require.Contains(t, functions, x.Name, at)
			aggregated = true
			for _, l := range x.Modifier.Args {
				grouped[l] = true
			}
		}
	})
	require.NotEmpty(t, samples, at)
	for label := range grouped {
		for _, s := range samples {
			require.True(t, e.labels[s][label], "%s: %s has no label %s", at, s, label)
		}
	}
	for _, m := range legendLabel.FindAllStringSubmatch(q.legend, -1) {
		ok := grouped[m[1]]
		if !aggregated {
			ok = e.labels[samples[0]][m[1]]
		}
		require.True(t, ok, "%s: the legend's %s is not in the result", at, m[1])
	}
}

// The operators' guide names every metric of ours, and none that is not there; the dashboard shows each.
func TestEveryMetricIsDocumentedAndShown(t *testing.T) {
	e := everything(t)
	raw, err := os.ReadFile(filepath.Join(docs, "operators.md"))
	require.NoError(t, err)
	var documented, have []string
	for _, name := range regexp.MustCompile(`openledger_[a-z0-9_]+`).FindAllString(string(raw), -1) {
		if !slices.Contains(documented, name) {
			documented = append(documented, name)
		}
	}
	shown := ""
	for _, q := range dashboard(t) {
		shown += q.expr + "\n"
	}
	for name := range e.kind {
		if strings.HasPrefix(name, "openledger_") {
			have = append(have, name)
			require.Contains(t, shown, name, "no panel shows %s", name)
		}
	}
	slices.Sort(have)
	slices.Sort(documented)
	require.Equal(t, have, documented)

	// The design's names.
	for _, name := range []string{"openledger_requests_running", "openledger_requests_waiting", "openledger_lora_info", "openledger_kv_cache_usage_ratio",
		"openledger_prefix_cache_queries_total", "openledger_prefix_cache_hits_total", "openledger_time_to_first_token_seconds",
		"openledger_time_per_output_token_seconds", "openledger_e2e_request_latency_seconds", "openledger_request_queue_time_seconds"} {
		require.Contains(t, have, name)
	}
	require.True(t, e.labels["openledger_lora_info"]["tier"])
}
