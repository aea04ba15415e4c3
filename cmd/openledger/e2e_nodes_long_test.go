//go:build long

package main

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/protocol"
)

// The whole network, its parts processes of their own, on the chains of other programs.
func TestSeparateProcessesOnAnvil(t *testing.T) { separateProcesses(t, anvil) }

func TestSeparateProcessesOnGeth(t *testing.T) { separateProcesses(t, geth) }

// anvil is Foundry's development node.
func anvil(t *testing.T, home string, deployer protocol.Account) place {
	port := freePort(t)
	url := launch(t, program(t, "anvil", "OPENLEDGER_ANVIL"), port, "--port", port, "--chain-id", "31337", "--silent")
	c := dialNode(t, url)
	require.NoError(t, c.CallContext(t.Context(), nil, "anvil_setBalance", deployer, money()))
	return deployed(t, home, url)
}

// geth is go-ethereum's own program with its development chain.
func geth(t *testing.T, home string, deployer protocol.Account) place {
	port := freePort(t)
	url := launch(t, program(t, "geth", "OPENLEDGER_GETH"), port, "--dev", "--http", "--http.port", port, "--http.api", "eth,net,web3",
		"--ipcdisable", "--port", "0", "--authrpc.port", freePort(t), "--nodiscover", "--verbosity", "2")
	c := dialNode(t, url)
	var rich []protocol.Account
	require.NoError(t, c.CallContext(t.Context(), &rich, "eth_accounts"))
	require.NotEmpty(t, rich)
	require.NoError(t, c.CallContext(t.Context(), nil, "eth_sendTransaction", map[string]any{"from": rich[0], "to": deployer, "value": money()}))
	eventually(t, time.Minute, "the deployer's money", func() error {
		var b hexutil.Big
		if err := c.CallContext(t.Context(), &b, "eth_getBalance", deployer, "latest"); err != nil {
			return err
		}
		if b.ToInt().Sign() == 0 {
			return errors.New("none yet")
		}
		return nil
	})
	return deployed(t, home, url)
}

func money() *hexutil.Big {
	all := node.Open(100_000)
	return (*hexutil.Big)(all.ToBig())
}

// program finds a node's program: named by a variable of the environment, or on PATH.
func program(t *testing.T, name, variable string) string {
	t.Helper()
	if path := os.Getenv(variable); path != "" {
		return path
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("no %s: set %s to the program, or put it on PATH; 'make test-nodes' brings it", name, variable)
	}
	return path
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// launch runs a node until the test ends and waits until it answers.
func launch(t *testing.T, path, port string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(context.Background(), path, args...)
	log := &logText{}
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, t.TempDir()
	cmd.SysProcAttr = withParent()
	cmd.WaitDelay = 5 * time.Second // a wrapper's child may hold the pipes open
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s ended with the log\n%s", path, lastLines(log.String(), 40))
		}
	})
	url := "http://127.0.0.1:" + port
	eventually(t, time.Minute, path, func() error {
		c, err := rpc.DialContext(t.Context(), url)
		if err != nil {
			return err
		}
		defer c.Close()
		return c.CallContext(t.Context(), nil, "eth_chainId")
	})
	return url
}

func dialNode(t *testing.T, url string) *rpc.Client {
	t.Helper()
	c, err := rpc.DialContext(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}
