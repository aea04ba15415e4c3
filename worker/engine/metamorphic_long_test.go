//go:build long

package engine

import (
	"testing"

	"pgregory.net/rapid"
)

func TestManyArrangementsGiveTheSameTokens(t *testing.T) {
	one := arrangement(t)
	for range 20 { // of 100 each
		rapid.Check(t, one)
	}
}
