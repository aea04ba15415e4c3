package mcpclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/openledger/openledger/protocol"
)

const (
	dialTimeout  = 5 * time.Second
	maxRedirects = 3
	maxHeader    = 64 << 10
	// maxBody bounds one HTTP response.
	maxBody = 1 << 20
)

// errTooLarge ends a response that is over maxBody.
var errTooLarge = errors.New("the answer is too long")

// guard is the HTTP transport to tool servers.
type guard struct {
	hosts map[string]bool // "name", "name:port", "1.2.3.4", "[::1]:80": may be anywhere, and plain http
	next  *http.Transport
}

// CheckHosts says which of the hosts that servers may be at everywhere is none; field is
// what the error names.
func CheckHosts(field string, hosts []string) error {
	for _, h := range hosts {
		if h == "" || strings.ContainsAny(h, "/@ ") {
			return protocol.Errorf(protocol.KindInvalid, field, "%q is not a host, or host:port: write localhost or 10.0.0.7:9000", h)
		}
	}
	return nil
}

func newGuard(hosts []string) (*guard, error) {
	g := &guard{hosts: map[string]bool{}}
	if err := CheckHosts("tool_hosts", hosts); err != nil {
		return nil, err
	}
	for _, h := range hosts {
		g.hosts[canonical(h)] = true
	}
	public := &net.Dialer{Timeout: dialTimeout, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		return checkAddress(at.Addr())
	}}
	trusted := &net.Dialer{Timeout: dialTimeout}
	g.next = &http.Transport{
		// No proxy: it would resolve the name itself, behind the check.
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			host, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			if g.trusts(host, port) {
				return trusted.DialContext(ctx, network, address)
			}
			return public.DialContext(ctx, network, address)
		},
		TLSHandshakeTimeout: dialTimeout, MaxResponseHeaderBytes: maxHeader, DisableCompression: true, ForceAttemptHTTP2: true,
		IdleConnTimeout: 30 * time.Second, MaxIdleConns: 64, MaxConnsPerHost: 32,
	}
	return g, nil
}

// canonical is a host as it is compared: in lower case, without brackets or a last dot.
func canonical(h string) string {
	h = strings.ToLower(h)
	if host, port, err := net.SplitHostPort(h); err == nil {
		return net.JoinHostPort(strings.TrimSuffix(host, "."), port)
	}
	return strings.TrimSuffix(strings.Trim(h, "[]"), ".")
}

func (g *guard) trusts(host, port string) bool {
	return g.hosts[canonical(host)] || g.hosts[canonical(net.JoinHostPort(host, port))]
}

// RoundTrip sends a request, also one that a redirect asks for.
func (g *guard) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" && (r.URL.Scheme != "http" || !g.trusts(r.URL.Hostname(), r.URL.Port())) {
		return nil, forbidden("%s is not reached by https", r.URL.Host)
	}
	if r.Method == http.MethodDelete { // ends a session: nobody waits for it long
		ctx, cancel := context.WithTimeout(r.Context(), time.Second)
		defer cancel()
		res, err := g.next.RoundTrip(r.WithContext(ctx))
		if err != nil {
			return nil, err
		}
		err = res.Body.Close()
		res.Body = http.NoBody
		return res, err
	}
	return g.next.RoundTrip(r)
}

// bounding bounds the responses of one session.
type bounding struct {
	*guard
	over *atomic.Bool // one was too long
}

// RoundTrip bounds the body of a response.
func (b bounding) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := b.guard.RoundTrip(r)
	if err == nil {
		res.Body = &bounded{ReadCloser: res.Body, left: maxBody, over: b.over}
	}
	return res, err
}

func checkRedirect(_ *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("it redirects more than %d times", maxRedirects)
	}
	return nil
}

// bounded is a body that fails when it is too long.
type bounded struct {
	io.ReadCloser
	left int
	over *atomic.Bool
}

// Read gives errTooLarge in place of what is over the bound.
func (b *bounded) Read(p []byte) (int, error) {
	if len(p) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if n > b.left {
		b.over.Store(true)
		return b.left, errTooLarge
	}
	b.left -= n
	return n, err
}

// forbiddenError is about a server that must not be called.
type forbiddenError struct{ error }

func forbidden(format string, args ...any) error {
	return forbiddenError{fmt.Errorf(format+"; who runs the coordinator may allow its host with --tool-host", args...)}
}

func isForbidden(err error) bool {
	var f forbiddenError
	return errors.As(err, &f)
}

// special are the networks of the IANA special-purpose registries that are not public, and
// the address of a cloud's own services that looks public.
var special = prefixes("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3", "168.63.129.16/32",
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")

var public6 = netip.MustParsePrefix("2000::/3")

func prefixes(list ...string) (out []netip.Prefix) {
	for _, p := range list {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// checkAddress refuses what is not a public unicast address.
func checkAddress(a netip.Addr) error {
	a = a.Unmap()
	ok := a.Is4() || a.Is6() && a.Zone() == "" && public6.Contains(a)
	for _, p := range special {
		ok = ok && !p.Contains(a)
	}
	if !ok {
		return forbidden("it is at %s, which is no public address", a)
	}
	return nil
}
