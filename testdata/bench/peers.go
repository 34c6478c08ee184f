package main

import (
	"bufio"
	_ "embed"
	"fmt"
	"io"
	"os/exec"
	"strconv"
)

//go:embed peers.py
var peersScript string

// peer is another program that searches the same matrix.
type peer struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

// startPeer returns nil if Python or the library is missing.
func startPeer(python, kind string, rows, dim int, matrix, queries string, k int) *peer {
	p := &peer{cmd: exec.Command(python, "-c", peersScript, kind, strconv.Itoa(rows), strconv.Itoa(dim), matrix, queries, strconv.Itoa(k))}
	p.in, _ = p.cmd.StdinPipe()
	out, _ := p.cmd.StdoutPipe()
	p.out = bufio.NewScanner(out)
	if p.cmd.Start() != nil || !p.out.Scan() || p.out.Text() != "ready" {
		p.in.Close()
		p.cmd.Wait()
		return nil
	}
	return p
}

// search asks for query i and returns milliseconds.
func (p *peer) search(i int) (ms float64, best uint64, err error) {
	fmt.Fprintln(p.in, i)
	if !p.out.Scan() {
		return 0, 0, fmt.Errorf("the peer has died")
	}
	_, err = fmt.Sscan(p.out.Text(), &ms, &best)
	return ms, best, err
}

func (p *peer) close() {
	p.in.Close()
	p.cmd.Wait()
}
