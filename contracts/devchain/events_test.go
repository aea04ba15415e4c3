package devchain

import (
	"context"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/contracts/bindings"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/events"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
)

// notIndexed are the contracts whose events no index has, and why.
var notIndexed = map[string]string{
	"DatanetPool":  "one for each datanet, made by the registry: its money is read from its address",
	"OPEN":         "on L1, not on the chain of the deployment",
	"VestingVault": "on L1, not on the chain of the deployment",
}

// kind is one event of one deployed contract.
type kind struct {
	contract string
	at       protocol.Account
	event    abi.Event
}

func kindsOf(t *testing.T, deployed []deployed) (out []kind) {
	t.Helper()
	artifacts := map[string]bool{}
	for _, d := range deployed {
		artifacts[d.artifact] = true
		parsed, err := bindings.Artifacts[d.artifact].Meta.ParseABI()
		require.NoError(t, err)
		var names []string
		for name := range parsed.Events {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			out = append(out, kind{d.name, *d.at, parsed.Events[name]})
		}
	}
	for name := range bindings.Artifacts {
		_, excepted := notIndexed[name]
		require.NotEqual(t, artifacts[name], excepted, "%s: deployed, or excepted with a reason", name)
	}
	return out
}

// value is some value of a type, another for each n.
func value(t abi.Type, n uint64) any {
	v := reflect.New(t.GetType()).Elem()
	digest := crypto.Keccak256Hash(fmt.Appendf(nil, "value %d of %s", n, t.String()))
	switch t.T {
	case abi.BoolTy:
		v.SetBool(n%2 == 1)
	case abi.StringTy:
		v.SetString(digest.Hex())
	case abi.BytesTy:
		v.SetBytes(digest[:])
	case abi.UintTy, abi.IntTy:
		number := new(big.Int).SetBytes(digest[:])
		if number.Rsh(number, uint(257-t.Size)); t.Size == 8 { // not negative; some are one of few
			number.SetUint64(n + 1)
		}
		if x, ok := v.Interface().(*big.Int); ok && x == nil {
			return number
		}
		if t.T == abi.IntTy {
			v.SetInt(number.Int64())
		} else {
			v.SetUint(number.Uint64())
		}
	case abi.AddressTy, abi.FixedBytesTy:
		reflect.Copy(v, reflect.ValueOf(digest[:v.Len()]))
	case abi.SliceTy:
		v.Set(reflect.MakeSlice(t.GetType(), 2, 2))
		fallthrough
	case abi.ArrayTy:
		for i := range v.Len() {
			v.Index(i).Set(reflect.ValueOf(value(*t.Elem, n+uint64(i)+1)))
		}
	case abi.TupleTy:
		for i, field := range t.TupleElems {
			v.Field(i).Set(reflect.ValueOf(value(*field, n+uint64(i)+1)))
		}
	default:
		panic("no values of type " + t.String())
	}
	return v.Interface()
}

// log is an event of the kind with such values.
func (k kind) log(t *testing.T, n uint64) chain.Log {
	t.Helper()
	l := chain.Log{Contract: k.at, Topics: []protocol.Hash{k.event.ID}, Tx: crypto.Keccak256Hash(fmt.Appendf(nil, "transaction %d", n)), Data: []byte{}}
	var data []any
	for _, in := range k.event.Inputs {
		v := value(in.Type, n)
		if !in.Indexed {
			data = append(data, v)
			continue
		}
		made, err := abi.MakeTopics([]any{v})
		require.NoError(t, err)
		l.Topics = append(l.Topics, made[0][0])
	}
	packed, err := k.event.Inputs.NonIndexed().Pack(data...)
	require.NoError(t, err)
	l.Data = append(l.Data, packed...)
	return l
}

// scripted is a chain with these events, a block each; the client reads them.
type scripted struct {
	*chain.Client
	blocks []chain.BlockRef
	logs   []chain.Log
}

// grow adds a block on top of height.
func (s *scripted) grow(height int, l chain.Log, n uint64) {
	s.blocks, s.logs = s.blocks[:height], s.logs[:height]
	b := chain.BlockRef{Number: uint64(height), Hash: crypto.Keccak256Hash(fmt.Appendf(nil, "block %d, values %d", height, n))}
	if height > 0 {
		b.Parent = s.blocks[height-1].Hash
	}
	l.Block, l.BlockHash = b.Number, b.Hash
	s.blocks, s.logs = append(s.blocks, b), append(s.logs, l)
}

func (s *scripted) Newest(context.Context) (chain.BlockRef, error) {
	return s.blocks[len(s.blocks)-1], nil
}

func (s *scripted) BlockAt(_ context.Context, number uint64) (chain.BlockRef, error) {
	if number >= uint64(len(s.blocks)) {
		return chain.BlockRef{}, protocol.Errorf(protocol.KindNotFound, "number", "no block %d", number)
	}
	return s.blocks[number], nil
}

// reported are the logs of contracts that the client asks for, as a node filters them.
func (s *scripted) reported(logs []chain.Log) (out []chain.Log) {
	for _, l := range logs {
		if slices.Contains(s.Reporting(), l.Contract) {
			out = append(out, l)
		}
	}
	return out
}

func (s *scripted) LogsIn(_ context.Context, from, to uint64) ([]chain.Log, error) {
	return s.reported(s.logs[from : to+1]), nil
}

func (s *scripted) LogsOf(_ context.Context, block protocol.Hash) ([]chain.Log, error) {
	for i, b := range s.blocks {
		if b.Hash == block {
			return s.reported(s.logs[i : i+1]), nil
		}
	}
	return nil, protocol.Errorf(protocol.KindInvalid, "block", "given up")
}

// text is a value as a report has it; ok is false for lists and structs.
func text(v any) (out string, ok bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case common.Address:
		return v.Hex(), true
	}
	switch v := reflect.ValueOf(v); v.Kind() {
	case reflect.Array, reflect.Slice:
		return fmt.Sprintf("0x%x", v.Interface()), v.Type().Elem().Kind() == reflect.Uint8
	case reflect.Struct:
		return "", false
	default:
		return fmt.Sprint(v.Interface()), true // numbers and bools
	}
}

// Every event of every deployed contract is in the index, is found by each of its indexed
// parameters, and is read with all its parameters; also where a branch of blocks has
// taken the place of another, and where the index was away for long.
func TestEveryEventIsIndexed(t *testing.T) {
	dev := start(t, Config{})
	var at chain.Addresses
	all := contractsOf(&at, Params{}, protocol.Account{})
	for i, d := range all {
		*d.at = protocol.Account{0xc0, byte(i)}
	}
	require.Empty(t, at.Missing())
	client, err := chain.Dial(t.Context(), chain.Config{RPC: dev.RPC(), Addresses: at})
	require.NoError(t, err)
	defer client.Close()
	source := &scripted{Client: client}
	kinds := kindsOf(t, all)

	open := func() *events.Index {
		db, err := store.Open(store.Config{Dir: "db", FS: vfs.NewMem()})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		x, err := events.New(events.Config{DB: db, Chain: source, Range: 7})
		require.NoError(t, err)
		return x
	}
	sync := func(x *events.Index) {
		t.Helper()
		_, err := x.Sync(t.Context())
		require.NoError(t, err)
	}
	// found counts by how many of its parameters an event is found.
	found := func(x *events.Index, l chain.Log) (times int) {
		t.Helper()
		for i, topic := range l.Topics[1:] {
			require.NoError(t, x.EachLogOf(l.Topics[0], uint64(i)+1, topic, func(got chain.Log) error {
				if reflect.DeepEqual(got, l) {
					times++
				}
				return nil
			}))
		}
		return times
	}
	has := func(x *events.Index) {
		t.Helper()
		var have []chain.Log
		require.NoError(t, x.EachLog(0, 1<<62, func(l chain.Log) error {
			have = append(have, l)
			return nil
		}))
		require.Equal(t, source.logs, have)
		for _, l := range have {
			require.Equal(t, len(l.Topics)-1, found(x, l))
		}
	}

	index := open()
	source.grow(0, kinds[0].log(t, 1), 1)
	for from := 1; from < len(kinds); {
		to := min(from+int(index.Depth()), len(kinds))
		for i := from; i < to; i++ {
			source.grow(i, kinds[i].log(t, 0), 0)
		}
		sync(index)
		replaced := slices.Clone(source.logs[from:])
		for i := from; i < to; i++ {
			source.grow(i, kinds[i].log(t, 1), 1)
		}
		sync(index)
		for _, l := range replaced {
			require.Zero(t, found(index, l), "of a branch that was given up")
		}
		from = to
	}
	has(index)
	late := open()
	sync(late)
	has(late)

	for i, k := range kinds {
		what := k.contract + "." + k.event.Name
		r, ok, err := client.Report(source.logs[i])
		require.NoError(t, err, what)
		require.True(t, ok, what)
		require.Equal(t, k.contract, r.Contract)
		require.Equal(t, k.event.Name, r.Name)
		require.Len(t, r.Args, len(k.event.Inputs), what)
		for n, in := range k.event.Inputs {
			require.Equal(t, in.Name, r.Args[n].Name, what)
			want, ok := text(value(in.Type, 1))
			if !ok || in.Indexed && (in.Type.T == abi.StringTy || in.Type.T == abi.BytesTy) {
				require.NotEmpty(t, r.Arg(in.Name), what)
				continue
			}
			require.Equal(t, want, r.Arg(in.Name), "%s of %s", in.Name, what)
		}
		_, _, err = client.Decode(source.logs[i])
		require.NoError(t, err, what)
	}
}
