//go:build cgo && !windows

package onnx

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdlib.h>

// The beginning of OrtApiBase in onnxruntime_c_api.h, which is the same in all
// releases.
typedef struct {
	const void *(*get_api)(unsigned version);
	const char *(*get_version)(void);
} lupa_ort_base;

static const char *lupa_ort_version(void *lib) {
	const lupa_ort_base *(*base)(void) = (const lupa_ort_base *(*)(void))dlsym(lib, "OrtGetApiBase");
	return base ? base()->get_version() : NULL;
}
*/
import "C"

import (
	"errors"
	"strings"
	"unsafe"
)

// probeLibrary loads a library to ask for its version, and lets go of it: a
// library that is too old would only be refused with a number.
func probeLibrary(path string) (version string, err error) {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	lib := C.dlopen(name, C.RTLD_LAZY|C.RTLD_LOCAL)
	if lib == nil {
		return "", errors.New(strings.TrimPrefix(C.GoString(C.dlerror()), path+": "))
	}
	defer C.dlclose(lib)
	v := C.lupa_ort_version(lib)
	if v == nil {
		return "", errors.New("not ONNX Runtime: it has no OrtGetApiBase")
	}
	return C.GoString(v), nil
}
