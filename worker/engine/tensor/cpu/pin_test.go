package cpu

import (
	"reflect"
	"slices"
	"testing"
)

func TestSpread_GivesEachThreadACoreFirst(t *testing.T) {
	pairs := func(cpu int) int { return cpu % 4 } // 0 and 4 share a core, 1 and 5, ...
	for _, x := range []struct{ cpus, want []int }{
		{[]int{0, 1, 2, 3, 4, 5, 6, 7}, []int{0, 1, 2, 3, 4, 5, 6, 7}},
		{[]int{0, 4, 1, 5}, []int{0, 1, 4, 5}},
		{[]int{0, 4, 8, 12, 3}, []int{0, 3, 4, 8, 12}},
		{nil, []int{}},
	} {
		if got := spread(x.cpus, pairs); !reflect.DeepEqual(got, x.want) {
			t.Errorf("spread(%v) = %v, want %v", x.cpus, got, x.want)
		}
	}
	next := func(cpu int) int { return cpu / 2 } // neighbours share a core
	if got := spread([]int{0, 1, 2, 3}, next); !slices.Equal(got, []int{0, 2, 1, 3}) {
		t.Errorf("neighbours: %v", got)
	}
}
