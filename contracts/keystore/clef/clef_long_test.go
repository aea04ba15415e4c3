//go:build long

package clef_test

import (
	"encoding/json"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/contracts/keystore/clef"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
)

// person sits at clef's screen (its UI protocol on standard input and output).
type person struct {
	password string
	refuses  atomic.Bool
	meddles  atomic.Bool // raises the gas limit before it approves
	started  chan string // the socket
}

type approval struct {
	Transaction json.RawMessage `json:"transaction,omitempty"`
	Approved    bool            `json:"approved"`
}

func (p *person) ApproveTx(r struct {
	Transaction map[string]any `json:"transaction"`
}) (approval, error) {
	if p.meddles.Load() {
		r.Transaction["gas"] = "0xfffff"
	}
	raw, err := json.Marshal(r.Transaction)
	return approval{Transaction: raw, Approved: !p.refuses.Load()}, err
}

func (p *person) ApproveSignData(json.RawMessage) approval {
	return approval{Approved: !p.refuses.Load()}
}

func (p *person) ApproveListing(r struct {
	Accounts []json.RawMessage `json:"accounts"`
}) map[string]any {
	return map[string]any{"accounts": r.Accounts}
}

func (p *person) OnInputRequired(json.RawMessage) map[string]string {
	return map[string]string{"text": p.password}
}

func (p *person) OnSignerStartup(r struct {
	Info map[string]any `json:"info"`
}) {
	socket, _ := r.Info["extapi_ipc"].(string)
	p.started <- socket
}

func (p *person) OnApprovedTx(json.RawMessage) {}
func (p *person) ShowInfo(json.RawMessage)     {}
func (p *person) ShowError(json.RawMessage)    {}

type pipes struct {
	io.Reader
	io.WriteCloser
}

func (pipes) SetWriteDeadline(time.Time) error { return nil }

// findClef is the program to test against: $OPENLEDGER_CLEF, or the one on PATH.
func findClef(t *testing.T) string {
	if path := os.Getenv("OPENLEDGER_CLEF"); path != "" {
		return path
	}
	path, err := exec.LookPath("clef")
	if err != nil {
		t.Skip("no clef: set OPENLEDGER_CLEF to the program, or put it on PATH; 'make test-nodes' builds one")
	}
	return path
}

// The real clef, with a person at its own screen, signs transactions, statements and
// texts that verify; what the person refuses or changes is refused here.
func TestRealClef(t *testing.T) {
	program := findClef(t)
	dir := t.TempDir()
	keys, err := keystore.Open(keystore.Config{Dir: filepath.Join(dir, "keys"), Light: true})
	require.NoError(t, err)
	key, err := keys.Create("a long enough password")
	require.NoError(t, err)
	p := &person{password: "a long enough password", started: make(chan string, 1)}
	ui := rpc.NewServer()
	require.NoError(t, ui.RegisterName("ui", p))
	t.Cleanup(ui.Stop)
	cmd := exec.Command(program, "--stdio-ui", "--suppress-bootwarn", "--keystore", filepath.Join(dir, "keys"), "--configdir", filepath.Join(dir, "clef"),
		"--chainid", chainID.String(), "--lightkdf", "--auditlog", "", "--4bytedb-custom", filepath.Join(dir, "4byte.json"), "--loglevel", "1")
	var log strings.Builder
	cmd.Stderr, cmd.Dir = &log, dir
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	go ui.ServeCodec(rpc.NewCodec(pipes{out, in}), 0)
	var socket string
	select {
	case socket = <-p.started:
	case <-time.After(time.Minute):
		require.FailNow(t, "clef did not start")
	}
	method := func([]byte) string { return "bond()" }
	s, err := clef.New(clef.Config{URL: socket, Account: key.Account(), Method: method})
	require.NoError(t, err)
	t.Cleanup(s.Close)

	create := types.NewTx(&types.DynamicFeeTx{ChainID: chainID, Value: new(big.Int), Data: make([]byte, 100), Gas: 90_000,
		GasTipCap: big.NewInt(2), GasFeeCap: big.NewInt(30)})
	v, err := s.Version(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, v)
	all, err := s.Accounts(t.Context())
	require.NoError(t, err)
	require.Equal(t, []protocol.Account{key.Account()}, all)
	for _, request := range []*types.Transaction{sample(&protocol.Account{9}), create} {
		tx, err := s.SignTx(t.Context(), request, chainID)
		require.NoError(t, err)
		from, err := types.Sender(types.LatestSignerForChainID(chainID), tx)
		require.NoError(t, err)
		require.Equal(t, key.Account(), from)
	}
	sig, err := s.SignTyped(t.Context(), binding(key.Account()))
	require.NoError(t, err)
	require.NoError(t, wire.Verify(binding(key.Account()), key.Account(), sig))
	_, err = s.SignText(t.Context(), "issue a key")
	require.NoError(t, err)

	p.meddles.Store(true)
	_, err = s.SignTx(t.Context(), sample(&protocol.Account{9}), chainID)
	require.ErrorContains(t, err, "changed the gas limit")
	p.refuses.Store(true)
	_, err = s.SignTx(t.Context(), sample(&protocol.Account{9}), chainID)
	require.Equal(t, protocol.KindUnauthorized, protocol.KindOf(err), "%v", err)
	_, err = s.SignTyped(t.Context(), binding(key.Account()))
	require.Equal(t, protocol.KindUnauthorized, protocol.KindOf(err), "%v", err)
	p.refuses.Store(false)
	p.meddles.Store(false)
	stranger, err := clef.New(clef.Config{URL: socket, Account: protocol.Account{1}})
	require.NoError(t, err)
	t.Cleanup(stranger.Close)
	_, err = stranger.SignTyped(t.Context(), binding(key.Account()))
	require.Equal(t, protocol.KindNotFound, protocol.KindOf(err), "%v", err)
}
