// Package jxl makes package clip, and so every encoder, read JPEG XL files by the program
// djxl of libjxl, where the user has one. It is imported for that alone:
//
//	import _ "github.com/lupadb/lupa/encoder/jxl"
//
// The program is looked for in the PATH when a picture is decoded, and is not part of Lupa: apt
// install libjxl-tools, brew install jpeg-xl. It runs as a process of its own, on a copy of the
// file in a temporary directory, with one thread, for a time and on Linux with memory that depend on
// the picture's size, so that a damaged file can't harm this one. Sizes, EXIF and XMP data of
// JPEG XL are read without it.
package jxl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/andybalholm/brotli"

	"github.com/lupadb/lupa/encoder/clip"
)

func init() { clip.RegisterDecoder("jxl", clip.Decoder{Convert: convert, Unpack: unpack}) }

// unpack reads EXIF and XMP data, which libjxl compresses with brotli.
func unpack(packed []byte, limit int64) []byte {
	out, err := io.ReadAll(io.LimitReader(brotli.NewReader(bytes.NewReader(packed)), limit+1))
	if err != nil || int64(len(out)) > limit {
		return nil
	}
	return out
}

// limits are how long decoding a picture of some pixels may take (12 megapixels take a second or
// two), and how much memory (50 bytes a pixel; of an animation, all frames are decoded).
var limits = func(pixels int64) (time.Duration, uint64) {
	return time.Minute + time.Duration(pixels)*5*time.Microsecond, 1<<30 + 128*uint64(pixels)
}

// convert has djxl write the picture, upright, as PNM, or as PNG where it can't (some
// versions do not write alpha as PNM).
func convert(data []byte) ([]byte, error) {
	program, err := exec.LookPath("djxl")
	if err != nil {
		return nil, &clip.UnsupportedFormatError{Format: "JPEG XL", Program: "djxl (apt install libjxl-tools, brew install jpeg-xl)"}
	}
	dir, err := os.MkdirTemp("", "lupa-jxl-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	in := filepath.Join(dir, "in.jxl")
	if err := os.WriteFile(in, data, 0o600); err != nil {
		return nil, err
	}
	info, err := clip.Inspect(data)
	if err != nil {
		return nil, err
	}
	duration, memory := limits(int64(info.Width) * int64(info.Height))
	ctx, cancel := context.WithTimeout(context.Background(), duration)
	defer cancel()
	for _, name := range []string{"out.ppm", "out.png"} {
		var said bytes.Buffer
		cmd := exec.CommandContext(ctx, program, in, filepath.Join(dir, name), "--num_threads=1", "--quiet")
		cmd.Stderr = &limited{&said, 1 << 12}
		cmd.WaitDelay = 2 * time.Second
		runErr := cmd.Start()
		if runErr == nil {
			limited := restrict(cmd.Process.Pid, memory)
			runErr = cmd.Wait()
			if state := cmd.ProcessState; limited && ctx.Err() == nil && (killed(state) || strings.Contains(said.String(), "bad_alloc")) {
				return nil, fmt.Errorf("djxl crashed, or needs more than the %d MB that a picture of %d x %d may take; of an animation it decodes all frames", memory>>20, info.Width, info.Height)
			}
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("djxl took more than %v", duration)
		}
		out, err := written(dir, name)
		switch {
		case runErr == nil && err == nil:
			return out, nil
		case name == "out.png" && runErr != nil:
			return nil, fmt.Errorf("djxl can't decode it (%s)", reason(runErr, said.String()))
		case name == "out.png":
			return nil, err
		}
	}
	panic("unreachable")
}

// written returns the file that was asked for, or of an animation, whose frames are numbered,
// the first.
func written(dir, name string) ([]byte, error) {
	stem, ext, _ := strings.Cut(name, ".")
	list, err := filepath.Glob(filepath.Join(dir, stem+"*."+ext))
	if err != nil || len(list) == 0 {
		return nil, errors.New("djxl wrote nothing")
	}
	slices.SortFunc(list, func(a, b string) int { // out-2 before out-10
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	return os.ReadFile(list[0])
}

// reason is the last line that the program wrote, or how it ended.
func reason(err error, said string) string {
	said = strings.TrimSpace(said)
	if said == "" {
		return err.Error()
	}
	return said[strings.LastIndexByte(said, '\n')+1:]
}

// limited passes on the first bytes alone.
type limited struct {
	w    io.Writer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	n := min(len(p), l.left)
	l.left -= n
	if _, err := l.w.Write(p[:n]); err != nil {
		return 0, err
	}
	return len(p), nil
}
