package protocol

// AdapterAction is what an AdapterOrder asks for.
type AdapterAction string

// Actions. Who may ask for which is the worker's choice; see docs/architecture.md,
// "Adapters on a worker".
const (
	AdapterLoad   AdapterAction = "load"   // bring it to the device
	AdapterPin    AdapterAction = "pin"    // and keep it there
	AdapterUnpin  AdapterAction = "unpin"  // let it leave when its memory is needed
	AdapterUnload AdapterAction = "unload" // free its memory now; it stays on disk
)

// Valid says whether the action is one of those above.
func (a AdapterAction) Valid() bool {
	switch a {
	case AdapterLoad, AdapterPin, AdapterUnpin, AdapterUnload:
		return true
	}
	return false
}

// AdapterOrder asks one worker to change where an adapter is.
type AdapterOrder struct {
	Requester Account       `json:"requester"` // in whose name it is asked
	Adapter   CID           `json:"adapter"`
	Action    AdapterAction `json:"action"`
	Deadline  int64         `json:"deadline"`          // Unix ms: afterwards the order is void
	Sources   []string      `json:"sources,omitempty"` // multiaddrs (with /p2p/) of peers that provide the content
	// Authorization is the requester's word that it wants this (EIP-712, by its own or a
	// session key).
	Authorization []byte `json:"authorization,omitempty"`
}

// AdapterState says where an adapter is on a worker.
type AdapterState struct {
	Tier   Tier `json:"tier"`
	Pinned bool `json:"pinned"`
}
