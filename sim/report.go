package sim

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/openledger/openledger/scheduler"
)

// Report is the outcome of a comparison.
type Report struct {
	Trace    string `json:"trace"`
	Seed     uint64 `json:"seed"`
	Requests int    `json:"requests"`
	Workers  int    `json:"workers"`
	Adapters int    `json:"adapters"`
	Killed   int    `json:"killed"`
	Rows     []Row  `json:"policies"`
}

// Row is how one policy did. Times are in ms of virtual time.
type Row struct {
	Policy    scheduler.Policy `json:"policy"`
	TTFTP50   float64          `json:"ttft_p50_ms"`
	TTFTP99   float64          `json:"ttft_p99_ms"`
	E2EP50    float64          `json:"e2e_p50_ms"`
	E2EP99    float64          `json:"e2e_p99_ms"`
	Completed int              `json:"completed"`
	Refused   int              `json:"refused"`
	Retries   int              `json:"retries"`
	// ColdLoads are adapters brought to a device from the network or the disk;
	// HostLoads those from host memory.
	ColdLoads   int     `json:"cold_loads"`
	NetLoads    int     `json:"network_loads"`
	HostLoads   int     `json:"host_loads"`
	Prefetches  int     `json:"prefetches"`
	Utilisation float64 `json:"utilisation"` // part of the time that workers computed
	// Fairness is Jain's index of the tenants' mean times to first token: 1 when
	// all waited alike, 1/n when one did all the waiting.
	Fairness   float64 `json:"fairness"`
	TokensSec  float64 `json:"tokens_per_second"`
	MakespanMS float64 `json:"makespan_ms"`
}

// Compare runs every policy over the same arrivals.
func Compare(cfg Config) (Report, error) {
	cfg.EnsureDefaults()
	if err := cfg.Validate(); err != nil {
		return Report{}, err
	}
	list, err := requests(&cfg)
	if err != nil {
		return Report{}, err
	}
	rep := Report{Trace: cfg.Trace, Seed: cfg.Seed, Requests: len(list), Workers: cfg.Workers,
		Adapters: cfg.Adapters, Killed: cfg.Workers * cfg.KillPercent / 100}
	for _, p := range cfg.Policies {
		r, err := newRun(&cfg, p, list)
		if err != nil {
			return Report{}, err
		}
		r.play()
		rep.Rows = append(rep.Rows, r.row(p))
	}
	return rep, nil
}

func (r *run) row(p scheduler.Policy) Row {
	row := Row{Policy: p, Prefetches: r.prefetches}
	var ttft, e2e []int64
	sum := make([]float64, r.cfg.Tenants)
	num := make([]float64, r.cfg.Tenants)
	var tokens int
	var last int64
	for i := range r.jobs {
		j := &r.jobs[i]
		row.Retries += j.retries
		tokens += j.tokens
		last = max(last, j.end)
		switch {
		case j.refused:
			row.Refused++
		case j.end >= 0:
			row.Completed++
			ttft = append(ttft, j.first-j.At)
			e2e = append(e2e, j.end-j.At)
			sum[j.Tenant] += float64(j.first - j.At)
			num[j.Tenant]++
		}
	}
	var busy int64
	for _, w := range r.workers {
		busy += w.busy
		row.HostLoads += w.loadsBy[1]
		row.NetLoads += w.loadsBy[3]
		row.ColdLoads += w.loadsBy[2] + w.loadsBy[3]
	}
	row.TTFTP50, row.TTFTP99 = percentile(ttft, 50), percentile(ttft, 99)
	row.E2EP50, row.E2EP99 = percentile(e2e, 50), percentile(e2e, 99)
	row.MakespanMS = float64(last) / 1000
	if last > 0 {
		row.Utilisation = float64(busy) / float64(last) / float64(len(r.workers))
		row.TokensSec = float64(tokens) * 1e6 / float64(last)
	}
	row.Fairness = jain(sum, num)
	return row
}

// percentile is the nearest-rank percentile, in ms.
func percentile(us []int64, p int) float64 {
	if len(us) == 0 {
		return 0
	}
	slices.Sort(us)
	return float64(us[min(len(us)-1, (len(us)*p+99)/100-1)]) / 1000
}

func jain(sum, num []float64) float64 {
	var s, s2, n float64
	for i := range sum {
		if num[i] > 0 {
			x := sum[i] / num[i]
			s, s2, n = s+x, s2+x*x, n+1
		}
	}
	if s2 == 0 {
		return 1
	}
	return s * s / (n * s2)
}

// WriteTable renders the report for people.
func (r Report) WriteTable(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "%s: %d requests, %d workers (%d killed), %d adapters, seed %d\n\n",
		r.Trace, r.Requests, r.Workers, r.Killed, r.Adapters, r.Seed); err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	if _, err := fmt.Fprintln(t, "policy\tTTFT p50 ms\tTTFT p99 ms\te2e p99 ms\tdone\trefused\tretries\tcold loads\thost loads\tutilisation\tfairness\ttok/s\t"); err != nil {
		return err
	}
	for _, x := range r.Rows {
		if _, err := fmt.Fprintf(t, "%s\t%.0f\t%.0f\t%.0f\t%d\t%d\t%d\t%d\t%d\t%.1f %%\t%.3f\t%.0f\t\n", x.Policy, x.TTFTP50, x.TTFTP99,
			x.E2EP99, x.Completed, x.Refused, x.Retries, x.ColdLoads, x.HostLoads, 100*x.Utilisation, x.Fairness, x.TokensSec); err != nil {
			return err
		}
	}
	return t.Flush()
}

// WriteJSON renders the report for programs.
func (r Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
