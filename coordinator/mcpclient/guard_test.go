package mcpclient

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

// Where a connection is made, not where a name is looked up, its address is checked: a name
// that leads inside is refused as its address is.
func TestOnlyPublicAddressesAreReached(t *testing.T) {
	for _, a := range []string{"127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200",
		"168.63.129.16", "192.0.0.8", "198.18.0.1", "224.0.0.1", "255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "fe80::1", "fe80::1%eth0", "fc00::1",
		"fd00:ec2::254", "ff02::1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001::1", "2001:db8::1", "fec0::1"} {
		require.Error(t, checkAddress(netip.MustParseAddr(a)), a)
	}
	for _, a := range []string{"1.1.1.1", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:2800:220:1:248:1893:25c8:1946", "2a00:1450:4001::1", "::ffff:1.1.1.1"} {
		require.NoError(t, checkAddress(netip.MustParseAddr(a)), a)
	}

	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was reached") }))
	defer s.Close()
	port := s.URL[strings.LastIndex(s.URL, ":"):]
	for _, url := range []string{s.URL, "https://localhost" + port, "https://[::1]" + port, "https://[::ffff:127.0.0.1]" + port, "https://2130706433" + port, "https://127.1" + port} {
		_, err := box(t, client(t), Server{URL: url}).Functions(t.Context())
		require.Error(t, err, url)
		if !strings.Contains(err.Error(), "no such host") && !strings.Contains(err.Error(), "lookup") { // how some systems take odd spellings
			require.Equal(t, protocol.KindInvalid, protocol.KindOf(err), "%s: %v", url, err)
			require.ErrorContains(t, err, "no public address", url)
			require.ErrorContains(t, err, "--tool-host", url)
		}
	}
	_, err := box(t, client(t, "localhost", "10.0.0.7:80"), Server{URL: "http://10.0.0.7:81/mcp"}).Functions(t.Context())
	require.ErrorContains(t, err, "10.0.0.7:81 is not reached by https")
	_, err = box(t, client(t, "127.0.0.1"), Server{URL: s.URL}).Functions(t.Context())
	require.ErrorContains(t, err, "certificate", "an allowed host must still be who it says")
}

// A redirect leads nowhere that the server itself could not be.
func TestRedirectsAreCheckedAgain(t *testing.T) {
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was reached") }))
	defer inside.Close()
	to := ""
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusTemporaryRedirect) }))
	defer s.Close()
	to = inside.URL
	host := strings.TrimPrefix(s.URL, "http://")
	_, err := box(t, client(t, host), Server{URL: s.URL}).Functions(t.Context())
	require.ErrorContains(t, err, "is not reached by https")
	to = strings.Replace(inside.URL, "http:", "https:", 1)
	_, err = box(t, client(t, host), Server{URL: s.URL}).Functions(t.Context())
	require.ErrorContains(t, err, "no public address")
	to = s.URL
	_, err = box(t, client(t, host), Server{URL: s.URL}).Functions(t.Context())
	require.ErrorContains(t, err, "redirects more than 3 times")
}

func TestHostsOfOperatorsAreChecked(t *testing.T) {
	for _, bad := range []string{"", "http://localhost", "me@host", "a b"} {
		_, err := New(Config{Hosts: []string{bad}})
		require.Equal(t, protocol.KindInvalid, protocol.KindOf(err), bad)
	}
	g, err := newGuard([]string{"Tools.Example.", "[::1]:80", "::2", "10.0.0.7:9000"})
	require.NoError(t, err)
	for at, want := range map[[2]string]bool{
		{"tools.example", "1"}: true, {"TOOLS.example.", "443"}: true, {"other.example", "443"}: false, {"::1", "80"}: true, {"::1", "81"}: false, {"::2", "7"}: true,
		{"10.0.0.7", "9000"}: true, {"10.0.0.7", "80"}: false,
	} {
		require.Equal(t, want, g.trusts(at[0], at[1]), at)
	}
}
