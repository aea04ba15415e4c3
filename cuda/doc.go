// Package cuda finds NVIDIA devices and says whether a worker can use them.
//
// Discovery goes through NVML, which is opened at run time: a machine without a
// driver is not an error but a machine without devices. A binary built without
// cgo finds none and says why.
//
// It knows no models and launches no kernels; it never changes a device's
// settings.
package cuda
