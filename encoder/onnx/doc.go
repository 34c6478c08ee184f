// Package onnx encodes texts and pictures with CLIP-like models in ONNX format,
// run by ONNX Runtime. A model is a directory as people download it; see Directory
// for the layouts.
//
// ONNX Runtime is a shared library, loaded when the first text or picture is
// encoded and not before: opening an encoder reads a few kilobytes of the
// graphs' headers, in pure Go. Without cgo the package still compiles, and
// describes and checks directories; encoding then fails with ErrNoRuntime.
package onnx
