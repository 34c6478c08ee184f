//go:build cgo && windows

package onnx

// probeLibrary leaves the check to the loader.
func probeLibrary(path string) (version string, err error) { return "", nil }
