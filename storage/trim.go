package storage

import (
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

// openStores is how many stores this process has open.
var openStores atomic.Int64

// worthTrimming is how much memory Go may keep for later without being asked to give it
// back.
const worthTrimming = 32 << 20

// trimMemory gives memory back to the system after the last store of the process was
// closed: block caches and what was built lately can take most of what there is, and the
// program that goes on may be a small one. cache is the size that the block cache had.
func trimMemory(cache int64) {
	s := []metrics.Sample{
		{Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
	}
	metrics.Read(s)
	kept := uint64(0)
	for _, x := range s {
		kept += x.Value.Uint64()
	}
	if cache < worthTrimming && kept < worthTrimming {
		return
	}
	freeMemory()
	// What Close has left behind, and its caller, is garbage a moment later.
	time.AfterFunc(time.Second, func() {
		if openStores.Load() == 0 {
			freeMemory()
		}
	})
}

func freeMemory() {
	debug.FreeOSMemory()
	trimC()
}
