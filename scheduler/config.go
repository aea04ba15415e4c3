package scheduler

import "github.com/openledger/openledger/protocol"

// Policy names a way to choose a worker. All but PolicyAffinity are baselines for
// comparison: they send a job at once to a worker's own queue.
type Policy string

// Policies.
const (
	PolicyAffinity     Policy = "affinity"      // ours
	PolicyRandom       Policy = "random"        // any worker
	PolicyRoundRobin   Policy = "round-robin"   // the next worker
	PolicyLeastLoaded  Policy = "least-loaded"  // fewest jobs per slot
	PolicyPowerOfTwo   Policy = "power-of-two"  // the less loaded of two random ones
	PolicyBoundedHash  Policy = "bounded-hash"  // consistent hashing with bounded loads, 1.25
	PolicyLoRAAffinity Policy = "lora-affinity" // llm-d's scorer: active 1.0, room 0.8, waiting 0.6
)

// Policies lists every policy, ours first.
func Policies() []Policy {
	return []Policy{PolicyAffinity, PolicyRandom, PolicyRoundRobin, PolicyLeastLoaded,
		PolicyPowerOfTwo, PolicyBoundedHash, PolicyLoRAAffinity}
}

// Config fixes how a State decides. Zero fields get defaults; where a number may
// be switched off, a negative one does it. Times are in milliseconds.
type Config struct {
	Policy Policy `json:"policy"`
	Seed   uint64 `json:"seed"`

	MaxQueued          int `json:"max_queued"`            // jobs waiting, all tenants; default 4096
	MaxQueuedPerTenant int `json:"max_queued_per_tenant"` // default 512
	MaxAttempts        int `json:"max_attempts"`          // dispatches of one job; default 5

	// Bounded load: of the jobs that compete for its slots a worker gets at most
	// LoadPercent of its fair share of all demand or its slots, whichever is more,
	// and never more than QueuePercent of its slots. Defaults 125 and 200.
	LoadPercent  int `json:"load_percent"`
	QueuePercent int `json:"queue_percent"`

	Candidates int `json:"candidates"` // adapter holders examined per decision; default 8
	Homes      int `json:"homes"`      // rendezvous homes examined; default 4
	Lookahead  int `json:"lookahead"`  // waiting jobs examined per event; default 16

	// Load times by protocol.Tier until an adapter is ready on the device.
	// Defaults 0, 15, 120, 1500.
	LoadMS [4]int64 `json:"load_ms"`
	// PrefillRatio is how many prompt tokens a worker reads in the time of one
	// decoded token of its DecodeTPS. Default 8.
	PrefillRatio int64 `json:"prefill_ratio"`
	// UnstatedTPS is assumed of a worker whose announcement states no DecodeTPS: it has
	// not computed anything yet. Tokens per second, all slots together; default 20.
	UnstatedTPS int64 `json:"unstated_tps"`

	// What a term may add to a score at most, in ms. Defaults 200, 2000, 20.
	PriceWeightMS      int64 `json:"price_weight_ms"`      // a fee as high as the quote
	ReputationWeightMS int64 `json:"reputation_weight_ms"` // every recent job failed
	StakeWeightMS      int64 `json:"stake_weight_ms"`      // no stake at all
	HomeStepMS         int64 `json:"home_step_ms"`         // per rendezvous rank of a cold adapter; default 100
	TrainingPenaltyMS  int64 `json:"training_penalty_ms"`  // worker is training; default 500
	// ColdPercent weighs what a load costs others: it evicts something, and those
	// behind it wait, the longer the more the links are in use. Default 100;
	// negative: off.
	ColdPercent int64 `json:"cold_percent"`

	JobTimeoutMS        int64 `json:"job_timeout_ms"`         // deadline of a job without one; default 10 min
	FirstTokenTimeoutMS int64 `json:"first_token_timeout_ms"` // from dispatch to the first token; default 60 s
	IdleTimeoutMS       int64 `json:"idle_timeout_ms"`        // between tokens; default 20 s
	TrainIdleTimeoutMS  int64 `json:"train_idle_timeout_ms"`  // between signs of life; default 10 min
	TrainTimeoutMS      int64 `json:"train_timeout_ms"`       // deadline of a training job without one; default 24 h
	NoWorkerGraceMS     int64 `json:"no_worker_grace_ms"`     // wait for a worker to appear; default 5 s; negative: none
	StarveMS            int64 `json:"starve_ms"`              // after this nobody overtakes a waiting job; default 5 s
	QuarantineMS        int64 `json:"quarantine_ms"`          // after 3 failures in a row, doubling to 64x; default 1 s
	PrefetchEveryMS     int64 `json:"prefetch_every_ms"`      // per adapter; default 500; negative: no prefetch
	MemoryMS            int64 `json:"memory_ms"`              // how long absent workers and tenants are remembered; default 1 h
}

// EnsureDefaults fills what is zero.
func (c *Config) EnsureDefaults() {
	if c.Policy == "" {
		c.Policy = PolicyAffinity
	}
	setInt(&c.MaxQueued, 4096)
	setInt(&c.MaxQueuedPerTenant, 512)
	setInt(&c.MaxAttempts, 5)
	setInt(&c.LoadPercent, 125)
	setInt(&c.QueuePercent, 200)
	setInt(&c.Candidates, 8)
	setInt(&c.Homes, 4)
	setInt(&c.Lookahead, 16)
	if c.LoadMS == [4]int64{} {
		c.LoadMS = [4]int64{0, 15, 120, 1500}
	}
	setMS(&c.PrefillRatio, 8)
	setMS(&c.UnstatedTPS, 20)
	setMS(&c.PriceWeightMS, 200)
	setMS(&c.ReputationWeightMS, 2000)
	setMS(&c.StakeWeightMS, 20)
	setMS(&c.HomeStepMS, 100)
	setMS(&c.TrainingPenaltyMS, 500)
	setMS(&c.ColdPercent, 100)
	setMS(&c.JobTimeoutMS, 10*60_000)
	setMS(&c.FirstTokenTimeoutMS, 60_000)
	setMS(&c.IdleTimeoutMS, 20_000)
	setMS(&c.TrainIdleTimeoutMS, 10*60_000)
	setMS(&c.TrainTimeoutMS, 24*3_600_000)
	setMS(&c.NoWorkerGraceMS, 5_000)
	setMS(&c.StarveMS, 5_000)
	setMS(&c.QuarantineMS, 1_000)
	setMS(&c.PrefetchEveryMS, 500)
	setMS(&c.MemoryMS, 3_600_000)
}

func setInt(p *int, v int) {
	if *p == 0 {
		*p = v
	}
}

func setMS(p *int64, v int64) {
	if *p == 0 {
		*p = v
	}
}

// Validate reports the first field that cannot be used.
func (c *Config) Validate() error {
	known := false
	for _, p := range Policies() {
		known = known || p == c.Policy
	}
	if !known {
		return protocol.Errorf(protocol.KindInvalid, "policy", "unknown policy %q: use one of %v", c.Policy, Policies())
	}
	for _, f := range []struct {
		name string
		v    int64
		min  int64
	}{
		{"max_queued", int64(c.MaxQueued), 1}, {"max_queued_per_tenant", int64(c.MaxQueuedPerTenant), 1},
		{"max_attempts", int64(c.MaxAttempts), 1}, {"load_percent", int64(c.LoadPercent), 100},
		{"queue_percent", int64(c.QueuePercent), 100}, {"candidates", int64(c.Candidates), 1},
		{"homes", int64(c.Homes), 1}, {"lookahead", int64(c.Lookahead), 1},
		{"load_ms[0]", c.LoadMS[0], 0}, {"load_ms[1]", c.LoadMS[1], 0},
		{"load_ms[2]", c.LoadMS[2], 0}, {"load_ms[3]", c.LoadMS[3], 0},
		{"prefill_ratio", c.PrefillRatio, 1}, {"unstated_tps", c.UnstatedTPS, 1}, {"job_timeout_ms", c.JobTimeoutMS, 1},
		{"first_token_timeout_ms", c.FirstTokenTimeoutMS, 1}, {"idle_timeout_ms", c.IdleTimeoutMS, 1},
		{"train_idle_timeout_ms", c.TrainIdleTimeoutMS, 1}, {"train_timeout_ms", c.TrainTimeoutMS, 1},
		{"memory_ms", c.MemoryMS, 1},
	} {
		if f.v < f.min {
			return protocol.Errorf(protocol.KindInvalid, f.name, "is %d: set at least %d, or leave it out for the default", f.v, f.min)
		}
	}
	return nil
}
