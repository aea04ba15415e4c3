//go:build cgo && linux

package cuda

import (
	"os"
	"strings"
	"testing"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock"
	"github.com/stretchr/testify/require"
)

// healthy is an H100 with nothing wrong, as its driver answers.
func healthy() *mock.Device {
	return &mock.Device{
		GetUUIDFunc:                    func() (string, nvml.Return) { return "GPU-1", nvml.SUCCESS },
		GetNameFunc:                    func() (string, nvml.Return) { return "NVIDIA H100 80GB HBM3", nvml.SUCCESS },
		GetCudaComputeCapabilityFunc:   func() (int, int, nvml.Return) { return 9, 0, nvml.SUCCESS },
		GetMemoryInfoFunc:              func() (nvml.Memory, nvml.Return) { return nvml.Memory{Total: 80 << 30, Free: 79 << 30}, nvml.SUCCESS },
		GetComputeRunningProcessesFunc: func() ([]nvml.ProcessInfo, nvml.Return) { return nil, nvml.SUCCESS },
		GetComputeModeFunc:             func() (nvml.ComputeMode, nvml.Return) { return nvml.COMPUTEMODE_DEFAULT, nvml.SUCCESS },
		GetMigModeFunc:                 func() (int, int, nvml.Return) { return 0, 0, nvml.ERROR_NOT_SUPPORTED },
		GetTemperatureFunc:             func(nvml.TemperatureSensors) (uint32, nvml.Return) { return 40, nvml.SUCCESS },
		GetTotalEccErrorsFunc: func(nvml.MemoryErrorType, nvml.EccCounterType) (uint64, nvml.Return) {
			return 0, nvml.SUCCESS
		},
	}
}

func library(devices ...*mock.Device) *mock.Interface {
	return &mock.Interface{
		InitFunc:                       func() nvml.Return { return nvml.SUCCESS },
		ShutdownFunc:                   func() nvml.Return { return nvml.SUCCESS },
		SystemGetDriverVersionFunc:     func() (string, nvml.Return) { return "570.86.15", nvml.SUCCESS },
		SystemGetCudaDriverVersionFunc: func() (int, nvml.Return) { return 12080, nvml.SUCCESS },
		DeviceGetCountFunc:             func() (int, nvml.Return) { return len(devices), nvml.SUCCESS },
		DeviceGetHandleByIndexFunc: func(i int) (nvml.Device, nvml.Return) {
			if devices[i] == nil {
				return nil, nvml.ERROR_GPU_IS_LOST
			}
			return devices[i], nvml.SUCCESS
		},
	}
}

func TestDiscoverHealthyDevice(t *testing.T) {
	inv := discover(library(healthy()))
	require.Equal(t, "12.8", inv.CUDA)
	require.Equal(t, []Device{{
		UUID: "GPU-1", Name: "NVIDIA H100 80GB HBM3", MemoryTotal: 80 << 30, MemoryFree: 79 << 30, Major: 9, Celsius: 40,
	}}, inv.Devices)
	require.True(t, inv.Devices[0].Usable())
}

func TestDiscoverNamesEachProblem(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*mock.Device)
		says  string
	}{
		"old": {func(d *mock.Device) {
			d.GetCudaComputeCapabilityFunc = func() (int, int, nvml.Return) { return 7, 5, nvml.SUCCESS }
		}, "compute capability 7.5"},
		"full": {func(d *mock.Device) {
			d.GetMemoryInfoFunc = func() (nvml.Memory, nvml.Return) {
				return nvml.Memory{Total: 80 << 30, Free: 1 << 30}, nvml.SUCCESS
			}
		}, "only 1024 MiB"},
		"prohibited": {func(d *mock.Device) {
			d.GetComputeModeFunc = func() (nvml.ComputeMode, nvml.Return) { return nvml.COMPUTEMODE_PROHIBITED, nvml.SUCCESS }
		}, "nvidia-smi -i 0 -c DEFAULT"},
		"taken": {func(d *mock.Device) {
			d.GetComputeModeFunc = func() (nvml.ComputeMode, nvml.Return) {
				return nvml.COMPUTEMODE_EXCLUSIVE_PROCESS, nvml.SUCCESS
			}
			d.GetComputeRunningProcessesFunc = func() ([]nvml.ProcessInfo, nvml.Return) {
				return make([]nvml.ProcessInfo, 1), nvml.SUCCESS
			}
		}, "another program holds it"},
		"hot": {func(d *mock.Device) {
			d.GetTemperatureFunc = func(nvml.TemperatureSensors) (uint32, nvml.Return) { return 95, nvml.SUCCESS }
		}, "95 degrees"},
		"ecc": {func(d *mock.Device) {
			d.GetTotalEccErrorsFunc = func(nvml.MemoryErrorType, nvml.EccCounterType) (uint64, nvml.Return) { return 3, nvml.SUCCESS }
		}, "3 uncorrected memory errors"},
	} {
		t.Run(name, func(t *testing.T) {
			d := healthy()
			c.spoil(d)
			got := discover(library(d)).Devices[0]
			require.False(t, got.Usable())
			require.Len(t, got.Problems, 1)
			require.Contains(t, got.Problems[0], c.says)
		})
	}
}

func TestDiscoverLostDeviceDoesNotHideTheOthers(t *testing.T) {
	inv := discover(library(nil, healthy()))
	require.Len(t, inv.Devices, 2)
	require.False(t, inv.Devices[0].Usable())
	require.True(t, inv.Devices[1].Usable())
}

func TestDiscoverOldDriver(t *testing.T) {
	lib := library(healthy())
	lib.SystemGetCudaDriverVersionFunc = func() (int, nvml.Return) { return 11080, nvml.SUCCESS }
	require.Contains(t, discover(lib).Devices[0].Problems[0], "CUDA 11.8 only")
}

func TestDiscoverSaysWhyThereIsNoDriver(t *testing.T) {
	for ret, says := range map[nvml.Return]string{
		nvml.ERROR_LIBRARY_NOT_FOUND:       "no NVIDIA driver found",
		nvml.ERROR_DRIVER_NOT_LOADED:       "not loaded",
		nvml.ERROR_NO_PERMISSION:           "no permission",
		nvml.ERROR_LIB_RM_VERSION_MISMATCH: "different versions",
		nvml.ERROR_UNKNOWN:                 "does not start",
	} {
		lib := library()
		lib.InitFunc = func() nvml.Return { return ret }
		inv := discover(lib)
		require.Empty(t, inv.Devices)
		require.Contains(t, inv.Absent, says)
	}
}

// TestDiscoverThisMachine runs the real library: it must find a usable device
// where one is promised, and say why there is none elsewhere.
func TestDiscoverThisMachine(t *testing.T) {
	inv := Discover()
	if os.Getenv("REQUIRE_CUDA") == "1" {
		require.Empty(t, inv.Absent)
		require.NotEmpty(t, inv.Devices)
		require.True(t, inv.Devices[0].Usable(), strings.Join(inv.Devices[0].Problems, "; "))
		return
	}
	require.True(t, inv.Absent != "" || len(inv.Devices) > 0)
}
