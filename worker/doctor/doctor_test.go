package doctor

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cuda"
	"github.com/openledger/openledger/protocol"
)

// run gives a check's finding and holds it to what every finding promises.
func run(t *testing.T, c Check) Finding {
	t.Helper()
	f := Examine(t.Context(), []Check{c})[0]
	require.Equal(t, c.Name, f.Check)
	require.NotEmpty(t, f.Says)
	require.Equal(t, f.Level == OK, f.Remedy == "", "what is not well names a way out, and only that: %+v", f)
	return f
}

func TestDevices(t *testing.T) {
	gpu := cuda.Device{Name: "H100", MemoryTotal: 80 << 30}
	broken := cuda.Device{Index: 1, Name: "K80", Problems: []string{"its compute capability is 3.7: use a newer one"}}
	for name, tt := range map[string]struct {
		inv  cuda.Inventory
		want Level
		says string
	}{
		"none":       {cuda.Inventory{}, OK, "CPU"},
		"no driver":  {cuda.Inventory{Absent: "no driver is installed"}, OK, "no driver is installed"},
		"good":       {cuda.Inventory{Devices: []cuda.Device{gpu}}, OK, "GPU 0 (H100, 80 GiB)"},
		"one broken": {cuda.Inventory{Devices: []cuda.Device{gpu, broken}}, Warn, "1 of 2"},
		"all broken": {cuda.Inventory{Devices: []cuda.Device{broken}}, Warn, "0 of 1"},
	} {
		f := run(t, Devices(func() cuda.Inventory { return tt.inv }))
		require.Equal(t, tt.want, f.Level, name)
		require.Contains(t, f.Says, tt.says, name)
		if tt.want == Warn {
			require.Contains(t, f.Remedy, "use a newer one")
		}
	}
}

func TestDisk(t *testing.T) {
	home := t.TempDir()
	f := run(t, Disk(home))
	require.Contains(t, f.Says, "free")
	left, err := os.ReadDir(home)
	require.NoError(t, err)
	require.Empty(t, left, "it changes nothing")
	f = run(t, Disk(filepath.Join(home, "gone")))
	require.Equal(t, Fail, f.Level)
	require.Contains(t, f.Remedy, "--home")
}

func TestClock(t *testing.T) {
	for off, want := range map[time.Duration]Level{0: OK, time.Second: OK, -time.Second: OK, 4 * time.Second: Warn, -4 * time.Second: Warn,
		time.Minute: Fail, -time.Hour: Fail} {
		f := run(t, Clock(func(context.Context) (time.Time, error) {
			return time.Now().Add(off).Truncate(time.Second), nil // like an HTTP Date header
		}))
		require.Equal(t, want, f.Level, "%s: %s", off, f.Says)
	}
	slow := run(t, Clock(func(context.Context) (time.Time, error) {
		time.Sleep(50 * time.Millisecond)
		return time.Now(), nil
	}))
	require.Equal(t, OK, slow.Level)
	f := run(t, Clock(func(context.Context) (time.Time, error) { return time.Time{}, errors.New("offline") }))
	require.Equal(t, Warn, f.Level)
	require.Contains(t, f.Says, "offline")
}

func TestPorts(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	u, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, u.Close()) }()
	port := func(a net.Addr) string { return a.String()[strings.LastIndex(a.String(), ":")+1:] }

	require.Equal(t, OK, run(t, Ports(nil)).Level)
	require.Equal(t, OK, run(t, Ports([]string{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"})).Level)
	f := run(t, Ports([]string{"/ip4/127.0.0.1/tcp/" + port(l.Addr()), "/ip4/127.0.0.1/udp/" + port(u.LocalAddr()) + "/quic-v1"}))
	require.Equal(t, Warn, f.Level)
	require.Contains(t, f.Says, "tcp 127.0.0.1:"+port(l.Addr()))
	require.Contains(t, f.Says, "udp 127.0.0.1:"+port(u.LocalAddr()))
	for _, bad := range []string{"", "127.0.0.1:4001", "/dns4/x/tcp/1", "/ip4/127.0.0.1/sctp/1", "/ip4/127.0.0.1/tcp", "/ip4/127.0.0.1/tcp/99999",
		"/ip4/127.0.0.1/tcp/http", "/ip4/256.0.0.1/tcp/1", "/ip4/::1/tcp/1", "/ip6/127.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/-1"} {
		f := run(t, Ports([]string{bad}))
		require.Equal(t, Fail, f.Level, bad)
		require.Contains(t, f.Remedy, "/ip4/0.0.0.0/tcp/4001")
	}
}

// dialer reaches some addresses.
type dialer map[string]bool

func (d dialer) Connect(_ context.Context, addr string) (protocol.PeerID, error) {
	if d[addr] {
		return "12D3", nil
	}
	return "", errors.New("connection refused")
}

func TestNetwork(t *testing.T) {
	d := dialer{"b": true}
	for name, tt := range map[string]struct {
		check Check
		want  Level
	}{
		"not running":      {Reachable(d, nil), Warn},
		"second address":   {Reachable(d, []string{"a", "b"}), OK},
		"behind a wall":    {Reachable(d, []string{"a"}), Fail},
		"no bootstrap":     {Peers(d, nil), Fail},
		"bootstrap":        {Peers(d, []string{"a", "b"}), OK},
		"silent bootstrap": {Peers(d, []string{"a"}), Fail},
	} {
		require.Equal(t, tt.want, run(t, tt.check).Level, name)
	}
	require.Contains(t, run(t, Reachable(d, []string{"a"})).Says, "connection refused")
}

func TestChainThatIsNotThere(t *testing.T) {
	f := run(t, Chain(nil, errors.New("dial tcp: refused")))
	require.Equal(t, Fail, f.Level)
	require.Contains(t, f.Says, "refused")
	require.Equal(t, Fail, run(t, Stake(nil, protocol.Binding{})).Level)
}

func TestOneBrokenCheckHidesNoOther(t *testing.T) {
	deaf := Check{Name: "deaf", Run: func(context.Context) Finding { select {} }}
	f := examine(t.Context(), deaf, 10*time.Millisecond)
	require.Equal(t, Fail, f.Level)
	require.NotEmpty(t, f.Remedy)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	listening := Check{Name: "listening", Run: func(ctx context.Context) Finding {
		<-ctx.Done()
		return ill(Warn, "wait", "%v", ctx.Err())
	}}
	list := Examine(ctx, []Check{listening, {Name: "well", Run: func(context.Context) Finding { return well("fine") }}})
	require.Len(t, list, 2)
	require.Equal(t, []Level{Warn, OK}, []Level{list[0].Level, list[1].Level})
}

func TestWorst(t *testing.T) {
	of := func(levels ...Level) []Finding {
		var out []Finding
		for _, l := range levels {
			out = append(out, Finding{Level: l})
		}
		return out
	}
	require.Equal(t, OK, Worst(nil))
	require.Equal(t, OK, Worst(of(OK, OK)))
	require.Equal(t, Warn, Worst(of(OK, Warn, OK)))
	require.Equal(t, Fail, Worst(of(Warn, Fail, Warn, OK)))
	require.Equal(t, Fail, Worst(of(Fail, Warn)))
}
