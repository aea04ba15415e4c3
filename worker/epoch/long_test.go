//go:build long

package epoch

import "testing"

func TestOneClaimForAThousandWorkers(t *testing.T) { manyWorkers(t, 1000) }
