package chain

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/accounts/abi/bind/v2"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/openledger/openledger/contracts/bindings"
	"github.com/openledger/openledger/protocol"
)

// interfaces are the deployment's contracts, by their names in [Addresses.All].
var interfaces = sync.OnceValue(func() map[string]*abi.ABI {
	out := map[string]*abi.ABI{}
	for name, m := range map[string]*bind.MetaData{
		"fees": &bindings.FeeParametersMetaData, "treasury": &bindings.TreasuryMetaData,
		"staking": &bindings.WorkerStakingMetaData, "escrow": &bindings.EscrowMetaData,
		"datanets": &bindings.DatanetRegistryMetaData, "models": &bindings.ModelRegistryMetaData,
		"settlement": &bindings.AttributionSettlementMetaData, "validators": &bindings.ValidatorPoolMetaData,
		"disputes": &bindings.DisputeCommitteeMetaData, "epochs": &bindings.EpochDistributorMetaData,
		"agents": &bindings.AgentRegistryMetaData, "contributors": &bindings.ContributorStakingMetaData, "delegates": &bindings.DelegateRegistryMetaData,
		"gopen": &bindings.GOPENMetaData, "timelock": &bindings.TimelockMetaData, "governor": &bindings.OpenGovernorMetaData,
	} {
		parsed, err := m.ParseABI()
		if err != nil { // no binding is generated from such a text
			parsed = &abi.ABI{}
		}
		out[name] = parsed
	}
	return out
})

// contractAt is the name of the contract at an address; empty: none of ours.
func (c *Client) contractAt(at protocol.Account) string {
	c.naming.Do(func() {
		c.names = map[protocol.Account]string{}
		for name, at := range c.cfg.Addresses.All() {
			c.names[at] = name
		}
	})
	return c.names[at]
}

// Report is an event of any kind: which contract reported what, with its parameters by
// name.
type Report struct {
	Block    uint64        `json:"block"`
	Index    uint          `json:"index"` // in the block
	Tx       protocol.Hash `json:"tx"`
	Contract string        `json:"contract"` // as in the deployments file
	Name     string        `json:"event"`
	Args     []Arg         `json:"args"`
}

// Arg is one parameter of an event. Its value is text (numbers in decimal digits, accounts
// and bytes in hex), a bool, a list of those, or a map of them for a struct. Text of
// variable length in an indexed parameter is its hash: the chain has no more.
type Arg struct {
	Name  string `json:"name"`
	Value any    `json:"value"`
}

// Arg is the parameter of a name as text; empty: there is none.
func (r *Report) Arg(name string) string {
	for _, a := range r.Args {
		if a.Name == name {
			return show(a.Value)
		}
	}
	return ""
}

// String is the event in a line: its name and parameters.
func (r *Report) String() string {
	parts := make([]string, len(r.Args))
	for i, a := range r.Args {
		parts[i] = a.Name + "=" + show(a.Value)
	}
	return strings.TrimSpace(r.Name + " " + strings.Join(parts, " "))
}

func show(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		return fmt.Sprint(v)
	}
	raw, _ := json.Marshal(v) // lists and maps of text
	return string(raw)
}

// Report reads an event of any contract of the deployment; ok is false for what their
// interfaces do not have.
func (c *Client) Report(l Log) (r Report, ok bool, err error) {
	r = Report{Block: l.Block, Index: l.Index, Tx: l.Tx, Contract: c.contractAt(l.Contract)}
	parsed := interfaces()[r.Contract]
	if parsed == nil || len(l.Topics) == 0 {
		return r, false, nil
	}
	e, err := parsed.EventByID(l.Topics[0])
	if err != nil {
		return r, false, nil //nolint:nilerr // it has no such event
	}
	r.Name = e.Name
	if r.Args, err = argsOf(e, l); err != nil {
		return r, false, protocol.Errorf(protocol.KindCorrupt, "", "event %d of block %d, %s of %s: %w", l.Index, l.Block, e.Name, r.Contract, err)
	}
	return r, true, nil
}

func argsOf(e *abi.Event, l Log) ([]Arg, error) {
	var indexed abi.Arguments
	for _, in := range e.Inputs {
		if in.Indexed {
			indexed = append(indexed, in)
		}
	}
	topics := map[string]any{}
	if err := abi.ParseTopicsIntoMap(topics, indexed, l.Topics[1:]); err != nil {
		return nil, err
	}
	values, err := e.Inputs.NonIndexed().UnpackValues(l.Data)
	if err != nil {
		return nil, err
	}
	args := make([]Arg, 0, len(e.Inputs))
	for _, in := range e.Inputs {
		var v any
		if in.Indexed {
			v = topics[in.Name]
		} else {
			v, values = values[0], values[1:]
		}
		args = append(args, Arg{in.Name, plain(reflect.ValueOf(v))})
	}
	return args, nil
}

// plain is an ABI's value as [Arg] has it.
func plain(v reflect.Value) any {
	switch x := v.Interface().(type) {
	case *big.Int:
		return x.String()
	case common.Address:
		return x.Hex()
	case []byte:
		return hexutil.Encode(x)
	}
	switch v.Kind() {
	case reflect.Bool:
		return v.Bool()
	case reflect.String:
		return v.String()
	case reflect.Array, reflect.Slice:
		if v.Kind() == reflect.Array && v.Type().Elem().Kind() == reflect.Uint8 {
			raw := make([]byte, v.Len())
			reflect.Copy(reflect.ValueOf(raw), v)
			return hexutil.Encode(raw)
		}
		out := make([]any, v.Len())
		for i := range out {
			out[i] = plain(v.Index(i))
		}
		return out
	case reflect.Struct:
		out := map[string]any{}
		for i := range v.NumField() {
			out[v.Type().Field(i).Tag.Get("json")] = plain(v.Field(i))
		}
		return out
	default:
		return fmt.Sprint(v.Interface())
	}
}

// ReportsOf calls fn for the events of one contract (named as in the deployments file;
// empty: of all) in blocks from..to (0: the newest), in order, of which some indexed
// parameter is about; zero: all.
func (c *Client) ReportsOf(ctx context.Context, contract string, about protocol.Hash, from, to uint64, fn func(Report) error) error {
	at := c.Reporting()
	if contract != "" {
		at = nil
		for name, a := range c.cfg.Addresses.All() {
			if name == contract {
				at = []protocol.Account{a}
			}
		}
		if at == nil {
			return protocol.Errorf(protocol.KindInvalid, "contract", "there is no contract %q: 'openledger chain verify' lists them", contract)
		}
	}
	_, err := c.rawLogs(ctx, from, to, at, nil, func(l *types.Log) error {
		if about != (protocol.Hash{}) && (len(l.Topics) < 2 || !slices.Contains(l.Topics[1:], about)) {
			return nil
		}
		r, ok, err := c.Report(logOf(l))
		if err != nil || !ok {
			return err
		}
		return fn(r)
	})
	return err
}
