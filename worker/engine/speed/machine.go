package speed

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"
	"unicode"

	"github.com/pbnjay/memory"
)

// Machine describes this one and the Go version that programs for it were made with.
func Machine() string { return Hardware(1<<10) + ", " + runtime.Version() }

// Hardware says in at most limit bytes how many cores of what and how much memory this
// machine has. What the system does not tell is left out, and a long name is cut.
func Hardware(limit int) string {
	after := ""
	if b := memory.TotalMemory(); b > 0 {
		after = fmt.Sprintf(", %.0f GiB of memory", float64(b)/(1<<30))
	}
	before := fmt.Sprintf("%d cores of ", runtime.NumCPU())
	name := []byte(processor())
	if room := max(limit-len(before)-len(after), 0); len(name) > room {
		name = name[:room]
	}
	return before + strings.TrimSpace(strings.ToValidUTF8(string(name), "")) + after
}

// processor is its name, or what it is compiled for.
func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	defer func() { _ = f.Close() }()
	for s := bufio.NewScanner(f); s.Scan(); {
		if k, v, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(k) == "model name" {
			return strings.Map(func(r rune) rune {
				if unicode.IsPrint(r) {
					return r
				}
				return -1
			}, strings.TrimSpace(v))
		}
	}
	return runtime.GOARCH
}
