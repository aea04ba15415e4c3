package payout

import "encoding/json"

// Amounts are decimal strings in JSON, also when these structs are marshalled by
// value (see protocol's MarshalJSON methods).

// MarshalJSON writes the amount as a decimal string.
func (s Stake) MarshalJSON() ([]byte, error) {
	type plain Stake
	return json.Marshal((*plain)(&s))
}

// MarshalJSON writes the amount as a decimal string.
func (s Share) MarshalJSON() ([]byte, error) {
	type plain Share
	return json.Marshal((*plain)(&s))
}

// MarshalJSON writes the amount as a decimal string.
func (p Payout) MarshalJSON() ([]byte, error) {
	type plain Payout
	return json.Marshal((*plain)(&p))
}

// MarshalJSON writes the sum as a decimal string.
func (n Node) MarshalJSON() ([]byte, error) {
	type plain Node
	return json.Marshal((*plain)(&n))
}
