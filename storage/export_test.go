package storage

import "time"

// SetMemTable makes memtables small, so that a short test flushes them.
func SetMemTable(o *Options, size uint64) { o.memTable = size }

// SetSortMemory makes loads spill their keys to files early.
func SetSortMemory(s *Store, n int) { s.sortMemory = n }

// SetPatience shortens the time that a write may hang on a failed disk.
func SetPatience(s *Store, d time.Duration) { s.patience = d }
