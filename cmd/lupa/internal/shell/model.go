package shell

import (
	"context"
	"fmt"
	"image"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/encoder/hub"
	"github.com/lupadb/lupa/encoder/onnx"
	"github.com/lupadb/lupa/encoder/table"
	"github.com/spf13/pflag"
)

// modelFlags are those of lupa model and lupa setup.
func modelFlags(name string, o *options) *pflag.FlagSet {
	f := pflag.NewFlagSet("lupa "+name, pflag.ContinueOnError)
	f.SortFlags = false
	f.Usage = func() {}
	if name == "model" {
		f.StringArrayVar(&o.models, "models", nil, "look for encoders in `DIR` first; pull to there")
		f.StringVar(&o.variant, "variant", "", "graphs to check or pull: `NAME`, such as fp16")
		f.StringVar(&o.format, "format", "", "output `MODE` of list")
		f.BoolVar(&o.available, "available", false, "list the models to pull, and what they are for")
	}
	f.BoolVarP(&o.help, "help", "h", false, "this text")
	return f
}

// runModel is lupa model list, check and pull.
func runModel(ctx context.Context, std stdio, args []string) error {
	return withShell(ctx, std, "model", args, (*Shell).model)
}

// withShell parses the flags of lupa model or lupa setup and runs the rest in a
// shell without a store, until Ctrl-C.
func withShell(ctx context.Context, std stdio, name string, args []string, run func(s *Shell, ctx context.Context, rest []string) error) error {
	o := &options{images: "off", color: "auto"}
	f := modelFlags(name, o)
	if err := f.Parse(args); err != nil {
		return usageError{err}
	}
	if o.help {
		return runHelp(std, []string{name})
	}
	s, err := newShell(std, o)
	if err != nil {
		return err
	}
	s.stop = catchInterrupts()
	defer s.stop.release()
	ctx, stop := s.cancellable(ctx)
	defer stop()
	return run(s, ctx, f.Args())
}

func (s *Shell) model(ctx context.Context, rest []string) error {
	switch {
	case len(rest) == 1 && rest[0] == "list" && s.opts.available:
		return s.modelCards()
	case len(rest) == 1 && rest[0] == "list" || len(rest) == 0:
		return s.modelList()
	case len(rest) == 2 && rest[0] == "check":
		return s.modelCheck(ctx, rest[1])
	case len(rest) == 2 && rest[0] == "pull":
		return s.modelPull(ctx, rest[1])
	}
	return usagef("lupa model list, lupa model check NAME, lupa model pull NAME or lupa model pull hf:OWNER/NAME")
}

// modelList prints the encoders on this machine and those that can be fetched.
func (s *Shell) modelList() error {
	have := map[string]bool{}
	var rows [][]string
	for _, m := range encoder.SearchPath(s.opts.models...).List() {
		have[m.Name] = true
		rows = append(rows, []string{m.Name, string(m.Kind), m.Dir})
	}
	for _, m := range hub.Models() {
		if !have[m.Name] {
			rows = append(rows, []string{m.Name, "not here", fmt.Sprintf("lupa model pull %s (%s)", m.Name, bytesText(m.Card.Bytes))})
		}
	}
	return s.texts([]string{"encoder", "kind", "folder"}, rows)
}

// modelCards prints what the models that can be fetched are for, the recommended ones first.
func (s *Shell) modelCards() error {
	var rows [][]string
	sources := map[string]bool{}
	var notes []string
	for _, m := range hub.Models() {
		c := m.Card
		of := "pictures and texts"
		if !c.Pictures {
			of = "texts"
		}
		quality := ""
		if c.Quality > 0 {
			quality = fmt.Sprintf("%.1f", c.Quality)
			if !sources[c.Source] {
				sources[c.Source] = true
				notes = append(notes, c.Source)
			}
			for i, n := range notes {
				if n == c.Source {
					quality += fmt.Sprintf(" [%d]", i+1)
				}
			}
		}
		about := m.About
		if m.Name == encoder.RecommendedPictures || m.Name == encoder.RecommendedTexts {
			about += " (recommended)"
		}
		pinned := "recorded when first fetched"
		switch {
		case m.Pinned():
			pinned = "pinned"
		case m.GraphsPinned():
			pinned = "graphs pinned, others recorded when first fetched"
		}
		rows = append(rows, []string{m.Name, of, about, c.Languages, strconv.Itoa(c.Dim), bytesText(c.Bytes), quality, c.License, m.Repo, pinned})
	}
	if err := s.texts([]string{"model", "encodes", "about", "languages", "dimensions", "size", "quality %", "license", "source", "files"}, rows); err != nil {
		return err
	}
	for i, n := range notes {
		s.message("[%d] %s", i+1, n)
	}
	return nil
}

// modelCheck says what an encoder can do, and fails if that is nothing.
func (s *Shell) modelCheck(ctx context.Context, name string) error {
	models, spec := encoder.SearchPath(s.opts.models...), encoder.ParseSpec(name)
	if s.opts.variant != "" {
		spec.Variant = s.opts.variant
	}
	m, err := models.Find(spec.Name)
	if err != nil {
		return err
	}
	if m.Kind == encoder.KindTable {
		e, err := table.Open(m.Name, m.Dir)
		if err != nil {
			return err
		}
		defer e.Close()
		_, err = fmt.Fprintln(s.std.out, visibleOn(s.std.outFile, fmt.Sprintf("%s\na table of prompts in %s", e.Model(), m.Dir)))
		return err
	}
	f, err := onnx.Inspect(m.Dir, spec.Variant)
	if err != nil {
		return err
	}
	fmt.Fprintln(s.std.out, visibleOn(s.std.outFile, strings.TrimRight(f.String(), "\n")))
	if f.Text == nil && f.Image == nil {
		return errFailed
	}
	version, path, err := onnx.RuntimeVersion(nil)
	if err != nil {
		return err
	}
	fmt.Fprintln(s.std.out, visibleOn(s.std.outFile, fmt.Sprintf("runs on ONNX Runtime %s, %s", version, path)))
	return s.tryModel(ctx, m.Dir, spec.Variant)
}

// tryModel encodes something with each tower of a model directory: only that tells
// whether tokenizer and graphs work.
func (s *Shell) tryModel(ctx context.Context, dir, variant string) error {
	e, err := onnx.Open(dir, &onnx.Options{Variant: variant})
	if err != nil {
		return err
	}
	defer e.Close()
	if e.Folder().Text != nil {
		if _, err := e.EncodeTexts(ctx, []string{"a wolf"}); err != nil {
			return fmt.Errorf("encoding a text: %w", err)
		}
		fmt.Fprintln(s.std.out, "encodes a text")
	}
	if e.Folder().Image != nil {
		r, err := e.EncodeImages(ctx, []encoder.Image{{Decoded: image.NewGray(image.Rect(0, 0, 320, 240))}})
		if err == nil {
			err = r[0].Err
		}
		if err != nil {
			return fmt.Errorf("encoding a picture: %w", err)
		}
		fmt.Fprintln(s.std.out, "encodes a picture")
	}
	return nil
}

// modelPull downloads a model.
func (s *Shell) modelPull(ctx context.Context, name string) error {
	o := &hub.Options{Progress: s.downloading}
	if len(s.opts.models) > 0 {
		folder, _, _ := strings.Cut(strings.TrimPrefix(name, hub.Prefix), "@")
		o.Dir = filepath.Join(s.opts.models[0], filepath.FromSlash(folder))
	}
	dir, err := hub.PullVariant(ctx, name, s.opts.variant, o)
	s.clearProgress()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.std.out, visibleOn(s.std.outFile, dir))
	return err
}

// runSetup is lupa setup: ONNX Runtime's library for this user.
func runSetup(ctx context.Context, std stdio, args []string) error {
	return withShell(ctx, std, "setup", args, (*Shell).setup)
}

func (s *Shell) setup(ctx context.Context, _ []string) error {
	path, err := hub.Setup(ctx, &hub.Options{Progress: s.downloading})
	s.clearProgress()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.std.out, visibleOn(s.std.outFile, path))
	return err
}

// downloading shows the progress of a download.
func (s *Shell) downloading(p hub.Progress) {
	s.progress(db.Progress{Stage: p.File, Done: p.Done, Total: p.Total, Unit: "bytes"})
}
