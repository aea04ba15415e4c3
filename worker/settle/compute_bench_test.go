package settle

import (
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/payout"
	"github.com/openledger/openledger/protocol/wire"
)

// signedSample is a document of n signed receipts, half of them with an attribution to
// three records of twenty contributors.
func signedSample(b *testing.B, n int) (*Document, Checks) {
	b.Helper()
	d := sample(n)
	key, err := crypto.ToECDSA(crypto.Keccak256([]byte("settle benchmark")))
	require.NoError(b, err)
	domain := wire.Domain{ChainID: 1, Contract: protocol.Account{0x5e}}
	for i := range d.Entries {
		e := &d.Entries[i]
		r := &e.Receipt.Receipt
		r.Requester = protocol.Account{0xaa, byte(i % 5)}
		if e.Attribution != nil {
			a := &protocol.Attribution{Algorithm: "bench", Index: protocol.Hash{1}, Root: protocol.Hash{2}, Pool: protocol.WeightScale}
			for j := range 3 {
				weight := uint64(100_000 - j)
				a.Pool -= weight
				a.Shares = append(a.Shares, protocol.RecordShare{Record: protocol.Hash{8, byte(j)}, Contributor: protocol.Account{9, byte((i + j) % 20)}, Weight: weight})
			}
			e.Attribution = a
			r.Compute, r.Access = *uint256.NewInt(1e15 + uint64(i)), *uint256.NewInt(2e15 + uint64(i))
			r.AttributionRoot, err = wire.AttributionRoot(*a)
			require.NoError(b, err)
		}
		e.Receipt, err = wire.SignReceipt(domain, *r, key)
		require.NoError(b, err)
	}
	return d, Checks{
		Receipt:         func(r protocol.SignedReceipt) error { return wire.VerifyReceipt(domain, r) },
		AttributionRoot: wire.AttributionRoot,
	}
}

// cpuTime is what this process has used of its cores so far: on a busy machine wall
// time says little about one core.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkCompute verifies, splits and batches a document of 10,000 signed receipts:
// signatures, attribution digests, shares, aggregation, tree. "receipts/cpu-s" is per
// second of CPU time, garbage collection included; "x-of-recover" is the CPU time over
// that of the 10,000 bare public-key recoveries, measured in turns with it.
func BenchmarkCompute(b *testing.B) {
	const n = 10_000
	d, checks := signedSample(b, n)
	digest := crypto.Keccak256([]byte("reference"))
	key, err := crypto.GenerateKey()
	require.NoError(b, err)
	sig, err := crypto.Sign(digest, key)
	require.NoError(b, err)
	b.ReportAllocs()
	var ours, bare time.Duration
	for b.Loop() {
		at := cpuTime(b)
		if _, err := Compute(d, checks); err != nil {
			b.Fatal(err)
		}
		ours += cpuTime(b) - at
		b.StopTimer()
		runtime.GC()
		at = cpuTime(b)
		for range n {
			if _, err := crypto.Ecrecover(digest, sig); err != nil {
				b.Fatal(err)
			}
		}
		bare += cpuTime(b) - at
		b.StartTimer()
	}
	b.ReportMetric(float64(n*b.N)/ours.Seconds(), "receipts/cpu-s")
	b.ReportMetric(ours.Seconds()/bare.Seconds(), "x-of-recover")
}

// BenchmarkSplit divides one fee with an attribution and two stakers.
func BenchmarkSplit(b *testing.B) {
	d, _ := signedSample(b, 1)
	m := &d.Manifest
	splitter, err := payout.NewSplitter(m.Params, m.Stakers)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.split(splitter, &d.Entries[0], Checks{}); err != nil {
			b.Fatal(err)
		}
	}
}
