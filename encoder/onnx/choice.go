package onnx

import (
	"encoding/binary"
	"os"
	"slices"
)

// A NaN within a graph reaches its output, where it is found, unless a node lies between that
// only chooses: TopK, ArgMax and their kin give indices, whatever they were made of. So where
// such a node chooses by values that are computed, a further output is added to the graph, which
// tells whether there was a NaN among them. CLIP's text towers choose the last token by its id,
// which can't be one.

// chooses are the operators whose outcome does not show a NaN of what they choose from, their
// first input.
func chooses(op string) bool {
	switch op {
	case "ArgMax", "ArgMin", "Hardmax", "TopK":
		return true
	}
	return false
}

// keepsIntegers are the operators that give no NaN where none of their inputs holds one, and
// the inputs of the graph are token ids.
var keepsIntegers = []string{
	"Add", "And", "Cast", "Concat", "Constant", "ConstantOfShape", "CumSum", "Equal", "Expand", "Flatten", "Gather", "GatherND",
	"Greater", "GreaterOrEqual", "Identity", "Less", "LessOrEqual", "Mul", "Neg", "Not", "Or", "Range", "ReduceSum", "Reshape",
	"Shape", "Size", "Slice", "Squeeze", "Sub", "Transpose", "Unsqueeze", "Where",
}

// choices returns the values by which nodes that an output depends on choose, and which may
// hold NaN.
func (s *skeleton) choices(output string) ([]string, error) {
	nodes, _, err := s.needed(output)
	if err != nil {
		return nil, err
	}
	by, weights := map[string]int{}, map[string]bool{}
	for i, n := range s.nodes {
		for _, o := range n.out {
			by[o] = i
		}
	}
	for _, w := range s.weights {
		weights[w.name] = true
	}
	known := map[string]bool{} // whether a value may hold NaN
	for _, in := range s.inputs {
		known[in.name] = in.floats && !weights[in.name]
	}
	mayBeNaN := func(name string) bool {
		todo := []string{name}
		seen := map[string]bool{}
		for len(todo) > 0 {
			name := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			if seen[name] || name == "" {
				continue
			}
			seen[name] = true
			i, made := by[name]
			if !made {
				if known[name] {
					return true
				}
				continue
			}
			n := &s.nodes[i]
			// What is looked up in a table of weights is computed with.
			table := (n.op == "Gather" || n.op == "GatherND") && len(n.in) > 0 && weights[n.in[0]]
			if table || !slices.Contains(keepsIntegers, n.op) {
				// Indices that were chosen before are none themselves: what they were chosen from is
				// looked at on its own.
				if !chooses(n.op) || n.op == "TopK" && n.out[0] == name || n.op == "Hardmax" {
					return true
				}
				continue
			}
			todo = append(todo, n.in...)
		}
		return false
	}
	var found []string
	for i, n := range s.nodes {
		if nodes[i] && chooses(n.op) && len(n.in) > 0 && !slices.Contains(found, n.in[0]) && mayBeNaN(n.in[0]) {
			found = append(found, n.in[0])
		}
	}
	return found, nil
}

// nanOutput is the name of the output that is added: float32 [1, 1], 1 where there was a NaN.
const nanOutput = "lupa_nan"

// watchNaN returns what, put behind a file of ONNX, adds that output to its graph: messages of
// protobuf that follow each other are one.
func watchNaN(values []string) []byte {
	message := func(field int, parts ...[]byte) []byte {
		body := slices.Concat(parts...)
		return append(binary.AppendUvarint(binary.AppendUvarint(nil, uint64(field)<<3|2), uint64(len(body))), body...)
	}
	number := func(field int, v uint64) []byte {
		return binary.AppendUvarint(binary.AppendUvarint(nil, uint64(field)<<3), v)
	}
	var graph [][]byte
	add := func(op, out string, in []string, attributes ...[]byte) {
		var b [][]byte
		for _, name := range in {
			b = append(b, message(nodeInput, []byte(name)))
		}
		b = append(b, message(nodeOutput, []byte(out)), message(nodeOpType, []byte(op)))
		graph = append(graph, message(graphNode, append(b, attributes...)...))
	}
	toFloat := message(nodeAttribute, message(1, []byte("to")), number(3, uint64(Float32)), number(20, 2)) // an INT
	var all []string
	for _, v := range values {
		n := nanOutput + "/" + v
		add("Cast", n+"/float", []string{v}, toFloat)
		add("IsNaN", n+"/is", []string{n + "/float"})
		add("Cast", n+"/one", []string{n + "/is"}, toFloat)
		add("Flatten", n+"/flat", []string{n + "/one"})
		add("ReduceMax", n, []string{n + "/flat"})
		all = append(all, n)
	}
	add("Max", nanOutput, all)
	one := message(1, number(1, 1)) // an axis
	tensor := message(1, number(1, uint64(Float32)), message(2, one, one))
	graph = append(graph, message(graphOutput, message(valueName, []byte(nanOutput)), message(valueType, tensor)))
	return message(modelGraph, graph...)
}

// watched returns the file of a tower's graph, or of its part of one for both towers, with the
// output for NaN; nil if nothing there chooses by what may be one.
func (t *Tower) watched() ([]byte, error) {
	if !t.Graph.Chooses {
		return nil, nil
	}
	s, f, err := openSkeleton(t.Path)
	if err != nil {
		return nil, nil // what can't be taken apart here, ONNX Runtime may understand
	}
	f.Close()
	values, err := s.choices(t.Output)
	if err != nil || len(values) == 0 {
		return nil, err
	}
	var data []byte
	if t.shared {
		data, err = extract(t.Path, t.Output)
	} else {
		data, err = os.ReadFile(t.Path)
	}
	if err != nil {
		return nil, err
	}
	return append(data, watchNaN(values)...), nil
}
