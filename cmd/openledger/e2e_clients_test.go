package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/coordinator/api"
)

// clients is where the clients in other languages are.
const clients = "../../sdk"

// Clients in other languages work against one network: OpenAI's own, unchanged, and ours.
func TestClientsOfOtherLanguages(t *testing.T) {
	typescript := filepath.Join(clients, "typescript")
	var tools sync.WaitGroup
	var python string
	var failed [3]error
	tools.Go(func() { python, failed[0] = pythonOf(t.Context(), clients) })
	tools.Go(func() { failed[1] = npmOf(t.Context(), filepath.Join(clients, "openai/javascript")) })
	tools.Go(func() { failed[2] = errors.Join(npmOf(t.Context(), typescript), built(t.Context(), typescript)) })
	tools.Wait()
	for _, err := range failed {
		require.NoError(t, err)
	}

	dir := t.TempDir()
	home, base := filepath.Join(dir, "net"), filepath.Join(dir, "openledger-tiny")
	baseWithTools(t, base)
	var ready struct {
		API        string `json:"api"`
		APIKeyFile string `json:"api_key_file"`
	}
	start(t, &ready, "devnet", "--home", home, "--base-model", base, "--workers", "1", "--listen", "127.0.0.1:0", "--rpc-listen", "127.0.0.1:0")
	n := connect(t, ready.API, readLine(ready.APIKeyFile))
	n.awaitWorkers(t, 1)
	run(t, nil, "datanet", "create", "notes", "--license", "CC0-1.0", "--as", netOwnerKey, "--home", home, "--api", n.api)
	key := func(limits ...string) string {
		var issued api.IssuedKey
		run(t, &issued, append([]string{"coordinator", "key", "create", "--as", requesterKey, "--home", home, "--api", n.api}, limits...)...)
		return issued.Secret
	}
	read, poor := key("--scope", "read"), key("--budget", "0.000000000000000001")
	t.Run("the command line pays without a key", func(t *testing.T) {
		var a answer
		run(t, &a, "infer", n.info.BaseName, "Once", "--max-tokens", "4", "--pay", "--max", "0.1", "--as", requesterKey, "--home", home, "--api", n.api)
		receipt, err := n.cl.Receipt(t.Context(), a.Receipt)
		require.NoError(t, err)
		fee := receipt.Receipt.Fee().Total()
		require.Equal(t, fee.Dec(), a.Fee)
		refused(t, "--max", "infer", n.info.BaseName, "Once", "--pay", "--max", "0.000000000000000001", "--as", requesterKey, "--home", home, "--api", n.api)
	})
	t.Run("python is typed", func(t *testing.T) {
		cmd := exec.CommandContext(t.Context(), python, "-m", "mypy", "--cache-dir", t.TempDir(), "openledger")
		cmd.Dir = filepath.Join(clients, "python")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	})
	for name, program := range map[string][]string{
		"openai/python":     {python, "-m", "unittest", "discover", "-v"},
		"openai/javascript": {"node", "--test"},
		"python":            {python, "-m", "unittest", "discover", "-v"},
		"typescript":        {"node", "--test", "test/"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), program[0], program[1:]...)
			cmd.Dir = filepath.Join(clients, name)
			cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1",
				"OPENLEDGER_API="+n.api, "OPENLEDGER_API_KEY="+n.key, "OPENLEDGER_MODEL="+n.info.BaseName,
				"OPENLEDGER_READ_KEY="+read, "OPENLEDGER_POOR_KEY="+poor,
				"OPENLEDGER_LIMITED_KEY="+key("--requests-per-minute", "2"), "OPENLEDGER_EXPIRING_KEY="+key("--expires", "5s"))
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
			require.NotContains(t, string(out), "is not set", "nothing is left out")
			t.Logf("%s", lastLines(string(out), 12))
		})
	}
}

// baseWithTools is the embedded base with a chat template that shows tools to it.
func baseWithTools(t *testing.T, dir string) {
	t.Helper()
	const from = "../../worker/engine/base"
	require.NoError(t, os.Mkdir(dir, 0o700))
	for _, name := range []string{"config.json", "model.safetensors", "tokenizer.json"} {
		b, err := os.ReadFile(filepath.Join(from, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
	b, err := os.ReadFile(filepath.Join(from, "tokenizer_config.json"))
	require.NoError(t, err)
	var settings map[string]any
	require.NoError(t, json.Unmarshal(b, &settings))
	const before, message, content = "{% for message in messages %}", "message['role']", "message['content']"
	template := settings["chat_template"].(string)
	for _, part := range [][2]string{
		{before, "{% if tools %}{{ '<|system|>' }}{% for tool in tools %}{{ tool | tojson }}{% endfor %}{{ '<|end|>' }}{% endif %}" + before},
		{message, "('user' if message['role'] == 'tool' else message['role'])"},
		{content, "(message['content'] or '')"},
	} {
		require.Equal(t, 1, strings.Count(template, part[0]), template)
		template = strings.Replace(template, part[0], part[1], 1)
	}
	settings["chat_template"] = template
	b, err = json.Marshal(settings)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tokenizer_config.json"), b, 0o600))
}

// built compiles the TypeScript client.
func built(ctx context.Context, dir string) error {
	cmd := exec.CommandContext(ctx, "npm", "run", "--silent", "build")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// pythonOf gives the interpreter of a folder's virtual environment, which has what its
// requirements.txt pins.
func pythonOf(ctx context.Context, dir string) (string, error) {
	python, err := filepath.Abs(filepath.Join(dir, ".venv/bin/python"))
	if err != nil {
		return "", err
	}
	return python, setUp(ctx, dir, ".venv", "requirements.txt",
		[]string{"python3", "-m", "venv", "--clear", ".venv"},
		[]string{python, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes", "--requirement", "requirements.txt"})
}

// npmOf installs what a folder's lock file pins.
func npmOf(ctx context.Context, dir string) error {
	return setUp(ctx, dir, "node_modules", "package-lock.json", []string{"npm", "ci", "--no-fund", "--no-audit"})
}

// setUp runs commands in a folder unless what they make was made from the same lock file
// before. It retries: what they fetch comes over a network.
func setUp(ctx context.Context, dir, makes, lockFile string, commands ...[]string) error {
	lock, err := os.ReadFile(filepath.Join(dir, lockFile))
	if err != nil {
		return err
	}
	// One at a time, also when tests of two copies of this program begin at once.
	held, err := os.Open(filepath.Join(dir, lockFile))
	if err != nil {
		return err
	}
	defer func() { _ = held.Close() }()
	if err := syscall.Flock(int(held.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	sum := sha256.Sum256(lock)
	stamp, digest := filepath.Join(dir, makes, ".made-from"), hex.EncodeToString(sum[:])
	if readLine(stamp) == digest {
		return nil
	}
	for _, c := range commands {
		for attempt := 1; ; attempt++ {
			cmd := exec.CommandContext(ctx, c[0], c[1:]...)
			cmd.Dir = dir
			out, err := cmd.CombinedOutput()
			if err == nil {
				break
			}
			if attempt == 3 || ctx.Err() != nil {
				return &setUpError{command: strings.Join(c, " "), out: string(out), err: err}
			}
			time.Sleep(time.Duration(attempt) * 2 * time.Second)
		}
	}
	return os.WriteFile(stamp, []byte(digest+"\n"), 0o600)
}

// setUpError says what could not be installed.
type setUpError struct {
	command, out string
	err          error
}

func (e *setUpError) Error() string {
	return e.command + ": " + e.err.Error() + "\n" + lastLines(e.out, 20) + "\nthe tests need Python 3.11 or newer with venv (Debian: python3-venv) and Node, and fetch pinned packages"
}

func (e *setUpError) Unwrap() error { return e.err }
