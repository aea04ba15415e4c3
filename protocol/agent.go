package protocol

import "github.com/holiman/uint256"

// AgentOrder is what an owner signs (EIP-712) to register an agent or to publish its
// next version.
type AgentOrder struct {
	Owner    Account     `json:"owner"`
	Agent    uint64      `json:"agent"`   // 0: register one
	Version  uint32      `json:"version"` // its next number, from 1
	Name     string      `json:"name"`
	Manifest CID         `json:"manifest"`
	Price    uint256.Int `json:"price"`    // wei per request
	Deadline int64       `json:"deadline"` // Unix seconds
}
