package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/client"
	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
)

// actAsProgram makes the test binary the program itself, so that the tests run real
// processes and can kill them.
const actAsProgram = "OPENLEDGER_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(actAsProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// programCommand is 'openledger args...' with nothing of this shell's settings.
func programCommand(ctx context.Context, t testing.TB, args ...string) *exec.Cmd {
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(ctx, self, args...)
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "OPENLEDGER_") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(cmd.Env, actAsProgram+"=1")
	cmd.SysProcAttr = withParent()
	return cmd
}

// verb runs the program to its end.
func verb(t testing.TB, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cmd := programCommand(ctx, t, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil {
		require.ErrorAs(t, err, &exit)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// run runs a verb that must succeed and reads its JSON.
func run(t testing.TB, into any, args ...string) {
	t.Helper()
	out, errs, code := verb(t, append(args, "--json")...)
	require.Zero(t, code, "openledger %s: %s", strings.Join(args, " "), errs)
	if into != nil {
		require.NoError(t, json.Unmarshal([]byte(out), into), "%s printed %s", strings.Join(args, " "), out)
	}
}

// refused runs a verb that must fail with exit code 1 and these words.
func refused(t testing.TB, words string, args ...string) {
	t.Helper()
	out, errs, code := verb(t, args...)
	require.Equal(t, 1, code, "openledger %s: %s%s", strings.Join(args, " "), out, errs)
	require.Contains(t, errs+out, words, "openledger %s", strings.Join(args, " "))
}

// logText collects what a process writes.
type logText struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// lines are the log's lines with these words.
func (l *logText) lines(words string) []string {
	var out []string
	for line := range strings.Lines(l.String()) {
		if strings.Contains(line, words) {
			out = append(out, line)
		}
	}
	return out
}

// service is a process of the program that runs until it is ended.
type service struct {
	t    testing.TB
	args []string
	cmd  *exec.Cmd
	log  *logText
	gone chan struct{}
}

// start runs a service and reads the JSON that it prints when it is ready.
func start(t testing.TB, into any, args ...string) *service {
	t.Helper()
	s := &service{t: t, args: append(args, "--json")}
	if args[0] != "chain" { // whose log is go-ethereum's
		s.args = append(s.args, "-v")
	}
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("openledger %s ended with the log\n%s", strings.Join(args, " "), lastLines(s.log.String(), 40))
		}
	})
	s.start(into)
	return s
}

func (s *service) start(into any) {
	s.t.Helper()
	s.cmd, s.log, s.gone = programCommand(context.Background(), s.t, s.args...), &logText{}, make(chan struct{})
	s.cmd.Stderr = s.log
	out, in, err := os.Pipe()
	require.NoError(s.t, err)
	s.cmd.Stdout = in
	require.NoError(s.t, s.cmd.Start())
	require.NoError(s.t, in.Close())
	go func(cmd *exec.Cmd, gone chan struct{}) {
		_ = cmd.Wait() // killed, mostly
		close(gone)
	}(s.cmd, s.gone)
	ready := make(chan error, 1)
	go func() {
		var doc json.RawMessage
		err := json.NewDecoder(out).Decode(&doc)
		if err == nil && into != nil {
			err = json.Unmarshal(doc, into)
		}
		ready <- err
		_, _ = io.Copy(io.Discard, out) // until it ends
		_ = out.Close()
	}()
	select {
	case err := <-ready:
		require.NoError(s.t, err, "openledger %s: %s", strings.Join(s.args, " "), s.log)
	case <-time.After(2 * time.Minute):
		require.FailNow(s.t, "not ready", "openledger %s: %s", strings.Join(s.args, " "), s.log)
	}
}

// kill is kill -9: the process can save nothing.
func (s *service) kill() {
	_ = s.cmd.Process.Kill() // an error says that it has ended
	<-s.gone
}

func lastLines(s string, n int) string {
	lines := strings.SplitAfter(s, "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "")
}

// light makes named accounts in a home with key files that are quick to open.
func light(t testing.TB, home string, names ...string) map[string]protocol.Account {
	t.Helper()
	w, err := node.Home{Dir: home}.Wallet("", true)
	require.NoError(t, err)
	out := map[string]protocol.Account{}
	for _, name := range names {
		key, err := w.Ensure(name)
		require.NoError(t, err)
		out[name] = key.Account()
	}
	return out
}

// eventually polls until there is no error.
func eventually(t testing.TB, patience time.Duration, what string, try func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			require.FailNow(t, what, "not within %s: %v", patience, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// network is what tests look at a running network through.
type network struct {
	api   string
	key   string // API key
	cl    *client.Client
	info  api.NetworkInfo
	chain *chain.Client
}

func connect(t testing.TB, url, key string) *network {
	t.Helper()
	n := &network{api: url, key: key}
	var err error
	n.cl, err = client.New(url, key)
	require.NoError(t, err)
	n.info, err = n.cl.Network(t.Context())
	require.NoError(t, err)
	n.chain, err = chain.Dial(t.Context(), chain.Config{RPC: n.info.RPC, Addresses: addressesOf(n.info)})
	require.NoError(t, err)
	t.Cleanup(n.chain.Close)
	return n
}

// awaitWorkers waits until the coordinator has heard of n workers.
func (n *network) awaitWorkers(t testing.TB, want int) {
	t.Helper()
	eventually(t, time.Minute, "workers announce themselves", func() error {
		list, err := n.cl.Workers(t.Context())
		if err == nil && len(list) < want {
			err = fmt.Errorf("there are %d of %d", len(list), want)
		}
		return err
	})
}

func writeFile(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}
