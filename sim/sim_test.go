package sim

import (
	"os"
	"testing"
)

func TestShow(t *testing.T) {
	for _, c := range []Config{{}, {Trace: TraceSLoRA}, {KillPercent: 30}} {
		r, err := Compare(c)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.WriteTable(os.Stdout); err != nil {
			t.Fatal(err)
		}
	}
}
