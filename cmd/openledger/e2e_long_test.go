//go:build long

package main

import (
	"math/rand/v2"
	"testing"
	"time"
)

// The same with many kills at random moments.
func TestDevnetKilledWhileSettlingManyTimes(t *testing.T) {
	var moments []moment
	for i := range 24 {
		at := moment{after: time.Duration(rand.IntN(1000)) * time.Millisecond}
		if i%3 == 0 {
			at.line = `what="submit a batch"`
		}
		moments = append(moments, at)
	}
	settleThroughKills(t, moments)
}
