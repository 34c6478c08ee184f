//go:build cgo && linux

package storage

/*
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

static void trim(void) {
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}
*/
import "C"

// trimC gives back to the system what C's allocator keeps of a block cache that is gone.
func trimC() { C.trim() }
