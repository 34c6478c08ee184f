package storage

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A block cache begins with cacheStart bytes; when n bytes have been read from files it may
// have n * n / cacheCurve more.
const (
	cacheStart = 8 << 20
	cacheCurve = 16 << 30
)

// maxPieces is how many pieces a cache grows by at most.
const maxPieces = 4096

// cacheGrowth holds back most of a new block cache and gives it out as blocks are
// read from files. Memory that a process touches for the first time is slow: the
// system finds and clears every page of it, which takes several times as long as
// copying a block out of the system's own cache into memory that was in use a moment
// ago. So the first search of a store that was just opened works through a small
// cache, and what the large one costs is spread over those that come after it: the more
// was read, the more it pays. A cache of 4 GiB has all its room when 8 GiB have been
// read.
type cacheGrowth struct {
	read atomic.Int64 // bytes read from files
	due  atomic.Int64 // of them, when the next piece is given out

	mu    sync.Mutex
	held  []func() // each gives a piece back to the cache
	piece int64    // its size
	given int64    // bytes given out
}

// growCache holds back what a cache of this size has beyond start.
func growCache(c *pebble.Cache, size, start int64) *cacheGrowth {
	g := &cacheGrowth{piece: max(start/4, (size-start)/maxPieces, 1)}
	for rest := size - start; rest > 0; rest -= g.piece {
		g.held = append(g.held, c.Reserve(int(min(rest, g.piece))))
	}
	g.schedule()
	return g
}

// schedule sets when the next piece is due.
func (g *cacheGrowth) schedule() {
	if len(g.held) == 0 {
		g.due.Store(math.MaxInt64)
		return
	}
	g.given += g.piece
	g.due.Store(int64(math.Sqrt(float64(g.given) * cacheCurve)))
}

// note counts n bytes read from a file.
func (g *cacheGrowth) note(n int) {
	read := g.read.Add(int64(n))
	if read < g.due.Load() {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for read >= g.due.Load() {
		last := len(g.held) - 1
		g.held[last]()
		g.held = g.held[:last]
		g.schedule()
	}
}

// countedFile is a file whose reading lets the cache grow.
type countedFile struct {
	vfs.File
	growth *cacheGrowth
	name   string // of a table
	blocks int64  // of a table: where its blocks end
}

// footerBytes is more than the footer of a table takes.
const footerBytes = 128

// blockTrailer is what follows a block of a table: how it is compressed, and a
// checksum of the block and that byte.
const blockTrailer = 5

func (f countedFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	f.growth.note(n)
	if err == nil && n > blockTrailer && off+int64(n) <= f.blocks {
		err = verifyBlock(f.name, p[:n], off)
	}
	return n, err
}

// verifyBlock compares a block with its checksum, as Pebble does afterwards. Where they
// differ Pebble looks for a single flipped bit, by taking the checksum of the whole block
// once for each of its bits: seconds for a page of vectors.
func verifyBlock(name string, b []byte, off int64) error {
	body, sum := b[:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:])
	c := crc32.Checksum(body, crcTable)
	if (c>>15|c<<17)+0xa282ead8 == sum {
		return nil
	}
	return &blockError{name, off, len(b) - blockTrailer}
}

// blockError says that a block of a table file is not what was written.
type blockError struct {
	file   string
	offset int64
	length int
}

func (e *blockError) Error() string {
	return fmt.Sprintf("the checksum of %d bytes at %d of %s is wrong", e.length, e.offset, e.file)
}

// Is makes Pebble take it for damage too.
func (e *blockError) Is(target error) bool { return target == pebble.ErrCorruption }
