//go:build unix

package shell

import (
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/lupadb/lupa/cmd/lupa/internal/render"
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// cellSize asks the terminal how large a character is; 10 by 20 where it does
// not tell.
func cellSize(f *os.File) render.Cell {
	if f != nil {
		if ws, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err == nil && ws.Xpixel > 0 && ws.Ypixel > 0 && ws.Col > 0 && ws.Row > 0 {
			return render.Cell{Width: int(ws.Xpixel / ws.Col), Height: int(ws.Ypixel / ws.Row)}
		}
	}
	return render.Cell{Width: 10, Height: 20}
}

var deviceAttributes = regexp.MustCompile(`\x1b\[\?([0-9;]*)c`)

// askTerminal sends Kitty's graphics query and a request for the device
// attributes. Every terminal answers the second, so its answer tells that none
// to the first will come; attribute 4 means sixel. A terminal that is silent
// for a second gets half blocks: an answer after that would be taken for typed
// text, so that busy machines had better be given time.
func askTerminal(in, out *os.File) string {
	if !isTerminal(in) || !isTerminal(out) {
		return "blocks"
	}
	fd := int(in.Fd())
	old, err := term.MakeRaw(fd)
	if err != nil {
		return "blocks"
	}
	defer term.Restore(fd, old)
	if _, err := out.WriteString("\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[c"); err != nil {
		return "blocks"
	}
	var got strings.Builder
	buf := make([]byte, 256)
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		left := int(time.Until(end) / time.Millisecond)
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, max(1, left))
		if err == unix.EINTR || n == 0 {
			continue
		}
		if err != nil {
			break
		}
		n, err = unix.Read(fd, buf)
		if err != nil || n <= 0 {
			break
		}
		got.Write(buf[:n])
		if m := deviceAttributes.FindStringSubmatch(got.String()); m != nil {
			switch {
			case strings.Contains(got.String(), "\x1b_Gi=31;OK"):
				return "kitty"
			case strings.Contains(";"+m[1]+";", ";4;"):
				return "sixel"
			}
			break
		}
	}
	return "blocks"
}
