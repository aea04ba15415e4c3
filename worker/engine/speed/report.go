package speed

import (
	"fmt"
	"io"
	"math"
	"text/tabwriter"
)

// Report is what was measured.
type Report struct {
	Machine     string `json:"machine"`
	Backend     string `json:"backend"`
	Threads     int    `json:"threads"`
	Base        string `json:"base"` // hash of the model's files
	Parameters  int    `json:"parameters"`
	WeightBytes int64  `json:"weight_bytes"`
	// MemoryBytes is what base, KV cache and adapters take at most with these settings.
	MemoryBytes int64   `json:"memory_bytes"`
	ReadGBs     float64 `json:"memory_read_gb_per_second"`
	GFLOPs      float64 `json:"float32_gflop_per_second"`

	Prefill []Prefill `json:"prefill"`
	Decode  []Decode  `json:"decode"`
	Adapter Adapter   `json:"adapter"`
	// TrainTPS is LoRA training, tokens per second.
	TrainTPS float64 `json:"training_tokens_per_second"`

	CostModel CostModel `json:"cost_model"`
}

// Prefill of one prompt.
type Prefill struct {
	Tokens  int     `json:"tokens"`
	Adapter bool    `json:"adapter"`
	TPS     float64 `json:"tokens_per_second"`
}

// Decode of a full batch, one token of each sequence; with adapters, each sequence has its own.
type Decode struct {
	Batch    int     `json:"batch"`
	Adapters bool    `json:"adapters"`
	Context  int     `json:"context"`
	StepMS   float64 `json:"step_ms"`
	TPS      float64 `json:"tokens_per_second"`
}

// Adapter is how the adapters that were used load. Host is from values in host memory, disk from PEFT's files.
type Adapter struct {
	Rank      int     `json:"rank"`
	Bytes     int64   `json:"bytes"`
	FileBytes int64   `json:"file_bytes"`
	HostMS    float64 `json:"from_host_ms"`
	DiskMS    float64 `json:"from_disk_ms"`
	// NetworkMS is not measured: the file at AssumedMbps, and then as from disk.
	NetworkMS   float64 `json:"from_network_ms_assumed"`
	AssumedMbps float64 `json:"assumed_network_mbps"`
}

// CostModel has the names of sim's cost model; what is left out there keeps its default.
type CostModel struct {
	Slots          int      `json:"slots"`
	DeviceAdapters int      `json:"device_adapters"`
	KVTokens       int      `json:"kv_tokens"`
	StepMS         float64  `json:"step_ms"`
	StepSeqMS      float64  `json:"step_seq_ms"`
	PrefillTPS     float64  `json:"prefill_tps"`
	ChunkTokens    int      `json:"chunk_tokens"`
	LoadMS         [4]int64 `json:"load_ms"`
}

// DecodeTPS is what a worker with every slot taken decodes per second, all requests together, each with an adapter.
func (r *Report) DecodeTPS() float64 {
	c := &r.CostModel
	return float64(c.Slots) * 1000 / (c.StepMS + c.StepSeqMS*float64(c.Slots))
}

// fit makes the cost model: a step is a constant and a part per sequence (least squares over the batches with adapters).
func (r *Report) fit(c *Config) {
	var n, sx, sy, sxx, sxy float64
	for _, d := range r.Decode {
		if !d.Adapters {
			continue
		}
		x := float64(d.Batch)
		n, sx, sy, sxx, sxy = n+1, sx+x, sy+d.StepMS, sxx+x*x, sxy+x*d.StepMS
	}
	const least = 1e-3 // ms: the simulator takes no smaller
	perSeq := sy / max(sx, 1)
	if det := n*sxx - sx*sx; det > 0 {
		perSeq = (n*sxy - sx*sy) / det
	}
	perSeq = max(least, perSeq)
	ms := func(x float64) int64 { return max(1, int64(math.Ceil(x))) }
	r.CostModel = CostModel{
		Slots: c.Slots, KVTokens: c.KVTokens, ChunkTokens: c.Chunk, StepSeqMS: perSeq, StepMS: max(least, (sy-perSeq*sx)/n),
		DeviceAdapters: max(c.Slots, int(min(1_000_000, c.AdapterBytes/max(1, r.Adapter.Bytes)))),
		LoadMS:         [4]int64{0, ms(r.Adapter.HostMS), ms(r.Adapter.DiskMS), ms(r.Adapter.NetworkMS)},
	}
	for _, p := range r.Prefill {
		if p.Adapter {
			r.CostModel.PrefillTPS = max(1, p.TPS)
		}
	}
}

// WriteTable writes the report for people.
func (r *Report) WriteTable(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "machine\t%s, %s, %d threads\n", r.Machine, r.Backend, r.Threads)
	fmt.Fprintf(w, "ceilings\tmemory read %.1f GB/s, float32 %.1f GFLOP/s\n", r.ReadGBs, r.GFLOPs)
	fmt.Fprintf(w, "base\t%.1f M parameters, %.1f MB\n", float64(r.Parameters)/1e6, float64(r.WeightBytes)/1e6)
	fmt.Fprintf(w, "memory\t%.1f MB with a KV cache of %d tokens and up to %d adapters\n", float64(r.MemoryBytes)/1e6, r.CostModel.KVTokens, r.CostModel.DeviceAdapters)
	fmt.Fprintf(w, "adapters\trank %d on every map, %.2f MB each\n\n", r.Adapter.Rank, float64(r.Adapter.Bytes)/1e6)
	fmt.Fprintln(w, "tokens/s\tbare\twith adapters\tratio")
	row := func(name string, bare, with float64) {
		fmt.Fprintf(w, "%s\t%.0f\t%.0f\t%.3f\n", name, bare, with, with/bare)
	}
	for i := 0; i+1 < len(r.Prefill); i += 2 {
		row(fmt.Sprintf("prefill, %d tokens", r.Prefill[i].Tokens), r.Prefill[i].TPS, r.Prefill[i+1].TPS)
	}
	for i := 0; i+1 < len(r.Decode); i += 2 {
		row(fmt.Sprintf("decode, batch %d, context %d", r.Decode[i].Batch, r.Decode[i].Context), r.Decode[i].TPS, r.Decode[i+1].TPS)
	}
	fmt.Fprintf(w, "training, rank %d\t\t%.0f\t\n\n", r.Adapter.Rank, r.TrainTPS)
	a := &r.Adapter
	fmt.Fprintf(w, "adapter loads from\thost memory %.2f ms, disk %.2f ms, network %.0f ms (assumed: %.0f Mbit/s)\n", a.HostMS, a.DiskMS, a.NetworkMS, a.AssumedMbps)
	c := &r.CostModel
	fmt.Fprintf(w, "a step takes\t%.3f ms and %.3f ms per sequence: %.0f tokens/s with %d slots\n", c.StepMS, c.StepSeqMS, r.DecodeTPS(), c.Slots)
	return w.Flush()
}
