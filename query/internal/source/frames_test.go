package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/lupadb/lupa/storage/value"
)

// fakeFFmpeg puts a program ffmpeg into an otherwise empty PATH.
func fakeFFmpeg(t *testing.T, script string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the stand-in for ffmpeg is a shell script")
	}
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "ffmpeg"), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
}

func framesOf(ctx context.Context, path string, every float64) (times []float64, sizes []image.Point, err error) {
	r, err := OpenFrames(path, Options{Every: every})
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	for n := int64(1); ; {
		b, err := r.Next(ctx)
		if err != nil || b == nil {
			return times, sizes, err
		}
		for i := range b.Len {
			if b.Cols[0].Ints[i] != n {
				return nil, nil, fmt.Errorf("frame %d comes %d.", b.Cols[0].Ints[i], n)
			}
			n++
			at := math.NaN()
			if !b.Cols[1].Null(i) {
				at = b.Cols[1].Reals[i]
			}
			times = append(times, at)
			c, err := png.DecodeConfig(strings.NewReader(b.Cols[2].Strs[i]))
			if err != nil {
				return nil, nil, err
			}
			sizes = append(sizes, image.Pt(c.Width, c.Height))
		}
	}
}

// Frames come out of a video with their times, as far as ffmpeg makes them, and what it can't
// read is an error with its words. The program is a stand-in that speaks as ffmpeg does.
func TestFramesPipe(t *testing.T) {
	dir := t.TempDir()
	video := filepath.Join(dir, "clip.mp4")
	if err := os.WriteFile(video, []byte("video"), 0o644); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	im := image.NewRGBA(image.Rect(0, 0, 40, 30))
	im.Set(3, 4, color.White)
	if err := png.Encode(&b, im); err != nil {
		t.Fatal(err)
	}
	frame := filepath.Join(dir, "frame.png")
	if err := os.WriteFile(frame, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	cat, err := exec.LookPath("cat")
	if err != nil {
		t.Skip("no cat")
	}
	show := func(n int) string {
		return fmt.Sprintf(`echo "[Parsed_showinfo_1 @ 0x55] n:%4d pts:%7d pts_time:%d.5 duration: 1" >&2; %s %s`, n, n*1000, 2*n, cat, frame)
	}
	fakeFFmpeg(t, "echo 'Input #0, error_free' >&2\n"+show(0)+"\n"+show(1)+"\n"+show(2))
	times, sizes, err := framesOf(t.Context(), video, 2)
	if err != nil || fmt.Sprint(times) != "[0.5 2.5 4.5]" || sizes[2] != image.Pt(40, 30) {
		t.Errorf("%v, %v, %v", times, sizes, err)
	}
	for script, want := range map[string]string{
		"echo 'clip.mp4: Invalid data found when processing input' >&2; exit 1": "clip.mp4: ffmpeg can't read it: clip.mp4: Invalid data found",
		"exit 3":         "exit status 3",
		"echo hello you": `begins with "hello yo"`,
		show(0) + "\nhead -c 20 " + frame + " 2>/dev/null || dd if=" + frame + " bs=20 count=1 2>/dev/null; printf '\\211PNG\\r\\n\\032\\n'": "breaks off",
	} {
		fakeFFmpeg(t, script)
		if _, _, err := framesOf(t.Context(), video, 2); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", script, err, want)
		}
	}
	// A program that goes on for ever ends with the context, and with Close.
	sleep, _ := exec.LookPath("/bin/sleep")
	fakeFFmpeg(t, show(0)+"\nexec "+sleep+" 600")
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(300*time.Millisecond, cancel)
	if _, _, err := framesOf(ctx, video, 2); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	r, err := OpenFrames(video, Options{Every: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	t.Setenv("PATH", dir)
	if _, err := OpenFrames(video, Options{Every: 1}); err == nil || !strings.Contains(err.Error(), "not in the PATH; install it") {
		t.Errorf("without ffmpeg: %v", err)
	}
	if _, err := OpenFrames(filepath.Join(dir, "none.mp4"), Options{Every: 1}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no video: %v", err)
	}
	for _, v := range []value.Value{value.Int(0), value.Float(-1), value.Str("x"), value.Float(math.NaN()), {}} {
		if _, err := FramesOptions([]Option{{Name: "every", Value: v, HasValue: true}}); err == nil {
			t.Errorf("every => %v is taken", v)
		}
	}
}

// Videos of several formats and rates, by the real ffmpeg where there is one.
func TestFramesOfVideos(t *testing.T) {
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("no ffmpeg here")
	}
	dir := t.TempDir()
	for _, c := range []struct {
		name  string
		args  []string
		every float64
		want  string
	}{
		{"a.mp4", []string{"-f", "lavfi", "-i", "testsrc=size=160x120:rate=10:duration=7"}, 2, "[0 2 4 6]"},
		{"b.mkv", []string{"-f", "lavfi", "-i", "testsrc=size=160x120:rate=25:duration=3"}, 1, "[0 1 2]"},
		{"c.avi", []string{"-f", "lavfi", "-i", "testsrc=size=160x120:rate=25:duration=1"}, 0.2, "[0 0.2 0.4 0.6 0.8]"},
		{"slow.mp4", []string{"-f", "lavfi", "-i", "testsrc=size=160x120:rate=1/3:duration=9"}, 1, "[0 3 6]"},
		{"-i concat:x|y 'q' %d.mp4", []string{"-f", "lavfi", "-i", "testsrc=size=160x120:rate=5:duration=2"}, 100, "[0]"},
	} {
		path := filepath.Join(dir, c.name)
		out, err := exec.Command(ffmpeg, append(append([]string{"-v", "error", "-y"}, c.args...), "-c:v", "mpeg4", "file:"+path)...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", c.name, err, out)
		}
		times, sizes, err := framesOf(t.Context(), path, c.every)
		for i := range times {
			times[i] = math.Round(times[i]*100) / 100
		}
		if err != nil || fmt.Sprint(times) != c.want || sizes[0] != image.Pt(160, 120) {
			t.Errorf("%s: %v, %v, %v; want %s", c.name, times, sizes, err, c.want)
		}
	}
	half, err := os.ReadFile(filepath.Join(dir, "a.mp4"))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"half.mp4": half[:len(half)/2], "text.mp4": []byte("hello"), "empty.mp4": nil, "list.m3u8": []byte("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:1/x.ts\n#EXT-X-ENDLIST\n")} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, _, err := framesOf(t.Context(), path, 1); err == nil || !strings.Contains(err.Error(), "ffmpeg can't read it") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
