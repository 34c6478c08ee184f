package source

import (
	"archive/zip"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// openNPZ opens an array of a .npz file: the one that is named, or the only one.
func openNPZ(path, member string) (Reader, error) {
	in, err := OpenInput(path)
	if err != nil {
		return nil, err
	}
	r, err := newNPZ(in, member)
	if err != nil {
		in.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

func newNPZ(in *Input, member string) (*npyReader, error) {
	z, err := zip.NewReader(in.f, in.size)
	if err != nil {
		return nil, fmt.Errorf("not a npz file, or a damaged one: %w", err)
	}
	member = strings.TrimSuffix(member, ".npy")
	var names []string
	var found *zip.File
	for _, f := range z.File {
		name, ok := strings.CutSuffix(f.Name, ".npy")
		if !ok {
			continue
		}
		names = append(names, name)
		if name == member || member == "" {
			found = f
		}
	}
	switch {
	case len(names) == 0:
		return nil, fmt.Errorf("the npz file holds no array")
	case member == "" && len(names) > 1:
		return nil, fmt.Errorf("the npz file holds several arrays; name one, as in member => '%s' (there are %s)", names[0], strings.Join(names, ", "))
	case found == nil:
		return nil, fmt.Errorf("the npz file holds no array %q (there are %s)", member, strings.Join(names, ", "))
	}
	if found.UncompressedSize64 > 1<<62 {
		return nil, fmt.Errorf("the npz file is damaged: an array of %d bytes", found.UncompressedSize64)
	}
	size := int64(found.UncompressedSize64)
	if found.Method == zip.Store {
		at, err := found.DataOffset()
		if err != nil {
			return nil, err
		}
		if at+size > in.size {
			return nil, fmt.Errorf("the file is truncated: %d bytes are missing", at+size-in.size)
		}
		return newNPY(in, strings.TrimSuffix(found.Name, ".npy"), io.NewSectionReader(in.f, at, size), size)
	}
	data, err := found.Open()
	if err != nil {
		return nil, err
	}
	return newNPY(in, strings.TrimSuffix(found.Name, ".npy"), data, size)
}

// maxSafetensorsHeader is the limit of the format.
const maxSafetensorsHeader = 100 << 20

// safetensorTypes are numpy's names of the element types.
var safetensorTypes = map[string]string{
	"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<V2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1",
	"U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1", "BOOL": "|b1",
}

// openSafetensors opens a tensor of a file: the one that is named, or the only one of
// one or two dimensions.
// Format: https://huggingface.co/docs/safetensors
func openSafetensors(path string, o Options) (Reader, error) {
	in, err := OpenInput(path)
	if err != nil {
		return nil, err
	}
	r, err := newSafetensors(in, o.Member)
	if err != nil {
		in.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

func newSafetensors(in *Input, member string) (*npyReader, error) {
	var head [8]byte
	if _, err := io.ReadFull(in.f, head[:]); err != nil {
		return nil, fmt.Errorf("not a safetensors file: %d bytes long", in.size)
	}
	n := binary.LittleEndian.Uint64(head[:])
	if n > maxSafetensorsHeader || int64(n)+8 > in.size {
		return nil, fmt.Errorf("not a safetensors file: its header would have %d bytes", n)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(in.f, b); err != nil {
		return nil, err
	}
	type tensor struct {
		Type    string   `json:"dtype"`
		Shape   []int64  `json:"shape"`
		Offsets [2]int64 `json:"data_offsets"`
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		return nil, fmt.Errorf("not a safetensors file: its header is not JSON: %w", err)
	}
	delete(raw, "__metadata__")
	var names []string
	var found tensor
	for name, text := range raw {
		var t tensor
		if err := json.Unmarshal(text, &t); err != nil {
			return nil, fmt.Errorf("the header has a value of %q that is not understood: %w", name, err)
		}
		names = append(names, name)
		if name == member || member == "" && len(raw) == 1 {
			member, found = name, t
		}
	}
	slices.Sort(names)
	switch {
	case len(names) == 0:
		return nil, fmt.Errorf("the file holds no tensor")
	case member == "":
		return nil, fmt.Errorf("the file holds several tensors; name one, as in member => '%s' (there are %s)", names[0], strings.Join(names, ", "))
	case !slices.Contains(names, member):
		return nil, fmt.Errorf("the file holds no tensor %q (there are %s)", member, strings.Join(names, ", "))
	}
	descr, ok := safetensorTypes[found.Type]
	if !ok {
		return nil, fmt.Errorf("tensor %s: element type %q is not supported", member, found.Type)
	}
	from, to := int64(n)+8+found.Offsets[0], int64(n)+8+found.Offsets[1]
	if found.Offsets[0] < 0 || to < from || to > in.size {
		return nil, fmt.Errorf("tensor %s: the file is truncated, or its header is damaged", member)
	}
	r := &npyReader{Input: in, name: member, data: io.NewSectionReader(in.f, from, to-from)}
	if err := r.describe(descr, false, found.Shape); err != nil {
		return nil, fmt.Errorf("tensor %s: %w", member, err)
	}
	if want := r.rows * int64(r.width) * int64(r.dtype.size); want != to-from {
		return nil, fmt.Errorf("tensor %s: %d bytes where its shape takes %d: the header is damaged", member, to-from, want)
	}
	return r, nil
}
