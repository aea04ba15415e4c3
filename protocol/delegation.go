package protocol

import (
	"strings"

	"github.com/holiman/uint256"
)

// DelegateScopes is what a delegate may do in an owner's name: bits, as DelegateRegistry
// has them. Bits that have no name here are for later contracts.
type DelegateScopes uint32

// Scopes of delegates.
const (
	ScopeTrain      DelegateScopes = 1 << iota // orders trainings
	ScopePublish                               // creates datanets, accepts contributions, publishes versions
	ScopeContribute                            // contributes records
)

var scopeNames = []struct {
	scope DelegateScopes
	name  string
}{{ScopeTrain, "train"}, {ScopePublish, "publish"}, {ScopeContribute, "contribute"}}

// Has says whether all of the wanted scopes are there.
func (s DelegateScopes) Has(wanted DelegateScopes) bool { return s&wanted == wanted }

// Names lists the scopes that have a name here.
func (s DelegateScopes) Names() []string {
	out := []string{}
	for _, n := range scopeNames {
		if s.Has(n.scope) {
			out = append(out, n.name)
		}
	}
	return out
}

// String is the names with commas between them.
func (s DelegateScopes) String() string { return strings.Join(s.Names(), ",") }

// ParseDelegateScopes reads names of scopes.
func ParseDelegateScopes(names []string) (s DelegateScopes, err error) {
	for _, name := range names {
		var found DelegateScopes
		for _, n := range scopeNames {
			if n.name == strings.TrimSpace(name) {
				found = n.scope
			}
		}
		if found == 0 {
			return 0, Errorf(KindInvalid, "scopes", "%q is no scope; choose from %s", name, (ScopeTrain | ScopePublish | ScopeContribute).String())
		}
		s |= found
	}
	if s == 0 {
		return 0, Errorf(KindInvalid, "scopes", "there is none; choose from %s", (ScopeTrain | ScopePublish | ScopeContribute).String())
	}
	return s, nil
}

// Delegation is what an owner signs (EIP-712) to let a delegate act in its name, in place
// of what it was authorised for before. Anybody may bring it to the registry.
type Delegation struct {
	Owner    Account        `json:"owner"`
	Delegate Account        `json:"delegate"`
	Scopes   DelegateScopes `json:"scopes"`
	Expiry   int64          `json:"expiry"`   // of the authority, Unix seconds
	Nonce    uint256.Int    `json:"nonce"`    // the owner's next one in the registry of delegates
	Deadline int64          `json:"deadline"` // to bring it, Unix seconds
}

// SignedDelegation is a delegation with the owner's signature: 65 bytes, or what its
// contract checks (ERC-1271).
type SignedDelegation struct {
	Delegation Delegation `json:"delegation"`
	Signature  []byte     `json:"signature"`
}
