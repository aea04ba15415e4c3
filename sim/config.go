package sim

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/scheduler"
)

// Names of the traces that need no file.
const (
	TraceAzureSample = "azure-sample" // embedded, see data/ATTRIBUTION.md
	TraceSLoRA       = "s-lora"       // synthetic
)

// Config is one comparison. The zero Config is the default run: the embedded
// trace sample, 16 workers, 500 adapters, every policy.
type Config struct {
	Seed uint64 `json:"seed"` // default 42
	// Trace is TraceAzureSample, TraceSLoRA, or a path ending in .csv (Azure) or
	// .jsonl (Mooncake).
	Trace    string             `json:"trace"`
	Speed    float64            `json:"speed"`    // arrivals come so many times faster; default 2 for the sample, else 1
	Requests int                `json:"requests"` // at most; 0: the whole trace
	Policies []scheduler.Policy `json:"policies"` // default: all
	Workers  int                `json:"workers"`  // default 16
	Adapters int                `json:"adapters"` // default 500
	Tenants  int                `json:"tenants"`  // default 20
	// Alpha is the exponent of the power law that picks adapters (and tenants):
	// index = floor(U^(1/Alpha) * n). 1 is uniform; the first of n gets
	// n^-Alpha of all requests. Default 0.3.
	Alpha float64 `json:"alpha"`
	// KillPercent of the workers die once, at a random moment of the arrivals, and
	// come back after ReviveMS with what they have on disk.
	KillPercent int   `json:"kill_percent"`
	ReviveMS    int64 `json:"revive_ms"` // default 30 s; negative: never
	DetectMS    int64 `json:"detect_ms"` // until a death is noticed; default 1 s

	SLoRA     SLoRA            `json:"s_lora"`
	Cost      CostModel        `json:"cost"`
	Scheduler scheduler.Config `json:"scheduler"` // Policy and Seed are set per run
}

// SLoRA are the parameters of the synthetic workload of S-LoRA
// (benchmarks/trace.py): gaps ~ Gamma(shape 1/CV^2, scale CV^2/Rate), prompt and
// output lengths ~ U[MinLen, MaxLen), adapters by Config.Alpha.
type SLoRA struct {
	Rate    float64 `json:"rate"`    // requests per second; default 12
	CV      float64 `json:"cv"`      // coefficient of variation of the gaps; default 1
	Seconds float64 `json:"seconds"` // default 120
	MinLen  int     `json:"min_len"` // default 8
	MaxLen  int     `json:"max_len"` // default 512
}

// CostModel is one worker's hardware and engine. The defaults describe a
// mid-range GPU with a 7B base and 40 MB adapters.
type CostModel struct {
	Slots          int     `json:"slots"`           // sequences batched at once; default 8
	DeviceAdapters int     `json:"device_adapters"` // default 16, at least Slots
	HostAdapters   int     `json:"host_adapters"`   // default 48
	DiskAdapters   int     `json:"disk_adapters"`   // default 256
	KVTokens       int     `json:"kv_tokens"`       // default 262,144
	StepMS         float64 `json:"step_ms"`         // one decoding step, empty batch; default 20
	StepSeqMS      float64 `json:"step_seq_ms"`     // more per sequence in the batch; default 0.5
	PrefillTPS     float64 `json:"prefill_tps"`     // prompt tokens per second; default 6,000
	ChunkTokens    int     `json:"chunk_tokens"`    // prompt tokens per step; default 512
	// LoadMS is how long it takes to bring an adapter to the device from each
	// tier; loads of one worker queue. Default 0, 15, 60, 500.
	LoadMS [4]int64 `json:"load_ms"`
	RTTMS  int64    `json:"rtt_ms"` // from the coordinator; default 20
	// HeartbeatMS and DeltaMS: a worker announces at least every HeartbeatMS, and
	// DeltaMS after its adapters changed. Default: the protocol's 30 s, and 1 s.
	HeartbeatMS int64 `json:"heartbeat_ms"`
	DeltaMS     int64 `json:"delta_ms"`
}

// ParseCostModel reads a cost model from JSON; fields left out get defaults. It may
// also be the report of a machine ('openledger worker bench --json'), which has one
// in its cost_model.
func ParseCostModel(data []byte) (CostModel, error) {
	var c CostModel
	var report struct {
		CostModel json.RawMessage `json:"cost_model"`
	}
	if json.Unmarshal(data, &report) == nil && report.CostModel != nil {
		data = report.CostModel
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return c, protocol.Errorf(protocol.KindInvalid, "cost", "cannot read the cost model: %w", err)
	}
	c.ensureDefaults()
	return c, c.validate()
}

func (c *CostModel) ensureDefaults() {
	def(&c.Slots, 8)
	def(&c.DeviceAdapters, max(16, c.Slots))
	def(&c.HostAdapters, 48)
	def(&c.DiskAdapters, 256)
	def(&c.KVTokens, 262_144)
	def(&c.StepMS, 20)
	def(&c.StepSeqMS, 0.5)
	def(&c.PrefillTPS, 6000)
	def(&c.ChunkTokens, 512)
	if c.LoadMS == [4]int64{} {
		c.LoadMS = [4]int64{0, 15, 60, 500}
	}
	def(&c.RTTMS, 20)
	def(&c.HeartbeatMS, protocol.AnnouncementEvery.Milliseconds())
	def(&c.DeltaMS, 1000)
}

func def[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// EnsureDefaults fills what is zero.
func (c *Config) EnsureDefaults() {
	def(&c.Seed, 42)
	def(&c.Trace, TraceAzureSample)
	if c.Trace == TraceAzureSample {
		def(&c.Speed, 2)
	}
	def(&c.Speed, 1)
	if len(c.Policies) == 0 {
		c.Policies = scheduler.Policies()
	}
	def(&c.Workers, 16)
	def(&c.Adapters, 500)
	def(&c.Tenants, 20)
	def(&c.Alpha, 0.3)
	def(&c.ReviveMS, 30_000)
	def(&c.DetectMS, 1000)
	def(&c.SLoRA.Rate, 12)
	def(&c.SLoRA.CV, 1)
	def(&c.SLoRA.Seconds, 120)
	def(&c.SLoRA.MinLen, 8)
	def(&c.SLoRA.MaxLen, 512)
	c.Cost.ensureDefaults()
	s := &c.Scheduler
	if s.LoadMS == [4]int64{} {
		s.LoadMS = c.Cost.LoadMS
	}
	def(&s.PrefillRatio, max(1, int64(c.Cost.PrefillTPS/c.Cost.decodeTPS())))
	def(&s.MaxQueued, 1<<20)
	def(&s.MaxQueuedPerTenant, 1<<20)
	s.EnsureDefaults()
}

// Validate reports the first field that cannot be used.
func (c *Config) Validate() error {
	if c.Trace != TraceAzureSample && c.Trace != TraceSLoRA && !strings.HasSuffix(c.Trace, ".csv") && !strings.HasSuffix(c.Trace, ".jsonl") {
		return protocol.Errorf(protocol.KindInvalid, "trace", "%q is no trace: use %s, %s, or a file ending in .csv (Azure) or .jsonl (Mooncake)", c.Trace, TraceAzureSample, TraceSLoRA)
	}
	l := &c.SLoRA
	if l.MinLen < 1 || l.MaxLen <= l.MinLen || l.MaxLen > maxRequestTokens {
		return protocol.Errorf(protocol.KindInvalid, "s_lora", "lengths from %d to %d: set 1 <= min_len < max_len <= %d", l.MinLen, l.MaxLen, maxRequestTokens)
	}
	if n := l.Rate * l.Seconds; n > maxRequests {
		return protocol.Errorf(protocol.KindInvalid, "s_lora", "about %.0f requests: at most %d", n, maxRequests)
	}
	return firstOut(
		within{"speed", c.Speed, 1e-6, 1e6}, within{"requests", float64(c.Requests), 0, maxRequests},
		within{"workers", float64(c.Workers), 1, 100_000}, within{"adapters", float64(c.Adapters), 1, 10_000_000},
		within{"tenants", float64(c.Tenants), 1, 1_000_000}, within{"alpha", c.Alpha, 0.01, 10},
		within{"kill_percent", float64(c.KillPercent), 0, 100}, within{"detect_ms", float64(c.DetectMS), 0, 1e7},
		within{"s_lora.rate", l.Rate, 1e-6, 1e6}, within{"s_lora.cv", l.CV, 1e-3, 1e3}, within{"s_lora.seconds", l.Seconds, 1e-3, 1e7},
	).or(func() error {
		if err := c.Cost.validate(); err != nil {
			return err
		}
		for _, p := range c.Policies {
			s := c.Scheduler
			s.Policy = p
			if err := s.Validate(); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c *CostModel) validate() error {
	if c.DeviceAdapters < c.Slots {
		return protocol.Errorf(protocol.KindInvalid, "cost.device_adapters", "is %d with %d slots: each slot may need its own adapter, set at least as many", c.DeviceAdapters, c.Slots)
	}
	var out outside
	for _, v := range c.LoadMS {
		out = append(out, firstOut(within{"cost.load_ms", float64(v), 0, 1e7})...)
	}
	return append(out, firstOut(
		within{"cost.slots", float64(c.Slots), 1, 4096}, within{"cost.host_adapters", float64(c.HostAdapters), 0, 1e6},
		within{"cost.disk_adapters", float64(c.DiskAdapters), 1, 1e7}, within{"cost.kv_tokens", float64(c.KVTokens), 1, 1e9},
		within{"cost.step_ms", c.StepMS, 1e-3, 1e6}, within{"cost.step_seq_ms", c.StepSeqMS, 0, 1e6},
		within{"cost.prefill_tps", c.PrefillTPS, 1, 1e9}, within{"cost.chunk_tokens", float64(c.ChunkTokens), 1, 1e6},
		within{"cost.rtt_ms", float64(c.RTTMS), 0, 60_000}, within{"cost.heartbeat_ms", float64(c.HeartbeatMS), 1, 80_000},
		within{"cost.delta_ms", float64(c.DeltaMS), 1, 80_000})...).or(nil)
}

type within struct {
	field    string
	v        float64
	min, max float64
}

type outside []within

func firstOut(list ...within) outside {
	for _, f := range list {
		if !(f.v >= f.min && f.v <= f.max) {
			return outside{f}
		}
	}
	return nil
}

func (o outside) or(next func() error) error {
	if len(o) > 0 {
		return protocol.Errorf(protocol.KindInvalid, o[0].field, "is %v: set it from %v to %v, or leave it out for the default", o[0].v, o[0].min, o[0].max)
	}
	if next == nil {
		return nil
	}
	return next()
}

// decodeTPS is what a worker with full slots decodes per second, all together.
func (c *CostModel) decodeTPS() float64 {
	return float64(c.Slots) * 1000 / (c.StepMS + c.StepSeqMS*float64(c.Slots))
}
