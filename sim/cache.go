package sim

import (
	"cmp"
	"slices"

	"github.com/openledger/openledger/protocol"
)

// cache is a worker's adapters by tier: LRU in each, what falls out of one tier
// falls into the next, and out of the disk into nothing. Adapters in use on the
// device stay.
type cache struct {
	cap     [3]int
	entries map[uint64]*cached
	used    int64 // clock of uses
	n       [3]int
}

type cached struct {
	tag  uint64
	tier protocol.Tier
	used int64
	pins int
}

func newCache(c *CostModel) *cache {
	return &cache{cap: [3]int{c.DeviceAdapters, c.HostAdapters, c.DiskAdapters}, entries: make(map[uint64]*cached)}
}

func (c *cache) tier(tag uint64) protocol.Tier {
	if e := c.entries[tag]; e != nil {
		return e.tier
	}
	return protocol.TierNetwork
}

// admit brings an adapter to the device; false while every place is pinned.
func (c *cache) admit(tag uint64) bool {
	e := c.entries[tag]
	if e != nil && e.tier == protocol.TierDevice {
		return true
	}
	if c.n[0] >= c.cap[0] && c.victim(protocol.TierDevice) == nil {
		return false
	}
	if e == nil {
		e = &cached{tag: tag}
		c.entries[tag] = e
	} else {
		c.n[e.tier]--
	}
	e.tier = protocol.TierDevice
	c.n[0]++
	c.touch(e)
	e.pins++ // not the one to go
	for t := protocol.TierDevice; t <= protocol.TierDisk; t++ {
		for c.n[t] > c.cap[t] {
			c.lower(c.victim(t))
		}
	}
	e.pins--
	return true
}

func (c *cache) touch(e *cached) {
	c.used++
	e.used = c.used
}

func (c *cache) lower(v *cached) {
	c.n[v.tier]--
	v.tier++
	if v.tier > protocol.TierDisk {
		delete(c.entries, v.tag)
		return
	}
	c.n[v.tier]++
}

// victim is the least recently used adapter of a tier that nobody uses.
func (c *cache) victim(t protocol.Tier) *cached {
	var v *cached
	for _, e := range c.entries { // uses are distinct, so the order does not matter
		if e.tier == t && e.pins == 0 && (v == nil || e.used < v.used) {
			v = e
		}
	}
	return v
}

// restart keeps only what is on disk; what was warmer has a copy there.
func (c *cache) restart() {
	for _, e := range c.entries {
		e.pins = 0
		if e.tier < protocol.TierDisk {
			c.n[e.tier]--
			e.tier = protocol.TierDisk
			c.n[e.tier]++
		}
	}
	for c.n[2] > c.cap[2] {
		c.lower(c.victim(protocol.TierDisk))
	}
}

// announced lists the warmest and latest used adapters, as many as fit in one
// announcement.
func (c *cache) announced(most int) []protocol.ResidentAdapter {
	list := make([]*cached, 0, len(c.entries))
	for _, e := range c.entries {
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b *cached) int {
		if x := cmp.Compare(a.tier, b.tier); x != 0 {
			return x
		}
		return cmp.Compare(b.used, a.used)
	})
	out := make([]protocol.ResidentAdapter, 0, min(len(list), most))
	for _, e := range list[:min(len(list), most)] {
		out = append(out, protocol.ResidentAdapter{Tag: e.tag, Tier: e.tier})
	}
	return out
}
