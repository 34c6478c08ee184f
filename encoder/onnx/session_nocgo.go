//go:build !cgo

package onnx

// session is never made without cgo.
type session struct{}

func newSession(t *Tower, o *Options) (*session, error) {
	return nil, &RuntimeError{Tried: []string{"this program was built with CGO_ENABLED=0, which leaves ONNX Runtime out: build it with cgo, or use a table of prompts or an encoder of your own"}}
}

func (s *session) run(in []tensor, rows, dim int) ([]float32, error) { return nil, ErrNoRuntime }

func (s *session) close() error { return nil }

// RuntimeVersion returns the version of ONNX Runtime and the path it was loaded
// from.
func RuntimeVersion(o *Options) (version, path string, err error) {
	_, err = newSession(nil, nil)
	return "", "", err
}
