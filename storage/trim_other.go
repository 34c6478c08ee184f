//go:build !cgo || !linux

package storage

func trimC() {}
