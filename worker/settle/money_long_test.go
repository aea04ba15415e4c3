//go:build long

package settle

import "testing"

// A thousand runs; see docs/benchmarks.md for what they took.
func TestNoWeiIsLostInAThousandRuns(t *testing.T) { moneyRuns(t, 1000, 1000, 50) }
