package doctor

import (
	"context"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
)

// Chain says whether the chain answers and has the contracts.
func Chain(client *chain.Client, dialled error) Check {
	return Check{Name: "chain", Run: func(ctx context.Context) Finding {
		if dialled != nil {
			return ill(Fail, "start the chain, or correct the RPC address with 'openledger worker init'", "%v", dialled)
		}
		number, _, err := client.Head(ctx)
		if err != nil {
			return ill(Fail, "check the node behind the RPC address", "%v", err)
		}
		ok, err := client.HasCode(ctx, client.Addresses().Settlement)
		if err != nil || !ok {
			return ill(Fail, "this is another chain, or it was reset: run 'openledger worker init' again", "there is no settlement contract at %s (block %d)", client.Addresses().Settlement.Hex(), number)
		}
		return well("chain %d at block %d, contracts in place", client.ChainID(), number)
	}}
}

// gasLow is when a node key should be topped up: about a thousand batches.
var gasLow = uint256.NewInt(1e16)

// Stake says whether the worker may earn: bond, binding, gas.
func Stake(client *chain.Client, b protocol.Binding) Check {
	return Check{Name: "stake", Run: func(ctx context.Context) Finding {
		if client == nil {
			return ill(Fail, "mend the chain first", "not read: there is no chain")
		}
		stake, err := client.StakeOf(ctx, b.Owner)
		if err != nil {
			return ill(Fail, "mend the chain first", "%v", err)
		}
		active, err := client.IsActive(ctx, b.Owner)
		if err != nil {
			return ill(Fail, "mend the chain first", "%v", err)
		}
		total := stake.Total()
		if !active {
			return ill(Fail, "stake more with 'openledger worker init --stake'", "the owner %s has %s wei at stake, which is below the minimum", b.Owner.Hex(), total.Dec())
		}
		registered, err := client.NodeKeyOf(ctx, b.Owner)
		if err != nil || registered != b.NodeKey {
			return ill(Fail, "run 'openledger worker init' again", "the chain has the node key %s, this worker signs with %s: nobody would pay its receipts", registered.Hex(), b.NodeKey.Hex())
		}
		gas, err := client.Balance(ctx, b.NodeKey)
		if err != nil {
			return ill(Fail, "mend the chain first", "%v", err)
		}
		if gas.Lt(gasLow) {
			return ill(Warn, "send a little OPEN to the node key "+b.NodeKey.Hex(), "the node key has %s wei left to settle batches with", gas.Dec())
		}
		return well("%s wei at stake, node key registered", total.Dec())
	}}
}

// Dialer connects to a multiaddr from a second host.
type Dialer interface {
	Connect(ctx context.Context, addr string) (protocol.PeerID, error)
}

// Reachable says whether another node gets through to the worker's addresses.
func Reachable(from Dialer, addrs []string) Check {
	return Check{Name: "reachability", Run: func(ctx context.Context) Finding {
		if len(addrs) == 0 {
			return ill(Warn, "start it with 'openledger worker run', then ask again", "the worker is not running, so nobody can reach it")
		}
		var last error
		for _, a := range addrs {
			if _, last = from.Connect(ctx, a); last == nil {
				return well("another node reached it at %s", a)
			}
		}
		return ill(Fail, "open the port in the firewall, or forward it in the router, or use 'openledger worker init --nat'", "another node got through to none of %d addresses: %v", len(addrs), last)
	}}
}

// Peers says whether the worker's way into the network works.
func Peers(from Dialer, bootstrap []string) Check {
	return Check{Name: "bootstrap", Run: func(ctx context.Context) Finding {
		if len(bootstrap) == 0 {
			return ill(Fail, "name one with 'openledger worker init --bootstrap'", "no bootstrap address is set")
		}
		var last error
		for _, a := range bootstrap {
			if _, last = from.Connect(ctx, a); last == nil {
				return well("joined through %s", a)
			}
		}
		return ill(Fail, "check that the coordinator is running, then 'openledger worker init' again for its new address", "none of %d bootstrap addresses answers: %v", len(bootstrap), last)
	}}
}
