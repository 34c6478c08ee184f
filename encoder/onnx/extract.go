package onnx

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"
)

// Some models come as one graph with both towers (jina-clip-v2, exports of whole CLIP
// models), and ONNX Runtime computes all of a graph whichever output is asked for: a
// phrase would pay for a picture that nobody gave. So the part of such a graph that
// one output depends on is cut out, before ONNX Runtime sees it.

// extent is where the contents of a field of the file lie.
type extent struct{ from, to int64 }

// nodeNames are the names that tie a node to others.
type nodeNames struct {
	at      extent
	op      string
	in, out []string // in: those of graphs within its attributes as well
}

// skeleton is an ONNX file as far as it takes to cut it.
type skeleton struct {
	graph   extent // the field of the graph, with its tag
	size    int64
	name    extent
	nodes   []nodeNames
	weights []namedExtent
	inputs  []namedExtent
	outputs []namedExtent
	sparse  []extent
}

type namedExtent struct {
	name   string
	at     extent
	floats bool // of an input or output
}

// readSkeleton notes the places of everything in an ONNX file.
func readSkeleton(f io.ReadSeeker, size int64) (*skeleton, error) {
	s := &skeleton{size: size}
	w := &walker{f: f, b: bufio.NewReaderSize(f, 1<<13)}
	err := w.fields(size, func(field int, end int64) error {
		if field != modelGraph {
			return nil
		}
		if s.graph.to > 0 {
			return errProto
		}
		s.graph = extent{w.start, end}
		return w.fields(end, func(field int, end int64) error {
			at := extent{w.pos, end}
			switch field {
			case graphNode:
				n := nodeNames{at: at}
				if err := w.node(end, &n); err != nil {
					return err
				}
				s.nodes = append(s.nodes, n)
			case 2:
				s.name = at
			case graphInitializer:
				n := namedExtent{at: at}
				err := w.fields(end, func(field int, end int64) error {
					if field != tensorName {
						return nil
					}
					b, err := w.bytes(end)
					n.name = string(b)
					return err
				})
				s.weights = append(s.weights, n)
				return err
			case graphSparse:
				s.sparse = append(s.sparse, at)
			case graphInput, graphOutput:
				b, err := w.bytes(end)
				if err != nil {
					return err
				}
				v, err := parseValue(b)
				if err != nil {
					return err
				}
				n := namedExtent{v.Name, at, v.Type == Float32 || v.Type == Float16}
				if field == graphInput {
					s.inputs = append(s.inputs, n)
				} else {
					s.outputs = append(s.outputs, n)
				}
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// node reads a NodeProto that ends at end.
func (w *walker) node(end int64, n *nodeNames) error {
	return w.fields(end, func(field int, end int64) error {
		switch field {
		case nodeInput, nodeOutput, nodeOpType:
			b, err := w.bytes(end)
			if err != nil {
				return err
			}
			switch field {
			case nodeInput:
				n.in = append(n.in, string(b))
			case nodeOutput:
				n.out = append(n.out, string(b))
			default:
				n.op = string(b)
			}
		case nodeAttribute:
			return w.fields(end, func(field int, end int64) error {
				if field != attributeGraph && field != attributeGraphs {
					return nil
				}
				// Names of the outer graph are used here without being inputs of the node.
				return w.fields(end, func(field int, end int64) error {
					switch field {
					case graphNode:
						var inner nodeNames
						err := w.node(end, &inner)
						n.in = append(n.in, inner.in...)
						return err
					case graphOutput:
						b, err := w.bytes(end)
						if err != nil {
							return err
						}
						v, err := parseValue(b)
						n.in = append(n.in, v.Name)
						return err
					}
					return nil
				})
			})
		}
		return nil
	})
}

// needed returns which nodes an output depends on, and all names that those use.
func (s *skeleton) needed(output string) (nodes []bool, names map[string]bool, err error) {
	by := map[string]int{}
	for i, n := range s.nodes {
		for _, o := range n.out {
			by[o] = i
		}
	}
	nodes, names = make([]bool, len(s.nodes)), map[string]bool{output: true}
	todo := []string{output}
	if _, ok := by[output]; !ok {
		return nil, nil, fmt.Errorf("no node makes the output %q", output)
	}
	for len(todo) > 0 {
		name := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		i, ok := by[name]
		if !ok || nodes[i] {
			continue
		}
		nodes[i] = true
		for _, in := range s.nodes[i].in {
			if in != "" && !names[in] {
				names[in] = true
				todo = append(todo, in)
			}
		}
	}
	return nodes, names, nil
}

// dependsOn returns the inputs of the graph at path that an output depends on.
func dependsOn(path, output string) (map[string]bool, error) {
	s, f, err := openSkeleton(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	_, names, err := s.needed(output)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	out := map[string]bool{}
	for _, in := range s.inputs {
		if names[in.name] {
			out[in.name] = true
		}
	}
	return out, nil
}

func openSkeleton(path string) (*skeleton, *os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	st, err := f.Stat()
	var s *skeleton
	if err == nil {
		s, err = readSkeleton(f, st.Size())
	}
	if err != nil {
		f.Close()
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, f, nil
}

// extract returns, as an ONNX file, the part of the graph at path that an output
// depends on.
func extract(path, output string) ([]byte, error) {
	s, f, err := openSkeleton(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	nodes, names, err := s.needed(output)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	type piece struct {
		field int
		at    extent
	}
	var pieces []piece
	size := int64(0)
	add := func(field int, at extent) {
		pieces = append(pieces, piece{field, at})
		n := at.to - at.from
		size += int64(len(binary.AppendUvarint(binary.AppendUvarint(nil, uint64(field)<<3|2), uint64(n)))) + n
	}
	for i, n := range s.nodes {
		if nodes[i] {
			add(graphNode, n.at)
		}
	}
	add(2, s.name)
	for _, list := range []struct {
		field int
		of    []namedExtent
	}{{graphInitializer, s.weights}, {graphInput, s.inputs}} {
		for _, n := range list.of {
			if names[n.name] {
				add(list.field, n.at)
			}
		}
	}
	for _, at := range s.sparse {
		add(graphSparse, at)
	}
	for _, n := range s.outputs {
		if n.name == output {
			add(graphOutput, n.at)
		}
	}
	var out []byte
	put := func(at extent) error {
		n := len(out)
		out = append(out, make([]byte, at.to-at.from)...)
		_, err := f.ReadAt(out[n:], at.from)
		return err
	}
	if err := put(extent{0, s.graph.from}); err != nil {
		return nil, err
	}
	out = binary.AppendUvarint(binary.AppendUvarint(out, modelGraph<<3|2), uint64(size))
	for _, p := range pieces {
		out = binary.AppendUvarint(binary.AppendUvarint(out, uint64(p.field)<<3|2), uint64(p.at.to-p.at.from))
		if err := put(p.at); err != nil {
			return nil, err
		}
	}
	return out, put(extent{s.graph.to, s.size})
}
