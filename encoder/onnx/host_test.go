//go:build cgo

package onnx

import (
	"os"
	"path/filepath"
	"testing"

	ort "github.com/yalue/onnxruntime_go"
)

// A host program that uses ONNX Runtime itself keeps its environment: it is
// used, whatever Options say of a library, and it outlives the encoder.
func TestHostEnvironment(t *testing.T) {
	if os.Getenv("LUPA_TEST_CHILD") != t.Name() {
		needRuntime(t) // may set LibraryEnv for the child
	}
	if !inChild(t, LibraryEnv+"="+os.Getenv(LibraryEnv)) {
		return
	}
	ort.SetSharedLibraryPath(inFolder(os.Getenv(LibraryEnv))[0])
	if err := ort.InitializeEnvironment(); err != nil {
		t.Fatal(err)
	}
	defer ort.DestroyEnvironment()
	e, err := Open(filepath.Join(models, "tiny-clip"), &Options{Library: "/not/there.so"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.EncodeTexts(t.Context(), []string{"a wolf"}); err != nil {
		t.Error(err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if !ort.IsInitialized() {
		t.Error("the host's environment is gone")
	}
	if version, path, err := RuntimeVersion(nil); err != nil || path != "" || tooOld(version) {
		t.Errorf("%s, %s, %v", version, path, err)
	}
}
