package onnx

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
)

// head is the end of a model that was trained by the sigmoid loss (Zhai et al., "Sigmoid Loss for
// Language Image Pre-Training", 2023): a text fits a picture with the probability
// 1 / (1 + exp(-(scale * cosine + bias))).
type head struct{ scale, bias float64 }

// heads are those of models whose ONNX exports leave them out, exp(logit_scale) and logit_bias as
// several projects publish them that read google/siglip2-*/model.safetensors, with the dimensions
// of their vectors.
var heads = map[string]struct {
	dim int
	head
}{
	"siglip2-base-patch16-224":   {768, head{112.6689, -16.77172}},
	"siglip2-base-patch16-256":   {768, head{112.901, -16.7718}},
	"siglip2-base-patch16-384":   {768, head{112.846, -16.77224}},
	"siglip2-large-patch16-256":  {1024, head{108.05, -16.348}},
	"siglip2-so400m-patch16-384": {1152, head{109.86, -15.932}},

	// As OpenCLIP and immich call them.
	"vit-b-16-siglip2__webli":          {768, head{112.6689, -16.77172}},
	"vit-so400m-16-siglip2-384__webli": {1152, head{109.86, -15.932}},
}

// Sigmoid returns what the model's head makes of a cosine, see encoder.Sigmoid: as
// model.safetensors in the model's directory has it or, without such a file, as it is known of a
// SigLIP 2 by the name of the model or its directory.
func (e *Encoder) Sigmoid() (scale, bias float64, ok bool) {
	h, ok := e.head()
	return h.scale, h.bias, ok
}

func (e *Encoder) findHead() (head, bool) {
	f := e.folder
	if f.Text == nil || f.Image == nil {
		return head{}, false
	}
	if h, ok := storedHead(filepath.Join(f.Dir, "model.safetensors")); ok {
		return h, true
	}
	if !f.Text.siglip2 {
		return head{}, false
	}
	for _, name := range []string{e.model.Name, filepath.Base(e.model.Location)} {
		name = strings.TrimSuffix(strings.ToLower(name), "-onnx")
		if h, ok := heads[name[strings.LastIndexByte(name, '/')+1:]]; ok && h.dim == f.Dim {
			return h.head, true
		}
	}
	return head{}, false
}

// maxTensors is the most bytes that the list of tensors of a safetensors file may take.
const maxTensors = 16 << 20

// storedHead reads the head from the weights of the whole model. A model without a bias, as CLIP
// is, has none, and what is no such file tells nothing.
func storedHead(path string) (head, bool) {
	f, err := os.Open(path)
	if err != nil {
		return head{}, false
	}
	defer f.Close()
	var size [8]byte
	if _, err := io.ReadFull(f, size[:]); err != nil {
		return head{}, false
	}
	n := binary.LittleEndian.Uint64(size[:])
	if n > maxTensors {
		return head{}, false
	}
	list := make([]byte, n)
	if _, err := io.ReadFull(f, list); err != nil {
		return head{}, false
	}
	var tensors map[string]json.RawMessage
	if json.Unmarshal(list, &tensors) != nil {
		return head{}, false
	}
	scale, err := number(f, 8+int64(n), tensors["logit_scale"])
	if err != nil {
		return head{}, false
	}
	bias, err := number(f, 8+int64(n), tensors["logit_bias"])
	if err != nil {
		return head{}, false
	}
	h := head{math.Exp(scale), bias}
	return h, h.scale > 0 && !math.IsInf(h.scale, 0) && !math.IsNaN(bias) && !math.IsInf(bias, 0)
}

var errNoNumber = errors.New("no tensor of one number")

// number reads a tensor of one float32, float16 or bfloat16, whose data begin at base.
func number(f io.ReaderAt, base int64, tensor json.RawMessage) (float64, error) {
	var t struct {
		Type    string   `json:"dtype"`
		Offsets [2]int64 `json:"data_offsets"`
	}
	if err := json.Unmarshal(tensor, &t); err != nil {
		return 0, err
	}
	size, ok := map[string]int64{"F32": 4, "F16": 2, "BF16": 2}[t.Type]
	if !ok || t.Offsets[0] < 0 || t.Offsets[1]-t.Offsets[0] != size || t.Offsets[0] > math.MaxInt64-base {
		return 0, errNoNumber
	}
	var b [4]byte
	if _, err := f.ReadAt(b[:size], base+t.Offsets[0]); err != nil {
		return 0, err
	}
	switch half := binary.LittleEndian.Uint16(b[:]); t.Type {
	case "F16":
		return float64(fromHalf(half)), nil
	case "BF16":
		return float64(math.Float32frombits(uint32(half) << 16)), nil
	}
	return float64(math.Float32frombits(binary.LittleEndian.Uint32(b[:]))), nil
}
