package sim

import (
	"io"

	"github.com/openledger/openledger/scheduler"
)

// Config is one comparison. The zero Config is the default run: the embedded
// trace sample, 16 workers, 500 adapters.
type Config struct {
	Seed uint64 `json:"seed"`
	// Trace is "azure-sample" (embedded), "s-lora" (synthetic), or a path ending
	// in .csv (Azure) or .jsonl (Mooncake).
	Trace    string             `json:"trace"`
	Policies []scheduler.Policy `json:"policies"`
	Workers  int                `json:"workers"`
	Adapters int                `json:"adapters"`
	Requests int                `json:"requests"` // at most; 0: the whole trace
}

// EnsureDefaults fills what is zero.
func (c *Config) EnsureDefaults() {}

// Validate reports the first field that cannot be used.
func (c *Config) Validate() error { return nil }

// Report is the outcome of a comparison.
type Report struct{}

// Compare runs every policy over the same arrivals.
func Compare(cfg Config) (Report, error) { return Report{}, nil }

// WriteTable renders the report for people.
func (r Report) WriteTable(w io.Writer) error { return nil }

// WriteJSON renders the report for programs.
func (r Report) WriteJSON(w io.Writer) error { return nil }
