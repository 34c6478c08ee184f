package onnx

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/lupadb/lupa/encoder/internal/wire"
)

// ElemType is the type of a tensor's elements, numbered as in onnx.proto.
type ElemType int

// Element types that inputs and outputs of encoders have.
const (
	Float32 ElemType = 1
	Int32   ElemType = 6
	Int64   ElemType = 7
	Float16 ElemType = 10
)

func (t ElemType) String() string {
	switch t {
	case Float32:
		return "float32"
	case Int32:
		return "int32"
	case Int64:
		return "int64"
	case Float16:
		return "float16"
	}
	return fmt.Sprintf("element type %d", int(t))
}

// Value is an input or output of a graph.
type Value struct {
	Name string
	Type ElemType
	Dims []Dim
}

// Dim is one axis of a tensor: a fixed Size, or -1 and perhaps a Name.
type Dim struct {
	Size int64
	Name string
}

func (d Dim) String() string {
	switch {
	case d.Size >= 0:
		return fmt.Sprint(d.Size)
	case d.Name != "":
		return d.Name
	}
	return "?"
}

// String returns "input_ids int64 [batch, 77]".
func (v Value) String() string {
	dims := make([]string, len(v.Dims))
	for i, d := range v.Dims {
		dims[i] = d.String()
	}
	return fmt.Sprintf("%s %v [%s]", v.Name, v.Type, strings.Join(dims, ", "))
}

// size returns the fixed size of axis i, or -1.
func (v Value) size(i int) int64 {
	if i < len(v.Dims) {
		return v.Dims[i].Size
	}
	return -1
}

// Graph is what an ONNX file says about itself before its weights.
type Graph struct {
	Inputs, Outputs []Value
	External        []string // files, relative to the graph's directory, that hold weights
	Dynamic         bool     // quantises activations at run time, so that one row of a batch changes the others
	Integers        bool     // multiplies integers, which processors of different kinds round differently
	Chooses         bool     // has nodes that choose, see choices
}

// ReadGraph reads the header of an ONNX file: names, types and shapes of inputs
// and outputs. Weights are skipped over, so that the time does not depend on
// their size.
func ReadGraph(path string) (*Graph, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var head [32]byte
	if n, _ := f.ReadAt(head[:], 0); strings.HasPrefix(string(head[:n]), "version https://git-lfs") {
		return nil, fmt.Errorf("%s is a Git LFS pointer and not the file itself: `git lfs pull` fetches that", path)
	}
	g, err := readGraph(f, st.Size())
	if err != nil {
		return nil, fmt.Errorf("%s is not an ONNX file, or damaged: %w", path, err)
	}
	return g, nil
}

// Field numbers of onnx.proto.
const (
	modelGraph       = 7
	graphNode        = 1
	graphInitializer = 5
	graphInput       = 11
	graphOutput      = 12
	graphSparse      = 15
	nodeInput        = 1
	nodeOutput       = 2
	nodeOpType       = 4
	nodeAttribute    = 5
	attributeGraph   = 6
	attributeGraphs  = 11
	modelFunctions   = 25
	functionNode     = 7
	tensorName       = 8
	tensorExternal   = 13
	valueName        = 1
	valueType        = 2
)

var errProto = wire.ErrDamaged

// readGraph walks over the fields of the model and, in it, of the graph.
func readGraph(f io.ReadSeeker, size int64) (*Graph, error) {
	g := new(Graph)
	weights := map[string]bool{} // old files list them among the inputs as well
	external := map[string]bool{}
	w := &walker{f: f, b: bufio.NewReaderSize(f, 1<<13)}
	found := false
	nodes := 0
	err := w.fields(size, func(field int, end int64) error {
		if field == modelFunctions {
			return w.fields(end, func(field int, end int64) error {
				if field != functionNode {
					return nil
				}
				return w.ops(end, g)
			})
		}
		if field != modelGraph {
			return nil
		}
		found = true
		return w.fields(end, func(field int, end int64) error {
			switch field {
			case graphNode:
				nodes++
				return w.ops(end, g)
			case graphInitializer:
				return w.fields(end, func(field int, end int64) error {
					if field != tensorName && field != tensorExternal {
						return nil
					}
					b, err := w.bytes(end)
					if err != nil {
						return err
					}
					if field == tensorName {
						if len(weights) < 1<<16 {
							weights[string(b)] = true
						}
						return nil
					}
					key, value, err := stringPair(b)
					if key == "location" && len(external) < 1<<10 {
						external[value] = true
					}
					return err
				})
			case graphInput, graphOutput:
				b, err := w.bytes(end)
				if err != nil {
					return err
				}
				v, err := parseValue(b)
				if err != nil {
					return err
				}
				if field == graphInput {
					g.Inputs = append(g.Inputs, v)
				} else {
					g.Outputs = append(g.Outputs, v)
				}
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	if !found || nodes == 0 || len(g.Outputs) == 0 {
		return nil, errors.New("it holds no graph")
	}
	inputs := g.Inputs[:0]
	for _, v := range g.Inputs {
		if !weights[v.Name] {
			inputs = append(inputs, v)
		}
	}
	g.Inputs = inputs
	g.External = slices.Sorted(maps.Keys(external))
	return g, nil
}

// ops takes note of the operator of a node that ends at end, and of those of graphs
// within it.
func (w *walker) ops(end int64, g *Graph) error {
	return w.fields(end, func(field int, end int64) error {
		switch field {
		case nodeOpType:
			op, err := w.bytes(end)
			switch s := string(op); s {
			case "DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM":
				g.Dynamic, g.Integers = true, true
			case "MatMulInteger", "ConvInteger", "MatMulIntegerToFloat", "QGemm", "QAttention", "QuantizeLinear", "MatMulNBits":
				g.Integers = true
			default:
				g.Integers = g.Integers || strings.HasPrefix(s, "QLinear")
				g.Chooses = g.Chooses || chooses(s)
			}
			return err
		case nodeAttribute:
			return w.fields(end, func(field int, end int64) error {
				if field != attributeGraph && field != attributeGraphs {
					return nil
				}
				return w.fields(end, func(field int, end int64) error {
					if field != graphNode {
						return nil
					}
					return w.ops(end, g)
				})
			})
		}
		return nil
	})
}

// walker reads the fields of nested messages in order and seeks over those
// that nobody wants.
type walker struct {
	f     io.ReadSeeker
	b     *bufio.Reader
	pos   int64
	start int64 // of the tag of the field read last
}

func (w *walker) ReadByte() (byte, error) {
	c, err := w.b.ReadByte()
	if err == nil {
		w.pos++
	}
	return c, err
}

// fields calls f for each length-delimited field of the message that ends at
// end. f may read from the field's contents; the rest of them is skipped.
func (w *walker) fields(end int64, f func(field int, end int64) error) error {
	for w.pos < end {
		w.start = w.pos
		tag, err := binary.ReadUvarint(w)
		if err != nil {
			return fmt.Errorf("cut off at byte %d", w.pos)
		}
		if tag>>3 == 0 || tag>>3 > 1<<29 {
			return errProto
		}
		next := w.pos
		switch tag & 7 {
		case 0:
			if _, err := binary.ReadUvarint(w); err != nil {
				return fmt.Errorf("cut off at byte %d", w.pos)
			}
			next = w.pos
		case 1:
			next += 8
		case 5:
			next += 4
		case 2:
			n, err := binary.ReadUvarint(w)
			if err != nil {
				return fmt.Errorf("cut off at byte %d", w.pos)
			}
			if n > uint64(max(0, end-w.pos)) {
				return fmt.Errorf("cut off: a field of %d bytes begins at byte %d of %d", n, w.pos, end)
			}
			next = w.pos + int64(n)
			if err := f(int(tag>>3), next); err != nil {
				return err
			}
		default:
			return errProto
		}
		if next > end || w.pos > next {
			return errProto
		}
		if err := w.skipTo(next); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) skipTo(pos int64) error {
	n := pos - w.pos
	w.pos = pos
	if n <= int64(w.b.Buffered()) {
		_, err := w.b.Discard(int(n))
		return err
	}
	if _, err := w.f.Seek(pos, io.SeekStart); err != nil {
		return err
	}
	w.b.Reset(w.f)
	return nil
}

// bytes returns the contents of a small field that ends at end.
func (w *walker) bytes(end int64) ([]byte, error) {
	n := end - w.pos
	if n > 1<<16 {
		return nil, fmt.Errorf("a name or shape of %d bytes", n)
	}
	b := make([]byte, n)
	_, err := io.ReadFull(w.b, b)
	w.pos = end
	return b, err
}

// stringPair reads a StringStringEntryProto.
func stringPair(b []byte) (key, value string, err error) {
	err = wire.Each(b, func(field int, _ uint64, b []byte) error {
		switch field {
		case 1:
			key = string(b)
		case 2:
			value = string(b)
		}
		return nil
	})
	return key, value, err
}

// parseValue reads a ValueInfoProto: its name and, under type and
// tensor_type, elem_type and the axes of its shape.
func parseValue(b []byte) (v Value, err error) {
	err = wire.Each(b, func(field int, _ uint64, b []byte) error {
		switch field {
		case valueName:
			v.Name = string(b)
		case valueType:
			return wire.Each(b, func(field int, _ uint64, b []byte) error {
				if field != 1 { // tensor_type
					return nil
				}
				return wire.Each(b, func(field int, n uint64, b []byte) error {
					switch field {
					case 1:
						v.Type = ElemType(n)
					case 2:
						return wire.Each(b, func(field int, _ uint64, b []byte) error {
							d := Dim{Size: -1}
							err := wire.Each(b, func(field int, n uint64, b []byte) error {
								switch {
								case field == 1 && n < 1<<31:
									d.Size = int64(n)
								case field == 2:
									d.Name = string(b)
								}
								return nil
							})
							v.Dims = append(v.Dims, d)
							return err
						})
					}
					return nil
				})
			})
		}
		return nil
	})
	return v, err
}
