package scheduler

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/openledger/openledger/protocol"
)

// threadTime is the processor time of this thread in ns: what a decision costs,
// whatever else the machine does.
func threadTime() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		panic(err)
	}
	return ts.Nano()
}

// BenchmarkSubmit10kWorkers100kAdapters times one decision in a large network at
// 70 % load with a skewed choice among 100,000 adapters.
func BenchmarkSubmit10kWorkers100kAdapters(b *testing.B) {
	const workers, adapters, slots, resident = 10_000, 100_000, 8, 32
	s, err := New(Config{})
	if err != nil {
		b.Fatal(err)
	}
	for i := range workers {
		a := protocol.Announcement{Peer: protocol.PeerID(fmt.Sprintf("12D3KooW%06d", i)), Sequence: 1, IssuedAt: 1,
			ExpiresAt: 1 << 50, Slots: slots, DecodeTPS: 400, FreeKV: 1 << 20}
		for k := range resident {
			x := mix(uint64(i*resident + k))
			a.Adapters = append(a.Adapters, protocol.ResidentAdapter{Tag: skewed(x, adapters), Tier: protocol.Tier(k % 3)})
		}
		Step(s, Announce{At: 1, Announcement: a})
	}
	var live []protocol.Hash
	sub := &Submit{Base: protocol.Hash{}, PromptTokens: 300, MaxTokens: 200}
	submit := func(i int) {
		binary.BigEndian.PutUint64(sub.Job[:8], mix(uint64(i)))
		sub.Tenant = protocol.Account{byte(i), byte(i >> 8)}
		sub.Adapter = skewed(mix(uint64(i)^0xabc), adapters)
		sub.At = int64(2 + i/10)
		Step(s, sub)
		live = append(live, sub.Job)
	}
	n := 0
	for ; n < workers*slots*7/10; n++ {
		submit(n)
	}
	took := make([]int64, 0, b.N)
	freed := make([]int64, 0, b.N)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		t0 := threadTime()
		submit(n + i)
		t1 := threadTime()
		Step(s, Token{At: sub.At, Job: live[i], Count: 1})
		t2 := threadTime()
		Step(s, Done{At: sub.At, Job: live[i]})
		took = append(took, t1-t0)
		freed = append(freed, threadTime()-t2)
	}
	slices.Sort(took)
	slices.Sort(freed)
	b.ReportMetric(float64(took[len(took)/2]), "submit-p50-ns")
	b.ReportMetric(float64(took[len(took)*99/100]), "submit-p99-ns")
	b.ReportMetric(float64(freed[len(freed)*99/100]), "done-p99-ns")
}

// skewed draws from a power law: a cube makes small tags common.
func skewed(x uint64, n int) uint64 {
	u := float64(x>>11) / (1 << 53)
	return 1 + uint64(u*u*u*float64(n))
}
