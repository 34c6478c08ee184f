package onnx

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// The few messages of onnx.proto that small graphs are made of.

func varint(field int, v uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(nil, uint64(field)<<3), v)
}

func field(n int, parts ...[]byte) []byte {
	var body []byte
	for _, p := range parts {
		body = append(body, p...)
	}
	return append(binary.AppendUvarint(binary.AppendUvarint(nil, uint64(n)<<3|2), uint64(len(body))), body...)
}

func text(n int, s string) []byte { return field(n, []byte(s)) }

// value is a ValueInfoProto; a dimension is an int or a name.
func value(name string, elem ElemType, dims ...any) []byte {
	var shape [][]byte
	for _, d := range dims {
		switch d := d.(type) {
		case int:
			shape = append(shape, field(1, varint(1, uint64(d))))
		case string:
			shape = append(shape, field(1, text(2, d)))
		}
	}
	return append(text(1, name), field(2, field(1, varint(1, uint64(elem)), field(2, shape...)))...)
}

// node is a NodeProto without attributes, or with integer ones.
func node(op string, in, out []string, attrs ...any) []byte {
	var b []byte
	for _, s := range in {
		b = append(b, text(1, s)...)
	}
	for _, s := range out {
		b = append(b, text(2, s)...)
	}
	b = append(b, text(4, op)...)
	for i := 0; i < len(attrs); i += 2 {
		a := append(text(1, attrs[i].(string)), varint(20, 2)...) // type INT
		b = append(b, field(5, a, varint(3, uint64(attrs[i+1].(int))))...)
	}
	return b
}

// weights is a TensorProto of float32, or of float16, with its data within.
func weights(name string, elem ElemType, data []float32, dims ...int) []byte {
	var b, raw []byte
	for _, d := range dims {
		b = append(b, varint(1, uint64(d))...)
	}
	b = append(b, varint(2, uint64(elem))...)
	for _, v := range data {
		if elem == Float16 {
			raw = binary.LittleEndian.AppendUint16(raw, toHalf(v))
		} else {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
		}
	}
	return append(append(b, text(8, name)...), field(9, raw)...)
}

// external is a TensorProto of float32 whose data lie in a file.
func external(name, location string, dims ...int) []byte {
	var b []byte
	for _, d := range dims {
		b = append(b, varint(1, uint64(d))...)
	}
	b = append(b, varint(2, uint64(Float32))...)
	b = append(b, text(8, name)...)
	b = append(b, field(13, text(1, "location"), text(2, location))...)
	return append(b, varint(14, 1)...)
}

// parts of a graph, each a list of messages.
type graphParts struct{ nodes, weights, inputs, outputs [][]byte }

func (g graphParts) model() []byte {
	b := text(7, "g")[:0]
	add := func(n int, list [][]byte) {
		for _, m := range list {
			b = append(b, field(n, m)...)
		}
	}
	add(1, g.nodes)
	b = append(b, text(2, "g")...)
	add(5, g.weights)
	add(11, g.inputs)
	add(12, g.outputs)
	model := append(varint(1, 8), field(7, b)...)
	return append(model, field(8, varint(2, 17))...)
}

func identity(n int) []float32 {
	w := make([]float32, n*n)
	for i := range n {
		w[i*n+i] = 1
	}
	return w
}

// echo is a text tower of n tokens whose vector is the token ids themselves,
// and which fails when there are not n.
func echo(n int, inputs ...[]byte) graphParts {
	return graphParts{
		nodes: [][]byte{
			node("Cast", []string{"input_ids"}, []string{"f"}, "to", int(Float32)),
			node("MatMul", []string{"f", "w"}, []string{"pooler_output"}),
			node("Identity", []string{"f"}, []string{"last_hidden_state"}),
		},
		weights: [][]byte{weights("w", Float32, identity(n), n, n)},
		inputs:  append([][]byte{value("input_ids", Int64, "batch", "sequence")}, inputs...),
		outputs: [][]byte{value("last_hidden_state", Float32, "batch", "sequence"), value("pooler_output", Float32, "batch", n)},
	}
}

// put writes files into a new directory; a nil value copies tiny-clip's file of
// that name.
func put(t testing.TB, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, b := range files {
		path := filepath.Join(dir, name)
		if b == nil {
			var err error
			if b, err = os.ReadFile(filepath.Join(models, "tiny-clip", filepath.Base(name))); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// tiny is a file of testdata/models.
func tiny(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(models, path))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
