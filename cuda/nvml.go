//go:build cgo && linux

package cuda

import (
	"fmt"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// Discover asks the machine's NVML for its devices.
func Discover() Inventory { return discover(nvml.New()) }

func discover(lib nvml.Interface) Inventory {
	if ret := lib.Init(); ret != nvml.SUCCESS {
		return Inventory{Absent: absent(ret)}
	}
	defer func() { _ = lib.Shutdown() }() // what was read stays valid

	var inv Inventory
	inv.Driver, _ = lib.SystemGetDriverVersion()
	version, ret := lib.SystemGetCudaDriverVersion()
	if ret == nvml.SUCCESS {
		inv.CUDA = fmt.Sprintf("%d.%d", version/1000, version%1000/10)
	}
	count, ret := lib.DeviceGetCount()
	if ret != nvml.SUCCESS {
		return Inventory{Driver: inv.Driver, CUDA: inv.CUDA, Absent: absent(ret)}
	}
	for i := range count {
		d := Device{Index: i}
		handle, ret := lib.DeviceGetHandleByIndex(i)
		if ret != nvml.SUCCESS {
			d.Problems = append(d.Problems, fmt.Sprintf("the driver does not open it (%v): look at dmesg for Xid errors, then reset or reseat the card", ret))
			inv.Devices = append(inv.Devices, d)
			continue
		}
		read(handle, &d)
		if version != 0 && version < minDriverCUDA {
			d.Problems = append(d.Problems, fmt.Sprintf("the driver supports CUDA %s only: install a driver for CUDA 12 or newer", inv.CUDA))
		}
		inv.Devices = append(inv.Devices, d)
	}
	return inv
}

// read fills d from its handle. A figure that the driver does not support stays
// zero, and no problem is derived from it.
func read(h nvml.Device, d *Device) {
	problem := func(format string, args ...any) { d.Problems = append(d.Problems, fmt.Sprintf(format, args...)) }

	d.UUID, _ = h.GetUUID()
	d.Name, _ = h.GetName()
	if major, minor, ret := h.GetCudaComputeCapability(); ret == nvml.SUCCESS {
		d.Major, d.Minor = major, minor
		if major < minMajor {
			problem("compute capability %d.%d is older than %d.0: it can't run this worker's kernels", major, minor, minMajor)
		}
	}
	if mem, ret := h.GetMemoryInfo(); ret == nvml.SUCCESS {
		d.MemoryTotal, d.MemoryFree = mem.Total, mem.Free
		if mem.Free < minFreeMemory {
			problem("only %d MiB of %d MiB are free: stop the other programs on it (nvidia-smi lists them)", mem.Free>>20, mem.Total>>20)
		}
	}
	if procs, ret := h.GetComputeRunningProcesses(); ret == nvml.SUCCESS {
		d.Processes = len(procs)
	}
	if mode, ret := h.GetComputeMode(); ret == nvml.SUCCESS {
		switch {
		case mode == nvml.COMPUTEMODE_PROHIBITED:
			problem("its compute mode is PROHIBITED: run nvidia-smi -i %d -c DEFAULT", d.Index)
		case mode == nvml.COMPUTEMODE_EXCLUSIVE_PROCESS && d.Processes > 0:
			problem("its compute mode is EXCLUSIVE_PROCESS and another program holds it: stop that program")
		}
	}
	if current, _, ret := h.GetMigMode(); ret == nvml.SUCCESS {
		d.MIG = current == nvml.DEVICE_MIG_ENABLE
	}
	if t, ret := h.GetTemperature(nvml.TEMPERATURE_GPU); ret == nvml.SUCCESS {
		d.Celsius = int(t)
		if d.Celsius >= maxCelsius {
			problem("it is at %d degrees C and throttles: check fans and airflow", d.Celsius)
		}
	}
	if n, ret := h.GetTotalEccErrors(nvml.MEMORY_ERROR_TYPE_UNCORRECTED, nvml.VOLATILE_ECC); ret == nvml.SUCCESS && n > 0 {
		problem("%d uncorrected memory errors since the driver was loaded: its answers can't be trusted; reset it, and replace it if they come back", n)
	}
}

func absent(ret nvml.Return) string {
	switch ret {
	case nvml.ERROR_LIBRARY_NOT_FOUND:
		return "no NVIDIA driver found: the worker uses the CPU"
	case nvml.ERROR_DRIVER_NOT_LOADED:
		return "the NVIDIA driver is installed but not loaded: run modprobe nvidia, or reboot after a driver update"
	case nvml.ERROR_NO_PERMISSION:
		return "no permission to open the NVIDIA device files: add this user to the group that owns /dev/nvidia*"
	case nvml.ERROR_LIB_RM_VERSION_MISMATCH:
		return "the NVIDIA library and the loaded driver have different versions: reboot, or reload the driver"
	default:
		return fmt.Sprintf("NVML does not start (%v): check that nvidia-smi works", ret)
	}
}
