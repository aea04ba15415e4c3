package tensor

import "fmt"

// Sizes of the key-value cache's pages, in positions.
const (
	// PanelTokens is the number of positions whose keys lie side by side, in every backend.
	PanelTokens = 16
	// DefaultPageTokens is the size of a page where none is asked for: attention takes whole runs of panels, and more of
	// them add nothing (docs/benchmarks.md).
	DefaultPageTokens = 4 * PanelTokens
	// MaxPageTokens bounds what a short sequence can waste.
	MaxPageTokens = 1024
)

// CheckPageTokens says whether pages of n positions are possible. Larger pages mean fewer and longer runs of memory;
// smaller ones share prefixes more finely and waste less at a sequence's end.
func CheckPageTokens(n int) error {
	if n < PanelTokens || n > MaxPageTokens || n%PanelTokens != 0 {
		return fmt.Errorf("page tokens is %d: it must be a multiple of %d up to %d", n, PanelTokens, MaxPageTokens)
	}
	return nil
}
