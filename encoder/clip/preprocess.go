package clip

import (
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sync"

	"github.com/lupadb/lupa/encoder/clip/internal/jpeg"
)

// Preprocessor turns pictures into the input of an image tower: resized, the
// centre cut out, scaled and normalised. It is safe for concurrent use.
type Preprocessor struct {
	width, height int // of the outcome
	shortest      int // length of the shorter side after resizing; 0 when squashing
	filter        Filter
	roundCrop     bool
	levels        [3][256]float32 // normalised value of each level of each channel
}

// Config is what a Preprocessor is made of.
type Config struct {
	// Shortest resizes so that the shorter side has this length and then cuts out
	// the centre, Width x Height. 0 resizes to Width x Height whatever the
	// proportions.
	Shortest      int
	Width, Height int
	Filter        Filter

	// RoundCrop places the crop as OpenAI's and torchvision's code does: half a
	// pixel is rounded to the even one. Hugging Face and immich, and so the models
	// in their layouts, round down.
	RoundCrop bool

	// A level of 0 to 255 becomes (level*Scale - Mean) / Std.
	Scale     float64
	Mean, Std [3]float64
}

// CLIPConfig returns the settings of the published CLIP models for a square of
// n pixels.
func CLIPConfig(n int) Config {
	return Config{
		Shortest: n, Width: n, Height: n, Filter: Bicubic, Scale: 1.0 / 255,
		Mean: [3]float64{0.48145466, 0.4578275, 0.40821073},
		Std:  [3]float64{0.26862954, 0.26130258, 0.27577711},
	}
}

// NewPreprocessor checks the settings.
func NewPreprocessor(c Config) (*Preprocessor, error) {
	const most = 4096
	switch {
	case c.Width < 1 || c.Height < 1 || c.Width > most || c.Height > most:
		return nil, fmt.Errorf("picture input of %d x %d: 1 to %d is possible", c.Width, c.Height, most)
	case c.Shortest != 0 && (c.Shortest < max(c.Width, c.Height) || c.Shortest > most):
		return nil, fmt.Errorf("a shorter side of %d can't hold a crop of %d x %d", c.Shortest, c.Width, c.Height)
	case c.Filter != Bicubic && c.Filter != Bilinear && c.Filter != Lanczos:
		return nil, fmt.Errorf("interpolation %d is not supported (1 Lanczos, 2 bilinear and 3 bicubic are)", c.Filter)
	}
	p := &Preprocessor{width: c.Width, height: c.Height, shortest: c.Shortest, filter: c.Filter, roundCrop: c.RoundCrop}
	for ch := range p.levels {
		std, mean := float32(c.Std[ch]), float32(c.Mean[ch])
		if !(std > 0) || math.IsInf(float64(std), 0) || mean != mean || !(c.Scale > 0) {
			return nil, fmt.Errorf("can't normalise with scale %v, mean %v and deviation %v", c.Scale, c.Mean, c.Std)
		}
		for i := range p.levels[ch] {
			p.levels[ch][i] = (float32(float64(i)*c.Scale) - mean) / std
		}
	}
	return p, nil
}

// Size returns the width and height of the outcome.
func (p *Preprocessor) Size() (width, height int) { return p.width, p.height }

// Len returns the number of values of one picture.
func (p *Preprocessor) Len() int { return 3 * p.width * p.height }

// Crop resizes and cuts: Width*Height pixels of 3 bytes.
func (p *Preprocessor) Crop(m *Picture) []byte { return p.crop(m, p.frame(m.Width, m.Height)) }

func (p *Preprocessor) crop(m *Picture, r window) []byte { return resample(m, p.filter, r) }

// frame is what is cut out of a picture of a width and height.
func (p *Preprocessor) frame(width, height int) window {
	w, h := p.width, p.height
	if p.shortest > 0 {
		w, h = p.shortest, p.shortest
		// The longer side is rounded down.
		if width > height {
			w = int(float64(p.shortest*width) / float64(height))
		} else {
			h = int(float64(p.shortest*height) / float64(width))
		}
	}
	return window{w, h, p.margin(w - p.width), p.margin(h - p.height), p.width, p.height}
}

// margin is the part of what is cut off that lies before the crop.
func (p *Preprocessor) margin(cut int) int {
	if p.roundCrop && cut%4 == 3 { // 1.5, 3.5, ... go up to the even number
		return cut/2 + 1
	}
	return cut / 2
}

// Pixels returns the tower's input for one picture: 3 planes (R, G, B) of
// Height rows of Width values.
func (p *Preprocessor) Pixels(m *Picture) []float32 {
	out := make([]float32, p.Len())
	p.Fill(out, m)
	return out
}

// Fill writes what Pixels returns to dst, which is Len() long.
func (p *Preprocessor) Fill(dst []float32, m *Picture) { p.levelled(dst, p.Crop(m)) }

func (p *Preprocessor) levelled(dst []float32, crop []byte) {
	n := p.width * p.height
	r, g, b := dst[:n], dst[n:2*n], dst[2*n:3*n]
	for i := range r {
		r[i], g[i], b[i] = p.levels[0][crop[3*i]], p.levels[1][crop[3*i+1]], p.levels[2][crop[3*i+2]]
	}
}

// File writes the tower's input for an encoded file to dst, which is Len() long:
// what Decode and Fill together give, in less time and memory. With fast a large
// JPEG file is decoded at reduced size, at least twice the size that it is resized
// to, in half the time (a quarter where there is no assembly); the outcome differs by a few levels.
func (p *Preprocessor) File(dst []float32, data []byte, maxPixels int, fast bool) error {
	var r window
	used := new(planePool)
	defer used.release()
	m, err := decode(data, maxPixels, func(info Info) jpeg.Options {
		r = p.frame(info.Width, info.Height)
		return reduced(info, r, p.filter, fast, used.get)
	})
	if err != nil {
		return err
	}
	if r.fullW == 0 { // no JPEG file
		r = p.frame(m.Width, m.Height)
	}
	p.levelled(dst, p.crop(m, r))
	return nil
}

// Thumbnail decodes a file, at reduced size where that is possible, and scales it
// to lie within width x height pixels, smaller pictures not at all.
func Thumbnail(data []byte, width, height int) (*image.RGBA, error) {
	fit := func(w, h int) window {
		f := min(1, float64(width)/float64(w), float64(height)/float64(h))
		w, h = max(1, int(float64(f*float64(w))+0.5)), max(1, int(float64(f*float64(h))+0.5))
		return window{w, h, 0, 0, w, h}
	}
	var r window
	used := new(planePool)
	defer used.release()
	m, err := decode(data, 0, func(info Info) jpeg.Options {
		r = fit(info.Width, info.Height)
		return reduced(info, r, Bicubic, true, used.get)
	})
	if err != nil {
		return nil, err
	}
	if r.fullW == 0 {
		r = fit(m.Width, m.Height)
	}
	out := image.NewRGBA(image.Rect(0, 0, r.w, r.h))
	pix := out.Pix
	for rgb := resample(m, Bicubic, r); len(rgb) > 0; rgb, pix = rgb[3:], pix[4:] {
		pix[0], pix[1], pix[2], pix[3] = rgb[0], rgb[1], rgb[2], 255
	}
	return out, nil
}

// reduced says how a JPEG file is to be decoded for a part of it.
func reduced(info Info, r window, f Filter, fast bool, planes func(int) []byte) jpeg.Options {
	o := jpeg.Options{Scale: 1, Planes: planes}
	for fast && o.Scale < 8 && info.Width >= 4*o.Scale*r.fullW && info.Height >= 4*o.Scale*r.fullH {
		o.Scale *= 2
	}
	// Which columns of the file matter, turned as it is stored.
	length, full, at, n := info.Width, r.fullW, r.left, r.w
	if info.Orientation >= 5 {
		length, full, at, n = info.Height, r.fullH, r.top, r.h
	}
	length = (length + o.Scale - 1) / o.Scale
	if full == length {
		o.From, o.To = at, at+n
	} else {
		k := makeKernel(f, length, full, at, n)
		o.From, o.To = k.span()
	}
	switch info.Orientation {
	case 2, 3, 7, 8:
		o.From, o.To = length-o.To, length-o.From
	}
	return o
}

// planePool lends the memory of planes and takes it back.
type planePool struct{ lent []*[]byte }

var planeMemory sync.Pool

func (p *planePool) get(n int) []byte {
	b, _ := planeMemory.Get().(*[]byte)
	if b == nil || cap(*b) < n {
		b = new([]byte)
		*b = make([]byte, n)
	}
	p.lent = append(p.lent, b)
	return (*b)[:n]
}

func (p *planePool) release() {
	for _, b := range p.lent {
		planeMemory.Put(b)
	}
}

// Files that LoadPreprocessor knows: of Hugging Face and of open_clip.
const (
	hfPreprocessor       = "preprocessor_config.json"
	openCLIPPreprocessor = "preprocess_cfg.json"
	openCLIPConfig       = "open_clip_config.json"
)

// PreprocessorFile returns the path of the file that LoadPreprocessor reads, or
// "" if dir has none.
func PreprocessorFile(dir string) string {
	for _, name := range []string{hfPreprocessor, openCLIPPreprocessor, openCLIPConfig} {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return ""
}

// LoadPreprocessor reads preprocessor_config.json (Hugging Face), preprocess_cfg.json
// (immich) or open_clip_config.json (OpenCLIP) of a model directory. The error wraps
// fs.ErrNotExist if there is none.
func LoadPreprocessor(dir string) (*Preprocessor, error) {
	path := PreprocessorFile(dir)
	if path == "" {
		return nil, fmt.Errorf("%s has no %s, %s or %s: %w", dir, hfPreprocessor, openCLIPPreprocessor, openCLIPConfig, fs.ErrNotExist)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	parse := parseHF
	switch filepath.Base(path) {
	case openCLIPPreprocessor:
		parse = parseOpenCLIP
	case openCLIPConfig:
		parse = parseOpenCLIPConfig
	}
	c, err := parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	p, err := NewPreprocessor(c)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// extent is a side, [height, width], or an object with names.
type extent struct {
	Height   int `json:"height"`
	Width    int `json:"width"`
	Shortest int `json:"shortest_edge"`
}

func (e *extent) UnmarshalJSON(b []byte) error {
	var n int
	if json.Unmarshal(b, &n) == nil {
		*e = extent{Shortest: n}
		return nil
	}
	var hw [2]int
	if json.Unmarshal(b, &hw) == nil {
		*e = extent{Height: hw[0], Width: hw[1]}
		return nil
	}
	type plain extent
	return json.Unmarshal(b, (*plain)(e))
}

// square fills in both sides where one was given.
func (e *extent) square() (w, h int) {
	if e.Shortest != 0 {
		return e.Shortest, e.Shortest
	}
	return e.Width, e.Height
}

func parseHF(b []byte) (Config, error) {
	var f struct {
		DoResize    *bool      `json:"do_resize"`
		DoCrop      *bool      `json:"do_center_crop"`
		DoRescale   *bool      `json:"do_rescale"`
		DoNormalize *bool      `json:"do_normalize"`
		Size        *extent    `json:"size"`
		CropSize    *extent    `json:"crop_size"`
		Resample    *Filter    `json:"resample"`
		Rescale     *float64   `json:"rescale_factor"`
		Mean        *[]float64 `json:"image_mean"`
		Std         *[]float64 `json:"image_std"`
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return Config{}, err
	}
	var open struct { // jina-clip's has the names of OpenCLIP
		Mean []float64 `json:"mean"`
	}
	if f.Mean == nil && json.Unmarshal(b, &open) == nil && open.Mean != nil {
		c, err := parseOpenCLIP(b)
		c.RoundCrop = true
		return c, err
	}
	on := func(p *bool, otherwise bool) bool {
		if p == nil {
			return otherwise
		}
		return *p
	}
	if f.Size == nil {
		return Config{}, errors.New(`no "size"`)
	}
	if !on(f.DoResize, true) {
		return Config{}, errors.New("do_resize is false: pictures of any size have to be resized")
	}
	c := Config{Filter: Bicubic, Std: [3]float64{1, 1, 1}, Scale: 1}
	if f.Resample != nil {
		c.Filter = *f.Resample
	}
	w, h := f.Size.square()
	if f.Size.Shortest != 0 {
		c.Shortest = f.Size.Shortest
	}
	c.Width, c.Height = w, h
	if on(f.DoCrop, f.CropSize != nil) {
		if f.CropSize != nil {
			c.Width, c.Height = f.CropSize.square()
		}
		if c.Shortest == 0 && (c.Width != w || c.Height != h) {
			return Config{}, fmt.Errorf("a crop of %d x %d out of a fixed %d x %d is not supported", c.Width, c.Height, w, h)
		}
	} else if c.Shortest != 0 {
		return Config{}, errors.New("pictures are resized by the shorter side but not cropped: the input would have no fixed size")
	}
	if on(f.DoRescale, true) {
		c.Scale = 1.0 / 255
		if f.Rescale != nil {
			c.Scale = *f.Rescale
		}
	}
	if on(f.DoNormalize, true) {
		if f.Mean == nil || f.Std == nil || len(*f.Mean) != 3 || len(*f.Std) != 3 {
			return Config{}, errors.New(`"image_mean" and "image_std" of three numbers are needed`)
		}
		c.Mean, c.Std = [3]float64(*f.Mean), [3]float64(*f.Std)
	}
	return c, nil
}

// parseOpenCLIPConfig reads open_clip_config.json: preprocess_cfg, and the size from the
// model where that leaves it out. What it leaves out else is as OpenAI's.
func parseOpenCLIPConfig(b []byte) (Config, error) {
	var f struct {
		Preprocess map[string]json.RawMessage `json:"preprocess_cfg"`
		Model      struct {
			Vision struct {
				Size json.RawMessage `json:"image_size"`
			} `json:"vision_cfg"`
		} `json:"model_cfg"`
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return Config{}, err
	}
	p := map[string]json.RawMessage{
		"size": f.Model.Vision.Size,
		"mean": json.RawMessage("[0.48145466, 0.4578275, 0.40821073]"), "std": json.RawMessage("[0.26862954, 0.26130258, 0.27577711]"),
	}
	if p["size"] == nil {
		delete(p, "size")
	}
	for k, v := range f.Preprocess {
		if string(v) != "null" {
			p[k] = v
		}
	}
	b, err := json.Marshal(p)
	if err != nil {
		return Config{}, err
	}
	c, err := parseOpenCLIP(b)
	c.RoundCrop = true
	return c, err
}

func parseOpenCLIP(b []byte) (Config, error) {
	f := struct {
		Size          *extent   `json:"size"`
		Mode          string    `json:"mode"`
		Mean          []float64 `json:"mean"`
		Std           []float64 `json:"std"`
		Interpolation string    `json:"interpolation"`
		ResizeMode    string    `json:"resize_mode"`
	}{Mode: "RGB", Interpolation: "bicubic", ResizeMode: "shortest"}
	if err := json.Unmarshal(b, &f); err != nil {
		return Config{}, err
	}
	if f.Size == nil || len(f.Mean) != 3 || len(f.Std) != 3 {
		return Config{}, errors.New(`"size", and "mean" and "std" of three numbers, are needed`)
	}
	if f.Mode != "RGB" {
		return Config{}, fmt.Errorf("mode %q is not supported (RGB is)", f.Mode)
	}
	c := Config{Scale: 1.0 / 255, Mean: [3]float64(f.Mean), Std: [3]float64(f.Std)}
	c.Width, c.Height = f.Size.square()
	switch f.ResizeMode {
	case "shortest":
		c.Shortest = max(c.Width, c.Height)
	case "squash":
	default:
		return Config{}, fmt.Errorf("resize_mode %q is not supported (shortest and squash are)", f.ResizeMode)
	}
	switch f.Interpolation {
	case "bicubic", "random":
		c.Filter = Bicubic
	case "bilinear":
		c.Filter = Bilinear
	default:
		return Config{}, fmt.Errorf("interpolation %q is not supported (bicubic and bilinear are)", f.Interpolation)
	}
	return c, nil
}
