//go:build cgo

package onnx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	ort "github.com/yalue/onnxruntime_go"
)

// environment is ONNX Runtime as loaded into this process: once, for everybody.
var environment struct {
	sync.Mutex
	path string // of the library; empty when the host program loaded it
}

// startRuntime loads the library unless that was done before, perhaps by the
// host program, whose environment is used then. Nothing here ever unloads it.
func startRuntime(given string) error {
	environment.Lock()
	defer environment.Unlock()
	if ort.IsInitialized() {
		return nil
	}
	fail := new(RuntimeError)
	for _, path := range LibraryPaths(given) {
		if filepath.Base(path) != path {
			if _, err := os.Stat(path); err != nil {
				fail.Tried = append(fail.Tried, path+": not there")
				continue
			}
		}
		version, err := probeLibrary(path)
		if err != nil {
			fail.Tried = append(fail.Tried, fmt.Sprintf("%s: %v", path, err))
			continue
		}
		if tooOld(version) {
			fail.Tried = append(fail.Tried, fmt.Sprintf("%s: version %s, too old", path, version))
			continue
		}
		ort.SetSharedLibraryPath(path)
		if err := ort.InitializeEnvironment(ort.WithLogLevelError()); err != nil {
			fail.Tried = append(fail.Tried, fmt.Sprintf("%s (version %s): %v", path, version, err))
			continue
		}
		environment.path = path
		return nil
	}
	return fail
}

// RuntimeVersion loads ONNX Runtime, if that was not done yet, and returns its
// version and the path of the library; the path is empty when the host program
// loaded it. o may be nil.
func RuntimeVersion(o *Options) (version, path string, err error) {
	given := ""
	if o != nil {
		given = o.Library
	}
	if err := startRuntime(given); err != nil {
		return "", "", err
	}
	environment.Lock()
	defer environment.Unlock()
	return ort.GetVersion(), environment.path, nil
}

// session is a graph loaded into ONNX Runtime. Run may be called concurrently.
type session struct {
	s       *ort.DynamicAdvancedSession
	names   []string // of the inputs
	half    []bool   // which of them are float16
	halfOut bool     // so is the output
	watched bool     // there is a further output, nanOutput
}

// levels are tried in order: graphs in float16 are refused by some releases at
// the highest.
var levels = []ort.GraphOptimizationLevel{ort.GraphOptimizationLevelEnableAll, ort.GraphOptimizationLevelEnableExtended, ort.GraphOptimizationLevelEnableBasic}

func newSession(t *Tower, o *Options) (*session, error) {
	if err := startRuntime(o.Library); err != nil {
		return nil, err
	}
	s := new(session)
	for _, v := range t.Graph.Inputs {
		s.names = append(s.names, v.Name)
		s.half = append(s.half, v.Type == Float16)
	}
	for _, v := range t.Graph.Outputs {
		s.halfOut = s.halfOut || v.Name == t.Output && v.Type == Float16
	}
	data, err := t.watched()
	if err != nil {
		return nil, err
	}
	s.watched = data != nil
	if data == nil && t.shared {
		if data, err = extract(t.Path, t.Output); err != nil {
			return nil, err
		}
	}
	var first error
	for _, level := range levels {
		var err error
		if s.s, err = s.open(t, data, level, o.threads()); err == nil {
			return s, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, fmt.Errorf("%s: %w", t.Path, first)
}

// open opens a session of data, or if that is nil of the tower's file.
func (s *session) open(t *Tower, data []byte, level ort.GraphOptimizationLevel, threads int) (*ort.DynamicAdvancedSession, error) {
	so, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	defer so.Destroy()
	err = errors.Join(
		so.SetIntraOpNumThreads(threads),
		so.SetInterOpNumThreads(1),
		so.SetGraphOptimizationLevel(level),
		// A thread that spins while it waits takes a CPU from decoding pictures.
		so.AddSessionConfigEntry("session.intra_op.allow_spinning", "0"),
	)
	if err != nil {
		return nil, err
	}
	outputs := []string{t.Output}
	if s.watched {
		outputs = append(outputs, nanOutput)
	}
	if data != nil {
		if err := so.AddSessionConfigEntry("session.model_external_initializers_file_folder_path", filepath.Dir(t.Path)); err != nil {
			return nil, err
		}
		return ort.NewDynamicAdvancedSessionWithONNXData(data, s.names, outputs, so)
	}
	return ort.NewDynamicAdvancedSession(t.Path, s.names, outputs, so)
}

// run feeds the inputs in the graph's order and returns the output, whose shape the
// caller knows.
func (s *session) run(in []tensor, dims []int64) ([]float32, error) {
	inputs := make([]ort.Value, 0, len(in))
	defer func() {
		for _, v := range inputs {
			v.Destroy()
		}
	}()
	for i, t := range in {
		v, err := s.value(i, t)
		if err != nil {
			return nil, fmt.Errorf("input %s: %w", s.names[i], err)
		}
		inputs = append(inputs, v)
	}
	// The output is set aside here: what the binding makes of float16 that ONNX
	// Runtime sets aside is too short.
	shape := ort.NewShape(dims...)
	size := shape.FlattenedSize()
	out := make([]float32, size)
	var half []byte
	var v ort.Value
	var err error
	if s.halfOut {
		half = make([]byte, 2*size)
		v, err = ort.NewCustomDataTensor(shape, half, ort.TensorElementDataTypeFloat16)
	} else {
		v, err = ort.NewTensor(shape, out)
	}
	if err != nil {
		return nil, err
	}
	defer v.Destroy()
	outputs, nan := []ort.Value{v}, make([]float32, 1)
	if s.watched {
		w, err := ort.NewTensor(ort.NewShape(1, 1), nan)
		if err != nil {
			return nil, err
		}
		defer w.Destroy()
		outputs = append(outputs, w)
	}
	if err := s.s.Run(inputs, outputs); err != nil {
		return nil, err
	}
	if nan[0] != 0 {
		return nil, errNaN
	}
	for i := range half[:len(half)/2] {
		out[i] = fromHalf(binary.LittleEndian.Uint16(half[2*i:]))
	}
	return out, nil
}

func (s *session) value(i int, t tensor) (ort.Value, error) {
	shape := ort.NewShape(t.shape...)
	switch {
	case t.int64s != nil:
		return ort.NewTensor(shape, t.int64s)
	case t.int32s != nil:
		return ort.NewTensor(shape, t.int32s)
	case s.half[i]:
		b := make([]byte, 2*len(t.floats))
		for j, f := range t.floats {
			binary.LittleEndian.PutUint16(b[2*j:], toHalf(f))
		}
		return ort.NewCustomDataTensor(shape, b, ort.TensorElementDataTypeFloat16)
	}
	return ort.NewTensor(shape, t.floats)
}

func (s *session) close() error { return s.s.Destroy() }
