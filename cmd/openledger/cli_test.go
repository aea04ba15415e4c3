package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

// inProcess runs a verb in this process, in a home of its own.
func inProcess(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return inHome(t, t.TempDir(), args...)
}

func inHome(t *testing.T, home string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	c := &cli{out: &out, err: &out, in: strings.NewReader("")}
	root := newRoot(c)
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(append(args, "--home", home))
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

func TestEveryVerbExplainsItself(t *testing.T) {
	verbs := 0
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Name() == "help" || cmd.Name() == "completion" {
			return
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
		if cmd.HasParent() {
			verbs++
			require.NotEmpty(t, cmd.Short, cmd.CommandPath())
			require.Contains(t, cmd.Example, "openledger", "%s has no example", cmd.CommandPath())
			out, err := inProcess(t, append(strings.Fields(cmd.CommandPath())[1:], "--help")...)
			require.NoError(t, err)
			require.Contains(t, out, "Examples:", cmd.CommandPath())
			require.Contains(t, out, "--json", cmd.CommandPath())
		}
	}
	walk(newRoot(&cli{}))
	require.Greater(t, verbs, 40)
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		out, errs, code := verb(t, "completion", shell)
		require.Zero(t, code, errs)
		require.Contains(t, out, "openledger", shell)
	}
	out, _, code := verb(t, "__complete", "datanet", "")
	require.Zero(t, code)
	require.Contains(t, out, "contribute")
}

func TestVersionAndExitCodes(t *testing.T) {
	var v map[string]any
	run(t, &v, "version")
	require.NotEmpty(t, v)
	refused(t, "unknown command", "no-such-verb")
	refused(t, "unknown flag", "version", "--no-such-flag")
	refused(t, "nobody", "demo", "--without", "nobody")
	refused(t, "no coordinator answers", "worker", "status", "--api", "http://127.0.0.1:1", "--home", t.TempDir())
}

func TestSimCompareGivesTheSameBytes(t *testing.T) {
	args := []string{"sim", "compare", "--seed", "1", "--requests", "200"}
	table, errs, code := verb(t, args...)
	require.Zero(t, code, errs)
	again, _, _ := verb(t, args...)
	require.Equal(t, table, again)
	require.Contains(t, table, "p99")
	raw, _, _ := verb(t, append(args, "--json")...)
	require.True(t, json.Valid([]byte(raw)), raw)
	other, _, _ := verb(t, "sim", "compare", "--seed", "2", "--requests", "200")
	require.NotEqual(t, table, other, "the seed matters")
}
