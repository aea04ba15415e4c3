package sim

import (
	"bufio"
	"bytes"
	_ "embed" // the sample trace
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/openledger/openledger/protocol"
)

// Limits of what a trace may hold.
const (
	maxRequests      = 20_000_000
	maxRequestTokens = 1 << 20
	maxLineBytes     = 1 << 20
	maxTraceMS       = int64(366 * 24 * 3600 * 1000)
)

//go:embed data/azure_code_sample.csv
var azureSample []byte

// Request is one arrival.
type Request struct {
	At      int64 // us from the first
	Prompt  int
	Output  int
	Adapter int
	Tenant  int
}

// ReadAzure reads an Azure LLM inference trace (CSV: TIMESTAMP, ContextTokens,
// GeneratedTokens). Name is for errors; limit 0 is the whole trace.
func ReadAzure(r io.Reader, name string, limit int) ([]Request, error) {
	var first time.Time
	return readLines(r, name, limit, func(n int, line []byte) (Request, bool, error) {
		fields := strings.Split(strings.TrimRight(string(line), "\r"), ",")
		if n == 1 {
			if len(fields) != 3 || fields[0] != "TIMESTAMP" || fields[1] != "ContextTokens" || fields[2] != "GeneratedTokens" {
				return Request{}, false, errors.New("the header must be TIMESTAMP,ContextTokens,GeneratedTokens")
			}
			return Request{}, false, nil
		}
		if len(fields) != 3 {
			return Request{}, false, fmt.Errorf("has %d fields, want 3", len(fields))
		}
		at, err := time.Parse("2006-01-02 15:04:05.999999999", strings.TrimSuffix(fields[0], "+00:00"))
		if err != nil {
			return Request{}, false, fmt.Errorf("TIMESTAMP: %w", err)
		}
		if first.IsZero() {
			first = at
		}
		prompt, err := strconv.Atoi(fields[1])
		if err != nil {
			return Request{}, false, fmt.Errorf("ContextTokens: %w", err)
		}
		output, err := strconv.Atoi(fields[2])
		if err != nil {
			return Request{}, false, fmt.Errorf("GeneratedTokens: %w", err)
		}
		return Request{At: at.Sub(first).Microseconds(), Prompt: prompt, Output: output}, true, nil
	})
}

// ReadMooncake reads a Mooncake trace (JSON lines: timestamp in ms, input_length,
// output_length; hash_ids are not used).
func ReadMooncake(r io.Reader, name string, limit int) ([]Request, error) {
	return readLines(r, name, limit, func(_ int, line []byte) (Request, bool, error) {
		var m struct {
			Timestamp *int64 `json:"timestamp"`
			Input     *int   `json:"input_length"`
			Output    *int   `json:"output_length"`
		}
		if err := json.Unmarshal(line, &m); err != nil {
			return Request{}, false, err
		}
		if m.Timestamp == nil || m.Input == nil || m.Output == nil {
			return Request{}, false, errors.New("must have timestamp, input_length and output_length")
		}
		if *m.Timestamp > maxTraceMS {
			return Request{}, false, fmt.Errorf("timestamp: %d ms is over a year", *m.Timestamp)
		}
		return Request{At: *m.Timestamp * 1000, Prompt: *m.Input, Output: *m.Output}, true, nil
	})
}

// readLines applies parse to every line, checks what it gives, and orders it.
func readLines(r io.Reader, name string, limit int, parse func(n int, line []byte) (Request, bool, error)) ([]Request, error) {
	if limit <= 0 || limit > maxRequests {
		limit = maxRequests
	}
	var list []Request
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 64<<10), maxLineBytes)
	for n := 1; len(list) < limit && sc.Scan(); n++ {
		line := bytes.TrimSpace(sc.Bytes())
		if len(line) == 0 {
			continue
		}
		q, ok, err := parse(n, line)
		if err == nil && ok && (q.Prompt < 0 || q.Prompt > maxRequestTokens || q.Output < 0 || q.Output > maxRequestTokens) {
			err = fmt.Errorf("%d prompt and %d output tokens: both must be within 0 and %d", q.Prompt, q.Output, maxRequestTokens)
		}
		if err == nil && ok && (q.At < 0 || q.At > maxTraceMS*1000) {
			err = errors.New("its time is before the first request's or over a year after it")
		}
		if err != nil {
			return nil, protocol.Errorf(protocol.KindInvalid, fmt.Sprintf("%s:%d", name, n), "%w", err)
		}
		if ok {
			q.Output = max(1, q.Output)
			list = append(list, q)
		}
	}
	if err := sc.Err(); err != nil {
		return nil, protocol.Errorf(protocol.KindInvalid, name, "cannot read the trace: %w", err)
	}
	if len(list) == 0 {
		return nil, protocol.Errorf(protocol.KindInvalid, name, "the trace holds no requests")
	}
	slices.SortStableFunc(list, func(a, b Request) int { return int(min(max(a.At-b.At, -1), 1)) })
	return list, nil
}

// requests loads or makes the arrivals of a Config.
func requests(cfg *Config) (list []Request, err error) {
	rng := rand.New(rand.NewPCG(cfg.Seed, 0x6f70656e))
	switch cfg.Trace {
	case TraceSLoRA:
		list = cfg.SLoRA.generate(rng, cfg.Requests)
	case TraceAzureSample:
		list, err = ReadAzure(bytes.NewReader(azureSample), TraceAzureSample, cfg.Requests)
	default:
		list, err = readFile(cfg.Trace, cfg.Requests)
	}
	if err != nil {
		return nil, err
	}
	start := list[0].At
	for i := range list {
		q := &list[i]
		q.At = int64(float64(q.At-start) / cfg.Speed)
		q.Adapter = powerLaw(rng, cfg.Alpha, cfg.Adapters)
		q.Tenant = powerLaw(rng, cfg.Alpha, cfg.Tenants)
	}
	return list, nil
}

func readFile(path string, limit int) (list []Request, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, protocol.Errorf(protocol.KindNotFound, "trace", "cannot open the trace: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if strings.HasSuffix(path, ".jsonl") {
		return ReadMooncake(f, filepath.Base(path), limit)
	}
	return ReadAzure(f, filepath.Base(path), limit)
}

// powerLaw is floor(U^(1/alpha) * n): numpy's random.power(alpha) times n.
func powerLaw(rng *rand.Rand, alpha float64, n int) int {
	return min(int(math.Pow(rng.Float64(), 1/alpha)*float64(n)), n-1)
}

func (l *SLoRA) generate(rng *rand.Rand, limit int) []Request {
	var list []Request
	at := 0.0
	for at < l.Seconds && len(list) < maxRequests && (limit == 0 || len(list) < limit) {
		list = append(list, Request{
			At:     int64(at * 1e6),
			Prompt: l.MinLen + rng.IntN(l.MaxLen-l.MinLen),
			Output: l.MinLen + rng.IntN(l.MaxLen-l.MinLen),
		})
		at += gamma(rng, 1/(l.CV*l.CV)) * l.CV * l.CV / l.Rate
	}
	return list
}

// gamma draws from Gamma(shape, 1) (Marsaglia and Tsang, 2000).
func gamma(rng *rand.Rand, shape float64) float64 {
	if shape < 1 {
		return gamma(rng, shape+1) * math.Pow(rng.Float64(), 1/shape)
	}
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := rng.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(1-rng.Float64()) < 0.5*x*x+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}
