package devchain

import (
	"log/slog"
	"maps"
	"math/big"
	"net"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// Config describes a development chain.
type Config struct {
	// Dir holds the chain. Empty: in memory, gone with Close.
	Dir string
	// ChainID tells this chain from others. Default 41455.
	ChainID uint64
	// Listen is the loopback address of JSON-RPC. Default 127.0.0.1:0 (any free
	// port; see Chain.RPC).
	Listen string
	// AllowRemote permits a Listen address that is not loopback. There are no
	// credentials on the port.
	AllowRemote bool
	// Fund gives accounts OPEN in the genesis block.
	Fund map[protocol.Account]uint256.Int
	// GasLimit of a block. Default 60,000,000.
	GasLimit uint64
	// MaxAhead is how far the chain's clock may run before the wall clock: every
	// block advances it by a second at least, so a burst of blocks takes it ahead;
	// then blocks come once a second. Default 60 s.
	MaxAhead time.Duration
	// Ticks makes an empty block now and then while the clock is ahead and nobody sends
	// anything, so that a window or a deadline still passes at about the pace of the
	// wall clock, which slowly catches up. Without it an idle chain's clock stands still
	// until the wall clock is there.
	Ticks bool
	// CacheMiB is the memory for database caches. Default 32, at least 16.
	CacheMiB int
	Logger   *slog.Logger
}

// EnsureDefaults fills in what was left empty.
func (c *Config) EnsureDefaults() {
	if c.ChainID == 0 {
		c.ChainID = 41455
	}
	if c.Listen == "" {
		c.Listen = "127.0.0.1:0"
	}
	if c.GasLimit == 0 {
		c.GasLimit = 60_000_000
	}
	if c.MaxAhead == 0 {
		c.MaxAhead = 60 * time.Second
	}
	if c.CacheMiB == 0 {
		c.CacheMiB = 32
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

// Validate says which field is wrong.
func (c *Config) Validate() error {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return protocol.Errorf(protocol.KindInvalid, "devchain.listen", "%q is no host:port: %w", c.Listen, err)
	}
	if ip := net.ParseIP(host); !c.AllowRemote && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return protocol.Errorf(protocol.KindInvalid, "devchain.listen", "%s is not loopback and the port asks for no credentials: listen on 127.0.0.1, or allow remote access on purpose", c.Listen)
	}
	if c.MaxAhead < time.Second {
		return protocol.Errorf(protocol.KindInvalid, "devchain.max_ahead", "%s is below a second, the length of the shortest block", c.MaxAhead)
	}
	if c.GasLimit < 10_000_000 {
		return protocol.Errorf(protocol.KindInvalid, "devchain.gas_limit", "%d is too little to deploy the contracts: use at least 10000000", c.GasLimit)
	}
	if c.CacheMiB < 16 {
		return protocol.Errorf(protocol.KindInvalid, "devchain.cache_mib", "%d is below 16", c.CacheMiB)
	}
	return nil
}

// genesis is the developer genesis with our accounts, without the forks that are
// not on any public chain yet.
func (c *Config) genesis() *core.Genesis {
	g := core.DeveloperGenesisBlock(c.GasLimit, nil)
	chain := *g.Config
	chain.ChainID = new(big.Int).SetUint64(c.ChainID)
	chain.AmsterdamTime, chain.BogotaTime, chain.UBTTime = nil, nil, nil
	g.Config = &chain
	for _, a := range slices.SortedFunc(maps.Keys(c.Fund), func(a, b protocol.Account) int { return a.Cmp(b) }) {
		v := c.Fund[a]
		g.Alloc[a] = types.Account{Balance: v.ToBig()}
	}
	return g
}
