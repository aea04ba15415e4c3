package cuda

// Device is one GPU as its driver reports it.
type Device struct {
	Index       int    `json:"index"`
	UUID        string `json:"uuid"`
	Name        string `json:"name"`
	MemoryTotal uint64 `json:"memory_total_bytes"`
	MemoryFree  uint64 `json:"memory_free_bytes"`
	Major       int    `json:"compute_major"` // compute capability
	Minor       int    `json:"compute_minor"`
	Processes   int    `json:"processes"` // other programs computing on it now
	Celsius     int    `json:"celsius"`
	MIG         bool   `json:"mig"`
	// Problems holds what keeps a worker from using the device, each with what to
	// do about it. A device without problems is usable.
	Problems []string `json:"problems,omitempty"`
}

// Usable says that nothing keeps a worker from using the device.
func (d Device) Usable() bool { return len(d.Problems) == 0 }

// Inventory is what discovery found.
type Inventory struct {
	Driver  string   `json:"driver,omitempty"` // version, e.g. "570.86.15"
	CUDA    string   `json:"cuda,omitempty"`   // highest CUDA version that the driver supports, e.g. "12.8"
	Devices []Device `json:"devices"`
	// Absent says why there is no inventory: no driver, no permission, no cgo.
	Absent string `json:"absent,omitempty"`
}

// What a device needs to run this project's kernels.
const (
	minMajor      = 8       // sm_80: the oldest target that kernels are compiled for
	minDriverCUDA = 12000   // CUDA 12.0, as NVML encodes it
	minFreeMemory = 2 << 30 // bytes: a small base with its KV cache
	maxCelsius    = 90      // beyond, devices throttle
)
