package chain

import (
	"fmt"
	"reflect"
	"strings"
)

// NamedCall is an action in words: which function of which of our contracts it calls, with
// its parameters by name as in [Arg].
type NamedCall struct {
	Contract string `json:"contract"` // as in the deployments file
	Function string `json:"function"`
	Args     []Arg  `json:"args"`
}

// String is the call in a line.
func (n NamedCall) String() string {
	parts := make([]string, len(n.Args))
	for i, a := range n.Args {
		parts[i] = show(a.Value)
		if a.Name != "" {
			parts[i] = a.Name + "=" + parts[i]
		}
	}
	return fmt.Sprintf("%s.%s(%s)", n.Contract, n.Function, strings.Join(parts, ", "))
}

// Name reads what an action calls; ok is false for contracts that are not ours and for
// what their interfaces do not have. A proposal may hold any bytes.
func (c *Client) Name(a Action) (n NamedCall, ok bool) {
	parsed := interfaces()[c.contractAt(a.To)]
	if parsed == nil || len(a.Data) < 4 {
		return n, false
	}
	m, err := parsed.MethodById(a.Data)
	if err != nil {
		return n, false
	}
	values, err := m.Inputs.UnpackValues(a.Data[4:])
	if err != nil || len(values) != len(m.Inputs) {
		return n, false
	}
	n = NamedCall{Contract: c.contractAt(a.To), Function: m.RawName, Args: make([]Arg, len(values))}
	for i, in := range m.Inputs {
		n.Args[i] = Arg{in.Name, plain(reflect.ValueOf(values[i]))}
	}
	return n, true
}
