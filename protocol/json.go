package protocol

import "encoding/json"

// uint256.Int writes itself as a decimal string only through a pointer; by value
// encoding/json would fall back to its four limbs. The structs that hold amounts
// therefore marshal themselves through a pointer, however they are passed.

// MarshalJSON writes amounts as decimal strings.
func (p Price) MarshalJSON() ([]byte, error) {
	type plain Price
	return json.Marshal((*plain)(&p))
}

// MarshalJSON writes amounts as decimal strings.
func (f Fee) MarshalJSON() ([]byte, error) {
	type plain Fee
	return json.Marshal((*plain)(&f))
}

// MarshalJSON writes amounts as decimal strings.
func (o TrainingOrder) MarshalJSON() ([]byte, error) {
	type plain TrainingOrder
	return json.Marshal((*plain)(&o))
}

// MarshalJSON writes amounts as decimal strings.
func (r Receipt) MarshalJSON() ([]byte, error) {
	type plain Receipt
	return json.Marshal((*plain)(&r))
}

// MarshalJSON writes amounts as decimal strings.
func (v Voucher) MarshalJSON() ([]byte, error) {
	type plain Voucher
	return json.Marshal((*plain)(&v))
}

// MarshalJSON writes amounts as decimal strings.
func (r Reserve) MarshalJSON() ([]byte, error) {
	type plain Reserve
	return json.Marshal((*plain)(&r))
}

// MarshalJSON writes amounts as decimal strings.
func (o Opening) MarshalJSON() ([]byte, error) {
	type plain Opening
	return json.Marshal((*plain)(&o))
}

// MarshalJSON writes amounts as decimal strings.
func (o AgentOrder) MarshalJSON() ([]byte, error) {
	type plain AgentOrder
	return json.Marshal((*plain)(&o))
}
