package shell

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"

	"github.com/lupadb/lupa/cmd/lupa/internal/render"
)

// pager holds a result back until it is longer than the screen, and then starts
// the pager program and passes everything on to it.
type pager struct {
	to      io.Writer
	command string
	height  int
	held    bytes.Buffer
	lines   int
	cmd     *exec.Cmd
	in      io.WriteCloser
	over    bool // the pager was left, the rest is not wanted
	direct  bool // no pager could be started
	running *atomic.Bool
}

// page returns the writer for a result, and what to call when all is written.
func (s *Shell) page(to *sink, mode string) (io.Writer, func()) {
	m, err := render.Lookup(mode)
	if !s.interactive || s.set.pager == "off" || !isTerminal(to.file) || err != nil || !m.People {
		return to.w, func() {}
	}
	command := s.set.pager
	if command == "auto" {
		if command = os.Getenv("LUPA_PAGER"); command == "" {
			command = os.Getenv("PAGER")
		}
		if command == "" || command == "less" {
			command = "less -RFXS" // colours, quit if it fits, stay on the screen, don't wrap
		}
	}
	_, height := termSize(to.file)
	p := &pager{to: to.w, command: command, height: height - 1, running: &s.paging}
	return p, p.done
}

func (p *pager) Write(b []byte) (int, error) {
	switch {
	case p.over:
		return len(b), nil
	case p.direct:
		return p.to.Write(b)
	case p.in == nil:
		p.held.Write(b)
		if p.lines += bytes.Count(b, []byte{'\n'}); p.lines > p.height {
			p.start()
		}
		return len(b), nil
	}
	if _, err := p.in.Write(b); err != nil {
		p.over = true
	}
	return len(b), nil
}

func (p *pager) start() {
	words := strings.Fields(p.command)
	if len(words) == 0 {
		words = []string{"cat"}
	}
	if _, err := exec.LookPath(words[0]); err != nil {
		p.direct = true
		p.to.Write(p.held.Bytes())
		return
	}
	p.cmd = exec.Command("sh", "-c", p.command)
	p.cmd.Stdout, p.cmd.Stderr = p.to, os.Stderr
	if os.Getenv("LESS") == "" {
		p.cmd.Env = append(os.Environ(), "LESS=RFXS") // any less shows colours
	}
	in, err := p.cmd.StdinPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		p.direct = true
		p.to.Write(p.held.Bytes())
		return
	}
	p.in = in
	p.running.Store(true)
	if _, err := in.Write(p.held.Bytes()); err != nil {
		p.over = true
	}
	p.held.Reset()
}

// done writes out what fits the screen, or waits until the person has left the
// pager.
func (p *pager) done() {
	if p.in != nil {
		p.in.Close()
		p.cmd.Wait() // its exit status says nothing about the result
		p.running.Store(false)
		return
	}
	p.to.Write(p.held.Bytes())
	p.held.Reset()
}
