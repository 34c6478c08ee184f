//go:build !cgo

package onnx

// session is never made without cgo.
type session struct{}

func newSession(t *Tower, o *Options) (*session, error) { return nil, errNoCgo }

func (s *session) run(in []tensor, dims []int64) ([]float32, error) { return nil, ErrNoRuntime }

func (s *session) close() error { return nil }

// RuntimeVersion returns the version of ONNX Runtime and the path it was loaded
// from.
func RuntimeVersion(o *Options) (version, path string, err error) {
	return "", "", errNoCgo
}
