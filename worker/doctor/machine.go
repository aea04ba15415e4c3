package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/openledger/openledger/cuda"
)

// Devices says which GPUs the worker could use.
func Devices(discover func() cuda.Inventory) Check {
	return Check{Name: "devices", Run: func(context.Context) Finding {
		inv := discover()
		if len(inv.Devices) == 0 {
			why := inv.Absent
			if why == "" {
				why = "no NVIDIA device found: the worker uses the CPU"
			}
			return well("%s", why)
		}
		var usable, problems []string
		for _, d := range inv.Devices {
			name := fmt.Sprintf("GPU %d (%s, %d GiB)", d.Index, d.Name, d.MemoryTotal>>30)
			if d.Usable() {
				usable = append(usable, name)
				continue
			}
			problems = append(problems, name+": "+strings.Join(d.Problems, "; "))
		}
		if len(problems) > 0 {
			return ill(Warn, strings.Join(problems, "\n"), "%d of %d devices usable", len(usable), len(inv.Devices))
		}
		return well("%s; this version still computes on the CPU", strings.Join(usable, ", "))
	}}
}

// Space the worker's home needs.
const (
	diskNeeded = 2 << 30 // bytes
	diskWanted = 10 << 30
)

// Disk says whether the home can hold adapters and datanets, and be written.
func Disk(home string) Check {
	return Check{Name: "disk", Run: func(context.Context) Finding {
		f, err := os.CreateTemp(home, ".doctor-*")
		if err != nil {
			return ill(Fail, "give this user write access to the folder, or choose another with --home", "%s can't be written: %v", home, err)
		}
		if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
			return ill(Fail, "check the file system", "%s misbehaves: %v", home, err)
		}
		var fs syscall.Statfs_t
		if err := syscall.Statfs(filepath.Clean(home), &fs); err != nil {
			return ill(Warn, "check the disk by hand with df", "free space not read: %v", err)
		}
		free := fs.Bavail * uint64(fs.Bsize)
		switch {
		case free < diskNeeded:
			return ill(Fail, "free some space, or move the home with --home", "%d MiB free, at least %d MiB are needed", free>>20, diskNeeded>>20)
		case free < diskWanted:
			return ill(Warn, "free some space: adapters and datanets are cached here", "%d GiB free", free>>30)
		}
		return well("%d GiB free", free>>30)
	}}
}

// How far a clock may be off: announcements are refused beyond the tolerance of peers.
const (
	clockWarn = 2 * time.Second
	clockFail = 5 * time.Second
)

// Clock compares this machine's clock with another's; ask gives the other's time.
func Clock(ask func(context.Context) (time.Time, error)) Check {
	return Check{Name: "clock", Run: func(ctx context.Context) Finding {
		before := time.Now()
		other, err := ask(ctx)
		if err != nil {
			return ill(Warn, "check it by hand: timedatectl", "no other clock to compare with: %v", err)
		}
		took := time.Since(before)
		off := time.Until(other) + took/2
		// The answer names whole seconds, so half a second is within the reading; and it may
		// have been made at any moment while we waited, so that is nobody's fault either.
		if off += 500 * time.Millisecond; off < 0 {
			off = -off
		}
		off -= took / 2
		const remedy = "synchronise the clock: timedatectl set-ntp true"
		switch {
		case off > clockFail:
			return ill(Fail, remedy, "off by %s: peers refuse this worker's announcements", off.Round(100*time.Millisecond))
		case off > clockWarn:
			return ill(Warn, remedy, "off by %s", off.Round(100*time.Millisecond))
		}
		return well("within %s of the coordinator's", clockWarn)
	}}
}

// Ports says whether the configured TCP and UDP addresses are free. Addresses with
// port 0 are always free.
func Ports(addrs []string) Check {
	return Check{Name: "ports", Run: func(context.Context) Finding {
		var taken []string
		for _, a := range addrs {
			network, address, err := socket(a)
			if err != nil {
				return ill(Fail, "write it like /ip4/0.0.0.0/tcp/4001", "listen address %q: %v", a, err)
			}
			if err := free(network, address); err != nil {
				taken = append(taken, fmt.Sprintf("%s %s: %v", network, address, err))
			}
		}
		if len(taken) > 0 {
			return ill(Warn, "stop the other program, or run 'openledger worker init --listen' with another port (a worker that is running now holds its own ports)", "taken: %s", strings.Join(taken, "; "))
		}
		if len(addrs) == 0 {
			return well("any free port is taken at start")
		}
		return well("%d addresses are free", len(addrs))
	}}
}

// socket reads /ip4|ip6/HOST/tcp|udp/PORT[/...].
func socket(multiaddr string) (network, address string, err error) {
	part := strings.Split(multiaddr, "/")
	if len(part) < 5 || part[0] != "" || part[1] != "ip4" && part[1] != "ip6" || part[3] != "tcp" && part[3] != "udp" {
		return "", "", errors.New("it is not an IP address with a TCP or UDP port")
	}
	if ip, err := netip.ParseAddr(part[2]); err != nil || ip.Is4() != (part[1] == "ip4") {
		return "", "", fmt.Errorf("%q is not an %s address", part[2], part[1])
	}
	if _, err := strconv.ParseUint(part[4], 10, 16); err != nil {
		return "", "", fmt.Errorf("%q is not a port from 0 to 65535", part[4])
	}
	return part[3], net.JoinHostPort(part[2], part[4]), nil
}

func free(network, address string) error {
	if network == "udp" {
		c, err := net.ListenPacket("udp", address)
		if err != nil {
			return err
		}
		return c.Close()
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	return l.Close()
}
