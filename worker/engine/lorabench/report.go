package lorabench

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteJSON writes the report.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// WriteTable writes the report for people.
func (r *Report) WriteTable(out io.Writer) error {
	c := &r.Config
	l := &c.Workload
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "machine\t%s; %s\n", r.Machine, r.Backend)
	fmt.Fprintf(w, "base\t%s: hidden %d, %d layers, %.1f M parameters in %s\n", c.Shape.Name, c.Shape.Config.HiddenSize, c.Shape.Config.Layers, float64(c.Shape.Params)/1e6, c.Shape.Base)
	fmt.Fprintf(w, "adapters\trank %v, %s, %s\n", c.Shape.Ranks, strings.Join(c.Shape.Target, " "), c.Shape.Values)
	fmt.Fprintf(w, "workload\tS-LoRA's, seed %d, alpha %v, cv %v, %v requests/s for %v s, lengths U[%d, %d) and U[%d, %d)\n",
		l.Seed, l.Alpha, l.CV, l.Rate, l.Seconds, l.MinLen, l.MaxLen, l.MinLen, l.MaxLen)
	fmt.Fprintf(w, "runs\t%d of each row, in turns; batches of at most %d\n\n", c.Runs, c.MaxBatch)
	fmt.Fprintln(w, "\trequests/s\trange\ttokens/s\tTTFT p50, s\tp99, s\tattained\tCPU, s\tmerges")
	for i := range r.Rows {
		x := &r.Rows[i]
		var tok, p50, p99, att, cpu []float64
		for _, o := range x.Runs {
			tok, p50, p99 = append(tok, o.Tokens), append(p50, o.TTFTP50), append(p99, o.TTFTP99)
			att, cpu = append(att, o.Attained), append(cpu, o.CPU)
		}
		merges := ""
		if len(x.Merges) > 0 {
			merges = fmt.Sprint(x.Merges[0])
		}
		fmt.Fprintf(w, "%s\t%.3f\t%.3f-%.3f\t%.0f\t%.2f\t%.2f\t%.2f\t%.1f\t%s\n", x.Name, x.Throughput.Median, x.Throughput.Min, x.Throughput.Max,
			rangeOf(tok).Median, rangeOf(p50).Median, rangeOf(p99).Median, rangeOf(att).Median, rangeOf(cpu).Median, merges)
	}
	fmt.Fprintln(w)
	if k := r.Cold; k != nil {
		fmt.Fprintf(w, "cold start\tprompt of %d tokens: warm %.1f ms, cold %.1f ms, of which read %.1f ms and load %.1f ms%s\n", k.Prompt,
			1e3*k.WarmTTFT.Median, 1e3*k.ColdTTFT.Median, 1e3*k.Read.Median, 1e3*k.Load.Median, map[bool]string{true: " (files in the page cache)"}[k.Cached])
	}
	if m := r.Memory; m.Adapters > 0 {
		fmt.Fprintf(w, "memory\t%d adapters: %.1f MiB, their files %.1f MiB\n", m.Adapters, float64(m.Resident)/(1<<20), float64(m.Files)/(1<<20))
	}
	fmt.Fprintln(w, "\n\tratio\trange\tgoal\t")
	for _, x := range r.Ratios {
		fmt.Fprintf(w, "%s\t%.3f\t%.3f-%.3f\t%s\t%s\n", x.Name, x.Range.Median, x.Range.Min, x.Range.Max, x.Goal, map[bool]string{true: "met", false: "missed"}[x.Met])
	}
	return w.Flush()
}
