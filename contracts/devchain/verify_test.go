package devchain

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/contracts/bindings"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
)

// Every address of a deployment is in the list that is deployed, recorded and verified,
// under its own name and with a compiled contract; every artifact can be compared.
func TestTheListCoversEveryAddress(t *testing.T) {
	var a chain.Addresses
	list := contractsOf(&a, params(t), protocol.Account{1})
	for i, c := range list {
		*c.at = protocol.Account{byte(i + 1)}
		require.Contains(t, bindings.Artifacts, c.artifact)
	}
	got := map[string]protocol.Account{}
	for name, at := range a.All() {
		got[name] = at
	}
	require.Len(t, got, len(list))
	for i, c := range list {
		require.Equal(t, protocol.Account{byte(i + 1)}, got[c.name], c.name)
	}
	require.Empty(t, a.Missing())
	for name, artifact := range bindings.Artifacts {
		require.NotZero(t, artifact.Size, name)
		for _, places := range artifact.Immutables {
			for _, at := range places {
				require.LessOrEqual(t, at+32, artifact.Size, name)
			}
		}
	}
}

func problems(t *testing.T, client *chain.Client, r Record) (out []Check) {
	t.Helper()
	checks, err := Verify(t.Context(), client, r)
	require.NoError(t, err)
	for _, c := range checks {
		if c.Problem != "" {
			out = append(out, c)
		}
	}
	return out
}

// A deployment verifies against its own record, before and after the hand-over, and
// every kind of lie in the record or on the chain is named.
func TestVerifyFindsWhatDiffers(t *testing.T) {
	d := Deployment{File: filepath.Join(t.TempDir(), "dev.json"), Params: params(t), Key: testKey(0)}
	c := start(t, Config{ChainID: d.Params.ChainID, Fund: funds(2)})
	client := dial(t, c.RPC())
	at, err := Deploy(t.Context(), client, d)
	require.NoError(t, err)
	r, err := ReadRecord(d.File)
	require.NoError(t, err)
	require.Equal(t, d.Params, r.Params, "amounts survive the file")
	require.Empty(t, problems(t, client, r))
	require.Len(t, r.Contracts, len(contractsOf(&r.Addresses, r.Params, r.Deployer)))

	early := r
	early.HandedOver = true
	require.NotEmpty(t, problems(t, client, early), "the deployer still has its roles")
	require.NoError(t, HandOver(t.Context(), client.With(at), d.Key))
	r.HandedOver = true
	require.Empty(t, problems(t, client, r))

	// Another program in place of the escrow: same size or not, it is not the escrow.
	other, _, err := client.As(testKey(1)).Deploy(t.Context(), "another", []byte{0x60, 0x01, 0x60, 0x00, 0x53, 0x60, 0x01, 0x60, 0x00, 0xf3})
	require.NoError(t, err)
	entry := func(change func(*DeployedContract)) func(*Record) {
		return func(r *Record) {
			r.Contracts = append([]DeployedContract(nil), r.Contracts...)
			for i := range r.Contracts {
				if r.Contracts[i].Name == "escrow" {
					change(&r.Contracts[i])
				}
			}
		}
	}
	for _, test := range []struct {
		name, what string
		change     func(*Record)
	}{
		{"another contract", "runtime code", func(r *Record) { r.Escrow = other }},
		{"no contract", "runtime code", func(r *Record) { r.Escrow = protocol.Account{9} }},
		{"another address in the list", "record", entry(func(c *DeployedContract) { c.Address = other })},
		{"another code hash", "record", entry(func(c *DeployedContract) { c.CodeHash[0] ^= 1 })},
		{"another compiler", "record", entry(func(c *DeployedContract) { c.Compiler = "0.0.1" })},
		{"another argument in the file", "constructor arguments", entry(func(c *DeployedContract) { c.Args = append([]byte{1}, c.Args...) })},
		{"other parameters than were deployed", "deployment transaction", func(r *Record) { r.Params.Escrow.WithdrawalDelaySeconds++ }},
		{"another deployer", "deployment transaction", func(r *Record) { r.Deployer = testKey(1).Account() }},
		{"another contract's transaction", "deployment transaction", entry(func(c *DeployedContract) { c.Tx = r.Contracts[0].Tx })},
		{"a transaction that is not there", "deployment transaction", entry(func(c *DeployedContract) { c.Tx[0] ^= 1 })},
		{"another block", "deployment transaction", entry(func(c *DeployedContract) { c.Block++ })},
		{"no entry", "record", func(r *Record) { r.Contracts = nil }},
	} {
		t.Run(test.name, func(t *testing.T) {
			bad := r
			test.change(&bad)
			var whats []string
			for _, p := range problems(t, client, bad) {
				whats = append(whats, p.What)
			}
			require.Contains(t, whats, test.what)
		})
	}
	wrong := r
	wrong.ChainID++
	_, err = Verify(t.Context(), client, wrong)
	require.ErrorContains(t, err, "is of chain")
}

// One changed byte of code shows, one changed immutable does not: its value is fixed by
// the transaction. An immutable that has two values shows.
func TestRuntimeCodeIsComparedByteByByte(t *testing.T) {
	c := start(t, Config{ChainID: params(t).ChainID, Fund: funds(1)})
	client := dial(t, c.RPC())
	at, err := Deploy(t.Context(), client, Deployment{Params: params(t), Key: testKey(0)})
	require.NoError(t, err)
	code, err := client.Code(t.Context(), at.Settlement)
	require.NoError(t, err)
	a := bindings.Artifacts["AttributionSettlement"]
	require.Empty(t, runtimeDiffers(code, a))
	immutable := map[int]bool{}
	twice := -1
	for _, places := range a.Immutables {
		for _, p := range places {
			for i := range 32 {
				immutable[p+i] = true
			}
		}
		if len(places) > 1 {
			twice = places[1]
		}
	}
	for i := range code {
		if !immutable[i] && i%97 == 0 {
			code[i] ^= 1
			require.NotEmpty(t, runtimeDiffers(code, a), i)
			code[i] ^= 1
		}
	}
	require.Positive(t, twice)
	code[twice] ^= 1
	require.Contains(t, runtimeDiffers(code, a), "another value")
}
