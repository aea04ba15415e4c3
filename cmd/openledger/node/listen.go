package node

import (
	"slices"
	"strings"

	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// listenFile is where a home remembers which ports it got.
const listenFile = "listen.json"

// listening is what a home asked to listen on last time, and what it got.
type listening struct {
	Asked []string `json:"asked"`
	Got   []string `json:"got"`
}

// lastListen gives the addresses of the last run, when the same was asked for and they
// are free: peers that know this node find it again after a restart. Otherwise it gives
// what is asked for.
func lastListen(home Home, asked []string) []string {
	var last listening
	if err := ReadJSON(home.Path(listenFile), &last); err != nil || len(last.Got) == 0 || !slices.Equal(last.Asked, asked) {
		return asked
	}
	for _, s := range last.Got {
		if a, err := ma.NewMultiaddr(s); err != nil || !free(a) {
			return asked
		}
	}
	return last.Got
}

// free says whether an address can be listened on now.
func free(a ma.Multiaddr) bool {
	transport, _ := ma.SplitFunc(a, func(c ma.Component) bool {
		return c.Protocol().Code != ma.P_IP4 && c.Protocol().Code != ma.P_IP6 && c.Protocol().Code != ma.P_TCP && c.Protocol().Code != ma.P_UDP
	})
	if strings.Contains(a.String(), "/udp/") {
		l, err := manet.ListenPacket(transport)
		return err == nil && l.Close() == nil
	}
	l, err := manet.Listen(transport)
	return err == nil && l.Close() == nil
}

// rememberListen notes the addresses of this run.
func rememberListen(home Home, asked []string, got []ma.Multiaddr) error {
	l := listening{Asked: asked}
	for _, a := range got {
		s := a.String()
		if !strings.Contains(s, "/p2p-circuit") && (strings.Contains(s, "/tcp/") || strings.Contains(s, "/udp/")) {
			l.Got = append(l.Got, s)
		}
	}
	return WriteJSON(home.Path(listenFile), l)
}
