package supply

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// Config is the whole supply of the token: one file a network, such as
// contracts/genesis/token.json.
type Config struct {
	Name         string      `json:"name"`
	Symbol       string      `json:"symbol"`
	Supply       uint256.Int `json:"supply_wei"`
	TGE          uint64      `json:"tge"` // Unix seconds of the token generation event
	MonthSeconds uint64      `json:"month_seconds"`
	Buckets      []Bucket    `json:"buckets"`
}

// Bucket is a part of the supply with one rule. AtTGE is free at once; the rest is
// locked, vests nothing until CliffMonths have passed and then linearly over
// LinearMonths.
type Bucket struct {
	Name         string           `json:"name"`
	Beneficiary  protocol.Account `json:"beneficiary"`
	Amount       uint256.Int      `json:"amount_wei"`
	AtTGE        uint256.Int      `json:"tge_wei"`
	CliffMonths  uint64           `json:"cliff_months"`
	LinearMonths uint64           `json:"linear_months"`
}

// Bounds of a configuration: a century of months keeps every product within 64 bits.
const (
	maxBytes   = 64 << 10
	maxBuckets = 64
	maxMonths  = 1200
	maxMonth   = 366 * 86400
)

// Parse reads and checks a configuration.
func Parse(raw []byte) (Config, error) {
	var c Config
	if len(raw) > maxBytes {
		return c, protocol.Errorf(protocol.KindInvalid, "token", "the configuration has %d bytes: at most %d", len(raw), maxBytes)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return c, protocol.Errorf(protocol.KindInvalid, "token", "the configuration is not as expected: %w", err)
	}
	return c, c.Validate()
}

// Validate says which number is wrong.
func (c *Config) Validate() error {
	bad := func(field, format string, args ...any) error {
		return protocol.Errorf(protocol.KindInvalid, field, format, args...)
	}
	switch {
	case strings.TrimSpace(c.Name) == "":
		return bad("name", "is empty")
	case strings.TrimSpace(c.Symbol) == "":
		return bad("symbol", "is empty")
	case c.Supply.IsZero():
		return bad("supply_wei", "is 0")
	case c.TGE == 0 || c.TGE > math.MaxUint32:
		return bad("tge", "%d is no Unix time in seconds", c.TGE)
	case c.MonthSeconds == 0 || c.MonthSeconds > maxMonth:
		return bad("month_seconds", "is %d: it must lie between 1 and %d", c.MonthSeconds, maxMonth)
	case len(c.Buckets) == 0 || len(c.Buckets) > maxBuckets:
		return bad("buckets", "are %d: there must be 1 to %d", len(c.Buckets), maxBuckets)
	}
	var sum uint256.Int
	names := map[string]bool{}
	for i := range c.Buckets {
		b := &c.Buckets[i]
		switch {
		case strings.TrimSpace(b.Name) == "":
			return bad("buckets", "number %d has no name", i)
		case names[b.Name]:
			return bad("buckets", "%q is there twice", b.Name)
		case b.Beneficiary == (protocol.Account{}):
			return bad("buckets", "%s has no beneficiary", b.Name)
		case b.Amount.Lt(&b.AtTGE):
			return bad("buckets", "%s frees %s wei at TGE of only %s", b.Name, b.AtTGE.Dec(), b.Amount.Dec())
		case b.CliffMonths > maxMonths || b.LinearMonths > maxMonths:
			return bad("buckets", "%s takes more than %d months", b.Name, maxMonths)
		case b.locked().IsZero() != (b.CliffMonths+b.LinearMonths == 0):
			return bad("buckets", "%s: a locked part needs cliff_months or linear_months, and only a locked part does", b.Name)
		}
		names[b.Name] = true
		if _, over := sum.AddOverflow(&sum, &b.Amount); over {
			return bad("buckets", "add up to more than 256 bits hold")
		}
	}
	if !sum.Eq(&c.Supply) {
		return bad("buckets", "add up to %s wei, the supply is %s", sum.Dec(), c.Supply.Dec())
	}
	return nil
}

func (b *Bucket) locked() *uint256.Int { return new(uint256.Int).Sub(&b.Amount, &b.AtTGE) }

// Locked is the part that a vault holds.
func (b *Bucket) Locked() uint256.Int { return *b.locked() }

// Start is when a bucket begins to vest, in Unix seconds; Duration is for how many
// seconds it does.
func (c *Config) Start(b *Bucket) uint64 { return c.TGE + b.CliffMonths*c.MonthSeconds }

// Duration is how many seconds a bucket vests for after Start.
func (c *Config) Duration(b *Bucket) uint64 { return b.LinearMonths * c.MonthSeconds }

// At is the Unix time of the end of a month after TGE.
func (c *Config) At(month uint64) uint64 { return c.TGE + month*c.MonthSeconds }

// Months is when the last bucket is free.
func (c *Config) Months() uint64 {
	var last uint64
	for i := range c.Buckets {
		last = max(last, c.Buckets[i].CliffMonths+c.Buckets[i].LinearMonths)
	}
	return last
}

// Vested is what of a bucket's locked part is free at a time.
func (c *Config) Vested(b *Bucket, unix uint64) uint256.Int {
	start, duration := c.Start(b), c.Duration(b)
	switch {
	case unix < start:
		return uint256.Int{}
	case unix >= start+duration:
		return b.Locked()
	}
	var v uint256.Int
	// The product may need more than 256 bits in theory; the quotient never does.
	v.MulDivOverflow(b.locked(), uint256.NewInt(unix-start), uint256.NewInt(duration))
	return v
}

// Free is what of a bucket circulates at a time: nothing before TGE.
func (c *Config) Free(b *Bucket, unix uint64) uint256.Int {
	if unix < c.TGE {
		return uint256.Int{}
	}
	v := c.Vested(b, unix)
	v.Add(&v, &b.AtTGE)
	return v
}

// Circulating is what of all buckets circulates at a time.
func (c *Config) Circulating(unix uint64) uint256.Int {
	var sum uint256.Int
	for i := range c.Buckets {
		free := c.Free(&c.Buckets[i], unix)
		sum.Add(&sum, &free)
	}
	return sum
}
