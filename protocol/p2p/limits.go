package p2p

import (
	"fmt"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
)

// resourceManager is libp2p's with more room for job streams (a coordinator has
// hundreds of them to one worker) and for workers behind one address.
func resourceManager(perIP int) (network.ResourceManager, error) {
	limits := rcmgr.DefaultLimits
	libp2p.SetDefaultServiceLimits(&limits)
	limits.SystemBaseLimit.ConnsInbound = 1024
	limits.SystemBaseLimit.Conns = 2048
	limits.SystemBaseLimit.StreamsInbound = 16 << 10
	limits.SystemBaseLimit.StreamsOutbound = 16 << 10
	limits.SystemBaseLimit.Streams = 32 << 10
	limits.SystemBaseLimit.Memory = 512 << 20
	limits.PeerBaseLimit.StreamsInbound = 2048
	limits.PeerBaseLimit.StreamsOutbound = 2048
	limits.PeerBaseLimit.Streams = 4096
	limits.PeerBaseLimit.Memory = 128 << 20
	jobs := rcmgr.BaseLimit{StreamsInbound: 8 << 10, StreamsOutbound: 8 << 10, Streams: 16 << 10, Memory: 512 << 20}
	perPeer := rcmgr.BaseLimit{StreamsInbound: 1024, StreamsOutbound: 1024, Streams: 2048, Memory: 128 << 20}
	limits.AddProtocolLimit(JobProtocol, jobs, rcmgr.BaseLimitIncrease{})
	limits.AddProtocolPeerLimit(JobProtocol, perPeer, rcmgr.BaseLimitIncrease{})
	manager, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(limits.AutoScale()),
		rcmgr.WithMetricsDisabled(),
		rcmgr.WithLimitPerSubnet(
			[]rcmgr.ConnLimitPerSubnet{{ConnCount: perIP, PrefixLength: 32}},
			[]rcmgr.ConnLimitPerSubnet{{ConnCount: perIP, PrefixLength: 56}, {ConnCount: 8 * perIP, PrefixLength: 48}}))
	if err != nil {
		return nil, fmt.Errorf("resource manager: %w", err)
	}
	return manager, nil
}
