package source

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lupadb/lupa/query/internal/hint"
	"github.com/lupadb/lupa/storage/value"
)

// Positions of the columns of frames().
const (
	frameNumber = iota
	frameTime
	frameImage
)

func frameColumns() []Column {
	return []Column{
		{"n", value.Type{Kind: value.Integer}},
		{"time", value.Type{Kind: value.Real}},
		{"frame", value.Type{Kind: value.Blob}},
	}
}

// FramesOptions checks the options of frames().
func FramesOptions(opts []Option) (Options, error) {
	o := Options{Every: 1}
	for _, opt := range opts {
		if !strings.EqualFold(opt.Name, "every") {
			return o, fmt.Errorf("no option %q for frames%s; there is every", opt.Name, hint.DidYouMean(strings.ToLower(opt.Name), []string{"every"}))
		}
		switch opt.Value.Kind() {
		case value.Integer:
			o.Every = float64(opt.Value.Int())
		case value.Real:
			o.Every = opt.Value.Float()
		case value.Numeric:
			o.Every, _ = strconv.ParseFloat(opt.Value.String(), 64)
		default:
			o.Every = 0
		}
		if !(o.Every >= 0.001 && o.Every <= 1e6) {
			return o, fmt.Errorf("option EVERY is a number of seconds, from 0.001 to 1000000, not %v", opt.Value)
		}
	}
	return o, nil
}

// maxFrame bounds the PNG file of a frame.
const maxFrame = 256 << 20

// frameBytes is how much of frames a batch holds, about.
const frameBytes = 8 << 20

// framesReader reads pictures of a video that the program ffmpeg makes: the first one in each
// span of so many seconds. The program runs from the first Next on, and no longer than the
// context of the latest one, or until Close.
type framesReader struct {
	program, path string
	every         float64
	want          []int

	stop  context.CancelFunc
	cmd   *exec.Cmd
	out   *bufio.Reader
	times chan float64
	said  *tail
	read  sync.WaitGroup

	n    int64
	done bool
	out1 value.Batch
}

// OpenFrames opens a video.
func OpenFrames(path string, o Options) (Reader, error) {
	f, _, err := OpenRegular(path)
	if err != nil {
		return nil, err
	}
	f.Close()
	program, err := exec.LookPath("ffmpeg")
	if err != nil {
		return nil, errors.New("frames() reads videos by the program ffmpeg, which is not in the PATH; install it (apt install ffmpeg, brew install ffmpeg)")
	}
	return &framesReader{program: program, path: path, every: o.Every, want: []int{frameNumber, frameTime, frameImage}}, nil
}

func (r *framesReader) Columns() []Column {
	all := frameColumns()
	out := make([]Column, len(r.want))
	for i, c := range r.want {
		out[i] = all[c]
	}
	return out
}

func (r *framesReader) Project(cols []int, _ []value.Type) error {
	r.want = cols
	return nil
}

func (r *framesReader) Rows() int64                   { return -1 }
func (r *framesReader) Progress() (done, total int64) { return 0, 0 }

// arguments are those of ffmpeg. The filter takes the first frame of each span, tells its time,
// and numbers what is left by seconds, so that frames come out one by one, none twice, whatever
// the version.
func (r *framesReader) arguments() []string {
	every := strconv.FormatFloat(r.every, 'f', -1, 64)
	span := func(t string) string { return "floor(" + t + "/" + every + "+1e-6)" }
	filter := "select='isnan(prev_selected_t)+gt(" + span("t") + "," + span("prev_selected_t") + ")',showinfo,setpts=N/TB"
	return []string{
		"-hide_banner", "-nostdin", "-nostats", "-loglevel", "info", "-protocol_whitelist", "file,pipe", "-i", "file:" + r.path,
		"-map", "0:v:0", "-an", "-sn", "-dn", "-vf", filter, "-r", "1", "-f", "image2pipe", "-c:v", "png", "-compression_level", "1", "-pix_fmt", "rgb24", "pipe:1",
	}
}

// shown is a line of the filter showinfo: the number of a frame and its time.
var shown = regexp.MustCompile(`Parsed_showinfo.*\bn: *\d+ .*\bpts_time: *(-?[0-9.]+)`)

// start begins to run ffmpeg.
func (r *framesReader) start() error {
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	r.cmd = exec.CommandContext(ctx, r.program, r.arguments()...)
	r.cmd.WaitDelay = 2 * time.Second
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	said, err := r.cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := r.cmd.Start(); err != nil {
		return fmt.Errorf("%s: %w", r.program, err)
	}
	r.out, r.times, r.said = bufio.NewReaderSize(out, 1<<20), make(chan float64, 1024), new(tail)
	r.read.Go(func() {
		defer close(r.times)
		lines := bufio.NewScanner(said)
		lines.Buffer(nil, 1<<16)
		for lines.Scan() {
			m := shown.FindStringSubmatch(lines.Text())
			if m == nil {
				r.said.add(lines.Text())
				continue
			}
			t, err := strconv.ParseFloat(m[1], 64)
			if err != nil {
				t = math.NaN()
			}
			select {
			case r.times <- t:
			case <-ctx.Done():
			}
		}
		io.Copy(io.Discard, said) // a line that is too long ends the scanner
	})
	return nil
}

// tail is the last line that a program has written, but for those about its own ways.
type tail struct {
	mu   sync.Mutex
	line string
}

func (t *tail) add(line string) {
	line = strings.TrimSpace(line)
	low := strings.ToLower(line)
	for _, word := range []string{"error", "invalid", "no such", "not found", "denied", "does not contain", "matches no", "unrecognized", "unknown", "could not", "failed"} {
		if strings.Contains(low, word) {
			t.mu.Lock()
			if t.line == "" {
				t.line = line
			}
			t.mu.Unlock()
			return
		}
	}
}

func (r *framesReader) Next(ctx context.Context) (*value.Batch, error) {
	if r.done {
		return nil, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if r.cmd == nil {
		if err := r.start(); err != nil {
			r.done = true
			return nil, err
		}
	}
	unhook := context.AfterFunc(ctx, r.stop)
	defer unhook()
	b := &r.out1
	b.Cols = make([]*value.Column, len(r.want))
	for i, c := range r.want {
		b.Cols[i] = &value.Column{Type: frameColumns()[c].Type}
	}
	b.Len = 0
	for size := 0; size < frameBytes && b.Len < value.BatchSize; {
		png, err := nextPNG(r.out)
		if err == nil {
			r.n++
			at := r.time(ctx)
			for i, c := range r.want {
				v := at
				switch c {
				case frameNumber:
					v = value.Int(r.n)
				case frameImage:
					v = value.WithBody(value.Blob, string(png))
				}
				b.Cols[i].Append(b.Len, v)
			}
			b.Len++
			size += len(png)
			continue
		}
		r.done = true
		if err := r.end(ctx, err); err != nil {
			return nil, err
		}
		break
	}
	if b.Len == 0 {
		return nil, nil
	}
	return b, nil
}

// time is that of the next frame, NULL where ffmpeg does not tell it.
func (r *framesReader) time(ctx context.Context) value.Value {
	late := time.NewTimer(10 * time.Second)
	defer late.Stop()
	select {
	case t, ok := <-r.times:
		if ok && t == t {
			return value.Float(t)
		}
	case <-ctx.Done():
	case <-late.C:
	}
	return value.Value{}
}

// end waits for ffmpeg, whose output has ended with err, and says why if that was too early.
func (r *framesReader) end(ctx context.Context, err error) error {
	if err != io.EOF {
		r.stop()
	}
	r.read.Wait()
	failed := r.cmd.Wait()
	r.stop()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != io.EOF:
		return fmt.Errorf("%s: what ffmpeg made of it breaks off: %w", r.path, err)
	case failed != nil && r.said.line != "":
		return fmt.Errorf("%s: ffmpeg can't read it: %s", r.path, r.said.line)
	case failed != nil:
		return fmt.Errorf("%s: ffmpeg can't read it: %w", r.path, failed)
	}
	return nil
}

// Close ends ffmpeg.
func (r *framesReader) Close() error {
	if r.cmd == nil || r.cmd.Process == nil {
		return nil
	}
	r.stop()
	if !r.done {
		r.done = true
		r.read.Wait()
		_ = r.cmd.Wait() // it was killed
	}
	return nil
}

var pngHeader = []byte("\x89PNG\r\n\x1a\n")

// nextPNG reads one PNG file of a stream of them; io.EOF is the end of the stream.
func nextPNG(in *bufio.Reader) ([]byte, error) {
	var out bytes.Buffer
	head := make([]byte, 8)
	if _, err := io.ReadFull(in, head); err != nil {
		return nil, err
	}
	if !bytes.Equal(head, pngHeader) {
		return nil, fmt.Errorf("it begins with %q, not like a PNG file", head)
	}
	out.Write(head)
	for {
		if _, err := io.ReadFull(in, head); err != nil {
			return nil, unexpected(err)
		}
		n := int64(binary.BigEndian.Uint32(head)) + 4 // with the checksum
		if int64(out.Len())+n > maxFrame {
			return nil, fmt.Errorf("a frame takes more than %d MiB", maxFrame>>20)
		}
		out.Write(head)
		if _, err := io.CopyN(&out, in, n); err != nil {
			return nil, unexpected(err)
		}
		if string(head[4:8]) == "IEND" {
			return out.Bytes(), nil
		}
	}
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
