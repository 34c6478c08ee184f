package shell

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/lupadb/lupa/cmd/lupa/internal/render"
	"github.com/lupadb/lupa/db"
)

// bar is a line on the error stream that tells how far work has come. It shows
// up only for work that takes long enough to wonder, and only on a terminal.
type bar struct {
	mu    sync.Mutex
	stage string
	began time.Time // of the stage
	drawn time.Time
	shown bool
}

const (
	barDelay = 400 * time.Millisecond
	barEvery = 100 * time.Millisecond
)

func (s *Shell) progress(p db.Progress) {
	if !isTerminal(s.std.errFile) {
		return
	}
	b := &s.bar
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if p.Stage != b.stage || b.began.IsZero() {
		b.stage, b.began = p.Stage, now
	}
	if !b.shown && now.Sub(b.began) < barDelay || now.Sub(b.drawn) < barEvery {
		return
	}
	width, _ := termSize(s.std.errFile)
	b.drawn, b.shown = now, true
	fmt.Fprintf(s.std.err, "\r\x1b[K%s", barLine(p, now.Sub(b.began), width-1))
}

// clearProgress removes the bar, before something else is printed.
func (s *Shell) clearProgress() { s.bar.clear(s.std.err) }

func (b *bar) clear(w io.Writer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shown {
		fmt.Fprint(w, "\r\x1b[K")
	}
	b.stage, b.began, b.shown = "", time.Time{}, false
}

// barLine draws progress in width columns: stage, bar, percentage, amounts and
// the time left at the average pace so far.
func barLine(p db.Progress, spent time.Duration, width int) string {
	stage := render.Visible(p.Stage)
	amount := func(n int64) string {
		if p.Unit == "bytes" {
			return bytesText(n)
		}
		return thousands(n)
	}
	unit := " " + p.Unit
	if p.Unit == "bytes" || p.Unit == "" {
		unit = ""
	}
	if p.Total <= 0 {
		return render.Shorten(fmt.Sprintf("%s  %s%s  %s", stage, amount(p.Done), unit, clock(spent)), width)
	}
	part := min(1, max(0, float64(p.Done)/float64(p.Total)))
	tail := fmt.Sprintf(" %3.0f%%  %s of %s%s", 100*part, amount(p.Done), amount(p.Total), unit)
	if part > 0.02 && part < 1 {
		tail += "  " + clock(time.Duration(float64(spent)/part*(1-part))) + " left"
	}
	const full = 24
	cells := min(full, width-render.Width(stage)-render.Width(tail)-2)
	if cells < 4 {
		return render.Shorten(stage+tail, width)
	}
	done := int(part * float64(cells))
	return stage + " [" + strings.Repeat("=", done) + strings.Repeat(" ", cells-done) + "]" + tail
}

func clock(d time.Duration) string {
	d = d.Round(time.Second)
	if d >= time.Hour {
		return fmt.Sprintf("%d:%02d:%02d", int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}

func bytesText(n int64) string {
	const units = "kMGT"
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	f, i := float64(n)/1000, 0
	for f >= 1000 && i < len(units)-1 {
		f /= 1000
		i++
	}
	return fmt.Sprintf("%.1f %cB", f, units[i])
}
