package storage

import (
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"time"
)

// Options of Open. The zero value, and nil, mean the defaults.
type Options struct {
	// ReadOnly opens the store for reading. Several processes may do so at once;
	// a process that writes has it for itself.
	ReadOnly bool
	// AsFound opens a damaged store for reading only, without comparing it with its list
	// of files or the number of acknowledged commits: what can't be read is an error
	// when it is met, and commits may be missing at the end.
	AsFound bool
	// InMemory keeps everything in memory; dir is ignored and nothing is left
	// after Close.
	InMemory bool
	// CacheSize is the size of the block cache in bytes; 0 means a quarter of the
	// memory that the process may use (the machine's, or less where a control group
	// of Linux or GOMEMLIMIT says so), at most 4 GiB. The cache begins small and
	// grows to this size with what is read.
	CacheSize int64
	// NoSync lets Commit return before the data is on disk: a power cut may lose
	// the last transactions (never part of one).
	NoSync bool

	// NoMerging leaves the space of deleted rows to VACUUM. Otherwise blocks of which much
	// is deleted are merged in small steps, in the background, after commits.
	NoMerging bool
	// NoRetraining leaves codes as they are when rows have drifted from those they were
	// trained on, or don't fit what is asked, and keeps no sample of that.
	NoRetraining bool

	// WriterTimeout bounds how long Begin and BulkLoad wait for the writer before them;
	// the error is ErrBusy then. 0 = as long as the context allows.
	WriterTimeout time.Duration
	// FS is the file system, for tests; nil is the machine's own.
	FS vfs.FS

	// memTable overrides the size of a memtable, for tests.
	memTable uint64
	// cacheStart overrides the size the cache begins with, for tests.
	cacheStart int64
}

func defaultCacheSize() int64 {
	return min(max(memoryLimit()/4, cacheStart), 4<<30)
}

// maxCacheSize is more than any machine has.
const maxCacheSize = 1 << 42

// check looks for values that can't be meant.
func (o *Options) check() error {
	if o.CacheSize < 0 || o.CacheSize > maxCacheSize {
		return &OptionError{"CacheSize", o.CacheSize, "0 for the default, or a number of bytes up to 4 TiB"}
	}
	return nil
}

// pebbleOptions are those every generation is opened with, which adds what is its own. Nothing is compressed:
// vectors don't shrink, and an uncompressed block is read without a copy.
func (s *Store) pebbleOptions(o *Options, cache *pebble.Cache) *pebble.Options {
	po := &pebble.Options{
		FS:                          s.fs,
		Logger:                      quiet{},
		ReadOnly:                    o.ReadOnly,
		Cache:                       cache,
		FormatMajorVersion:          pebbleFormat,
		MemTableSize:                64 << 20,
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       4,
		// Where merging has met a damaged block level 0 grows, and writes must not wait for
		// it: so much as this takes 64 GB of them.
		L0StopWritesThreshold:      1000,
		LBaseMaxBytes:              256 << 20,
		MaxOpenFiles:               1000,
		BytesPerSync:               1 << 20,
		FlushDelayDeleteRange:      time.Second, // DROP TABLE gives its space back soon
		CompactionConcurrencyRange: func() (int, int) { return 1, 2 },
	}
	if o.memTable > 0 {
		po.MemTableSize = o.memTable
	}
	po.Experimental.ReadSamplingMultiplier = -1 // reading writes nothing
	po.TargetFileSizes[0] = 16 << 20
	for i := range po.Levels {
		po.Levels[i] = pebble.LevelOptions{
			// A page is larger than this and has a block of its own; small keys share one.
			BlockSize:      32 << 10,
			IndexBlockSize: 32 << 10,
			Compression:    func() *sstable.CompressionProfile { return sstable.NoCompression },
			FilterPolicy:   bloom.FilterPolicy(10),
		}
		if i > 0 {
			po.TargetFileSizes[i] = 64 << 20
		}
	}
	return po
}

// quiet keeps Pebble's log off the host program's output. What Pebble calls
// fatal makes the store refuse all further writes; readers go on.
type quiet struct{ g *generation } // nil: it was opened for a look

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}

func (q quiet) Fatalf(format string, args ...any) {
	if q.g != nil {
		q.g.fatal(format, args...)
	}
}
