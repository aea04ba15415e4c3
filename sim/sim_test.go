package sim

import (
	"os"
	"testing"
)

func TestShow(t *testing.T) {
	for _, c := range []Config{{Speed: 2}, {Speed: 6},{Trace: TraceSLoRA},{Trace: TraceSLoRA,Workers:12}, } {
		r, err := Compare(c)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.WriteTable(os.Stdout); err != nil {
			t.Fatal(err)
		}
	}
}
