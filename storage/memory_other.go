//go:build !linux

package storage

// physicalMemory is a cautious guess where asking is not the same everywhere.
func physicalMemory() int64 { return 4 << 30 }
