package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"github.com/lupadb/lupa/encoder"
)

// tensors makes a safetensors file of numbers of one type.
func tensors(kind string, numbers map[string]float32) []byte {
	list, data := "{", []byte{}
	for _, name := range []string{"logit_bias", "logit_scale"} {
		x, ok := numbers[name]
		if !ok {
			continue
		}
		from := len(data)
		switch kind {
		case "F32":
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(x))
		case "F16":
			data = binary.LittleEndian.AppendUint16(data, toHalf(x))
		case "BF16":
			data = binary.LittleEndian.AppendUint16(data, uint16(math.Float32bits(x)>>16))
		case "I64":
			data = binary.LittleEndian.AppendUint64(data, uint64(x))
		}
		list += fmt.Sprintf(`"%s": {"dtype": "%s", "shape": [1], "data_offsets": [%d, %d]}, `, name, kind, from, len(data))
	}
	list += `"__metadata__": {"format": "pt"}}`
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(list))), list...), data...)
}

// The head is read from the weights beside the graphs, or known by the model's name.
func TestSigmoid(t *testing.T) {
	images := graphParts{
		nodes:   [][]byte{node("Flatten", []string{"pixel_values"}, []string{"pooler_output"}, "axis", 1)},
		inputs:  [][]byte{value("pixel_values", Float32, "batch_size", 3, 2, 2)},
		outputs: [][]byte{value("pooler_output", Float32, "batch_size", 12)},
	}
	both := map[string]float32{"logit_scale": 2, "logit_bias": -12.5}
	whole := tensors("F32", both)
	for _, c := range []struct {
		name        string
		file        []byte
		scale, bias float64
	}{
		{"F32", whole, math.Exp(2), -12.5},
		{"F16", tensors("F16", both), math.Exp(2), -12.5},
		{"BF16", tensors("BF16", both), math.Exp(2), -12.5},
		{"CLIP, which has no bias", tensors("F32", map[string]float32{"logit_scale": 4.6}), 0, 0},
		{"integers", tensors("I64", both), 0, 0},
		{"cut off in the data", whole[:len(whole)-1], 0, 0},
		{"cut off in the list", whole[:20], 0, 0},
		{"cut off at once", whole[:3], 0, 0},
		{"a list of exabytes", append([]byte{255, 255, 255, 255, 255, 255, 255, 127}, whole[8:]...), 0, 0},
		{"not a number", tensors("F32", map[string]float32{"logit_scale": 2, "logit_bias": float32(math.NaN())}), 0, 0},
		{"infinite", tensors("F32", map[string]float32{"logit_scale": 1000, "logit_bias": 1}), 0, 0},
	} {
		e := open(t, put(t, map[string][]byte{
			"onnx/text_model.onnx": echo(12).model(), "onnx/vision_model.onnx": images.model(), "tokenizer.json": nil,
			"preprocessor_config.json": []byte(`{"do_resize": true, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "size": {"height": 2, "width": 2}}`), "model.safetensors": c.file,
		}), nil)
		scale, bias, ok := e.Sigmoid()
		if scale != c.scale || bias != c.bias || ok != (c.scale != 0) {
			t.Errorf("%s: %g, %g, %t (%v)", c.name, scale, bias, ok, e.Folder().Problems)
		}
		for dim, want := range map[int]bool{0: c.scale != 0, 4: false} {
			q := "a photo of "
			s, err := encoder.Configure(e, encoder.Spec{Name: "x", Dimensions: dim, Query: &q})
			if err != nil {
				t.Fatal(err)
			}
			if _, _, ok := s.(encoder.Sigmoid).Sigmoid(); ok != want {
				t.Errorf("%s, DIMENSIONS %d: %t", c.name, dim, ok)
			}
		}
	}
	for _, c := range []struct {
		name, location string
		dim            int
		siglip2        bool
		scale          float64
	}{
		{"siglip2-base-patch16-224", "", 768, true, 112.6689},
		{"mine", "/models/siglip2-base-patch16-256-ONNX", 768, true, 112.901},
		{"onnx-community/siglip2-large-patch16-256-ONNX", "", 1024, true, 108.05},
		{"ViT-B-16-SigLIP2__webli", "", 768, true, 112.6689},
		{"siglip2-base-patch16-224", "", 1024, true, 0},
		{"siglip2-base-patch16-224", "", 768, false, 0},
		{"siglip2-mine", "/models/x", 768, true, 0},
	} {
		e := &Encoder{model: encoder.Model{Name: c.name, Location: c.location}, folder: &Folder{Dir: t.TempDir(), Dim: c.dim, Text: &Tower{siglip2: c.siglip2}, Image: &Tower{}}}
		if h, ok := e.findHead(); ok != (c.scale > 0) || h.scale != c.scale {
			t.Errorf("%+v: %+v %t", c, h, ok)
		}
	}
}
